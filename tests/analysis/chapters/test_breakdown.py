"""Groups of samples: who is in which, and what is said of those that are too small."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from inspect_ai.log import EvalLog
from scipy import stats

from thoughttrace.analysis.chapters.breakdown import breakdown, chapter
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.groupings import GROUPINGS
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.groups import STAGES, stage
from thoughttrace.analysis.stats.intervals import cluster_mean

Run = Callable[..., EvalLog]


@pytest.mark.parametrize(
    ("messages", "at", "expected"),
    [
        (8, [0, 2, 4, 6], list(STAGES)),  # the median conversation: one reason in each stage
        (8, [1, 3, 5, 7], list(STAGES)),
        (2, [0, 1], ["Early", "Late"]),
        (4, [0, 1, 2, 3], list(STAGES)),
    ],
)
def test_stage_is_the_nearest_of_the_four_positions(messages: int, at: list[int], expected: list[str]) -> None:
    positions = pd.Series(at) / (messages - 1)
    assert list(stage(positions)) == expected


def test_every_group_equals_its_own_computation(run_task: Run, tmp_path: Path) -> None:
    run_task()
    (run,) = read_runs([str(tmp_path / "logs")]).counted
    table = pd.DataFrame(breakdown([run]))
    assert set(table["by"]) == {*GROUPINGS, "context"}
    turn = table[(table["by"] == "turn") & (table["group"] == "1 of the conversation")].squeeze()
    members = run.samples[run.samples["message_index"] == 0]
    scored = members.dropna(subset="score")
    expected = cluster_mean(scored["score"], scored["user"], bounds=(1, 5))
    assert (turn["mean"], turn["lower"], turn["upper"]) == (expected.estimate, expected.lower, expected.upper)
    assert (turn["n"], turn["users"], turn["samples"]) == (len(scored), 9, len(members))
    assert turn["coverage"] == len(scored) / len(members) < 1
    # Each grouping but the types, of which a message can carry several, splits the whole run.
    sizes = table.groupby("by")["samples"].sum()
    assert set(sizes) == {len(run.samples)}


def expected_difference(samples: pd.DataFrame, inside: "pd.Series[bool]") -> tuple[float, float, str]:
    """A group's difference and its p, by statsmodels' fit and every matrix of CR2 or, within users, CR3."""
    sides = samples.assign(inside=inside).groupby("user")["inside"].nunique()
    within = (sides == 2).sum() >= 5
    formula = "score ~ inside + C(user)" if within else "score ~ inside"
    fit = smf.ols(formula, samples.assign(inside=inside.astype(float))).fit()
    x, users = fit.model.exog, samples["user"].to_numpy()
    at = fit.model.exog_names.index("inside")
    bread = np.linalg.pinv(x.T @ x)
    annihilator = np.eye(len(x)) - x @ bread @ x.T
    variance, columns = 0.0, []
    for user in set(users):
        own = users == user
        values, basis = np.linalg.eigh(annihilator[np.ix_(own, own)])
        adjusted, v = (
            basis @ np.diag([value**root if value > 1e-9 else 0 for value in values]) @ basis.T @ x[own] @ bread[at]
            for root in (-1 if within else -0.5, -0.5)
        )
        variance += float(adjusted @ fit.resid.to_numpy()[own]) ** 2
        columns.append(annihilator[:, own] @ v)
    spectrum = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    df = spectrum.sum() ** 2 / (spectrum**2).sum()
    difference = fit.params["inside"]
    return difference, 2 * stats.t.sf(abs(difference) / variance**0.5, df), f"{'within' if within else 'between'} users"


def test_every_difference_equals_its_own_regression_and_p_is_adjusted_over_the_run(
    run_task: Run, tmp_path: Path
) -> None:
    for model in ("m1", "m2"):
        run_task(model=model)
    runs = read_runs([str(tmp_path / "logs")]).counted
    for run in runs:  # 18 users, a fact of users that splits them into two large groups, and messages with two types
        run.rows["user"] = run.rows["conversation"]
        run.rows["gender"] = np.where(pd.factorize(run.rows["user"])[0] % 2, "Female", "Male")
        run.rows.loc[run.rows.index[::3], "type"] = "task_motivation + style_expectation"
    table = pd.DataFrame(breakdown(runs))
    ways = set()
    for run in runs:
        samples = run.samples.reset_index(drop=True)
        rows = table[table["model"] == run.name]
        for row in rows[rows["p_value"].notna()].itertuples():
            labels = GROUPINGS[str(row.by)](samples).explode()
            members = samples.index.isin(labels.index[labels.astype(str) == row.group])
            scored = samples[samples["score"].notna()]
            difference, p_value, compared = expected_difference(scored, pd.Series(members)[scored.index])
            assert (row.difference, row.p_value) == pytest.approx((difference, p_value), rel=1e-6)
            assert row.compared == compared
            ways.add((row.by, compared))
        tested = rows.dropna(subset="p_value")
        assert len(tested) > 6
        assert list(tested["p_fdr"]) == pytest.approx(list(stats.false_discovery_control(tested["p_value"])))
        assert (tested["p_fdr"] > tested["p_value"]).any()
    assert ways >= {("stage", "within users"), ("type", "within users"), ("gender", "between users")}
    # Where there is no rest, or one that is too small, there is no test.
    alone = table[table["by"] == "context"]
    assert alone[["difference", "p_value", "p_fdr"]].isna().all(axis=None)
    assert set(alone["compared"]) == {""}
    page = "".join(section.note for section in chapter(Evidence(Runs(runs))).sections)
    assert "adjusted by Benjamini–Hochberg over all groups of the same run in this table" in page


def test_small_groups_are_shown_as_too_small(run_task: Run, tmp_path: Path) -> None:
    run_task(limit=6)
    table = pd.DataFrame(breakdown(read_runs([str(tmp_path / "logs")]).counted))
    assert (table["n"] > 0).any()
    assert table["mean"].isna().all()
    assert set(table["note"]) == {"too small: under 10 scored samples or 5 users"}


def test_missing_values_are_a_group() -> None:
    samples = pd.DataFrame({
        "type": ["task_motivation + content_expectation", "task_motivation"], "position": [0, 1],
        "message_index": [0, 20], "assistant_model": ["A", ""], "hindsight": [None, True], "target_words": [5, 60],
        "age": [np.nan, 37], "gender": [None, "Female"], "education": ["None", "Graduate"], "frequency": [5.0, np.nan],
    })  # fmt: skip
    groups = {by: [str(g) for g in group(samples).explode()] for by, group in GROUPINGS.items()}
    assert groups == {
        "type": ["task_motivation", "content_expectation", "task_motivation"],
        "stage": ["Early", "Late"],
        "turn": ["1 of the conversation", "9 or more of the conversation"],
        "assistant model": ["A", "unknown"],
        "hindsight": ["unknown", "written after the next message"],
        "target length": ["1–5 words", "41 or more words"],
        "age": ["unknown", "35–44 years"],
        "gender": ["unknown", "Female"],
        "education": ["unknown", "Graduate"],
        "AI use, 1 to 5": ["5", "unknown"],
    }
