"""Floor, ceiling and recovered share through the real pipeline, and each figure by hand."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model

from thoughttrace.analysis.chapters.recovered_share import (
    SHARE_COLUMNS,
    against_controls,
    chapter,
    in_words,
    leaked,
    over_other_floors,
    recovered,
)
from thoughttrace.analysis.page.table import Section
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.report import write_report
from thoughttrace.analysis.stats.donors import mean_over_donors
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import FLOORS
from thoughttrace.core.shared_words import longest_overlap
from thoughttrace.tasks.infer_reason import infer_reason

CONTROLS = ("someone_else", "parrot", "target", "typical", "reworded")
LEAK = "I noted that I was worried about the price of it"


def judge(messages: list[Any]) -> str:
    """Rates by whose inference it is, with a spread by the note; one in twelve is no verdict."""
    note, _, guess = messages[1].text.partition(" guess]\n")
    guess = guess.partition("\n[")[0]
    draw = hashlib.sha256(messages[1].text.encode()).digest()
    base = 5 if guess in note.rpartition(" note]\n")[2] else 4 if "again" in guess else 3 if "I guess" in guess else 1
    rating = min(5, max(1, base + draw[0] % 3 - 1))
    return "?" if draw[1] % 12 == 0 else json.dumps({"rationale": "so", "rating": rating})


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, short_sample: Path) -> str:
    """One model and all controls on the short sample's reasons."""
    folder = str(tmp_path_factory.mktemp("scale") / "logs")

    def scripted(name: str, script: Callable[..., str]) -> Any:
        return get_model(f"scripted/{name}", script=script, memoize=False)

    roles = {"grader": scripted("j", judge)}
    model, writer = scripted("m", lambda _: "I guess so"), scripted("w", lambda _: "again")
    tasks = {control: infer_reason(data=str(short_sample), control=control) for control in (None, *CONTROLS)}
    for control, task in tasks.items():
        evaluated = {None: model, "reworded": writer}.get(control, "none/none")
        (log,) = inspect_eval(task, model=evaluated, model_roles=roles, log_dir=folder, display="none")
        assert log.status == "success"
    return folder


@pytest.fixture
def runs(logs: str) -> Runs:
    return read_runs([logs])


def by_name(runs: Runs) -> dict[str, pd.Series]:
    return {run.control or "model": run.scored["score"] for run in runs.counted}


def test_recovered_share_is_the_ratio_of_the_paired_means(runs: Runs, tmp_path: Path) -> None:
    assert [run.control for run in runs.controls] == sorted(CONTROLS)
    assert {run.model for run in runs.controls if run.control == "reworded"} == {"control reworded by scripted/w"}
    scores = by_name(runs)
    three = pd.DataFrame({n: scores[n] for n in ("model", "someone_else", "reworded")}).dropna()
    assert len(three) < len(scores["model"])
    (row,) = recovered(runs.counted)
    x, y = three["model"] - three["someone_else"], three["reworded"] - three["someone_else"]
    assert row.share == pytest.approx(x.mean() / y.mean(), abs=1e-12)
    assert (row.floor, row.ceiling) == pytest.approx((three["someone_else"].mean(), three["reworded"].mean()))
    assert (row.n, row.ceiling_is) == (len(three), "reworded")
    # Fieller's limits are where the mean of x − R y is just told from 0, which cluster_mean tells by itself.
    users = runs.models[0].scored.loc[three.index, "user"].to_numpy()
    for limit in (row.lower, row.upper):
        found = cluster_mean(x - limit * y, users)
        assert min(abs(found.lower), abs(found.upper)) == pytest.approx(0, abs=1e-9)
    assert row.lower < row.share < row.upper
    sections = [section.name for section in chapter(Evidence(runs)).filled]
    assert sections == ["recovered_share", "recovered_share_floors", "controls", "models_vs_controls", "leaks"]
    write_report(Evidence(runs), tmp_path / "report")
    assert list(pd.read_csv(tmp_path / "report/headline.csv")["model"]) == ["scripted/m"]
    assert "scripted/m" in (tmp_path / "report/recovered_share.md").read_text()


def test_the_floor_is_the_mean_of_its_draws_and_clustered_by_donor_too(runs: Runs) -> None:
    counted = {run.control or "model": run for run in runs.counted}
    floor, model = counted["someone_else"], counted["model"]
    assert [(row.floor_draws, math.isnan(row.floor_sd)) for row in recovered(runs.counted)] == [(1, True)]
    other = floor.rows.assign(
        epoch=2, score=(7 - floor.rows["score"]).clip(upper=5), answer="another", donor="sample03"
    )
    twice = replace(floor, epochs=2, rows=pd.concat([floor.rows, other], ignore_index=True))
    means = pd.concat([floor.rows, other]).groupby("id")["score"].mean()
    ceiling = counted["reworded"].scored["score"]
    three = pd.DataFrame({"model": model.scored["score"], "floor": means, "ceiling": ceiling}).dropna()
    (row,) = recovered([model, twice, counted["reworded"]])
    assert row.floor == pytest.approx(three["floor"].mean())
    gained, span = three["model"] - three["floor"], three["ceiling"] - three["floor"]
    assert row.share == pytest.approx(gained.mean() / span.mean())
    assert row.floor_draws == 2
    per_draw = [draw.set_index("id").loc[three.index, "score"].mean() for draw in (floor.rows, other)]
    assert row.floor_sd == pytest.approx(abs(per_draw[0] - per_draw[1]) / math.sqrt(2))

    drawn = twice.rows.dropna(subset="score")
    sections = chapter(Evidence(replace(runs, counted=[model, twice]))).sections
    means_row = next(section for section in sections if section.name == "controls").rows[0]
    expected = mean_over_donors(drawn["score"], drawn["user"], drawn["donor"], drawn["id"], bounds=(1, 5))
    assert (means_row.mean, means_row.lower, means_row.upper) == (expected.estimate, expected.lower, expected.upper)
    paired = drawn[drawn["id"].isin(model.scored.index)]
    values = model.scored.loc[paired["id"], "score"].to_numpy() - paired["score"]
    expected = mean_over_donors(values, paired["user"], paired["donor"], paired["id"])
    (against,) = against_controls([model, twice])
    assert (against.lower, against.p_value, against.n) == pytest.approx((expected.lower, expected.p_value, expected.n))
    # Logs without donors are clustered by user alone.
    (against,) = against_controls([model, replace(twice, rows=twice.rows.assign(donor=None))])
    difference = (model.scored["score"] - means).dropna()
    by_user = cluster_mean(difference, model.scored["user"].loc[difference.index])
    assert (against.lower, against.upper) == pytest.approx((by_user.lower, by_user.upper))


def test_without_reworded_the_target_is_the_ceiling_and_without_floor_there_is_no_share(runs: Runs) -> None:
    kept = [run for run in runs.counted if run.control != "reworded"]
    assert [row.ceiling_is for row in recovered(kept)] == ["target"]
    assert recovered([run for run in kept if run.control != "someone_else"]) == []


def test_a_floor_that_knows_nothing_comes_first_and_the_others_stand_beside_it(runs: Runs) -> None:
    floor = next(run for run in runs.counted if run.control == "someone_else")
    blind = replace(
        floor, control="constant", model="control constant", rows=floor.rows.assign(score=floor.rows["score"] * 0 + 1.5)
    )
    (row,) = recovered([*runs.counted, blind])
    assert (row.floor_is, row.floor_knows, row.floor) == ("constant", "nothing", 1.5)
    assert row.share == pytest.approx((row.agreement - 1.5) / (row.ceiling - 1.5))
    others = {other.floor_is: other for other in over_other_floors([*runs.counted, blind])}
    assert set(others) == set(CONTROLS) & set(FLOORS)
    (alone,) = recovered(runs.counted)
    assert (others["someone_else"], alone.floor_knows) == (alone, "the type, and other users' thoughts of it")
    section = next(s for s in chapter(Evidence(runs)).filled if s.name == "recovered_share")
    titles = [column.title for column in section.table.filled_columns]
    shown = dict(zip(titles, section.table.cells()[0], strict=True))
    assert shown["Floor"] == f"{alone.floor:.2f} (someone_else)"
    assert shown["It knows"] == alone.floor_knows


def test_controls_of_another_judge_do_not_serve(runs: Runs) -> None:
    for run in runs.controls:
        object.__setattr__(run, "judge", "another")
    assert recovered(runs.counted) == []
    assert against_controls(runs.counted) == []


def test_models_stand_against_every_control_in_numbers_and_in_words(runs: Runs) -> None:
    rows = against_controls(runs.counted)
    table = pd.DataFrame(rows).set_index("control")
    scores = by_name(runs)
    for control in CONTROLS:
        both = pd.DataFrame({"a": scores["model"], "c": scores[control]}).dropna()
        assert table.loc[control, "difference"] == pytest.approx((both["a"] - both["c"]).mean())
        assert table.loc[control, "n"] == len(both)
    assert table["p_holm"].max() >= table["p_value"].max()
    changes: dict[str, dict[str, Any]] = {"parrot": {"difference": -1, "p_holm": 0.001}, "typical": {"p_holm": 0.4}}
    said = in_words([replace(row, **changes.get(row.control, {})) for row in rows])
    assert len(said) == 2
    assert said[0].startswith("On reasons, repeating the message (parrot) beats scripted/m: ")
    assert said[1].startswith(
        "On reasons, scripted/m does not differ significantly from one typical sentence per type (typical): "
    )


def test_a_repeated_target_is_flagged_and_left_out_of_another_mean(runs: Runs) -> None:
    (model,) = runs.models
    assert [row.flagged for row in leaked(runs.counted)[0]] == [0]
    at = model.rows["score"].first_valid_index()
    model.rows.loc[at, "overlap"] = 9
    ((leak,), (flagged,)) = leaked(runs.counted)
    assert leak.flagged == 1
    assert flagged.id == model.rows.loc[at, "id"]
    rest = model.rows.drop(index=at)["score"].mean()
    assert leak.mean_without == pytest.approx(rest)


@pytest.mark.parametrize(
    ("said", "targets", "words"),
    [
        (LEAK, ["worried about THE PRICE, of it!"], 6),
        ("the price of it all", ["it is the price", "all of it"], 2),
        ("nothing", ["in common"], 0),
        ("a b a b c", ["b a b c d"], 4),
        ("", ["x"], 0),
    ],
)
def test_the_longest_run_of_words(said: str, targets: list[str], words: int) -> None:
    assert longest_overlap(said, targets) == words


def test_without_a_test_no_p_value_is_told(runs: Runs) -> None:
    one_user = [replace(run, rows=run.rows.assign(user="u")) for run in runs.counted]
    rows = against_controls(one_user)
    assert all(math.isnan(row.p_holm) for row in rows)
    sentences = in_words(rows)
    assert len(sentences) == 3
    assert "nan" not in " ".join(sentences)
    for sentence in sentences:
        assert sentence.startswith("On reasons, no test compares scripted/m with ")
        assert sentence.endswith("(only one user: no interval).")


def test_no_share_is_shown_where_floor_and_ceiling_cannot_be_told_apart(runs: Runs) -> None:
    """A ceiling just above the floor gives shares such as −816 %."""
    rng = np.random.default_rng(1)
    flat = [
        replace(run, rows=run.rows.assign(score=rng.integers(1, 6, len(run.rows)).astype(float)))
        for run in runs.counted
    ]
    (row,) = recovered(flat)
    assert row.note == "ceiling − floor not significantly above 0: no interval"
    assert np.isnan([row.share, row.lower, row.upper]).all()
    shown = Section("recovered_share", "Recovered share", [row], SHARE_COLUMNS).table.cells()[0]
    assert "%" not in "".join(map(str, shown))


def test_only_controls_are_no_report(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only controls in these logs"):
        write_report(Evidence(Runs(counted=runs.controls)), tmp_path / "none")
