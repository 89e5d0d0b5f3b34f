"""`thoughttrace profile`: the counts of the real sample, the page, and users' mistakes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from thoughttrace.analysis.profile.annotators import annotated_messages
from thoughttrace.analysis.profile.contents import by_model, counts
from thoughttrace.analysis.profile.quality import find_oddities
from thoughttrace.analysis.profile.tables import Tables, build_tables
from thoughttrace.analysis.profile.thoughts import hindsight, type_rows
from thoughttrace.cli.main import main
from thoughttrace.datasets.sources import Source, open_source

SECTIONS = (
    "contents_counts", "contents_models", "contents_lengths", "thoughts_types", "thoughts_stages", "thoughts_flow",
    "thoughts_length", "thoughts_hindsight", "annotators_messages", "annotators_users",
    "annotators_selection", "annotators_demographics", "annotators_purposes", "quality_duplicates", "quality_findings",
)  # fmt: skip
DRAWN = ("contents_models", "contents_lengths", "thoughts_types", "thoughts_stages", "thoughts_flow", "thoughts_length")


@pytest.fixture(scope="module")
def real(examples: Path) -> tuple[Source, Tables]:
    source = open_source(str(examples))
    return source, build_tables(source.conversations)


def test_the_counts_are_those_of_the_real_sample(real: tuple[Source, Tables]) -> None:
    source, tables = real
    found = counts(source.conversations)
    expected = {"users": 17, "conversations": 20, "messages": 328, "user messages": 164, "assistant messages": 164}
    expected |= {"reasons": 154, "reactions": 156, "thoughts": 310, "assistant models": 10, "pairs": 144}
    assert {name: found[name] for name in expected} == expected
    assert (found["median turns a conversation"], found["median messages a conversation"]) == (8, 16)
    turns = tables.conversations["turns"]
    assert (turns.min(), turns.median(), turns.max()) == (5, 8, 16)
    assert {row.type: row.count for row in type_rows(tables.thoughts)} == {
        "task_continuation": 52, "task_motivation": 45, "context_grounding_and_constraints": 19,
        "content_expectation": 17, "social_and_others": 14, "style_expectation": 5, "task_reorientation": 2,
        "explicit_affirmation": 114, "partial_satisfaction": 12, "content_relevance": 12, "scope_fit": 12,
        "presentation_style": 6,
    }  # fmt: skip
    models = by_model(tables)
    totals = [sum(getattr(row, of) for row in models) for of in ("conversations", "messages", "thoughts")]
    assert totals == [20, 328, 310]


def test_known_properties_of_the_real_sample_are_found(real: tuple[Source, Tables]) -> None:
    source, tables = real
    late = {(row.kind, row.type): (row.late, row.n) for row in hindsight(tables)}
    assert late["reaction", "all"] == (86, 139)
    assert late["reason", "all, after the reply"] == (126, 154)
    assert [row.annotated for row in annotated_messages(tables) if row.kind == "pair"] == [139, 132]
    odd = {finding.finding: finding for finding in find_oddities(source) if finding.count}
    assert {check: finding.count for check, finding in odd.items()} == {
        "no survey answers": 2,
        "thought with hidden characters": 18,
    }
    assert list(odd["no survey answers"].where) == ["user1020_task1_conversation1", "user1055_task1_conversation1"]
    assert {place.partition("_")[0] for place in odd["thought with hidden characters"].where} == {"user1020"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Write the bundled sample's page, compared with two other datasets."""
    folder = tmp_path_factory.mktemp("profile")
    for number, name in enumerate(("wild", "arena")):
        messages = [{"role": role, "content": "<script>alert(1)</script> secret"} for role in ("user", "assistant")]
        record = {"conversation_id": "c", "hashed_ip": "ip", "conversation": messages * (1 + number)}
        (folder / name).mkdir()
        (folder / name / "train.jsonl").write_text(f"{json.dumps(record)}\n" * 12)
    others = [part for name in ("wild", "arena") for part in ("--against", str(folder / name / "train.jsonl"))]
    done = CliRunner().invoke(main, ["profile", "sample", "-o", str(folder / "page"), *others])
    assert done.exit_code == 0, done.output
    return folder / "page", done.output


def test_the_page_holds_every_section_and_loads_nothing(page: tuple[Path, str]) -> None:
    folder, _ = page
    text = (folder / "index.html").read_text(encoding="utf-8")
    for name in SECTIONS:
        assert f'id="{name}"' in text, name
        assert (folder / f"{name}.csv").stat().st_size, name
    assert not [*folder.glob("*.md"), *folder.glob("*.tex")]
    assert (folder / "page.json").stat().st_size
    for name in DRAWN:
        assert f'aria-label="{name}"' in text, name
        assert (folder / f"{name}.png").stat().st_size > 5_000, name
    assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"|@import|url\((?!#)[^)]*\)', re.sub("<metadata>.*?</metadata>", "", text, flags=re.DOTALL))  # fmt: skip  # noqa: E501
    assert "contents_published" not in text


def test_other_datasets_are_compared_with_this_one(page: tuple[Path, str]) -> None:
    table = pd.read_csv(page[0] / "contents_lengths.csv").set_index(["measure", "data"])
    turns = table.loc["turns of a conversation"]
    assert turns.loc[["wild/train.jsonl", "arena/train.jsonl"], "q50"].tolist() == [1, 2]
    assert table.loc[("words of a reply", "arena/train.jsonl"), "n"] == 24
    assert str(turns.loc["wild/train.jsonl", "note"]).startswith("too small")


def test_no_text_of_people_is_in_any_file(page: tuple[Path, str]) -> None:
    words = [t.content for c in open_source("sample").conversations for m in c.messages for t in m.thoughts]
    words += [m.content for c in open_source("sample").conversations for m in c.messages]
    words += [c.participant.occupation or "" for c in open_source("sample").conversations if c.participant]
    long = {text[:40] for text in words if len(text) >= 12} | {"alert(1)"}
    for file in page[0].iterdir():
        if file.suffix != ".png":
            text = file.read_text(encoding="utf-8")
            assert not [one for one in long if one in text], file.name


def test_the_terminal_shows_what_matters(page: tuple[Path, str]) -> None:
    output = page[1]
    assert "Thoughts by type" in output
    assert re.search(r"of \d+ messages carry a reason; \d+ of \d+ with known times", output)
    assert re.search(r"Users +19\b", output)
    assert "Turns of a conversation: 2 to 9, median 5." in output
    assert f"Page: {page[0] / 'index.html'}" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sample", "--against", "x.jsonl"], "--against needs -o FOLDER"),
        (["sample", "--against", "x.jsonl", "-o", "out"], "x.jsonl: no such file or folder"),
        (["sample", "--against", "bad.jsonl", "-o", "out"], "bad.jsonl, line 1: has no messages"),
        (["sample", "--against", "blank.jsonl", "-o", "out"], "blank.jsonl: contains no conversations."),
        (["sample", "-o", "bad.jsonl/out"], "cannot write here"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "blank.jsonl").write_text("\n")
    done = CliRunner().invoke(main, ["profile", *arguments])
    assert done.exit_code in {1, 2}
    assert sentence in done.output
    assert "Traceback" not in done.output


def test_data_without_thoughts_or_survey_still_has_a_page(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    record = make_conversation("user1", turns=1) | {"survey_answers": None}
    for message in record["messages"]:
        message.pop("reasons", None)
        message.pop("reactions", None)
    done = CliRunner().invoke(main, ["profile", str(write(record)), "-o", str(tmp_path / "page")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "page/index.html").read_text(encoding="utf-8")
    assert 'id="contents_counts"' in text
    assert 'id="thoughts_types"' not in text
    assert 'id="annotators_demographics"' not in text
    assert "do not suffice for any estimate in them: " in text
