"""Relations by turn, by stage and from message to message, counted by hand on conversations whose labels are known."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from thoughttrace.analysis.chapters.relation_flow import by_stage, by_turn, chapter, transitions
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.record import RELATE
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.samples import relation_sample
from thoughttrace.tasks.relate_messages import relate_messages


@pytest.fixture
def labelled(label: Callable[..., Any], tmp_path: Path) -> Callable[..., Run]:
    """A run in which each conversation, of a user of its own, has the relations that are given."""
    label(relate_messages)
    (run,) = read_runs([str(tmp_path / "labels")]).of(RELATE)

    def labelled(*conversations: Sequence[str], epochs: int = 1, turns: Sequence[int | None] = (None,) * 4) -> Run:
        rows = [
            {"user": f"user{n}", "conversation": f"c{n}", "message_index": 2 * turn, "epoch": epoch,
             "answer": answer, "first": turn == 0, "position": 2 * turn / (2 * len(answers) - 1), "turn": turns[turn]}
            for n, answers in enumerate(conversations)
            for turn, answer in enumerate(answers)
            for epoch in range(1, epochs + 1)
        ]  # fmt: skip
        return replace(run, rows=pd.DataFrame(rows))

    return labelled


SIX = [["first", "extend", "re_attempt", "extend"]] * 6
SIX_MORE = [["first", "new_request", "", "extend"]] * 6
"""The third message has no valid label."""


def test_shares_by_turn_are_those_counted_by_hand(labelled: Callable[..., Run]) -> None:
    table = pd.DataFrame(by_turn([labelled(*SIX, *SIX_MORE)])).set_index(["place", "relation"])
    assert set(table.index.get_level_values("place")) == {"2", "3", "4"}
    assert table.loc["2", "count"].to_dict() == {"extend": 6, "re_attempt": 0, "variation": 0, "new_request": 6}
    assert table.loc[("2", "extend"), "mean"] == 0.5
    lower, upper = table.loc[("2", "extend"), ["lower", "upper"]]
    assert lower == pytest.approx(1 - upper)  # symmetric on the logit
    assert 0.15 < lower < 0.3
    # Of six labelled messages a group is too small for an estimate; its counts stay.
    assert table.loc[("3", "re_attempt"), ["count", "n"]].tolist() == [6, 6]
    assert table.loc["3", "mean"].isna().all()
    assert table.loc[("4", "extend"), ["mean", "n"]].tolist() == [1, 12]


def test_shares_by_stage_leave_first_messages_out(labelled: Callable[..., Run]) -> None:
    # The later messages stand at 2/7, 4/7 and 6/7 of the way: nearest to 1/3, 2/3 and 1.
    table = pd.DataFrame(by_stage([labelled(*SIX, *SIX_MORE)])).set_index(["place", "relation"])
    assert set(table.index.get_level_values("place")) == {"Mid-Early", "Mid-Late", "Late"}
    assert table.loc["Mid-Early", "count"].to_dict() == {"extend": 6, "re_attempt": 0, "variation": 0, "new_request": 6}
    assert table.loc[("Late", "extend"), ["mean", "n"]].tolist() == [1, 12]


def test_a_message_is_followed_by_the_users_next_one_only(labelled: Callable[..., Run]) -> None:
    table = pd.DataFrame(transitions([labelled(*SIX, *SIX_MORE)])).set_index(["before", "after"])
    steps = {place: n for place, n in table["count"].to_dict().items() if n}
    # What has no label neither follows nor is followed: no step from new_request to the extend two messages on.
    assert steps == {
        ("first", "extend"): 6, ("first", "new_request"): 6, ("extend", "re_attempt"): 6, ("re_attempt", "extend"): 6,
    }  # fmt: skip
    assert table.loc[("first", "extend"), ["mean", "n", "users"]].tolist() == [0.5, 12, 12]
    assert "new_request" not in table.index.get_level_values("before")


def test_labels_of_one_epoch_follow_each_other(labelled: Callable[..., Run]) -> None:
    table = pd.DataFrame(transitions([labelled(*SIX, *SIX_MORE, epochs=2)])).set_index(["before", "after"])
    assert table.loc[("first", "extend"), ["count", "n", "users"]].tolist() == [12, 24, 12]


def test_turns_are_the_users_messages_where_the_log_counts_them(labelled: Callable[..., Run]) -> None:
    """As where the user wrote two messages in a row, or the assistant began."""
    run = labelled(*SIX, turns=[1, 2, 4, 5])
    table = pd.DataFrame(by_turn([run])).set_index(["place", "relation"])
    assert table[table["count"] > 0]["count"].to_dict() == {
        ("2", "extend"): 6, ("4", "re_attempt"): 6, ("5–8", "extend"): 6,
    }  # fmt: skip
    steps = pd.DataFrame(transitions([run])).set_index(["before", "after"])["count"]
    assert steps[steps > 0].to_dict() == {("first", "extend"): 6, ("re_attempt", "extend"): 6}


def test_a_log_counts_the_users_messages() -> None:
    roles = ["assistant", "user", "user", "assistant", "user"]
    conversation = Conversation.model_validate(
        {"id": "user1_task1_conversation1", "messages": [{"type": role, "content": "words"} for role in roles]}
    )
    made = [relation_sample(conversation, index, "Instructions.", "{marker} {message}") for index in (1, 2, 4)]
    assert [(sample.metadata or {})["turn"] for sample in made] == [1, 2, 3]


def test_the_chapter_draws_both_and_is_left_out_without_labels(labelled: Callable[..., Run]) -> None:
    runs = Runs([labelled(*SIX, *SIX_MORE)])
    sections = chapter(Evidence(runs)).filled
    assert [section.name for section in sections] == ["relations_by_turn", "relations_by_stage", "relation_transitions"]
    assert all(section.pictures for section in sections)
    assert not chapter(Evidence(Runs())).shown
