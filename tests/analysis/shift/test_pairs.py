"""The texts that are paired."""

from pathlib import Path
from typing import Any

import pytest

from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON, Pairs, cut_pairs
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.load import load_conversations

Pair = tuple[str, int, str, str]


def user(content: str, *reasons: str) -> dict[str, Any]:
    return {"type": "user", "content": content, "reasons": [{"content": text} for text in reasons]}


def assistant(content: str, *reactions: str) -> dict[str, Any]:
    return {"type": "assistant", "content": content, "reactions": [{"content": text} for text in reactions]}


def pairs(*messages: dict[str, Any]) -> Pairs:
    conversation = {"id": "user1_task1_conversation1", "messages": list(messages)}
    return cut_pairs([Conversation.model_validate(conversation)])


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (
            [user("m0", "r0"), assistant("a0", "x0"), user("m1", "r1"), assistant("a1", "x1")],
            # The last reaction has no message after it.
            [(NEXT, 0, "m0", "m1"), (REASON, 0, "m0", "r0"), (REACTION, 0, "x0", "m1"), (REASON, 2, "m1", "r1")],
        ),
        ([user("m0"), assistant("a0"), user("m1"), assistant("a1")], [(NEXT, 0, "m0", "m1")]),
        ([user("m0", "one", "", "two")], [(REASON, 0, "m0", "one\ntwo")]),
        # A reply before any message, two replies and two messages in a row.
        (
            [assistant("a", "x"), user("m1"), assistant("b", "y"), assistant("c", "z"), user("m4"), user("m5")],
            [(REACTION, -1, "x", "m1"), (NEXT, 1, "m1", "m4"), (REACTION, 1, "y", "m4"), (REACTION, 1, "z", "m4"),
             (NEXT, 4, "m4", "m5")],
        ),
        ([{"type": "user", "content": "m0", "reasons": None}, {"type": "assistant", "content": "a"}], []),
    ],
)  # fmt: skip
def test_pairs_are_cut_by_position(messages: list[dict[str, Any]], expected: list[Pair]) -> None:
    table = pairs(*messages).table
    assert list(zip(table["relation"], table["turn"], table["source"], table["target"], strict=True)) == expected
    assert set(table["user"]) <= {"user1"}


def test_what_is_left_out_and_joined_is_counted() -> None:
    found = pairs(user(" \n", "r0"), assistant("a", "x", "y"), user("m1"), assistant("b", "z"), user(""))
    # Blank: m0 → m1, m0 → r0, m1 → m2, z → m2.
    assert (found.blank, found.joined) == (4, 1)
    assert list(found.table["source"]) == ["x\ny"]


def test_words_are_counted() -> None:
    table = pairs(user("one two  three"), user("four\nfive")).table
    assert table[["source_words", "target_words"]].to_numpy().tolist() == [[3, 2]]


def test_the_real_conversations_give_the_pairs_that_were_counted(examples: Path) -> None:
    found = cut_pairs(load_conversations(examples).conversations)
    # 164 user messages in 20 conversations, 154 reasons, 156 reactions of which 139 are not on the last reply.
    assert found.table["relation"].value_counts().to_dict() == {REASON: 154, NEXT: 144, REACTION: 139}
    assert (found.blank, found.joined) == (0, 0)
