"""Taking the inference out of a reply, without changing its words."""

import pytest

from thoughttrace.scorers.answer import normalise

THOUGHT = "I want it shorter, since I'm reading it aloud."


@pytest.mark.parametrize(
    "reply",
    [
        THOUGHT,
        f"  {THOUGHT}\n",
        f'"{THOUGHT}"',
        f"“{THOUGHT}”",
        f"**{THOUGHT}**",
        f"*{THOUGHT}*",
        f"- {THOUGHT}",
        f"Reason: {THOUGHT}",
        f"**Reason:** {THOUGHT}",
        f"The user's private reason is: {THOUGHT}",
        f"Here is the reason they noted:\n{THOUGHT}",
        f'Sure! Here is the reason:\n\n"{THOUGHT}"',
        f"```\n{THOUGHT}\n```",
        f"```text\n{THOUGHT}\n```",
        f"<think>They repeat themselves.\nSo …</think>\n\n{THOUGHT}",
        f"{THOUGHT}\n\nThis is because the message says so.",
        f"1. {THOUGHT}\n2. I want something else.",
        "I want it shorter,\nsince I'm reading it aloud.",
    ],
)
def test_wrapping_is_taken_off(reply: str) -> None:
    assert normalise(reply) == THOUGHT


@pytest.mark.parametrize(
    "thought",
    [
        'I liked "option B" and want "more" of it',
        "'Twas fine, and that's all",
        "Good idea: I'll try it tomorrow",
        "The list was too long: I stopped reading",
        "Reasonable answer, I liked it",
        "Sure, but it is too long",
        "10 tips is too many",
        "snake_case and *stars* are fine * by * me",
        "a",
    ],
)
def test_words_of_the_thought_stay(thought: str) -> None:
    assert normalise(thought) == thought


@pytest.mark.parametrize("reply", ["", " \n", "<think>never ending", "```\n```"])
def test_nothing_is_nothing(reply: str) -> None:
    assert normalise(reply) == ""
