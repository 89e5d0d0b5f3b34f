"""Exports: what stands where, ids and revision in every row, whole or not at all, and what their consumers load."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.exports import FORMS, Form, chat_messages, export
from thoughttrace.datasets.sources import open_source

STAMPED = {"user", "data", "data_revision", "conversation", "part"}


def stamp(conversation: Conversation) -> dict[str, str | None]:
    names = {"conversation": conversation.id, "user": conversation.user}
    return {**names, "data": "sample", "data_revision": "sha256:1", "part": None}


@pytest.fixture(scope="module")
def sample() -> list[Conversation]:
    return open_source("sample").conversations


@pytest.fixture(scope="module")
def written(sample: list[Conversation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample in all forms, a folder each."""
    folder = tmp_path_factory.mktemp("exports")
    for form in FORMS:
        export(folder / form, form, sample, stamp)
    return folder


def noted(content: str, minute: int, kind: str) -> dict[str, Any]:
    notes = [{"content": f"{kind} {n} on {content}", "timestamp": f"2026-01-01T00:{minute + 1:02}:00Z"} for n in (1, 2)]
    role = "user" if kind == "reasons" else "assistant"
    return {"type": role, "content": content, "timestamp": f"2026-01-01T00:{minute:02}:00Z", kind: notes}


SHORT = Conversation.model_validate(
    {
        "id": "a_task1_conversation1",
        "messages": [
            noted("q1", 0, "reasons"),
            noted("a1", 1, "reactions"),  # noted in minute 2, after q2
            {"type": "user", "content": "q2", "timestamp": "2026-01-01T00:01:30Z"},
            noted("a2", 3, "reactions"),
        ],
    }
)
REASONS = "<reason>reasons 1 on q1</reason>\n<reason>reasons 2 on q1</reason>\nq1"
FIRST = "<reaction>reactions 1 on a1</reaction>\n<reaction>reactions 2 on a1</reaction>"
LAST = "<reaction>reactions 1 on a2</reaction>\n<reaction>reactions 2 on a2</reaction>"


@pytest.mark.parametrize(
    ("thoughts", "turns", "late"),
    [
        ("none", ["q1", "a1", "q2", "a2"], 0),
        ("reasons", [REASONS, "a1", "q2", "a2"], 0),
        ("reactions", ["q1", "a1", f"{FIRST}\nq2", "a2", LAST], 1),
        ("both", [REASONS, "a1", f"{FIRST}\nq2", "a2", LAST], 1),
    ],
)
def test_thoughts_stand_in_the_users_turns(thoughts: Any, turns: list[str], late: int) -> None:
    shown, counted = chat_messages(SHORT, thoughts)
    assert [turn["content"] for turn in shown] == turns
    assert [turn["role"] for turn in shown] == ["user", "assistant"] * (len(turns) // 2) + ["user"] * (len(turns) % 2)
    assert counted == late


def test_chat_messages_are_the_conversations(sample: list[Conversation], written: Path) -> None:
    rows = [json.loads(line) for line in (written / "sft/sft.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len(sample)
    for row, conversation in zip(rows, sample, strict=True):
        assert row.keys() == {"id", "messages", "thoughts", "late_reactions", "model", *STAMPED}
        assert row["id"] == conversation.id
        assert [(m["role"], m["content"]) for m in row["messages"]] == [
            (m.role, m.content) for m in conversation.messages
        ]


def test_tables_hold_everything_and_join(sample: list[Conversation], written: Path) -> None:
    heads, messages, thoughts = (
        pd.read_parquet(written / f"tables/{name}.parquet") for name in ("conversations", "messages", "thoughts")
    )
    for table in (heads, messages, thoughts):
        assert set(table) >= STAMPED
        assert table["id"].is_unique
        assert set(table["data_revision"]) == {"sha256:1"}
    assert list(messages["content"]) == [message.content for c in sample for message in c.messages]
    assert list(thoughts["content"]) == [t.content for c in sample for m in c.messages for t in m.thoughts]
    assert list(thoughts["type"]) == [t.label for c in sample for m in c.messages for t in m.thoughts]
    joined = thoughts.merge(messages, left_on="message", right_on="id", suffixes=("", "_message"))
    assert len(joined) == len(thoughts)
    assert (joined["kind"] == joined["role"].map({"user": "reason", "assistant": "reaction"})).all()
    assert list(thoughts.loc[0, ["id", "sample", "message"]]) == [
        "sample01_task1_conversation1/m00/reason/1",
        "sample01_task1_conversation1/m00/reason",
        "sample01_task1_conversation1/m00",
    ]
    assert heads["reasons"].sum() + heads["reactions"].sum() == len(thoughts) == messages["thoughts"].sum()
    assert thoughts.loc[0, "timestamp"] == pd.Timestamp("2026-09-03T09:13:10.464Z")
    assert heads.loc[0, "age"] == sample[0].survey_answers[0].age


def test_tables_of_data_without_thoughts_or_answers_have_the_same_types(written: Path, tmp_path: Path) -> None:
    bare = Conversation.model_validate({"id": "a_task1_conversation1", "messages": [{"type": "user", "content": "q"}]})
    export(tmp_path / "bare", "tables", [bare], stamp)
    for name in ("conversations", "messages", "thoughts"):
        file = f"{name}.parquet"
        assert_same_schema(tmp_path / "bare" / file, written / "tables" / file)


def assert_same_schema(one: Path, other: Path) -> None:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    assert pq.read_schema(one) == pq.read_schema(other)


def test_a_corpus_is_whole(sample: list[Conversation], written: Path) -> None:
    """What ConvoKit reads: every name leads somewhere, and the index lists every key with its types."""
    folder = written / "convokit"
    utterances = [json.loads(line) for line in (folder / "utterances.jsonl").read_text("ascii").splitlines()]
    speakers, conversations, corpus, index = (
        json.loads((folder / f"{name}.json").read_text("ascii"))
        for name in ("speakers", "conversations", "corpus", "index")
    )
    assert corpus == {"name": "thoughttrace", "data": "sample", "data_revision": "sha256:1"}
    assert conversations.keys() == {c.id for c in sample}
    assert {u["speaker"] for u in utterances} == speakers.keys()
    previous = None
    for utterance in utterances:
        assert utterance["conversation_id"] in conversations
        first = utterance["meta"]["index"] == 0
        assert utterance["reply-to"] == (None if first else previous["id"] if previous else "")
        assert utterance["meta"].keys() >= STAMPED
        previous = utterance
    notes = [
        note["content"] for u in utterances for kind in ("reasons", "reactions") for note in u["meta"][kind]
    ]  # fmt: skip
    assert notes == [t.content for c in sample for m in c.messages for t in m.thoughts]
    held = {
        "utterances": [u["meta"] for u in utterances],
        "speakers": [s["meta"] for s in speakers.values()],
        "conversations": [c["meta"] for c in conversations.values()],
    }
    for name, objects in held.items():
        for extra in objects:
            for key, value in extra.items():
                assert value is None or str(type(value)) in index[f"{name}-index"][key]


def failing() -> Iterator[Conversation]:
    yield SHORT
    raise RuntimeError("the disk is full")


@pytest.mark.parametrize("form", FORMS)
def test_an_export_is_whole_or_not_there(form: Form, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        export(tmp_path / "out", form, failing(), stamp)
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    export(tmp_path / "mine", "sft", [SHORT], stamp)
    before = (tmp_path / "mine/sft.jsonl").read_bytes()
    for name in ("mine", "mine/sft.jsonl"):
        with pytest.raises(UserError, match="is there already and not an empty folder; name a new one"):
            export(tmp_path / name, "sft", [SHORT], stamp)
    with pytest.raises(UserError, match="cannot be written"):
        export(tmp_path / "mine/sft.jsonl/below", "sft", [SHORT], stamp)
    assert (tmp_path / "mine/sft.jsonl").read_bytes() == before


# ---- the consumers' own loaders

DATASETS = """
import sys, datasets
folder = sys.argv[1]
chats = datasets.load_dataset("json", data_files=f"{folder}/sft/sft.jsonl", split="train", cache_dir=f"{folder}/cache")
tables = {
    name: datasets.load_dataset("parquet", data_files=f"{folder}/tables/{name}.parquet", split="train",
                                cache_dir=f"{folder}/cache")
    for name in ("conversations", "messages", "thoughts")
}
assert sum(map(len, chats["messages"])) == len(tables["messages"]), (chats, tables)
assert len(chats) == len(tables["conversations"])
assert set(tables["thoughts"]["kind"]) == {"reason", "reaction"}
"""

CONVOKIT = """
import sys, convokit
folder = sys.argv[1]
corpus = convokit.Corpus(filename=f"{folder}/convokit")
thoughts = lambda corpus: sorted(
    note["content"] for u in corpus.iter_utterances() for kind in ("reasons", "reactions") for note in u.meta[kind])
assert all(c.check_integrity(verbose=False) for c in corpus.iter_conversations())
assert all(u.meta["data_revision"] == "sha256:1" for u in corpus.iter_utterances())
corpus.dump("again", base_path=folder)
again = convokit.Corpus(filename=f"{folder}/again")
assert len(list(again.iter_utterances())) == sum(1 for _ in open(f"{folder}/convokit/utterances.jsonl")) > 0
assert thoughts(again) == thoughts(corpus) != []
assert {s.id: s.meta for s in again.iter_speakers()} == {s.id: s.meta for s in corpus.iter_speakers()}
"""

TRL = """
import sys, datasets, tokenizers, transformers, trl
folder = sys.argv[1]
chats = datasets.load_dataset("json", data_files=f"{folder}/sft/sft.jsonl", split="train", cache_dir=f"{folder}/cache")
words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "[EOS]": 1}, unk_token="[UNK]"))
words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=words, unk_token="[UNK]", eos_token="[EOS]", pad_token="[EOS]")
tokenizer.chat_template = "{% for m in messages %}{{ m.role }} : {{ m.content }} [EOS] {% endfor %}"
sizes = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=2)
model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
arguments = trl.SFTConfig(output_dir=f"{folder}/trained", max_steps=1, per_device_train_batch_size=2, max_length=64,
                          report_to=[], use_cpu=True, bf16=False, save_strategy="no")
trainer = trl.SFTTrainer(model=model, args=arguments, train_dataset=chats, processing_class=tokenizer)
assert len(trainer.train_dataset) == len(chats)
assert trainer.train().global_step == 1
"""


LOADERS = {"datasets": DATASETS, "convokit": CONVOKIT, "trl": TRL}


@pytest.mark.parametrize("library", LOADERS)
def test_the_consumers_own_loader_reads_it(library: str, written: Path, tmp_path: Path) -> None:
    python = os.environ.get("THOUGHTTRACE_CONSUMERS")
    if not python:
        python = sys.executable
        try:
            importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{library} is not installed (set THOUGHTTRACE_CONSUMERS to a Python that has it)")
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    offline = {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    # From another folder: our `datasets/` would be taken for the library.
    done = subprocess.run(
        [python, "-c", LOADERS[library], str(written)],
        cwd=tmp_path,
        env=bare | offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
