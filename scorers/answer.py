"""Take a model's answer, an inference or a predicted message, out of what it wrote, or say why there is none."""

import re

from inspect_ai.model import ContentText, ModelOutput
from inspect_ai.solver import TaskState

from thoughttrace.core.inspect_private import NO_CONTENT
from thoughttrace.core.record import (
    ControlMetadata,
    JudgedScore,
    NextMessageMetadata,
    NoConfidence,
    Unscored,
    answered_metadata,
)

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^```\w*\n?|\n?```$")
# "Sure! Here is the reason:", "**Reason:**", "The user's private reaction is:": a label, not a thought.
_PREAMBLE = re.compile(
    r"^(?:sure|certainly|of course|okay|here(?:'s| is| are)|answer|note|(?:the |my )?(?:\w+'s )?(?:most likely )?"
    r"(?:private |inferred )?(?:reason|reaction|thought|note))\b[^\n:]{0,80}:\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^(?:[-*•>]|#{1,6}|\d{1,2}[.)])\s+")
# A model that predicts a message may name its speaker, announce it, or continue the chat in the form of its prompt.
_SPEAKER = re.compile(
    r"^(?:\*\*|__)?(?:user|human|(?:[\w',’ ]{0,40}\b)?(?:next|predicted)(?: user)? message\b[^\n:]{0,30})"
    r"(?:\*\*|__)?:(?:\*\*|__)?\s*",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    r"^(?:the )?(?:person|user)(?: (?:would|will))? (?:type|write|say|send)s?(?: next)?:?\s*"
    r"(?=\"[^\"]*\"\Z|“[^“”]*”\Z)",
    re.IGNORECASE,
)
_MARKER_LINE = re.compile(r"^\[[0-9a-f]{8} [^\]\n]*\]\s*$", re.MULTILINE)
# A model that goes on in the form of its prompt writes the mark of a message before its words, or nothing else.
_MARKERS = re.compile(r"^(?:\[[0-9a-f]{8} [^\]\n]*(?:\]|\Z)\s*)+")
# "Confidence: 80", "**Confidence (0–100):** 80 %", "- my confidence = 80/100"; without a colon ("Confidence – 80") only
# where nothing but a number follows.
_CONFIDENCE = r"(?:my |overall )?confidence(?: level| score)?(?: ?\([^)\n]*\))?[*_]* ?"
_CONFIDENCE_LINE = re.compile(
    rf"^[^\w\n]*{_CONFIDENCE}(?:[:：=]|(?=[^\w\n]*\d(?:\d|[^\w\n])*(?:per ?cent[^\w\n]*)?$))(?P<said>.*)$",
    re.IGNORECASE | re.MULTILINE,
)
# On the line of the inference itself, only with a number behind: "My confidence is gone" is a thought.
_CONFIDENCE_AT_END = re.compile(rf"\s[^\w\s]*{_CONFIDENCE}(?:[:：=]|is)(?P<said>[^\w\n]*\d.*)\Z", re.IGNORECASE)
_OF_100 = re.compile(r"/ ?100\b")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_QUOTES = (('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’"), ("«", "»"), ("„", "“"), ("`", "`"))


def without_thinking(text: str) -> str:
    """Remove tagged thinking, also where it is not closed, and white space around the rest.

    Args:
        text: What a model wrote.
    """
    return _THINKING.sub("", text).strip()


def normalise_thought(completion: str) -> str:
    """Take the inference out of a reply that holds more than the inference.

    Removes tagged thinking, a code fence, leading marks of messages, a leading label or announcement, a bullet,
    emphasis, and one pair of quotation marks around all of it; of several paragraphs the first that is not empty is
    kept. Words of the inference itself are never changed.

    Args:
        completion: What the model wrote.

    Returns:
        The inference, or an empty string if the model wrote none.
    """
    text = _FENCE.sub("", without_thinking(completion))
    for paragraph in re.split(r"\n\s*\n|\n(?=[-*•] |\d+[.)] )", text):
        if inference := _unwrap(paragraph):
            return inference
    return ""


def normalise_message(completion: str) -> str:
    """Take the predicted message out of a reply that holds more than the message; all its paragraphs are kept.

    Removes tagged thinking, one code fence around all of it, a marker line, a leading name or announcement, one pair of
    quotation marks around all of it, and what follows the next marker line, where the model continues the chat.

    Args:
        completion: What the model wrote.

    Returns:
        The message, or an empty string if the model wrote none.
    """
    text = without_thinking(completion)
    if text.startswith("```") and text.endswith("```") and text.count("```") == 2:
        text = _FENCE.sub("", text).strip()
    text = next((part.strip() for part in _MARKER_LINE.split(text) if part.strip()), "")
    text = _ANNOUNCED.sub("", _SPEAKER.sub("", text, count=1), count=1)
    for left, right in _QUOTES:
        inner = text[1:-1]
        if len(text) > 2 and text[0] == left and text[-1] == right and not {left, right} & {*inner}:
            return inner.strip()
    return text


# A model that writes a reply anew may announce it, or put it in a fence of Markdown. What a reply may itself say is
# no announcement: "Here's my response to your landlord:".
_TEXT_FENCE = re.compile(r"\A```(?:markdown|md|text|txt)[ \t]*\n(.*?)\n?```\Z", re.DOTALL | re.IGNORECASE)
_ANEW = r"(?:new|better|improved|revised|rewritten) (?:reply|response|answer)"
_REPLY_PREAMBLE = re.compile(
    r"\A[*_#\s]*(?:(?:sure|certainly|of course|okay|absolutely)[^\n]{0,20}?[,.!]\s*)?"
    rf"(?:(?:here(?:'s|’s| is) )?(?:(?:the|an?|my) )?{_ANEW}|here(?:'s|’s| is) the (?:reply|rewrite)"
    rf"|here(?:'s|’s| is) (?:the|an?|my) (?:\w+ )?version of (?:the|my) (?:reply|response|answer|{_ANEW}))"
    r"(?:,[^\n:]{0,60}| (?:to|for) (?:the|this) (?:person|user|chat|conversation)\b[^\n:]{0,30})?"
    r"[*_]*:[*_]*[ \t]*(?:\n\s*|\Z)",
    re.IGNORECASE,
)
_ANNOUNCEMENT_WORDS = 12
"""A text before the mark of the assistant's message that has at most this many words, on one line, announces it."""
_ASSISTANT_LINE = re.compile(r"^\[[0-9a-f]{8} [^\]\n]*\bassistant\b[^\]\n]*\]\s*$", re.MULTILINE)
# The verb stands right behind the "cannot": "I can't see your file, but here is how to create one" refuses nothing.
_DECLINES = re.compile(
    r"\W*(?:(?:i(?:['’]m| am) (?:\w+ )?(?:sorry|afraid)|sorry|my apologies|i apologi[sz]e|unfortunately"
    r"|as an ai\b[^.\n]{0,40}?)[^\w\n]*(?:but |that )?)?"
    r"i(?: cannot| can['’]t| can not|(?: am|['’]m) (?:not able|unable) to|(?: won['’]t| will not)(?: be able to)?"
    r"| must decline to)(?: \w+ly)?"
    r" (?:help(?! (?:but|it|\w+ing)\b)|assist|provide|fulfil+|comply|continue|discuss|create|generate|engage|rewrite"
    r"|do (?:that|this))\b",
    re.IGNORECASE,
)
_REFUSAL_WORDS = 40
"""A longer text helps, whatever it begins with."""


def normalise_reply(completion: str) -> str:
    """Take a reply that was written anew out of what a model wrote around it.

    Removes tagged thinking, marker lines with a short announcement before the assistant's, an announcement on a line of
    its own such as "Here is the improved reply:", and a fence that makes all of it a text. What the reply itself says,
    quotes or fences stays.

    Args:
        completion: What the model wrote.

    Returns:
        The reply, or an empty string if the model wrote none.
    """
    text = without_thinking(completion)
    mark = _MARKER_LINE.search(text)
    if mark and _ASSISTANT_LINE.fullmatch(mark[0]):
        before = text[: mark.start()].strip()
        if "\n" not in before and len(before.split()) <= _ANNOUNCEMENT_WORDS and text[mark.end() :].strip():
            text = text[mark.end() :]
    parts = (_REPLY_PREAMBLE.sub("", part.strip(), count=1).strip() for part in _MARKER_LINE.split(text))
    text = next((part for part in parts if part), "")
    if (fenced := _TEXT_FENCE.fullmatch(text)) and "```" not in fenced[1]:
        text = fenced[1].strip()
    return text


def declines(text: str) -> bool:
    """Return whether a text is a refusal in plain words: "I'm sorry, but I can't help with that", and hardly more.

    Args:
        text: A reply.
    """
    return len(text.split()) <= _REFUSAL_WORDS and bool(_DECLINES.match(text))


def answer_of(state: TaskState) -> str:
    """Return a sample's answer: a control's word for word, or what the model wrote, normalised; empty if none."""
    recited = state.metadata_as(ControlMetadata).recited
    if recited is not None:
        return recited
    metadata, completion = answered_metadata(state.metadata), written(state)
    if isinstance(metadata, NextMessageMetadata):
        return normalise_message(completion)
    return normalise_thought(split_confidence(completion)[0] if metadata.asks_confidence else completion)


def confidence_of(state: TaskState) -> JudgedScore:
    """Return how sure a model says it is of its inference, or why that is not known, as metadata of its score.

    Args:
        state: A sample whose model was asked for it.
    """
    _, confidence = split_confidence(written(state))
    if not isinstance(confidence, NoConfidence):
        return JudgedScore.model_construct(confidence=confidence)
    if confidence == NoConfidence.MISSING and state.output.choices and state.output.stop_reason == "max_tokens":
        confidence = NoConfidence.TRUNCATED
    return JudgedScore.model_construct(no_confidence=confidence)


def split_confidence(completion: str) -> tuple[str, int | NoConfidence]:
    """Take off a reply what it says of how sure the model is.

    Tagged thinking, which may weigh several numbers, is removed first. Of several such lines the last counts.

    Args:
        completion: What the model wrote.

    Returns:
        The rest, and the confidence in per cent, or why there is none.
    """
    text = _THINKING.sub("", completion)
    if lines := [found["said"] for found in _CONFIDENCE_LINE.finditer(text)]:
        return _CONFIDENCE_LINE.sub("", text), _percent(lines[-1])
    found = _CONFIDENCE_AT_END.search(text.rstrip())
    if found and not isinstance(percent := _percent(found["said"]), NoConfidence):
        return text[: found.start()], percent
    return text, NoConfidence.MISSING


def _percent(said: str) -> int | NoConfidence:
    """Read the one whole number from 0 to 100 in a text."""
    numbers = _NUMBER.findall(_OF_100.sub("", said))
    if len(numbers) == 1 and re.fullmatch(r"100|\d\d?", numbers[0]):
        return int(numbers[0])
    return NoConfidence.UNREADABLE


def written(state: TaskState) -> str:
    """Return what the model wrote in a sample; empty where the text is its provider's."""
    return _written(state.output)


def whole_answer(output: ModelOutput) -> str:
    """Return all that a model answered, without tagged thinking; empty where it gave no answer.

    Args:
        output: What it generated.
    """
    return without_thinking(_written(output))


def _written(output: ModelOutput) -> str:
    if not output.choices or refused(output) or output.stop_reason == "model_length":
        return ""
    return output.completion.replace(NO_CONTENT, "")


def refused(output: ModelOutput) -> bool:
    """Return whether the provider's protocol marks an output as a refusal, of the model or of a filter.

    A refusal in plain words is an answer like any other, and the judge rates it.
    """
    if not output.choices:
        return False
    if output.stop_reason == "content_filter":
        return True
    content = output.message.content
    return not isinstance(content, str) and any(isinstance(part, ContentText) and part.refusal for part in content)


def why_none(output: ModelOutput) -> Unscored:
    """Say why a model's output holds no answer.

    Returns:
        `REFUSAL` or `NO_RESPONSE`, which are results; else what kept the model from answering: `TRUNCATED` where
        max_tokens left no room for an answer, as reasoning can; `PROMPT_TOO_LONG` where the prompt did not fit the
        model; or `NO_OUTPUT` where a limit of the sample came before any reply.
    """
    if not output.choices:
        return Unscored.NO_OUTPUT
    if refused(output):
        return Unscored.REFUSAL
    stopped = {"model_length": Unscored.PROMPT_TOO_LONG, "max_tokens": Unscored.TRUNCATED}
    return stopped.get(output.stop_reason, Unscored.NO_RESPONSE)


def _unwrap(paragraph: str) -> str:
    """Strip wrapping from a paragraph, layer by layer, until nothing changes."""
    text = " ".join(paragraph.split())
    previous = None
    while text != previous:
        previous = text
        text = _BULLET.sub("", text)
        for mark in ("**", "__", "*", "_"):
            if text.startswith(mark) and text.count(mark) == 2:
                text = text.replace(mark, "").strip()
        text = _PREAMBLE.sub("", _MARKERS.sub("", text))
        for left, right in _QUOTES:
            inner = text[1:-1]
            if len(text) > 2 and text[0] == left and text[-1] == right and left not in inner:
                text = inner.strip()
    return text
