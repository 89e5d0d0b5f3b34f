"""Taking the answer out of a reply, without changing its words."""

import pytest

from thoughttrace.core.record import NoConfidence
from thoughttrace.scorers.answer import normalise_message, normalise_thought, split_confidence

MESSAGE = "Thanks!\n\nCan you say which of \"A\" and 'B' is cheaper?\n- A\n- B"
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
        f"[0123abcd m03 assistant] {THOUGHT}",
        f"[0123abcd m03 user]\n[0123abcd m04 assistant]\n\n{THOUGHT}",
    ],
)
def test_an_inference_loses_its_wrapping(reply: str) -> None:
    assert normalise_thought(reply) == THOUGHT


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
def test_an_inference_keeps_its_own_words(thought: str) -> None:
    assert normalise_thought(thought) == thought


@pytest.mark.parametrize(
    "reply", ["", " \n", "<think>never ending", "```\n```", "[0123abcd m03 user]", "[0123abcd m03 user] [0123abcd m0"]
)
def test_an_empty_reply_holds_no_inference(reply: str) -> None:
    assert normalise_thought(reply) == ""


@pytest.mark.parametrize(
    "reply",
    [
        MESSAGE,
        f"\n{MESSAGE}  ",
        f"User: {MESSAGE}",
        f"**User:** {MESSAGE}",
        f"Next message: {MESSAGE}",
        f"The user's next message is likely:\n\n{MESSAGE}",
        f"Sure, here is the predicted message:\n{MESSAGE}",
        f"```\n{MESSAGE}\n```",
        f"“{MESSAGE}”",
        f"The person types “{MESSAGE}”",
        f"The user would write: “{MESSAGE}”",
        f"<think>They thank.\n\nSo …</think>\n{MESSAGE}",
        f"[2adc9a71 m02 user]\n{MESSAGE}\n[2adc9a71 m03 assistant]\nA is cheaper.",
    ],
)
def test_a_message_loses_its_wrapping_and_keeps_every_paragraph(reply: str) -> None:
    assert normalise_message(reply) == MESSAGE


@pytest.mark.parametrize(
    "message",
    [
        'He said "no"; she said "yes"',
        '"Yes" or "no"',
        "Here is my code:\n```\nx = 1\n```",
        "Two things: price and size",
        "* one\n* two",
        "[see m02] what about it?",
        "The user writes in capitals. How do I stop that?",
        'The user types "quit" and it hangs',
        'The user types "quit" and sees "bye"',
    ],
)
def test_a_message_keeps_its_own_words(message: str) -> None:
    assert normalise_message(message) == message


@pytest.mark.parametrize("nothing", ["", "  ", "<think>hm", "[2adc9a71 m02 user]\n"])
def test_an_empty_reply_holds_no_message(nothing: str) -> None:
    assert normalise_message(nothing) == ""


@pytest.mark.parametrize(
    "reply",
    [
        f"{THOUGHT}\nConfidence: 80",
        f"{THOUGHT}\n\nConfidence: 80 %\n",
        f'"{THOUGHT}"\n\n**Confidence:** 80%',
        f"{THOUGHT}\n**Confidence (0–100)**: 80/100",
        f"Reason: {THOUGHT}\n- My confidence level = about 80 per cent.",
        f"```\n{THOUGHT}\nconfidence: 80\n```",
        f"Confidence: 80\n{THOUGHT}",
        f"{THOUGHT} Confidence: 80",
        f"{THOUGHT} (Confidence: 80%)",
        f"{THOUGHT} My confidence is 80 %.",
        f"<think>One of two.\nConfidence: 50</think>{THOUGHT}\nConfidence: 80",
        f"{THOUGHT}\nConfidence: 30\n\nConfidence: 80\n\nThe message says so.",
        f"{THOUGHT}\nConfidence 80",
        f"{THOUGHT}\nConfidence – 80",
        f"{THOUGHT}\n\n**Confidence** - 80 per cent.",
        f"Confidence (0–100) 80/100\n{THOUGHT}",
    ],
)
def test_the_confidence_is_no_part_of_the_inference(reply: str) -> None:
    rest, confidence = split_confidence(reply)
    assert (normalise_thought(rest), confidence) == (THOUGHT, 80)


@pytest.mark.parametrize("said", ["NN", "high", "0.8", "70–80", "70-80", "-5", "101", "1000", "9" * 5000, ""])
def test_a_confidence_that_is_no_whole_number_to_100_cannot_be_read(said: str) -> None:
    rest, confidence = split_confidence(f"{THOUGHT}\nConfidence: {said}")
    assert (normalise_thought(rest), confidence) == (THOUGHT, NoConfidence.UNREADABLE)


@pytest.mark.parametrize("said", ["0.8", "70–80", "101", "-5"])
def test_so_it_is_without_a_colon(said: str) -> None:
    rest, confidence = split_confidence(f"{THOUGHT}\nConfidence {said}")
    assert (normalise_thought(rest), confidence) == (THOUGHT, NoConfidence.UNREADABLE)


@pytest.mark.parametrize(
    "thought",
    [
        "Confidence is what I lack, so I asked",
        "I asked since my confidence is gone",
        "My confidence is 3 out of 10 today",
        "I want more confidence",
        "Confidence 80 years ago was another thing",
        "My topic is\nConfidence – 3 steps to more of it",
    ],
)
def test_a_thought_about_confidence_is_none(thought: str) -> None:
    assert split_confidence(thought) == (thought, NoConfidence.MISSING)
