"""The forms in which people hold the release: each loads as the same data, or is refused with how to convert it."""

import bz2
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets import files, load
from thoughttrace.datasets.conversation import Participant
from thoughttrace.datasets.load import load_conversations
from thoughttrace.datasets.other_chats import read_chats
from thoughttrace.datasets.sources import from_where_started, open_source

SAMPLE = Path(load.__file__).resolve().parent / "sample.jsonl"
RECORDS = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
AS_TEXT = [{**record, "messages": [json.dumps(message) for message in record["messages"]]} for record in RECORDS]
FRAME = pd.DataFrame(RECORDS)


def hugging_face_parquet(path: Path) -> None:
    """Write what `Dataset.to_parquet` of datasets 5.2 writes: messages as a list of the type arrow.json."""
    texts = [message for record in AS_TEXT for message in record["messages"]]
    ends = list(accumulate((len(record["messages"]) for record in AS_TEXT), initial=0))
    messages = pa.ListArray.from_arrays(ends, pa.ExtensionArray.from_storage(pa.json_(pa.utf8()), pa.array(texts)))
    table = pa.Table.from_pylist([{key: record[key] for key in record if key != "messages"} for record in RECORDS])
    pq.write_table(table.append_column("messages", messages), path)


def read_parquet_to_json(path: Path) -> None:
    hugging_face_parquet(path.with_suffix(".parquet"))
    pd.read_parquet(path.with_suffix(".parquet")).to_json(path, orient="records", lines=True)


def read_parquet_to_parquet(path: Path) -> None:
    """Write messages as a list of text, as the Hub's own Parquet of the release and programs that copy it do."""
    hugging_face_parquet(path.with_suffix(".copy"))
    pd.read_parquet(path.with_suffix(".copy")).to_parquet(path)


def shards(path: Path) -> None:
    """Write Parquet in several files, as the Hub does with a large dataset."""
    path.unlink(missing_ok=True)
    for number, rows in enumerate((FRAME[:9], FRAME[9:])):
        rows.to_parquet(path.with_name(f"train-{number:05}-of-00002.parquet"))


def json_lines(records: list[Any]) -> Callable[[Path], object]:
    return lambda path: path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")


LOADED: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "pandas to_json": ("d.jsonl", lambda path: FRAME.to_json(path, orient="records", lines=True)),
    "pandas read_json to_json": (
        "d.jsonl",
        lambda path: pd.read_json(SAMPLE, lines=True).to_json(path, orient="records", lines=True, date_format="iso"),
    ),
    "pandas to_parquet": ("d.parquet", FRAME.to_parquet),
    "datasets to_parquet": ("d.parquet", hugging_face_parquet),
    "Parquet under another name": ("data.bin", hugging_face_parquet),
    "read_parquet to_json": ("d.jsonl", read_parquet_to_json),
    "read_parquet to_parquet": ("d.parquet", read_parquet_to_parquet),
    "Parquet in several files": ("folder/train.parquet", shards),
    "messages as a list of texts": ("d.jsonl", json_lines(AS_TEXT)),
    "messages as one text": ("d.jsonl", json_lines([{**r, "messages": json.dumps(r["messages"])} for r in RECORDS])),
    "survey as text": (
        "d.jsonl",
        json_lines([{**r, "survey_answers": json.dumps(r["survey_answers"])} for r in RECORDS]),
    ),
    "JSON array": ("d.json", lambda path: FRAME.to_json(path, orient="records")),
    "indented JSON array": ("d.json", lambda path: path.write_text(json.dumps(RECORDS, indent=1))),
    "compressed JSON array": ("d.json.gz", lambda path: path.write_bytes(gzip.compress(json.dumps(RECORDS).encode()))),
    "gzip under another name": ("d.jsonl", lambda path: path.write_bytes(gzip.compress(SAMPLE.read_bytes()))),
    "capital letters": ("folder/D.JSONL", lambda path: path.write_bytes(SAMPLE.read_bytes())),
}  # fmt: skip


@pytest.mark.parametrize(("name", "write"), LOADED.values(), ids=LOADED)
def test_each_form_is_the_same_data(name: str, write: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    write(path)
    source = open_source(str(path.parent if "/" in name else path))
    assert source.revision == open_source("sample").revision
    assert source.warnings == []


@pytest.mark.parametrize("name", ["pandas to_parquet", "datasets to_parquet", "messages as one text", "JSON array"])
def test_each_form_can_be_compared_with(name: str, tmp_path: Path) -> None:
    file, write = LOADED[name]
    write(tmp_path / file)
    assert [chat.messages for chat in read_chats(tmp_path / file)] == [chat.messages for chat in read_chats(SAMPLE)]


def arrow(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, pa.schema([("id", pa.utf8())])) as writer:
        writer.write_table(pa.table({"id": ["a"]}))


def saved_to_disk(path: Path) -> None:
    path.mkdir()
    arrow(path / "data-00000-of-00001.arrow")
    (path / "state.json").write_text("{}")


def saved_splits(path: Path) -> None:
    saved_to_disk(path)
    (path / "dataset_dict.json").write_text('{"splits": ["train"]}')


def two_forms(path: Path) -> None:
    path.mkdir()
    (path / "a.jsonl").write_bytes(SAMPLE.read_bytes())
    FRAME.to_parquet(path / "b.parquet")


def damaged_gzip(path: Path) -> None:
    compressed = bytearray(gzip.compress(SAMPLE.read_bytes()))
    compressed[200:300] = b"\xff" * 100
    with pytest.raises(zlib.error):
        gzip.decompress(compressed)
    path.write_bytes(compressed)


REFUSED: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "datasets to_csv": ("d.csv", FRAME.to_csv, r"d.csv: is CSV, .* with `to_json\(.* in the place of `to_csv`"),
    "datasets save_to_disk": ("saved", saved_to_disk, r"is an Arrow file, .*load_from_disk\(FOLDER\).to_json"),
    "save_to_disk with splits": ("saved", saved_splits, r"load_from_disk\(FOLDER\)\['train'\].to_json"),
    "an Arrow file": ("data-0.arrow", arrow, r"data-0.arrow: is an Arrow file"),
    "an Arrow file under another name": ("d.jsonl", arrow, r"d.jsonl: is an Arrow file"),
    "pandas to_json by columns": ("d.json", FRAME.to_json, "written column by column; .* orient='records', lines=True"),
    "bzip2": ("d.bz2", lambda path: path.write_bytes(bz2.compress(b"{}")), "is compressed with bzip2: unpack it first"),
    "a broken array": ("d.json", lambda path: path.write_text('[{"id": 1},'), "begins as a JSON array and is not"),
    "a deep array": ("d.json", lambda path: path.write_text("[" * 100_000), "begins as a JSON array and is not"),
    "an array of numbers": ("d.json", lambda path: path.write_text("[1]"), "item 1: is no JSON object"),
    "two forms in a folder": ("folder", two_forms, r"such as a.jsonl \(JSON Lines\), b.parquet \(Parquet\);"),
    "a damaged gzip": ("d.jsonl.gz", damaged_gzip, r"d.jsonl.gz: cannot be read \(Error -3 while decompressing data"),
    "other Parquet": ("d.parquet", lambda path: pd.DataFrame({"x": [1]}).to_parquet(path), "row 1: has no id"),
    "a name too long": ("x" * 5_000, lambda path: None, "File name too long"),
    "no message is an object": (
        "d.jsonl", json_lines([{"id": "a_task1_conversation1", "messages": ["hi"]}]), "message 0 is no JSON object",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "write", "sentence"), REFUSED.values(), ids=REFUSED)
def test_other_forms_are_refused_in_a_sentence(
    name: str, write: Callable[[Path], Any], sentence: str, tmp_path: Path
) -> None:
    write(tmp_path / name)
    with pytest.raises(UserError, match=sentence) as refused:
        load_conversations(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_parquet_is_not_read_from_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hugging_face_parquet(tmp_path / "d.parquet")

    class Stdin:
        buffer = io.BytesIO((tmp_path / "d.parquet").read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    with pytest.raises(UserError, match="Parquet cannot be read from a pipe"):
        load_conversations("-")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("begin", [b"{", b"["])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    compress: Callable[[bytes], bytes], begin: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LONGEST", 10_000)
    path = tmp_path / "d.jsonl"
    path.write_bytes(compress(begin + b" " * 20_000))
    for read in (load_conversations, lambda path: list(read_chats(path))):
        with pytest.raises(UserError, match=r"10,000 bytes"):
            read(path)


def test_a_device_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST", 10_000)
    with pytest.raises(UserError, match="zero, line 1: is longer than 10,000 bytes"):
        load_conversations("/dev/zero")


def test_bad_lines_without_end_are_not_all_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_MOST_SKIPPED", 10)
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"{}\n" * 20)
    with pytest.raises(
        UserError, match=r"more than 10 lines cannot be used, too many to skip; the first: d.jsonl, line 1: has no"
    ):
        load_conversations(path, skip_bad=True)  # fmt: skip


def test_when_all_lines_are_skipped_the_reasons_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"{}\n{bad\n" + b"{}\n" * 5)
    with pytest.raises(UserError) as refused:
        load_conversations(path, skip_bad=True)
    assert "no conversations in it; all 7 lines were skipped: d.jsonl, line 1: has no id" in str(refused.value)
    assert "d.jsonl, line 2: is not valid JSON" in str(refused.value)
    assert str(refused.value).endswith("And 2 more.")


def record(**changes: Any) -> dict[str, Any]:
    messages = [{"type": "user", "content": "hi", "reasons": [{"content": "why", "label": "x"}]}]
    return {"id": "user1_task1_conversation1", "messages": messages, **changes}


NAN = float("nan")
TOLERATED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "NaN for lists": (
        {"survey_answers": NAN, "messages": [{"type": "assistant", "content": "x", "reactions": NAN, "reasons": NAN}]},
        {"survey_answers": [], "messages": [{"type": "assistant", "content": "x"}]},
    ),
    "NaN for texts": ({"task_summary": NAN, "task_expectation": NAN, "model_name": NAN}, {"model_name": "unknown"}),
    "None for a model": ({"model_name": None}, {}),
    "survey as an object": ({"survey_answers": {"age": "31"}}, {"survey_answers": [{"age": "31"}]}),
    "numbers for ids": ({"id": 7, "user": 804}, {"id": "7", "user": "804"}),
    "floats for ids": ({"id": 7.0, "user": 804.0}, {"id": "7", "user": "804"}),
    "NaN for a user": ({"user": NAN}, {"user": "user1"}),
}  # fmt: skip


ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "NaN": ({"age": NAN, "gender": NAN, "frequency": NAN}, {}),
    "an age with months": ({"age": 31.5}, {"age": "31"}),
    "pandas' floats": ({"age": "31.0", "frequency": 5.0}, {"age": 31, "frequency": "5"}),
    "a frequency between two": ({"frequency": 4.5}, {}),
    "a number that no table holds": ({"age": 10**400, "frequency": "99999999999999999999"}, {}),
    "true for an age": ({"age": True}, {}),
    "codes for answers": ({"gender": 1, "education": 2.0}, {"gender": "1", "education": "2"}),
    "a list of purposes": ({"purposes": ["work", "study"]}, {"purposes": "work, study"}),
}
TOLERATED |= {
    name: ({"survey_answers": [held]}, {"survey_answers": [meant]}) for name, (held, meant) in ANSWERS.items()
}


@pytest.mark.parametrize(("held", "meant"), TOLERATED.values(), ids=TOLERATED)
def test_what_programs_make_of_a_record_is_tolerated(held: Any, meant: Any, write: Callable[..., Path]) -> None:
    def load(changes: dict[str, Any], name: str) -> list[str]:
        loaded = load_conversations(write(record(**changes), name=name)).conversations
        return [conversation.model_dump_json() for conversation in loaded]

    assert load(held, "held.jsonl") == load(meant, "meant.jsonl")


def test_years_are_completed_years() -> None:
    assert [Participant.model_validate({"age": age}).age for age in (31.9, "31.9", 366, "none", "nan", "inf", -1)] == [
        31, 31, 366, None, None, None, -1,
    ]  # fmt: skip


def test_an_id_that_is_a_number_names_no_user(write: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="line 1: has no user: name the id like"):
        load_conversations(write(record(id=7)))
    with pytest.raises(UserError, match="line 1: has no id; every conversation needs one"):
        load_conversations(write(record(id=NAN)))


@pytest.mark.parametrize("time", [1775956268518, "Sun Apr 12 2026 01:11:08 GMT+0000 (UTC)", None, {"a": 1}])
def test_times_that_cannot_be_read_are_reported(
    time: Any, write: Callable[..., Path], make_conversation: Callable[..., Any]
) -> None:
    odd = make_conversation("user1")
    for message in odd["messages"]:
        message["timestamp"] = time
    source = open_source(str(write(odd, make_conversation("user2"))))
    # Of three turns the last message has none after it.
    assert source.warnings == [
        "data.jsonl: on 4 of 8 messages it is unknown whether the thought was written after the next user message "
        "(hindsight), because a time is missing or is no ISO 8601 text such as 2026-01-01T00:00:00Z."
    ]


def test_skipped_lines_are_reported_with_their_reasons(write: Callable[..., Path]) -> None:
    source = open_source(str(write(record(messages=[]), b"{}", record(id="user2_task1_conversation1"))), skip_bad=True)
    assert source.warnings == [
        "data.jsonl: skipped 2 lines. data.jsonl, line 1 (user1_task1_conversation1): has no messages; a conversation "
        "needs at least one. data.jsonl, line 2: has no id; every conversation needs one, such as "
        "'user1_task1_conversation1'."
    ]


def test_hidden_files_of_a_folder_are_no_data(tmp_path: Path) -> None:
    (tmp_path / "._d.jsonl").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "d.jsonl").write_bytes(SAMPLE.read_bytes())
    assert open_source(str(tmp_path)).revision == open_source("sample").revision


@pytest.mark.parametrize(
    ("data", "sentence"),
    [("", "No data is named"), (" ", "No data is named"), ("~nosuchuser/x.jsonl", "there is no such user here")],
)
def test_a_name_that_names_nothing_is_an_error(data: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        open_source(data)


def test_deep_json_to_compare_with_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"messages": ' + "[" * 100_000)
    with pytest.raises(UserError, match="line 1: is not valid JSON"):
        list(read_chats(tmp_path / "d.jsonl"))
    assert from_where_started("/x") == Path("/x")
