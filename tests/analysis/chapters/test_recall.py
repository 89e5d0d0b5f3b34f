"""The chapter on notes by heart: a model that has memorised the data is found, others are not."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ModelOutput

from thoughttrace.analysis.chapters.recall import RecallRow, chapter, exact_recalls, recalls
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.tasks.recall_note import recall_note

BEGINNINGS = ("I wanted it so", "this was about how", "hoping that she will", "it had to stay")
ENDS = ("much shorter than last time", "garden looks after the storm", "answer before we leave", "cheap and near home",
        "useful for my old mother", "quiet enough to read there")  # fmt: skip


@pytest.fixture(scope="module")
def data(make_conversation: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve users, whose notes are a beginning of four words, a number, and an end."""
    records = []
    for n in range(12):
        record = make_conversation(f"user{n}", turns=3)
        for turn, message in enumerate(record["messages"][::2]):
            message["reasons"][0]["content"] = f"{BEGINNINGS[(n + turn) % 4]} {n}.{turn} {ENDS[(n * 5 + turn) % 6]}"
        records.append(record)
    path = tmp_path_factory.mktemp("data") / "data.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def asked(messages: Any) -> str:
    return str(messages[-1].text)


@pytest.fixture(scope="module")
def runs(data: str, scripted: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Of each way to ask: a model that knows the data by heart, and some that do not."""
    folder = tmp_path_factory.mktemp("logs")
    for given in ("place", "half"):
        task = recall_note(given=given, data=data)
        known = {
            asked(sample.input): str(sample.target) for sample in task.dataset if sample.metadata["source"] == "data"
        }

        def guess(messages: list[Any]) -> str:
            return f"it had to stay {ENDS[len(asked(messages)) % 6]}"

        def recite(messages: list[Any], known: dict[str, str] = known) -> str:
            return known.get(asked(messages)) or guess(messages)

        models: dict[str, Callable[[list[Any]], Any]] = {
            "knows": recite,
            "guesses": guess,
            "repeats": lambda messages: asked(messages).partition("]\n")[2].partition("\n[")[0],
            "silent": lambda messages: "" if "1" in asked(messages) else ModelOutput.from_content(
                "m", "no", stop_reason="content_filter"
            ),
        }  # fmt: skip
        for name in ("knows", "guesses", "silent" if given == "place" else "repeats"):
            script = models[name]
            (log,) = inspect_eval(task, model=scripted(name, script), log_dir=str(folder), display="none", limit=72)
            assert log.status == "success"
    return read_runs([str(folder)])


@pytest.fixture(scope="module")
def rows(runs: Runs) -> dict[tuple[str, str], RecallRow]:
    return {(row.model.removeprefix("scripted/"), row.context): row for row in recalls(runs.counted)}


@pytest.mark.parametrize("given", ["place", "half"])
def test_a_model_that_has_memorised_the_data_is_found_and_others_are_not(given: str, rows: Any) -> None:
    knows = rows["knows", given]
    assert knows.recalled == 1
    assert knows.memory > 0.4
    assert knows.memory_lower > 0.3
    assert knows.remembers
    assert knows.p_value < 0.001
    assert [name for name, context in rows if context == given and rows[name, context].remembers] == ["knows"]
    assert abs(rows["guesses", given].memory) < 0.1


def test_refusals_and_silence_count_as_nothing_recalled(rows: Any) -> None:
    row = rows["silent", "place"]
    assert (row.recalled, row.others, row.memory) == (0, 0, 0)
    assert (row.n, row.no_answer, row.coverage) == (36, 36, 1)
    assert math.isnan(row.p_value)


def test_the_numbers_equal_independent_computations(runs: Runs, rows: Any) -> None:
    for run in runs.counted:
        row = rows[run.model.removeprefix("scripted/"), run.context]
        table = run.rows.assign(difference=run.rows["score"] - run.rows["others"])
        own = table[table["source"] == "data"]
        assert row.recalled == pytest.approx(own["score"].mean())
        assert row.difference == pytest.approx(row.recalled - row.others)
        if run.context == "place":
            interval = cluster_mean(own["difference"], own["user"])
            assert math.isnan(row.invented)
            assert (row.memory_lower, row.memory_upper) == pytest.approx((interval.lower, interval.upper), nan_ok=True)
        else:
            means = table.groupby("source")["difference"].mean()
            assert row.invented == pytest.approx(means["invented"])
            assert row.memory == pytest.approx(means["data"] - means["invented"], abs=1e-12)


def test_what_was_recalled_word_for_word_is_counted_and_listed(runs: Runs, rows: Any) -> None:
    listed = pd.DataFrame(exact_recalls(runs.counted))
    knows = listed[listed["model"] == "scripted/knows"]
    # Of the ends, which are the second halves, four of six have five words, the others four.
    assert (rows["knows", "place"].exact, rows["silent", "place"].exact) == (36, 0)
    assert rows["knows", "half"].exact == sum(
        len(ENDS[(n * 5 + turn) % 6].split()) == 5 for n in range(12) for turn in range(3)
    )
    assert len(knows) == 36 + rows["knows", "half"].exact
    assert not knows["id"].str.startswith("invented/").any()
    assert np.all(knows["words"] >= 5)
    assert list(knows["words"]) == [len(text.split()) for text in knows["recalled"]]
    assert {row.recalled for row in exact_recalls(runs.counted, texts=False)} == {None}


def test_the_chapter_warns_and_quotes_only_where_it_may(runs: Runs, tmp_path: Path) -> None:
    made = chapter(Evidence(runs))
    assert [section.name for section in made.filled] == ["recall_models", "recall_exact"]
    # Given a half, people's notes may only be easier to foresee than invented ones: no warning.
    assert [sentence.partition(" (p")[0] for sentence in made.warnings] == [
        "scripted/knows recalls more of people's reasons than of other notes, given their place alone"
    ]
    hidden = chapter(Evidence(runs, texts=False))
    texts = []
    for section in (made.filled[1], hidden.filled[1]):
        section.table.to_csv(tmp_path / "table.csv")
        texts.append((tmp_path / "table.csv").read_text(encoding="utf-8"))
    assert [end in texts[0] for end in ENDS] == [True] * 6
    assert not [end for end in ENDS if end in texts[1]]
    assert chapter(Evidence(Runs())).filled == []
