"""Expected ratings from the probabilities of tokens, against ratings computed by hand."""

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from inspect_ai.model import GenerateConfig, Logprob, Logprobs, TopLogprob, get_model
from pydantic import BaseModel

from thoughttrace.scorers.agreement import VERDICT, Verdict
from thoughttrace.scorers.expected_rating import Expectation, ask_for_probabilities, expect

Step = str | bytes | tuple[str | bytes, Mapping[Any, float]]
"""A token that was certain, or a token and what could stand in its place."""


def given(*steps: Step) -> tuple[str, Logprobs]:
    """The reply that tokens make, and their log-probabilities as a provider gives them."""
    content, reply = [], b""
    for step in steps:
        token, others = step if isinstance(step, tuple) else (step, {step: 1.0})
        top = [_one(other, p) for other, p in others.items()]
        content.append(Logprob(**_one(token, others.get(token, 1e-9)).model_dump(), top_logprobs=top))
        reply += _bytes(token)
    return reply.decode(), Logprobs(content=content)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _one(token: str | bytes, p: float) -> TopLogprob:
    return TopLogprob(token=_bytes(token).decode(errors="replace"), logprob=math.log(p), bytes=list(_bytes(token)))


def expected(fields: type[BaseModel], *steps: Step) -> Expectation | None:
    reply, logprobs = given(*steps)
    filled = VERDICT.parse(reply) if fields is Verdict else fields.model_validate_json(reply)
    assert filled
    return expect(filled, reply, logprobs)


ONE_TO_FIVE = {"1": 0.05, "2": 0.10, "3": 0.15, "4": 0.50, "5": 0.20}
MEAN = 0.05 + 0.20 + 0.45 + 2.00 + 1.00
"""1 × 0.05 + 2 × 0.10 + 3 × 0.15 + 4 × 0.50 + 5 × 0.20 = 3.70"""


def test_the_mean_rating_and_the_probability_of_each() -> None:
    found = expected(Verdict, '{"rationale": "', "4 of 5", '", "rating": ', ("4", ONE_TO_FIVE), "}")
    assert found
    assert found.rating == pytest.approx(MEAN) == pytest.approx(3.7)
    assert found.probabilities == {"rating": pytest.approx(ONE_TO_FIVE)}


def spaced(space: str) -> dict[str, float]:
    return {space + digit: p for digit, p in ONE_TO_FIVE.items()}


HEAD = '{"rationale": "same", "rating":'
TOKENISED: dict[str, tuple[list[Step], float]] = {
    "a space with the digit": ([HEAD, (" 4", spaced(" ")), "}"], MEAN),
    "the colon and a line with the digit": ([HEAD[:-1], (":\n 4", spaced(":\n ")), "}"], MEAN),
    "the digit with the end": ([HEAD + " ", ("4}", {f"{digit}}}": p for digit, p in ONE_TO_FIVE.items()})], MEAN),
    "the digit with a line": ([HEAD + " ", ("4\n", {f"{digit}\n": p for digit, p in ONE_TO_FIVE.items()}), "}"], MEAN),
    # 0.3 of the 4 is written with a space, which means the same.
    "with and without space": ([HEAD, ("4", {"4": 0.2, " 4": 0.3, " 5": 0.25, "5": 0.25}), "}"], 4.5),
    "space or none before it": ([HEAD, (" 4", {" 4": 0.5, "1": 0.5}), "}"], 2.5),
    # What is no rating does not count: 4 × 0.3 / 0.4 + 2 × 0.1 / 0.4.
    "other text is left out": (
        [HEAD + " ", ("4", {"4": 0.3, "2": 0.1, '"': 0.2, " ": 0.1, "45": 0.1, "4.5": 0.1, "null": 0.1}), "}"], 3.5,
    ),
    "two tokens of one text": ([HEAD + " ", ("4", {"4": 0.25, b"4": 0.25, "2": 0.5}), "}"], 3),
    "a fence around it": (["```json\n", HEAD, " ", ("4", ONE_TO_FIVE), "}\n```"], MEAN),
    "characters cut in two": (
        ['{"rationale": "caf', b"\xc3", b"\xa9 \xf0\x9f", b"\x98\x80", '", "rating": ', ("4", ONE_TO_FIVE), "}"], MEAN,
    ),
    "the rating first": (['{"rating": ', ("4", ONE_TO_FIVE), ', "rationale": "a \\"rating\\": 1"}'], MEAN),
    "certain": ([HEAD + " ", "4", "}"], 4),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "mean"), TOKENISED.values(), ids=TOKENISED)
def test_every_tokenisation_gives_the_same_rating(steps: list[Step], mean: float) -> None:
    found = expected(Verdict, *steps)
    assert found
    assert found.rating == pytest.approx(mean)


def test_thinking_before_and_space_after_the_reply_are_no_part_of_it() -> None:
    verdict: list[Step] = ['{"rationale": "no", "rating": ', ("4", ONE_TO_FIVE), "}"]
    reply, _ = given(*verdict)
    _, logprobs = given('<think>{"rationale": "no", "rating": ', ("2", {"2": 1.0}), "}</think>", *verdict, "\n\n ", "")
    found = expect(VERDICT.parse(reply), reply, logprobs)
    assert found
    assert found.rating == pytest.approx(MEAN)


UNTOLD: dict[str, list[Step]] = {
    "no alternatives": [HEAD + " ", ("4", {}), "}"],
}


@pytest.mark.parametrize("steps", UNTOLD.values(), ids=UNTOLD)
def test_a_rating_that_the_tokens_do_not_tell_has_no_expectation(steps: list[Step]) -> None:
    assert expected(Verdict, *steps) is None


def test_a_rating_that_a_grammar_forced_counts_by_its_own_probability() -> None:
    reply, logprobs = given(HEAD + " ", ("4", {"5": 0.03, '"': 0.90}), "}")
    forced = next(token for token in logprobs.content if token.token == "4")
    forced.logprob = math.log(0.01)
    found = expect(VERDICT.parse(reply), reply, logprobs)
    assert found
    assert found.rating == pytest.approx((4 * 0.01 + 5 * 0.03) / 0.04)


def test_tokens_of_another_text_tell_nothing() -> None:
    _, logprobs = given('{"rationale": "other", "rating": ', ("4", ONE_TO_FIVE), "}")
    reply = '{"rationale": "same", "rating": 4}'
    assert expect(VERDICT.parse(reply), reply, logprobs) is None


def test_tokens_that_were_certain_may_be_missing() -> None:
    # As Inspect hands on Google's: what stands between the others must have been certain.
    reply = '{"rationale": "4, 4 or so", "rating": 4}'
    filled = VERDICT.parse(reply)
    whole: list[Step] = ['{"', "rationale", '": "', "4", ", ", "4", " or so", '", "rating": ', ("4", ONE_TO_FIVE), "}"]

    def without(*places: int) -> Expectation | None:
        _, logprobs = given(*(step for place, step in enumerate(whole) if place not in places))
        return expect(filled, reply, logprobs)

    found = without(0, 2, 4, 7, 9)
    assert found
    assert found.rating == pytest.approx(MEAN)
    # The rating itself was certain.
    found = without(0, 7, 8, 9)
    assert found
    assert found.rating == 4
    # Whether the last 4 is the rating cannot be known.
    assert without(6, 7, 8) is None


def test_a_judge_s_own_number_of_alternatives_is_kept() -> None:
    judges = [get_model("mockllm/j", config=GenerateConfig(top_logprobs=top), memoize=False) for top in (None, 5)]
    assert [ask_for_probabilities(judge).top_logprobs for judge in judges] == [20, 5]


# ---- forms with several choices


class Compared(BaseModel):
    """A verdict whose rating follows from its choices."""

    rationale: str
    note: Literal["pleased", "mixed", "displeased"]
    guess: Literal["pleased", "mixed", "displeased"]
    cause: Literal["same", "part", "none", "added", "other"]

    @property
    def rating(self) -> int:
        """5 for the same verdict and cause, 3 for the same verdict, otherwise 1."""
        if self.note != self.guess:
            return 1
        return 5 if self.cause == "same" else 3


def test_the_expected_rating_of_several_choices() -> None:
    verdict = {"pleased": 0.6, "mixed": 0.3, "displeased": 0.1}
    found = expected(
        Compared, '{"rationale": "x", "note": "', ("pleased", verdict),
        '", "guess": "', ("mixed", {"mixed": 0.9, "displeased": 0.1}),
        '", "cause": "', ("same", {"same": 0.7, "other": 0.2, "part": 0.1}), '"}',
    )  # fmt: skip
    assert found
    assert found.probabilities == {
        "note": pytest.approx(verdict),
        "guess": pytest.approx({"pleased": 0, "mixed": 0.9, "displeased": 0.1}),
        "cause": pytest.approx({"same": 0.7, "part": 0.1, "none": 0, "added": 0, "other": 0.2}),
    }
    alike = 0.3 * 0.9 + 0.1 * 0.1
    assert found.rating == pytest.approx(alike * (5 * 0.7 + 3 * 0.3) + (1 - alike) * 1)


def test_words_in_pieces_are_followed_as_far_as_they_differ() -> None:
    class Piecewise(BaseModel):
        """Choices that begin alike."""

        choice: Literal["partly", "part", "pair", "none"]

        @property
        def rating(self) -> int:
            """How long it is."""
            return len(self.choice)

    steps: list[Step] = [
        '{"choice":',
        (' "', {' "': 0.7, '"': 0.2, ' "none"': 0.1}),  # the two openings tell nothing of the choice: 0.9 go on
        ("pa", {"pa": 0.5, "no": 0.3, "p": 0.1, "x": 0.1}),  # of 0.9: 5/9 go on, 3/9 none, 1/9 shared by three
        ("rt", {"rt": 0.75, "ir": 0.25}),
        ('"', {'"': 0.4, "ly": 0.6}),
        "}",
    ]
    found = expected(Piecewise, *steps)
    assert found
    on = 0.9 * (0.5 + 0.1) / 0.9  # "p" and "pa" can be the same three
    assert found.probabilities["choice"] == pytest.approx(
        {
            "none": 0.1 + 0.9 * 0.3 / 0.9,
            "pair": on * 0.25,
            "part": on * 0.75 * 0.4,
            "partly": on * 0.75 * 0.6,
        },
        abs=1e-6,
    )


def test_choices_that_share_their_first_token_share_its_probability() -> None:
    class Shared(BaseModel):
        """Two choices begin with the same token."""

        choice: Literal["note", "none", "same"]

        @property
        def rating(self) -> int:
            """Its place."""
            return ("note", "none", "same").index(self.choice) + 1

    found = expected(Shared, '{"choice": "', ("same", {"same": 0.5, "no": 0.5}), '"}')
    assert found
    assert found.probabilities["choice"] == pytest.approx({"note": 0.25, "none": 0.25, "same": 0.5})
    assert found.rating == pytest.approx(0.25 + 0.5 + 1.5)


def test_a_number_ends_where_another_does_not() -> None:
    class Longer(BaseModel):
        """Numbers of which one begins another."""

        rating: Literal[1, 10, 2]

    head = '{"rating": '
    found = expected(Longer, head, ("1", {"1": 0.8, "2": 0.2}), ("}", {"}": 0.75, "0": 0.25}))
    assert found
    assert found.probabilities["rating"] == pytest.approx({"1": 0.6, "10": 0.2, "2": 0.2})
    ten: Any = expected(Longer, head, ("10", {"10": 0.5, "1": 0.5}), "}")
    # Whether the 1 would have ended there is not known.
    assert ten.probabilities["rating"] == pytest.approx({"1": 0.25, "10": 0.75, "2": 0})


def test_the_log_holds_plain_numbers() -> None:
    found = expected(Verdict, HEAD + " ", ("4", ONE_TO_FIVE), "}")
    assert found
    assert json.loads(json.dumps(found.probabilities)) == found.probabilities
