"""The inference in what a model wrote."""

import re

from inspect_ai.solver import TaskState

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^```\w*\n?|\n?```$")
# "Sure! Here is the reason:", "**Reason:**", "The user's private reaction is:" — a label, not a thought.
_PREAMBLE = re.compile(
    r"^(?:sure|certainly|of course|okay|here(?:'s| is| are)|answer|note|(?:the |my )?(?:\w+'s )?(?:most likely )?"
    r"(?:private |inferred )?(?:reason|reaction|thought|note))\b[^\n:]{0,80}:\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^(?:[-*•>]|#{1,6}|\d{1,2}[.)])\s+")
_QUOTES = (('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’"), ("«", "»"), ("„", "“"), ("`", "`"))


def normalise(completion: str) -> str:
    """Take the inference out of a reply that says more than was asked.

    Removes tagged thinking, a code fence, a label or announcement in front, a bullet, emphasis, and one pair
    of quotation marks around the whole; of several paragraphs the first that says something is kept. Words of
    the inference itself are never changed.

    Args:
        completion: What the model wrote.

    Returns:
        The inference, or an empty string if the model wrote none.
    """
    text = _FENCE.sub("", _THINKING.sub("", completion).strip())
    for paragraph in re.split(r"\n\s*\n|\n(?=[-*•] |\d+[.)] )", text):
        if inference := _bare(paragraph):
            return inference
    return ""


def inference_of(state: TaskState) -> str:
    """The inference of a sample: what a control recites, word for word, or what the model wrote, normalised."""
    recited = state.metadata.get("recited")
    return normalise(state.output.completion) if recited is None else str(recited)


def _bare(paragraph: str) -> str:
    """Strip wrapping from a paragraph, layer by layer, until nothing changes."""
    text = " ".join(paragraph.split())
    before = None
    while text != before:
        before = text
        text = _BULLET.sub("", text)
        for mark in ("**", "__", "*", "_"):
            if text.startswith(mark) and text.count(mark) == 2:
                text = text.replace(mark, "").strip()
        text = _PREAMBLE.sub("", text)
        for left, right in _QUOTES:
            inner = text[1:-1]
            if len(text) > 2 and text[0] == left and text[-1] == right and left not in inner:
                text = inner.strip()
    return text
