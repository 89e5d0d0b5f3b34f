"""Conversations of other datasets in their published schemas."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.other_chats import Chat, read_chats


def wildchat(number: int = 0, turns: int = 1, **rest: Any) -> dict[str, Any]:
    """A record as WildChat-1M has it (its moderation columns left out but for one)."""
    said = [
        {
            "content": f"{role} says {turn}",
            "country": "Iceland",
            "hashed_ip": "ip1" if role == "user" else None,
            "language": "English",
            "redacted": False,
            "role": role,
            "state": None,
            "timestamp": None,
            "toxic": False,
            "turn_identifier": 1000 + turn,
        }
        for turn in range(turns)
        for role in ("user", "assistant")
    ]
    head = {"conversation_hash": f"hash{number}", "model": "gpt-4-0314", "timestamp": "2023-04-09T00:02:53Z"}
    return head | {"conversation": said, "turn": turns, "language": "English", "openai_moderation": []} | rest


def lmsys(number: int = 0) -> dict[str, Any]:
    """A record as LMSYS-Chat-1M has it."""
    said = [{"content": "how are you", "role": "user"}, {"content": "well", "role": "assistant"}]
    head = {"conversation_id": f"id{number}", "model": "vicuna-13b", "conversation": said, "turn": 1}
    return head | {"language": "English", "openai_moderation": [{"flagged": False}], "redacted": False}


SAID = [("user", "user says 0"), ("assistant", "assistant says 0")]
SHORT = [("user", "how are you"), ("assistant", "well")]


@pytest.mark.parametrize(
    ("record", "chat"),
    [
        (wildchat(hashed_ip="ip9"), Chat("ip9", SAID)),
        (wildchat(), Chat("ip1", SAID)),
        (lmsys(7), Chat("id7", SHORT)),
        ({"id": "user5_task2_conversation1", "messages": [{"type": "user", "content": "hi"}]},
         Chat("user5", [("user", "hi")])),
        ({"user": "u", "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": None}]},
         Chat("u", [("user", "")])),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_the_published_schemas_are_read(record: dict[str, Any], chat: Chat, form: str, tmp_path: Path) -> None:
    file = tmp_path / f"data.{form}"
    if form == "parquet":
        # An empty list has no type of its own in Parquet.
        pq.write_table(pa.Table.from_pylist([{k: v for k, v in record.items() if v != []}]), file)
    else:
        line = json.dumps(record).encode() + b"\n"
        file.write_bytes(gzip.compress(line) if form.endswith("gz") else line)
    assert list(read_chats(file)) == [chat]


def test_a_folder_of_parquet_is_read_in_order_and_only_the_needed_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shard in range(2):
        records = [
            wildchat(10 * shard + n, turns=1 + n, hashed_ip=f"ip{shard}{n}", header={"user-agent": "x"})
            for n in range(3)
        ]
        table = pa.Table.from_pylist([{k: v for k, v in one.items() if v != []} for one in records])
        pq.write_table(table, tmp_path / f"train-{shard}.parquet", row_group_size=2)
    asked: list[str] = []
    real = pq.ParquetFile.iter_batches

    def iter_batches(self: Any, batch_size: int, columns: list[str]) -> Any:
        asked.extend(columns)
        return real(self, batch_size=batch_size, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
    found = list(read_chats(tmp_path))
    assert [chat.user for chat in found] == ["ip00", "ip01", "ip02", "ip10", "ip11", "ip12"]
    assert [len(chat.messages) for chat in found] == [2, 4, 6] * 2
    assert {name.rpartition(".")[2] for name in asked} == {"conversation_hash", "content", "hashed_ip", "role"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"conversation": [', "data.jsonl, line 2: is not valid JSON"),
        (b'["a"]', "data.jsonl, line 2: has no messages; expected a list in 'conversation'"),
        (b'{"conversation": []}', "data.jsonl, line 2: has no messages"),
        (b'{"conversation": [{"content": "x"}]}', "data.jsonl, line 2: message 0 needs a 'role' and a 'content'"),
        (b'{"conversation": [{"role": "user", "content": 3}]}', "line 2: message 0 needs a 'role' and a 'content'"),
        (b'{"conversation": [{"role": "tool", "content": "x"}]}', "no message has the role 'user' or 'assistant'"),
        (b"\xff\xfe", "data.jsonl, line 2: is not valid JSON"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_or_skipped(line: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    file.write_bytes(json.dumps(lmsys(1)).encode() + b"\n" + line + b"\n" + json.dumps(lmsys(2)).encode())
    with pytest.raises(UserError, match="line 2") as error:
        list(read_chats(file))
    assert sentence in str(error.value)
    skipped: list[str] = []
    assert [chat.user for chat in read_chats(file, skipped)] == ["id1", "id2"]
    assert len(skipped) == 1
    assert sentence in skipped[0]


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        list(read_chats(tmp_path / "nowhere.jsonl"))
    (tmp_path / "odd.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match=r"odd\.parquet: cannot be read as Parquet"):
        list(read_chats(tmp_path / "odd.parquet"))
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "text.parquet")
    with pytest.raises(UserError, match=r"text\.parquet, row 1: has no messages"):
        list(read_chats(tmp_path / "text.parquet"))
