"""The paper's design: three models judge each other. Every figure against a computation from the raw votes."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import Model
from scipy import special, stats

from thoughttrace.analysis.chapters import lost_votes
from thoughttrace.analysis.chapters.breakdown import breakdown
from thoughttrace.analysis.chapters.comparison import compare, misleading, ranking, require
from thoughttrace.analysis.chapters.headline import pooled
from thoughttrace.analysis.chapters.judges import panels
from thoughttrace.analysis.chapters.recovered_share import against_controls, leaked, recovered
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.report import write_report
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.analysis.stats.panel import effective_votes, mean_over_judges
from thoughttrace.analysis.stats.power import detectable_difference
from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError
from thoughttrace.tasks.infer_reason import infer_reason

MODELS = ("alpha-1", "beta-1", "gamma-1")
SKILL = {"alpha-1": 0.0, "beta-1": 0.2, "gamma-1": 1.0}
LENIENT = {"alpha-1": -1.5, "beta-1": 0.0, "gamma-1": 1.0}
"""The lenient judge is the best model, which therefore has the severe judges."""
CONTROLS = ("someone_else", "parrot", "target", "typical", "reworded")


def rate_as(judge: str) -> Callable[[list[Any]], str]:
    """A judge with a severity of its own, that rates by whose guess it is; one vote in 15 is no verdict."""

    def rate(messages: list[Any]) -> str:
        text = messages[1].text
        guess = text.partition(" guess]\n")[2].partition("\n[")[0]
        note = text.rpartition(" note]\n")[2] if " note]\n" in text else text
        skill = next(
            (SKILL[model] for model in MODELS if f"guess of {model}" in guess), 2.2 if "again" in guess else -0.8
        )
        skill = 2.5 if guess and guess in note.partition(" guess]\n")[0] else skill
        draw = hashlib.sha256(f"{judge}{text.partition(' guess]')[0][-300:]}{guess}".encode()).digest()
        if draw[1] % 15 == 0:
            return "no idea"
        return json.dumps(
            {"rationale": "so", "rating": int(min(5, max(1, round(2.6 + skill + LENIENT[judge] + draw[0] % 3 - 1))))}
        )

    return rate


def run(folder: Path, jobs: Sequence[tuple[Any, Any, Sequence[str]]], scripted: Callable[..., Model]) -> str:
    """Run tasks, each with a model and the names of its judges."""
    for task, model, names in jobs:
        panel = {"grader": [scripted(name, rate_as(name)) for name in names]}
        (log,) = inspect_eval(task, model=model, model_roles=panel, log_dir=str(folder), display="none")
        assert log.status == "success"
    return str(folder)


EACH_OTHER = dict.fromkeys(MODELS, MODELS)
ONE_EACH = {"alpha-1": ["beta-1"], "beta-1": ["gamma-1"], "gamma-1": ["alpha-1"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, make_conversation: Callable[..., dict[str, Any]]) -> str:
    """Nine users of one or two conversations."""
    path = tmp_path_factory.mktemp("data") / "data.jsonl"
    records = [make_conversation(f"user{n}", task, turns=1 + n % 3) for n in range(9) for task in range(1 + n % 2)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def each_other(tmp_path_factory: pytest.TempPathFactory, data: str, scripted: Callable[..., Model]) -> str:
    """Logs of three models that judge each other, and of the controls, judged by all three."""
    controls = [(infer_reason(data=data, control=name), "none/none", MODELS) for name in CONTROLS[:-1]]
    writer = scripted("writer", lambda _: "once again")
    models = [(infer_reason(data=data), guesser(scripted, model), EACH_OTHER[model]) for model in MODELS]
    jobs = [*controls, (infer_reason(data=data, control="reworded"), writer, MODELS), *models]
    return run(tmp_path_factory.mktemp("each_other"), jobs, scripted)


@pytest.fixture(scope="module")
def one_each(
    tmp_path_factory: pytest.TempPathFactory, data: str, each_other: str, scripted: Callable[..., Model]
) -> str:
    """The same controls, and the three models with one fixed other judge each."""
    folder = tmp_path_factory.mktemp("one_each")
    for file in Path(each_other).glob("*.eval"):
        if (read_eval_log(str(file), header_only=True).eval.metadata or {})["control"]:
            shutil.copy(file, folder)
    jobs = [(infer_reason(data=data), guesser(scripted, model), ONE_EACH[model]) for model in MODELS]
    return run(folder, jobs, scripted)


def guesser(scripted: Callable[..., Model], model: str) -> Model:
    return scripted(model, lambda _: f"the guess of {model}")


@cache
def runs_in(folder: str) -> Runs:
    return read_runs([folder])


@cache
def raw_votes(folder: str) -> pd.DataFrame:
    """Every vote, read from the logs without the code under test."""
    rows = []
    for file in Path(folder).glob("*.eval"):
        log = read_eval_log(str(file), exclude_fields={"messages", "events", "attachments", "store"})
        metadata = log.eval.metadata or {}
        who = metadata["control"] or log.eval.model.partition("/")[2]
        for sample in log.samples or []:
            score = (sample.scores or {})["agreement"]
            for vote in (score.metadata or {})["votes"]:
                judge = vote["judge"].partition("/")[2]
                user, kind = sample.metadata["user"], sample.metadata["type"]
                donor = sample.metadata.get("donor") or ""
                rows.append((who, judge, str(sample.id), user, kind, donor, vote["rating"]))
    return pd.DataFrame(rows, columns=["who", "judge", "id", "user", "type", "donor", "rating"]).dropna()


def scores(votes: pd.DataFrame, who: str, judges: Sequence[str]) -> pd.Series:
    chosen = votes[(votes["who"] == who) & votes["judge"].isin(list(judges))]
    return chosen.groupby("id")["rating"].mean()


def users(votes: pd.DataFrame) -> pd.Series:
    return votes.drop_duplicates("id").set_index("id")["user"]


def cr2(design: Any, y: Any, clusters: Any, contrast: Any) -> tuple[float, float, float]:
    """Estimate, CR2 error and Satterthwaite df of a contrast, with every matrix written out (Pustejovsky & Tipton)."""
    design, y, contrast = np.asarray(design, float), np.asarray(y, float), np.asarray(contrast, float)
    bread = np.linalg.inv(design.T @ design)
    hat = design @ bread @ design.T
    annihilator = np.eye(len(y)) - hat
    residuals = annihilator @ y
    variance, vectors = 0.0, []
    for cluster in pd.unique(np.asarray(clusters)):
        own = np.flatnonzero(np.asarray(clusters) == cluster)
        values, basis = np.linalg.eigh(annihilator[np.ix_(own, own)])
        inverse = np.where(values > 1e-9, np.abs(values) ** -0.5, 0)
        adjusted = basis @ np.diag(inverse) @ basis.T @ design[own] @ bread @ contrast
        variance += (adjusted @ residuals[own]) ** 2
        vectors.append(annihilator[:, own] @ adjusted)
    gram = np.array(vectors) @ np.array(vectors).T
    return float(contrast @ bread @ design.T @ y), math.sqrt(variance), float(np.trace(gram) ** 2 / (gram**2).sum())


def interval(estimate: float, error: float, df: float) -> tuple[float, float, float]:
    return (*stats.t.interval(0.95, df, estimate, error), 2 * float(stats.t.sf(abs(estimate) / error, df)))


def on_scale(estimate: float, error: float, df: float) -> tuple[float, float]:
    """Limits of a mean rating, symmetric on the logit of the scale."""
    place = (estimate - 1) / 4
    shift = stats.t.ppf(0.975, df) * error / 4 / (place * (1 - place))
    lower, upper = 1 + 4 * special.expit(special.logit(place) + np.array([-shift, shift]))
    return float(lower), float(upper)


def judges_of(design: Mapping[str, Sequence[str]], model: str) -> list[str]:
    return [judge for judge in design[model] if judge != model]


@pytest.fixture(params=["each other", "one each"])
def case(request: pytest.FixtureRequest, each_other: str, one_each: str) -> tuple[str, dict[str, Sequence[str]]]:
    return (each_other, dict(EACH_OTHER)) if request.param == "each other" else (one_each, dict(ONE_EACH))


Case = tuple[str, dict[str, Sequence[str]]]


def test_the_mean_of_models_clusters_users_across_them(case: Case) -> None:
    folder, design = case
    votes = raw_votes(folder)
    of_models = {model: scores(votes, model, judges_of(design, model)) for model in MODELS}
    everything, shared = pooled(runs_in(folder).models)
    assert everything.model == "mean of 3 models, each judged by the others"
    for row, table in ((everything, pd.DataFrame(of_models)), (shared, pd.DataFrame(of_models).dropna())):
        long = table.stack().dropna().reset_index(name="rating")
        long.columns = ["id", "model", "rating"]
        dummies = pd.get_dummies(long["model"]).astype(float)
        estimate, error, df = cr2(dummies, long["rating"], long["id"].map(users(votes)), np.full(3, 1 / 3))
        lower, upper = on_scale(estimate, error, df)
        assert (row.mean, row.lower, row.upper) == pytest.approx((estimate, lower, upper), rel=1e-9)
        assert row.mean == pytest.approx(np.mean([series.dropna().mean() for _, series in table.items()]))
        assert row.n == len(table)
    assert shared.n is not None
    assert everything.n is not None
    assert shared.n < everything.n


def test_a_person_whom_all_models_judge_is_none_of_them(each_other: str) -> None:
    models = runs_in(each_other).models
    person = replace(models[0], model="ann", evaluated="ann", answers_file="guesses.jsonl (sha256 0)")
    assert [(row.model, row.mean) for row in pooled([*models, person])] == [
        (row.model, row.mean) for row in pooled(models)
    ]


def test_the_mean_of_models_without_the_lost_votes(each_other: str) -> None:
    """Severities by dummies of inferences; each judges the two others, so they cancel in the mean of the models."""
    votes = raw_votes(each_other)
    votes = votes[votes["who"].isin(MODELS)].assign(unit=votes["who"] + votes["id"])
    assert (votes["who"] != votes["judge"]).all()
    dummies = pd.get_dummies(votes[["unit", "judge"]], dtype=float)
    fit = pd.Series(np.linalg.pinv(dummies) @ votes["rating"], dummies.columns)
    effects = fit[[f"judge_{judge}" for judge in MODELS]].set_axis(MODELS)
    less = votes.assign(rating=votes["rating"] - votes["judge"].map(effects - effects.mean()))
    of_samples = less.groupby(["who", "id"])["rating"].mean()
    row = lost_votes.means(lost_votes.panels(runs_in(each_other).models))[-1]
    assert row.model == "mean of 3 models, each judged by the others"
    assert row.centred == pytest.approx(of_samples.groupby("who").mean().mean(), abs=1e-9)
    both = votes[votes.groupby("unit")["judge"].transform("size") == 2]
    complete = both.groupby(["who", "id"])["rating"].mean()
    assert row.complete == pytest.approx(complete.groupby("who").mean().mean())
    assert row.complete_n == both["id"].nunique()
    everything = pooled(runs_in(each_other).models)[0]
    assert (row.mean, row.lower, row.upper) == (everything.mean, everything.lower, everything.upper)
    assert everything.votes_lost == everything.votes - len(votes)
    assert everything.mean_if_missing_1 < everything.mean < everything.mean_if_missing_5
    first, *others = runs_in(each_other).models
    unequal = lost_votes.means([first.rated_by(first.judges[:1]), *others])[-1]
    assert unequal.centred_note == "judges count differently in this mean: no estimate"


def test_two_models_are_compared_by_the_votes_of_the_judges_of_both(each_other: str) -> None:
    votes = raw_votes(each_other)
    rows, refused = compare(runs_in(each_other).models)
    assert refused == []
    expected_p = []
    for row, (a, b) in zip(rows, combinations(MODELS, 2), strict=True):
        (third,) = {*MODELS} - {a, b}
        assert (row.a, row.b, row.judge) == (f"scripted/{a}", f"scripted/{b}", f"scripted/{third}")
        both = pd.DataFrame({"a": scores(votes, a, [third]), "b": scores(votes, b, [third])}).dropna()
        difference = both["a"] - both["b"]
        clusters = users(votes).loc[both.index]
        estimate, error, df = cr2(np.ones((len(both), 1)), difference, clusters, [1.0])
        lower, upper, p_value = interval(estimate, error, df)
        assert (row.difference, row.lower, row.upper, row.p_value) == pytest.approx((estimate, lower, upper, p_value))
        assert (row.n, row.votes_a, row.votes_b) == (len(both), len(both), len(both))
        assert row.detectable == pytest.approx(detectable_difference(error, df))
        limits_90 = estimate + error * stats.t.ppf(0.05, df), estimate + error * stats.t.ppf(0.95, df)
        assert row.equivalent_within == pytest.approx(max(map(abs, limits_90)), rel=1e-9)
        assert math.isnan(row.other_judges_lower)
        assert (row.wins, row.ties, row.losses) == (
            (difference > 0).sum(), (difference == 0).sum(), (difference < 0).sum(),
        )  # fmt: skip
        raw = scores(votes, a, judges_of(EACH_OTHER, a)) - scores(votes, b, judges_of(EACH_OTHER, b))
        assert row.raw_difference == pytest.approx(raw.loc[both.index].mean())
        expected_p.append(p_value)
    holm = sm.stats.multipletests(expected_p, method="holm")[1]
    assert [row.p_holm for row in rows] == pytest.approx(list(holm))


def test_the_page_says_where_raw_means_would_have_misled(each_other: str) -> None:
    rows, _ = compare(runs_in(each_other).models)
    reversed_ = [row for row in rows if row.p_holm < 0.05 and row.difference * row.raw_difference < 0]
    assert reversed_, "the severe judges rate the best model, so that some raw difference points the other way"
    sentences = misleading(rows)
    for row in reversed_:
        assert any(f"{row.a} and {row.b} were not rated by the same judges" in sentence for sentence in sentences)


def test_ranks_come_from_the_shared_votes(each_other: str) -> None:
    pairs, _ = compare(runs_in(each_other).models)
    winners = [row.a if row.difference > 0 else row.b for row in pairs if row.p_holm < 0.05]
    losers = [row.b if row.difference > 0 else row.a for row in pairs if row.p_holm < 0.05]
    assert len(winners) >= 2
    ranks = ranking(pairs)
    assert ranks[0].name == "scripted/gamma-1"
    for row in ranks:
        assert (row.best_rank, row.worst_rank) == (1 + losers.count(row.name), 3 - winners.count(row.name))
    assert {row.judge for row in ranks} == {"of each pair, those that rated both"}


def test_without_a_shared_judge_the_refusal_says_what_to_run(one_each: str) -> None:
    sentence = "3 pairs not compared: judge differs, and no judge rated both; rate one again: inspect score LOG --model"
    models = runs_in(one_each).models
    with pytest.raises(UserError, match=sentence):
        require(models, "model", force=False)
    done = CliRunner().invoke(main, ["compare", one_each])
    assert sentence in done.output


def test_controls_count_by_the_votes_of_the_models_judges(case: Case) -> None:
    folder, design = case
    votes = raw_votes(folder)
    runs = runs_in(folder).inferences
    shares = {row.model.partition("/")[2]: row for row in recovered(runs)}
    assert set(shares) == set(MODELS)
    for model, row in shares.items():
        judges = judges_of(design, model)
        parts = {name: scores(votes, name, judges) for name in (model, "someone_else", "reworded")}
        three = pd.DataFrame(parts).dropna()
        floor, ceiling = three["someone_else"], three["reworded"]
        assert row.share == pytest.approx((three[model] - floor).mean() / (ceiling - floor).mean(), abs=1e-12)
        assert (row.floor, row.ceiling) == pytest.approx((floor.mean(), ceiling.mean()))
        assert row.n == len(three)
        assert row.judge == ", ".join(f"scripted/{judge}" for judge in sorted(judges))
    against = against_controls(runs)
    assert len(against) == len(MODELS) * len(CONTROLS)
    for pair in against:
        model, control = pair.model.partition("/")[2], pair.control
        judges = judges_of(design, model)
        both = pd.DataFrame({"m": scores(votes, model, judges), "c": scores(votes, control, judges)}).dropna()
        difference, clusters = both["m"] - both["c"], users(votes).loc[both.index]
        estimate, error, df = cr2(np.ones((len(both), 1)), difference, clusters, [1.0])
        if control == "someone_else":  # clustered by user and by donor
            donors = votes[votes["who"] == control].drop_duplicates("id").set_index("id")["donor"].loc[both.index]
            by_donor, of_pairs = (
                cr2(np.ones((len(both), 1)), difference, labels, [1.0]) for labels in (donors, clusters + "|" + donors)
            )
            assert donors.nunique() > 5
            error = math.sqrt(max(error**2, error**2 + by_donor[1] ** 2 - of_pairs[1] ** 2))
            df = min(df, by_donor[2])
        lower, upper, p_value = interval(estimate, error, df)
        found = (pair.difference, pair.lower, pair.upper, pair.p_value)
        assert found == pytest.approx((estimate, lower, upper, p_value))
        assert pair.n == len(both)
    holm = sm.stats.multipletests([pair.p_value for pair in against], method="holm")[1]
    assert [pair.p_holm for pair in against] == pytest.approx(list(holm))
    assert [row.n for row in leaked(runs)[0]] == [votes["id"].nunique()] * len(MODELS)


def test_a_panel_has_an_interval_for_other_judges_too(each_other: str) -> None:
    votes = raw_votes(each_other)
    rows = {row.model.partition("/")[2]: row for row in panels(runs_in(each_other).models)}
    assert set(rows) == set(MODELS)
    for model, row in rows.items():
        judges = judges_of(EACH_OTHER, model)
        chosen = votes[(votes["who"] == model) & votes["judge"].isin(judges)]
        wide = chosen.pivot(index="id", columns="judge", values="rating")
        clusters = users(votes).loc[wide.index].to_numpy()
        these, others = (
            cluster_mean(wide.mean(axis=1), clusters, bounds=(1, 5)),
            mean_over_judges(wide, clusters, bounds=(1, 5)),
        )
        assert (row.judges, row.n) == (2, len(wide))
        assert (row.mean, row.lower, row.upper) == pytest.approx((these.estimate, these.lower, these.upper))
        found = (row.other_judges_lower, row.other_judges_upper, row.effective_votes)
        assert found == pytest.approx((others.lower, others.upper, effective_votes(wide)))
        assert row.other_judges_lower < row.lower < row.upper < row.other_judges_upper
        assert 1 <= row.effective_votes <= 2


def test_the_breakdown_takes_each_models_own_judges(case: Case) -> None:
    folder, design = case
    votes = raw_votes(folder)
    types = votes.drop_duplicates("id").set_index("id")["type"]
    # Groups that are too small have no mean.
    rows = [row for row in breakdown(runs_in(folder).models) if row.by == "type" and not math.isnan(row.mean)]
    assert rows
    for row in rows:
        model = row.model.partition("/")[2]
        values = scores(votes, model, judges_of(design, model))
        of_type = types.map(lambda name, group=row.group: group in name.split(" + "))
        assert row.mean == pytest.approx(values[of_type.loc[values.index]].mean())


def test_the_report_is_complete(each_other: str, tmp_path: Path) -> None:
    runs = runs_in(each_other)
    chapters = {chapter.name: chapter for chapter in write_report(Evidence(runs, texts=False), tmp_path / "report")}
    assert {"headline", "recovered_share", "comparisons", "judges", "methods"} <= set(chapters)
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "mean of 3 models, each judged by the others" in page
    assert "Two models were compared by the votes of the judges of both" in page
    table = pd.read_csv(tmp_path / "report/headline.csv")
    assert table["pooled"].tolist() == [0, 0, 0, 3, 3]
