"""Compute the rating that a judge is expected to give, from the probabilities of the tokens of its verdict."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from typing import Any, Literal, get_args, get_origin

from inspect_ai.model import GenerateConfig, Logprob, Logprobs, Model

from thoughttrace.core.errors import UserError

TOP = 20
"""Alternatives asked for at each token: the most that OpenAI, Google and vLLM give."""

_NEVER = ("anthropic", "azureai", "bedrock", "groq", "meta", "mistral")
"""Inspect's providers that give no log-probabilities, whatever the model."""


@dataclass(frozen=True)
class Expectation:
    """What a judge's verdict would be on average, had it chosen anew after what it wrote before."""

    rating: float
    """The mean rating."""
    probabilities: dict[str, dict[str, float]]
    """The probability of each choice of each field, given the text before it; they add up to 1."""


def require_log_probabilities(judges: Sequence[Model]) -> None:
    """Refuse judges whose provider never gives log-probabilities, before anything is generated.

    Raises:
        UserError: One is of such a provider.
    """
    for judge in judges:
        if str(judge).partition("/")[0] in _NEVER:
            raise none_given(judge, "Nothing was generated.")


def none_given(judge: Model, then: str = "") -> UserError:
    """Return the error for a judge without log-probabilities.

    Args:
        judge: The judge.
        then: A sentence about what was done so far.
    """
    return UserError(
        f"judge_scale=expected: {judge} gives no log-probabilities of its tokens, from which the expected rating is "
        "computed. OpenAI's models without reasoning, Google's, local/… and servers such as vLLM and llama.cpp give "
        f"them. Bind such a judge, or leave out judge_scale. {then}".strip()
    )


def ask_for_probabilities(judge: Model) -> GenerateConfig:
    """Return the generation config that asks for the log-probabilities of the tokens.

    Args:
        judge: The judge. A `top_logprobs` of its own is kept: some servers allow fewer.
    """
    return GenerateConfig(logprobs=True, top_logprobs=judge.config.top_logprobs or TOP)


def expect(filled: Any, reply: str, logprobs: Logprobs) -> Expectation | None:
    r"""Compute the expected rating of a verdict, and the probability of each of its choices.

    .. math:: E = \sum_{v_1, v_2, …} p(v_1) p(v_2) … \, \mathrm{rating}(v_1, v_2, …)

    over the choices of all fields with a `Literal`, where p is the probability of a choice given the text before it;
    of a single field with the ratings themselves it is the mean that Liu et al. (2023, *G-Eval*) call the
    probability-weighted score. Several fields are taken to be independent given that text.

    Args:
        filled: The verdict, a pydantic model read from the reply; its `rating` is a field, or a property that follows
            from the fields.
        reply: The reply.
        logprobs: Of its tokens, with alternatives.

    Returns:
        None where a field's choice is not among the alternatives at its place, or cannot be found in the tokens.
    """
    choices = {
        name: get_args(field.annotation)
        for name, field in type(filled).model_fields.items()
        if get_origin(field.annotation) is Literal
    }
    reply = reply[reply.index("{") :].rstrip()
    tokens = [token for token in map(_read, logprobs.content) if token.text]
    places, offsets = _places(tokens, _encode(reply)), _offsets(reply)
    if places is None:
        return None
    probabilities: dict[str, dict[Any, float]] = {}
    for name, options in choices.items():
        found = _probabilities(options, getattr(filled, name), offsets[name], tokens, places)
        if found is None:
            return None
        probabilities[name] = found
    rating = 0.0
    for values in product(*probabilities.values()):
        chosen = dict(zip(probabilities, values, strict=True))
        p = math.prod(probabilities[name][value] for name, value in chosen.items())
        rating += p * filled.model_copy(update=chosen).rating
    rounded = {name: {str(value): round(p, 6) for value, p in found.items()} for name, found in probabilities.items()}
    return Expectation(rating, rounded)


# ---- where the tokens and the values stand

_SPACE = " \t\n\r"


@dataclass(frozen=True)
class _Token:
    """A token of a reply, in bytes: it can end within a character."""

    text: bytes
    alternatives: dict[bytes, float]
    """The probability of each text that could stand in its place, its own among them if the provider lists it."""


def _read(given: Logprob) -> _Token:
    alternatives: dict[bytes, float] = {}
    for other in given.top_logprobs or ():
        text = _bytes(other.token, other.bytes)
        # Special tokens can have the same text, or none.
        alternatives[text] = alternatives.get(text, 0.0) + math.exp(other.logprob)
    own = _bytes(given.token, given.bytes)
    if alternatives:  # a grammar can force a token that is not among the likeliest
        alternatives.setdefault(own, math.exp(given.logprob))
    return _Token(own, alternatives)


def _bytes(text: str, given: Sequence[int] | None) -> bytes:
    # A token that ends within a character has a \ufffd in its text, and the character's part in its bytes alone.
    return bytes(given) if given and max(given) < 256 else _encode(text.replace("\ufffd", ""))


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _places(tokens: Sequence[_Token], reply: bytes) -> list[tuple[int, int]] | None:
    """Find where each token stands in a reply.

    Args:
        tokens: The tokens, none of them empty; thinking can stand before those of the reply.
        reply: The reply.

    Returns:
        For each token the bytes of the reply that it lies in: first and end. They are more than the token is long where
        it could stand in several places. None if the tokens are not those of the reply.
    """
    texts = [token.text for token in tokens]
    start = b"".join(texts).rfind(reply)
    if start >= 0:
        return [(a - start, b - start) for a, b in pairwise(accumulate(map(len, texts), initial=0))]
    # Inspect leaves out Google's tokens whose log-probability is 0, and its tokens have no bytes.
    first, last = _starts(texts, reply), _starts([text[::-1] for text in reversed(texts)], reply[::-1])
    if first is None or last is None:
        return None
    return [(early, len(reply) - late) for early, late in zip(first, reversed(last), strict=True)]


def _starts(texts: Sequence[bytes], reply: bytes) -> list[int] | None:
    """Return the first places in a reply where texts can stand one after another, with gaps."""
    starts, end = [], 0
    for text in texts:
        start = reply.find(text, end)
        if start < 0:
            return None
        starts.append(start)
        end = start + len(text)
    return starts


def _offsets(reply: str) -> dict[str, int]:
    """Return after how many bytes of a JSON object the value of each key begins."""
    decode = json.JSONDecoder().raw_decode

    def skip(place: int, mark: str) -> int:
        while reply[place] in _SPACE + mark:
            place += 1
        return place

    offsets, place = {}, skip(0, "{")
    while reply[place] != "}":
        key, place = decode(reply, place)
        place = skip(place, ":")
        offsets[key] = len(_encode(reply[:place]))
        _, place = decode(reply, place)
        place = skip(place, ",")
    return offsets


# ---- how likely each choice was


def _probabilities(
    options: Sequence[Any], chosen: Any, offset: int, tokens: Sequence[_Token], places: Sequence[tuple[int, int]]
) -> dict[Any, float] | None:
    """Read how likely each choice of a field was from the alternatives to the tokens of its value.

    Choices can begin alike: then the tokens are followed as far as they tell the chosen one from the others. What they
    do not tell apart, because the reply did not go there, is shared equally.

    Args:
        options: The choices.
        chosen: The one in the reply.
        offset: Where its value begins in the reply, in bytes.
        tokens: The tokens of the reply.
        places: Where they stand, from `_places`.

    Returns:
        Probabilities that add up to 1; None where the chosen one is not among the alternatives.
    """
    texts = {option: _encode(json.dumps(option, ensure_ascii=False)) for option in options}
    value, written, mass = texts[chosen], b"", 1.0
    left, found = list(options), dict.fromkeys(options, 0.0)
    # A number ends with what follows it: 1 is told from 10 there.
    end = offset + len(value) + (not value.startswith(b'"'))
    for token, (first, last) in zip(tokens, places, strict=True):
        if first >= end or last <= offset or len(left) == 1:
            continue
        if last - first > len(token.text):
            return None
        if first > offset + len(written):  # what was left out was certain
            written = value[: first - offset]
            left = [option for option in left if texts[option].startswith(written)]
        head = token.text[: max(0, offset - first)]
        fits = {text: _fitting(left, texts, written, head, text) for text in token.alternatives}
        own = fits.get(token.text)
        if not own or chosen not in own:
            return None
        # Which of several spaces or quotes stands before a value says nothing of the value.
        telling = {text: fitting for text, fitting in fits.items() if fitting and (fitting == own or fitting != left)}
        total = sum(token.alternatives[text] for text in telling)
        if not total > 0:
            return None
        go_on = 0.0
        for text, fitting in telling.items():
            share = mass * token.alternatives[text] / total
            if fitting == own:
                go_on += share
                continue
            for option in fitting:
                found[option] += share / len(fitting)
        left, mass, written = own, go_on, written + token.text[len(head) :]
    found[chosen] += mass
    return found


def _fitting(
    options: Sequence[Any], texts: Mapping[Any, bytes], written: bytes, head: bytes, token: bytes
) -> list[Any]:
    """Return the choices that a value can be after a token.

    Args:
        options: What it can be before the token.
        texts: The text of each choice.
        written: What is written of the value.
        head: What the token of the reply holds in front of the value.
        token: The token.
    """
    rest = token
    if not written:  # space has no meaning there
        before = head.rstrip(_SPACE.encode())
        rest = token.removeprefix(before).lstrip(_SPACE.encode()) if token.startswith(before) else b""
    return [option for option in options if rest and _begins(texts[option], written + rest)]


def _begins(value: bytes, text: bytes) -> bool:
    """Return whether a text is the beginning of a value, or holds it whole."""
    after = text.removeprefix(value)[:1] if text.startswith(value) else b""
    number = not value.startswith(b'"')
    return value.startswith(text) or (after != b"" and not (number and after in b"0123456789.eE"))
