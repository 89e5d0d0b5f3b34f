"""From logs of labels to a table, and from the table to groups in the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval

from thoughttrace.analysis.chapters.by_annotation import chapter
from thoughttrace.analysis.read.annotations import annotate as table_of
from thoughttrace.analysis.read.annotations import read_annotations
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.sampling import Item
from thoughttrace.datasets.sources import open_source
from thoughttrace.datasets.taxonomy import SUBTOPICS
from thoughttrace.tasks._next_message import read_quality
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.rate_thought import rate_thought
from thoughttrace.tasks.relate_messages import relate_messages


def annotate(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["annotate", *arguments])


def test_the_table_has_what_the_logs_say(labelled_data: str, label: Callable[..., Any], tmp_path: Path) -> None:
    said = label()
    out = tmp_path / "annotations.parquet"
    done = annotate(str(tmp_path / "labels"), "-o", str(out))
    assert done.exit_code == 0, done.output
    table = read_annotations(out)
    source = open_source(labelled_data, False)
    assert len(table) == len(source.conversations) + sum(len(c.messages) for c in source.conversations)
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        if row["message_index"] is None:
            answer, _ = said[f"topic:thoughttrace/label_topic:{row['conversation']}/topic"]
            assert row["subtopics"] == (answer or None)
            assert row["domains"] == (
                "; ".join(dict.fromkeys(SUBTOPICS[s] for s in answer.split("; "))) if answer else None
            )
            assert row["quality"] is None
        elif row["message_index"] % 2:
            asked = f"{row['conversation']}/m{row['message_index']:02}/reaction"
            ratings = [
                value for key, (_, value) in said.items() if key.startswith(f"rating:thoughttrace/rate_thought:{asked}")
            ]
            best = pd.Series(ratings, dtype=float).max()
            assert row["quality"] == (None if pd.isna(best) else best)
            assert row["quality_model"] == (None if pd.isna(best) else "scripted/ann")
        else:
            place = f"{row['conversation']}/m{row['message_index']:02}"
            assert row["relation"] == (said[f"relation:thoughttrace/relate_messages:{place}/relation"][0] or None)
            assert row["type"] == (said[f"type_match:thoughttrace/classify_thought:{place}/reason/1"][0] or None)
    assert table["relation"].isna().sum() > 0
    filled = f"│ {table['relation'].notna().sum()} │ scripted/ann"
    assert filled.replace(" ", "") in done.output.replace(" ", "")


def test_predict_message_reads_the_quality(labelled_data: str, label: Callable[..., Any], tmp_path: Path) -> None:
    label(rate_thought)
    assert annotate(str(tmp_path / "labels"), "-o", str(tmp_path / "a.parquet")).exit_code == 0
    items = [Item(c, 2) for c in open_source(labelled_data, False).conversations]
    found = read_quality(str(tmp_path / "a.parquet"), items)
    assert {1.0, 2.0, 3.0, 4.0, 5.0} & set(found.values())


def test_two_models_for_a_column_are_refused(label: Callable[..., Any], tmp_path: Path) -> None:
    label(relate_messages)
    label(relate_messages, model="bob")
    done = annotate(str(tmp_path / "labels"))
    assert done.exit_code == 1
    said = " ".join(done.output.split())
    assert "Two logs give the column relation: scripted/ann on data.jsonl" in said
    assert "and scripted/bob on data.jsonl" in said


@pytest.mark.parametrize("of", ["nothing", "unwritable"])
def test_what_cannot_be_annotated_is_said(of: str, label: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    arguments = [str(tmp_path / "labels")]
    if of == "unwritable":
        label(label_topic)
        arguments += ["-o", str(tmp_path / "no" / "such" / "folder.parquet")]
    done = annotate(*arguments)
    assert done.exit_code == 1
    expected = (
        "cannot be written"
        if of == "unwritable"
        else "No finished run of classify_thought or cover_thought or rate_thought or relate_messages or label_topic in"
    )
    assert expected in " ".join(done.output.split())
    assert "Traceback" not in done.output


def test_agreement_is_grouped_by_annotations(
    labelled_data: str, label: Callable[..., Any], judged: Any, scripted: Callable[..., Any], tmp_path: Path
) -> None:
    label(relate_messages, label_topic, rate_thought)
    logs = inspect_eval(
        [task(data=labelled_data) for task in (infer_reason, infer_reaction)],
        model=scripted("m", lambda _: "I guess"), model_roles={"grader": scripted("j", judged)},
        log_dir=str(tmp_path / "runs"), display="none",
    )  # fmt: skip
    assert all(log.status == "success" for log in logs)
    table, left_out = table_of([str(tmp_path / "labels")])
    assert left_out == []
    runs = read_runs([str(tmp_path / "runs")])
    sections = {section.name: section for section in chapter(Evidence(runs, annotations=table)).filled}
    assert set(sections) == {"by_relation", "by_domains", "by_quality"}
    relations = table.dropna(subset=["relation"]).set_index(["conversation", "message_index"])["relation"]
    for run in runs.models:
        samples = run.samples
        back = 0 if run.kind == "reason" else 1
        place = list(zip(samples["conversation"], samples["message_index"] - back, strict=True))
        named = pd.Series([relations.get(one) for one in place], index=samples.index)
        found = sections["by_relation"].table.to_frame()
        found = found[found["kind"] == run.kind].set_index("group")
        assert found["samples"].to_dict() == named.value_counts().to_dict()
        for name, row in found.iterrows():
            own = samples.loc[named == name, "score"].dropna()
            assert row["n"] == len(own)
            assert pd.isna(row["mean"]) or row["mean"] == pytest.approx(own.mean())
        assert found["mean"].notna().any()
    domains = sections["by_domains"].table.to_frame()
    several = table["domains"].str.contains("; ").sum()
    assert several
    assert domains["samples"].sum() > sum(len(run.samples) for run in runs.models) - table["domains"].isna().sum()
    # Only reactions have a quality here.
    assert set(sections["by_quality"].table.to_frame()["kind"]) == {"reaction"}
    assert "samples of all runs have no such annotation" in sections["by_quality"].note


def test_the_report_groups_by_a_file_or_says_why_not(
    label: Callable[..., Any], run_task: Callable[..., Any], labelled_data: str, tmp_path: Path
) -> None:
    label(relate_messages)
    good = tmp_path / "good.parquet"
    assert annotate(str(tmp_path / "labels"), "-o", str(good)).exit_code == 0
    run_task()
    out = tmp_path / "report"
    command = ["report", str(tmp_path / "logs"), "-o", str(out), "--annotations"]
    done = CliRunner().invoke(main, [*command, str(good)])
    assert done.exit_code == 0, done.output
    assert '<h2 id="chapter_by_annotation">Agreement by annotation</h2>' in (out / "index.html").read_text()
    first = pd.read_csv(out / "by_relation.csv").iloc[0]
    assert first[["kind", "model", "judge", "by", "group"]].tolist() == [
        "reason",
        "scripted/m",
        "scripted/j",
        "relation",
        "first",
    ]
    (tmp_path / "text.parquet").write_text("hello")
    pd.DataFrame({"conversation": ["a"]}).to_parquet(tmp_path / "half.parquet")
    read_annotations(good).assign(conversation=lambda table: "x" + table["conversation"]).to_parquet(
        tmp_path / "other.parquet"
    )
    for name, sentence in {
        "text": "cannot be read as a Parquet file",
        "half": "has no column message_index. Make the file with thoughttrace annotate",
        "other": "no sample of these logs is annotated",
    }.items():
        done = CliRunner().invoke(main, [*command, str(tmp_path / f"{name}.parquet")])
        assert done.exit_code == 1
        assert sentence in " ".join(done.output.split())


TWO_ROWS: dict[str, list[Any]] = {
    "conversation": ["a", "a"], "message_index": [0, 2], "relation": ["first", None], "quality": [1.0, None],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"message_index": ["0", "x"]}, "the column message_index must hold numbers only."),
        ({"message_index": [0.5, 2]}, "the column message_index must hold whole numbers only."),
        ({"message_index": [float("inf"), 2]}, "the column message_index must hold whole numbers only."),
        ({"conversation": [1, 2]}, "the column conversation must hold text only."),
        ({"relation": [1, 2]}, "the column relation must hold text only."),
        ({"relation": [["first"], ["first"]]}, "the column relation must hold text only."),
        ({"quality": ["high", "low"]}, "the column quality must hold numbers only."),
        ({"message_index": [2, 2]}, "has several rows for message 2 of a; keep one."),
        ({"message_index": [None, None]}, "has several rows for the conversation a; keep one."),
    ],
)
def test_a_table_of_other_values_is_refused(changes: dict[str, list[Any]], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame(TWO_ROWS).to_parquet(path)
    assert len(read_annotations(path)) == 2
    pd.DataFrame(TWO_ROWS | changes).to_parquet(path)
    with pytest.raises(UserError) as caught:
        read_annotations(path)
    assert str(caught.value) == f"{path}: {sentence}"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"message_index": ["0", "x"]}, "message_index and quality must be numbers"),
        ({"quality": ["high", "low"]}, "message_index and quality must be numbers"),
        ({"quality": [[1], [2]]}, "message_index and quality must be numbers"),
        ({"message_index": [float("inf"), 2]}, "message_index and quality must be numbers"),
        ({"message_index": [2, 2]}, "has several rows for the same message; keep one."),
    ],
)
def test_qualities_of_other_values_are_refused(changes: dict[str, list[Any]], sentence: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    pd.DataFrame(TWO_ROWS | changes).to_parquet(path)
    with pytest.raises(UserError, match=f"^quality={path}: {sentence}"):
        read_quality(path, [])
