"""Reading conversations: what is tolerated, what is refused, and how it is said."""

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.load import load_conversations

ID = "user1_task1_conversation1"


def record(**changes: Any) -> bytes:
    return json.dumps({"id": ID, "messages": [{"type": "user", "content": "hi"}], **changes}).encode()


BAD = [
    (b'{"id": "broken', "data.jsonl, line 2: is not valid JSON"),
    (
        b'{"id": "a_task1_conversation1", "x": "\xff"}',
        "data.jsonl, line 2 (a_task1_conversation1): is not valid UTF-8",
    ),
    (b"[1, 2]", "data.jsonl, line 2: is no JSON object"),
    (
        record(),
        f"data.jsonl, line 2: duplicate conversation id '{ID}' (first at data.jsonl, line 1); ids must be unique",
    ),
    (record(id="b_task1_conversation1", messages=[]), "line 2 (b_task1_conversation1): has no messages"),
    (record(id="b_task1_conversation1", messages=None), "(b_task1_conversation1): messages: Input should be"),
    (b'{"id": "b_task1_conversation1"}', "(b_task1_conversation1): has no messages"),
    (record(id="nobody"), "line 2 (nobody): has no user: name the id like"),
    (record(id=None), "line 2: has no id"),
    (
        record(id="b_task1_conversation1", messages=[{"type": "system", "content": "x"}]),
        "(b_task1_conversation1): message 0 has the role 'system'; it must be 'user' or 'assistant'",
    ),
    (
        record(id="b_task1_conversation1", messages=[{"content": "x"}]),
        "(b_task1_conversation1): message 0 has no 'type'",
    ),
    (
        record(
            id="b_task1_conversation1",
            messages=[
                {"type": "user", "content": "x"},
                {"type": "user", "content": "x", "reactions": [{"content": "nice", "label": "y"}]},
            ],
        ),
        "(b_task1_conversation1): message 1 has a reaction on a user message",
    ),
    (
        record(
            id="b_task1_conversation1",
            messages=[{"type": "assistant", "content": "x", "reasons": [{"content": "nice", "label": "y"}]}],
        ),
        "(b_task1_conversation1): message 0 has a reason on an assistant message",
    ),
    (
        record(id="b_task1_conversation1", messages=[{"type": "user", "content": None}]),
        "(b_task1_conversation1): messages.0.content: Input should be a valid string",
    ),
    (record(id="user\0_task1_conversation1"), "id: has a control character, with which the sample would not be found"),
]


@pytest.mark.parametrize(("line", "sentence"), BAD)
def test_a_bad_line_is_named(write: Callable[..., Path], line: bytes, sentence: str) -> None:
    path = write(record(), line)
    with pytest.raises(UserError) as error:
        load_conversations(path)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("line", "sentence"), BAD)
def test_a_bad_line_can_be_skipped_and_is_named(write: Callable[..., Path], line: bytes, sentence: str) -> None:
    loaded = load_conversations(write(record(), line), skip_bad=True)
    assert [c.id for c in loaded.conversations] == [ID]
    assert len(loaded.skipped) == 1
    assert sentence in loaded.skipped[0]


def test_what_the_release_contains_is_tolerated(write: Callable[..., Path]) -> None:
    path = write(
        record(
            messages=[
                {"type": "user", "content": "a", "reasons": None, "reactions": None, "id": 1, "new_key": 1},
                {"type": "assistant", "content": "b", "reactions": [], "timestamp": "2026-01-01T00:00:00Z"},
                {
                    "type": "user",
                    "content": "",
                    "timestamp": "2026-01-01T00:00:00",
                    "reasons": [
                        {"content": None, "label": None, "timestamp": None},
                        {"content": "  ", "label": "task_motivation", "timestamp": "yesterday"},
                        {
                            "content": "why",
                            "label": "brand_new_type",
                            "timestamp": "2026-01-01T00:00:00+00:00",
                        },
                    ],
                },
                {"type": "assistant", "content": "b"},
            ],
            survey_answers=[{"age": "366", "frequency": None, "education": None, "gender": "x"}],
            task_summary=None,
            extra={"nested": True},
        ),
        b"",
        record(id="user2_task1_conversation1", survey_answers=[]),
        b"\xef\xbb\xbf" + record(id="anything", user="user2", survey_answers=None),
    )
    found = census(load_conversations(path).conversations)
    assert (found.conversations, found.users, found.messages) == (3, 2, 6)
    assert (found.reasons, found.empty_thoughts, found.no_survey, found.impossible_ages) == (1, 2, 2, 1)
    assert found.unknown_labels == {"brand_new_type": 1}


@pytest.mark.parametrize(
    ("given", "read"), [(1775956268518, "1775956268518"), ("m1", "m1"), (None, None), ([1], None), ("", None)]
)
def test_a_messages_id_is_read_and_is_no_part_of_the_datas_checksum(
    given: Any, read: str | None, write: Callable[..., Path]
) -> None:
    message = {"type": "user", "content": "hi"}
    with_id, without = (
        load_conversations(write(record(messages=[each]))).conversations[0]
        for each in (message | {"id": given}, message)
    )
    assert with_id.messages[0].id == read
    assert with_id.model_dump_json() == without.model_dump_json()


def test_gzip_folder_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gzip.open(tmp_path / "a.jsonl.gz", "wb") as file:
        file.write(record() + b"\n")
    (tmp_path / "b.jsonl").write_bytes(record(id="user2_task1_conversation1"))
    (tmp_path / "notes.txt").write_text("not data")
    assert [c.user for c in load_conversations(tmp_path).conversations] == ["user1", "user2"]

    class Stdin:
        buffer = io.BytesIO(record())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert [c.user for c in load_conversations("-").conversations] == ["user1"]


def test_a_duplicate_in_another_file_is_named(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(record())
    with pytest.raises(UserError, match=r"b\.jsonl, line 1: .* \(first at a\.jsonl, line 1\)"):
        load_conversations(tmp_path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: None, "no such file or folder"),
        (lambda p: p.mkdir(), "no .jsonl, .jsonl.gz, .json or .parquet file in this folder"),
        (lambda p: p.write_bytes(b"\n\n"), "no conversations in it"),
    ],
)
def test_no_data_is_said(tmp_path: Path, make: Callable[[Path], Any], sentence: str) -> None:
    path = tmp_path / "data"
    make(path)
    with pytest.raises(UserError, match=sentence):
        load_conversations(path)


def test_a_cut_off_gzip_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(record() * 500)[:-20])
    with pytest.raises(UserError, match=r"a\.jsonl\.gz: cannot be read"):
        load_conversations(path)


def test_the_real_examples_are_as_their_readme_says(examples: Path) -> None:
    found = census(load_conversations(examples).conversations)
    assert (found.conversations, found.users, found.models) == (20, 17, 10)
    assert (found.messages, found.user_messages, found.assistant_messages) == (328, 164, 164)
    assert (found.reasons, found.reactions, found.several, found.no_survey) == (154, 156, 0, 2)
    assert found.turns == (5, 8, 16)
    assert found.types["reason"] == {
        "task_continuation": 52, "task_motivation": 45, "context_grounding_and_constraints": 19,
        "content_expectation": 17, "social_and_others": 14, "style_expectation": 5, "task_reorientation": 2,
    }  # fmt: skip
    assert found.types["reaction"] == {
        "explicit_affirmation": 114, "partial_satisfaction": 12, "content_relevance": 12, "scope_fit": 12,
        "presentation_style": 6,
    }  # fmt: skip


def test_hindsight_of_the_real_examples(examples: Path) -> None:
    told = [
        c.hindsight(index) for c in load_conversations(examples).conversations for index, _ in c.annotated("reaction")
    ]
    assert told.count(True) == 86
    assert told.count(True) + told.count(False) == 139
