"""The judges: how far they agree, how severe each is, whether it favours its own family, how noisy its votes are."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import stats

from thoughttrace.analysis.chapters.headline import SCALE, kind_of, mean_agreement
from thoughttrace.analysis.page.table import (
    Chapter,
    Section,
    count,
    limits,
    name,
    note,
    number,
    p,
    share,
    short,
    text,
    yes,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.interrater import alpha, kappa
from thoughttrace.analysis.stats.intervals import Numbers, cluster_mean
from thoughttrace.analysis.stats.multiplicity import holm_by_family
from thoughttrace.analysis.stats.panel import effective_votes, mean_over_judges
from thoughttrace.core.model_names import family
from thoughttrace.core.record import Kind


@dataclass(frozen=True)
class JudgeMeanRow:
    """The mean rating that one judge gave one model."""

    kind: Kind
    judge: str
    model: str
    context: str
    own_family: bool
    """Whether judge and model are of the same family."""
    mean: float
    """1–5; each inference counts once, with the mean of the judge's votes on it, or what a rule rated it."""
    lower: float
    """95 % limit, CR2 by user, clipped to 1–5."""
    upper: float
    n: int
    """Inferences."""
    users: int
    note: str


@dataclass(frozen=True)
class ReliabilityRow:
    """How far judges agree with each other on the same inferences."""

    kind: Kind
    judges: str
    """Comma-separated: all of them for alpha, two for kappa."""
    statistic: str
    estimate: float
    """At most 1; 0 for what chance would give."""
    lower: float
    """95 % percentile limit, seeded bootstrap of users."""
    upper: float
    n: int
    """Inferences that two or more of these judges rated."""
    users: int
    note: str


@dataclass(frozen=True)
class SeverityRow:
    """How severe one judge is."""

    kind: Kind
    judge: str
    severity: float
    """Points that it rates below the average judge."""
    lower: float
    """95 % limit, CR1 by user."""
    upper: float
    n: int
    """Votes."""


@dataclass(frozen=True)
class AdjustedRow:
    """The mean of one model as the average judge would rate it."""

    kind: Kind
    model: str
    context: str
    adjusted: float
    """1–5."""
    lower: float
    """95 % limit, CR1 by user."""
    upper: float
    mean: float
    """Of all votes and of what a rule rated, unadjusted."""


@dataclass(frozen=True)
class AdjustedPairRow:
    """The difference of two models as the average judge would rate them."""

    kind: Kind
    a: str
    b: str
    context: str
    difference: float
    """a − b."""
    lower: float
    """95 % limit, CR1 by user."""
    upper: float
    p_value: float
    raw_difference: float
    """Of the means of all votes, unadjusted."""
    p_holm: float = math.nan
    """Adjusted over all pairs of a kind."""


@dataclass(frozen=True)
class PreferenceRow:
    """How much one judge favours its own family."""

    kind: Kind
    judge: str
    family: str
    preference: float = math.nan
    """Points that it gives its own family beyond what judges of other families give."""
    lower: float = math.nan
    """95 % limit, CR2 by user."""
    upper: float = math.nan
    n: int = 0
    """Samples with an inference of its family and one of another, both rated by a judge of neither."""
    users: int = 0
    note: str = "no pair to compare: no other judge rated its own family and another family on the same sample"


@dataclass(frozen=True)
class NoiseRow:
    """How much the repeated votes of one judge on the same inference differ."""

    kind: Kind
    judge: str
    inferences: int
    """With more than one vote."""
    repeats: float
    """Mean number of votes per inference, over all its inferences."""
    sd_within: float
    """Pooled standard deviation of its votes on one inference."""
    share: float
    """Of the variance of its mean over all inferences (clustered by user), what its noise explains: 0 to 1."""
    advice: str


@dataclass(frozen=True)
class PanelRow:
    """The mean of one run for its own judges, and for judges like them."""

    kind: Kind
    model: str
    context: str
    judges: int
    """Judges of its panel, without the evaluated model itself."""
    mean: float
    """1–5: the mean over samples of the mean of each one's votes."""
    lower: float
    """95 % limit for these judges and other users, CR2 by user, clipped to 1–5."""
    upper: float
    other_judges_lower: float
    """95 % limit for other judges and other users, clipped to 1–5."""
    other_judges_upper: float
    other_judges_note: str
    """Why there are none."""
    effective_votes: float
    """How many votes on different samples tell as much about the mean as the panel's votes on one: 1 to the number of
    judges."""
    n: int
    users: int
    note: str


_NOT_IDENTIFIED = (
    "cannot be identified: the other judges are of the families that they rated, so what looks like its preference may "
    "be theirs; add a judge of a third family"
)
"""Why a judge has no self-preference though other judges rated the same inferences."""


MEAN_COLUMNS = [
    short("Kind", "kind"),
    name("Judge", "judge"),
    name("Model", "model"),
    short("Context", "context"),
    yes("Own family", "own_family"),
    number("Agreement", "mean"),
    limits("95 % interval"),
    count("n", "n"),
    count("Users", "users"),
]

PANEL_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    count("Judges", "judges"),
    number("Agreement", "mean"),
    limits("95 % interval, these judges"),
    limits("95 % interval, other judges too", "other_judges_"),
    number("Effective votes", "effective_votes"),
    count("n", "n"),
    count("Users", "users"),
    note(),
]

RELIABILITY_COLUMNS = [
    short("Kind", "kind"),
    name("Judges", "judges"),
    short("Statistic", "statistic"),
    number("Estimate", "estimate"),
    limits("95 % interval"),
    count("n", "n"),
    count("Users", "users"),
    note(),
]

SEVERITY_COLUMNS = [
    short("Kind", "kind"),
    name("Judge", "judge"),
    number("Severity", "severity", "+.2f"),
    limits("95 % interval"),
    count("Votes", "n"),
]

ADJUSTED_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    number("Adjusted mean", "adjusted"),
    limits("95 % interval"),
    number("Unadjusted", "mean"),
]

ADJUSTED_PAIR_COLUMNS = [
    short("Kind", "kind"),
    name("A", "a"),
    name("B", "b"),
    short("Context", "context"),
    number("A − B, adjusted", "difference", "+.2f"),
    limits("95 % interval"),
    p("p (Holm)", "p_holm"),
    number("Unadjusted", "raw_difference", "+.2f"),
]

PREFERENCE_COLUMNS = [
    short("Kind", "kind"),
    name("Judge", "judge"),
    short("Family", "family"),
    number("Preference", "preference", "+.2f"),
    limits("95 % interval"),
    count("n", "n"),
    count("Users", "users"),
    note(),
]

NOISE_COLUMNS = [
    short("Kind", "kind"),
    name("Judge", "judge"),
    count("Inferences", "inferences"),
    number("Votes per inference", "repeats"),
    number("SD within", "sd_within"),
    share("Share of the variance", "share"),
    text("Advice", "advice"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write what the judges are like: comparisons where a kind has several, noise where votes were repeated."""
    table = votes(evidence.runs.models)
    several = table[table.groupby("kind")["judge"].transform("nunique") > 1]
    severities, adjusted = severity(several)
    return Chapter(
        "judges",
        "Judges",
        "",
        [
            Section(
                "by_judge", "Mean by judge and model", means(several), MEAN_COLUMNS,
                "Own family: judge and model have the same first name (claude, gpt, gemini, qwen …).",
            ),
            Section(
                "panel", "Means for these judges, and for judges like them",
                panels(evidence.runs.models), PANEL_COLUMNS,
                "The second interval takes the judges as a sample of judges like them: what another panel of as many "
                "would find. With two judges it is often as wide as the scale, for two say little about others. A "
                "model's vote on itself does not count. Effective votes: how many votes on different samples tell as "
                "much about the mean as the panel's votes on one sample.",
            ),
            Section(
                "reliability", "Agreement between judges", reliability(several), RELIABILITY_COLUMNS,
                "Krippendorff's alpha of all judges and Cohen's kappa of every two, over inferences that two or more "
                "judges rated; 95 % intervals by a seeded bootstrap of users.",
            ),
            Section(
                "severity", "Severity of each judge", severities, SEVERITY_COLUMNS,
                "Points below the average judge, by an additive model of judge and model, clustered by user.",
            ),
            Section(
                "adjusted", "Models as the average judge would rate them", adjusted, ADJUSTED_COLUMNS,
                "From the same additive model: how models differ when not all judges rated all of them.",
            ),
            Section(
                "adjusted_pairs", "Differences as the average judge would rate them",
                adjusted_differences(several), ADJUSTED_PAIR_COLUMNS,
                "From the same model: all votes of both, less what each judge is more severe than the average.",
            ),
            Section(
                "preference", "Self-preference", self_preference(several), PREFERENCE_COLUMNS,
                "How much more a judge gives to its own family than judges of other families do, on the same samples. "
                "On inferences of their own family, which they may prefer too, other judges do not count.",
            ),
            Section(
                "judge_repeat_noise", "Noise of repeated votes", noise(table), NOISE_COLUMNS,
                "From repeated votes on one inference (judge_repeats). The share is the part of the variance of the "
                "judge's mean that its noise explains.",
            ),
        ],
    )  # fmt: skip


def votes(runs: Sequence[Run]) -> pd.DataFrame:
    """Gather every vote of every judge.

    Args:
        runs: Runs that infer thoughts.

    Returns:
        One row per vote that gave a rating: `kind`, `model`, `context`, `unit` (the inference: model, context, prompt,
        date, sample, epoch), `id`, `user`, `judge`, `repeat` (0 …), `rating` (1–5), `by_rule`, `family` (of the
        evaluated model), `own_family` (whether the judge is of the same family). A vote that several scores of a log
        share counts once. What a rule rated, such as a refusal, is given to all judges of the run, as often as each
        was to vote, with `by_rule` true: it belongs to the model's means, and says nothing of the judges.
    """
    rows = []
    for run in runs:
        measured = f"{run.name}|{run.context}|{run.prompt_hash}"
        started = {part.file: part.date for part in run.contributions}
        rated = run.rows.assign(by_rule=run.rated_by_rule)[run.rows["ratings"].notna()]
        parsed = [json.loads(by_judge) for by_judge in rated["ratings"]]
        repeats = {judge: max(len(row.get(judge, ())) for row in parsed) for judge in run.judges}
        of_replies = rated[["file", "id", "epoch", "user", "score", "by_rule"]].itertuples(index=False)
        for (file, sample, epoch, user, score, by_rule), by_judge in zip(of_replies, parsed, strict=True):
            unit = f"{measured}|{started[file]}|{sample}|{epoch}"
            about = (run.kind, run.name, run.context, unit, sample, user)
            given = {judge: [score] * n for judge, n in repeats.items()} if by_rule else by_judge
            for judge, ratings in given.items():
                for repeat, rating in enumerate(ratings):
                    if rating is not None:
                        rows.append((*about, judge, repeat, float(rating), by_rule))
    columns = ["kind", "model", "context", "unit", "id", "user", "judge", "repeat", "rating", "by_rule"]
    table = pd.DataFrame(rows, columns=columns).astype({"by_rule": bool}).drop_duplicates(["unit", "judge", "repeat"])
    families = {run.name: family(run.evaluated) for run in runs} | {
        judge: family(judge) for judge in set(table["judge"])
    }
    own = table["model"].map(families)
    return table.assign(family=own, own_family=table["judge"].map(families) == own)


def means(table: pd.DataFrame) -> list[JudgeMeanRow]:
    """Estimate the mean rating that each judge gives each model.

    Args:
        table: What `votes` returns.
    """
    rows = []
    for about, members in _groups(table, "kind", "judge", "model", "context", "own_family"):
        units = members.groupby("unit", sort=False).agg({"rating": "mean", "user": "first"})
        mean = mean_agreement(units["rating"].to_numpy(), units["user"].to_numpy())
        rows.append(JudgeMeanRow(**about, **mean.as_row("mean")))
    return rows


def panels(runs: Sequence[Run]) -> list[PanelRow]:
    """Estimate the mean of each run with several judges, for these judges and for judges like them.

    Args:
        runs: Runs of models that infer thoughts.
    """
    rows = []
    for run in runs:
        judges = run.other_judges
        ratings = run.ratings_of(judges)
        if len(judges) < 2 or ratings.empty:
            continue
        users = run.samples.set_index("id")["user"].loc[ratings.index].to_numpy()
        these = mean_agreement(ratings.mean(axis=1).to_numpy(), users)
        others = mean_over_judges(ratings, users, bounds=SCALE)
        rows.append(
            PanelRow(
                kind=kind_of(run),
                model=run.name,
                context=run.context,
                judges=len(judges),
                **these.as_row("mean"),
                other_judges_lower=others.lower,
                other_judges_upper=others.upper,
                other_judges_note=others.reason or "",
                effective_votes=effective_votes(ratings),
            )
        )
    return rows


def reliability(table: pd.DataFrame) -> list[ReliabilityRow]:
    """Estimate Krippendorff's alpha of all judges together, and the quadratic kappa of every two.

    Args:
        table: What `votes` returns.
    """
    rows = []
    for about, members in _groups(table, "kind"):
        wide = _by_judge(members[~members["by_rule"]])
        users = _of_units(members, "user").loc[wide.index]
        if wide.shape[1] < 2:
            continue
        everyone = alpha(wide, users).as_row("estimate")
        rows.append(ReliabilityRow(**about, judges=", ".join(wide.columns), statistic="alpha, ordinal", **everyone))
        for a, b in combinations(wide.columns, 2):
            both = wide[[a, b]].dropna()
            if len(both):
                two = kappa(both[a], both[b], users.loc[both.index]).as_row("estimate")
                rows.append(ReliabilityRow(**about, judges=f"{a}, {b}", statistic="kappa, quadratic", **two))
    return rows


def severity(table: pd.DataFrame) -> tuple[list[SeverityRow], list[AdjustedRow]]:
    """Estimate how severe each judge is, and each model's mean as the average judge would rate it.

    An additive two-way model, rating = model + judge, by least squares over all votes, with standard errors
    clustered by user (CR1, t with users − 1 degrees of freedom). What a rule rated counts as a rating of the average
    judge in the model's mean, and has no part in how severe judges are.

    Args:
        table: What `votes` returns.

    Returns:
        The rows of judges and those of models. A kind has none where it has one judge or one user, and where judges
        and models fall into groups that share nothing.
    """
    severities: list[SeverityRow] = []
    adjusted: list[AdjustedRow] = []
    for model in _additive_models(table):
        m, j = len(model.systems), len(model.judges)
        effects = np.hstack([np.zeros((j, m)), np.eye(j)[:, 1:]])
        average = effects.mean(axis=0)
        severities += [
            SeverityRow(**model.about, judge=judge, severity=points, lower=lower, upper=upper, n=int(n))
            for judge, (points, lower, upper, _), n in zip(
                model.judges, model.contrasts(average - effects), model.votes_of_judges, strict=True
            )
        ]
        as_average_judge = model.contrasts(np.hstack([np.eye(m), np.zeros((m, j - 1))]) + average)
        adjusted += [
            AdjustedRow(
                **model.about, model=name, context=context, adjusted=points, lower=lower, upper=upper, mean=mean
            )
            for (name, context), mean, (points, lower, upper, _) in zip(
                model.systems, model.means, as_average_judge, strict=True
            )
        ]
    return severities, adjusted


def adjusted_differences(table: pd.DataFrame) -> list[AdjustedPairRow]:
    """Estimate the differences of models as the average judge would rate them, by the model of `severity`.

    Unlike the paired comparisons this uses all votes of both models, and rests on judges being as severe on one model
    as on another.

    Args:
        table: What `votes` returns.

    Returns:
        A row for each two models that were shown the same context.
    """
    rows: list[AdjustedPairRow] = []
    for model in _additive_models(table):
        m, j = len(model.systems), len(model.judges)
        pairs = [(a, b) for a, b in combinations(range(m), 2) if model.systems[a][1] == model.systems[b][1]]
        if not pairs:
            continue
        contrasts = np.zeros((len(pairs), m + j - 1))
        for row, (a, b) in enumerate(pairs):
            contrasts[row, [a, b]] = 1, -1
        rows += [
            AdjustedPairRow(
                **model.about, a=model.systems[a][0], b=model.systems[b][0], context=model.systems[a][1],
                difference=points, lower=lower, upper=upper, p_value=p_value,
                raw_difference=model.means[a] - model.means[b],
            )
            for (a, b), (points, lower, upper, p_value) in zip(pairs, model.contrasts(contrasts), strict=True)
        ]  # fmt: skip
    adjusted = holm_by_family([row.p_value for row in rows], [row.kind for row in rows])
    return [replace(row, p_holm=p_holm) for row, p_holm in zip(rows, adjusted, strict=True)]


@dataclass(frozen=True)
class _AdditiveModel:
    """A fit of rating = model + judge to the votes on one kind of thought."""

    about: dict[str, Any]
    effects: Numbers
    covariance: Numbers
    """Clustered by user (CR1)."""
    df: int
    """Users less 1."""
    systems: list[tuple[str, str]]
    """Models, and what they were shown, in the order of the first coefficients."""
    means: list[float]
    """Of all votes on each."""
    judges: list[str]
    """The first has the effect 0, and no coefficient."""
    votes_of_judges: list[int]

    def contrasts(self, contrasts: Numbers) -> list[tuple[float, float, float, float]]:
        """Estimate linear combinations of the coefficients, with 95 % limits and p-values."""
        effects, variances = contrasts @ self.effects, ((contrasts @ self.covariance) * contrasts).sum(axis=1)
        errors = np.sqrt(np.where(variances > 1e-24, variances, np.nan))  # less is rounding
        reach = float(stats.t.ppf(0.975, self.df)) * errors
        p_values = 2 * stats.t.sf(np.abs(effects) / errors, self.df)
        return list(zip(effects, effects - reach, effects + reach, p_values, strict=True))


def _additive_models(table: pd.DataFrame) -> Iterator[_AdditiveModel]:
    """Fit the additive model to each kind that has several judges and users, linked by what they share."""
    for about, members in _groups(table, "kind"):
        if members["judge"].nunique() < 2 or members["user"].nunique() < 2:
            continue
        by_model = members.groupby(["model", "context"])
        codes, judges = pd.factorize(members["judge"], sort=True)
        of_model, of_judge = np.eye(by_model.ngroups)[by_model.ngroup()], np.eye(len(judges))[codes]
        votes_of_judges = [int(n) for n in of_judge[~members["by_rule"]].sum(axis=0)]
        of_judge[members["by_rule"]] = 1 / len(judges)
        # All models, and the judges but the first, whose effect is 0.
        design = np.hstack([of_model, of_judge[:, 1:]])
        # Only votes tell of judges: by least squares a model with many refusals would make its judges look lenient.
        # So these are instruments, and without replies that a rule rated it is least squares.
        votes_only = pd.DataFrame(of_judge[:, 1:]).mask(np.outer(members["by_rule"], np.ones(len(judges) - 1, bool)))
        within_models = (votes_only - votes_only.groupby(by_model.ngroup().to_numpy()).transform("mean")).fillna(0)
        instruments = np.hstack([of_model, within_models.to_numpy()])
        if np.linalg.matrix_rank(instruments) < design.shape[1]:
            continue
        bread = np.linalg.inv(instruments.T @ design)
        ratings = members["rating"].to_numpy()
        effects = bread @ instruments.T @ ratings
        residuals = pd.DataFrame(instruments * (ratings - design @ effects)[:, None])
        scores = residuals.groupby(members["user"].to_numpy()).sum().to_numpy() @ bread.T
        (n, k), users = design.shape, len(scores)
        covariance = users / (users - 1) * (n - 1) / (n - k) * scores.T @ scores
        means = by_model["rating"].mean()
        systems = [(str(model), str(context)) for model, context in means.index]
        yield _AdditiveModel(about, effects, covariance, users - 1, systems, [*means], [*judges], votes_of_judges)


def self_preference(table: pd.DataFrame) -> list[PreferenceRow]:
    """Estimate how much more a judge gives to its own family than judges of other families do.

    On each inference, the judge's rating less that of another judge, whose family is neither the judge's nor the
    inference's: a judge that prefers its own family too would hide the preference on one side, or feign one on the
    other. On each sample, that of the judge's own family's inferences less that of all others', with the same other
    judge on both sides, so that its severity cancels; the mean over the other judges. Then the mean over samples,
    clustered by user (CR2).

    Args:
        table: What `votes` returns.

    Returns:
        A row for each judge of a kind that has several; its note says why where there is nothing to compare, and where
        a preference cannot be told from that of the other judges.
    """
    rows = []
    for about, members in _groups(table, "kind"):
        wide = _by_judge(members[~members["by_rule"]])
        units = members.drop_duplicates("unit").set_index("unit").loc[wide.index, ["id", "user", "family"]]
        for judge in wide.columns if wide.shape[1] > 1 else ():
            excess = wide.drop(columns=judge).rsub(wide[judge], axis=0)
            pairs = excess.melt(ignore_index=False, var_name="other", value_name="excess").dropna().join(units)
            pairs["own"] = pairs["family"] == family(judge)
            other_family = pairs["other"].map(family)
            impartial = pairs[(other_family != family(judge)) & (other_family != pairs["family"])]
            preferences = _own_less_others(impartial)
            if preferences.empty:
                note = PreferenceRow.note if _own_less_others(pairs).empty else _NOT_IDENTIFIED
                rows.append(PreferenceRow(**about, judge=judge, family=family(judge), note=note))
                continue
            users = units.drop_duplicates("id").set_index("id")["user"].loc[preferences.index]
            preference = cluster_mean(preferences, users)
            rows.append(PreferenceRow(**about, judge=judge, family=family(judge), **preference.as_row("preference")))
    return rows


def _own_less_others(pairs: pd.DataFrame) -> pd.Series:
    """Give each sample's excess on a judge's own family less that on others, the mean over the other judges.

    Args:
        pairs: A row per inference and other judge: `id`, `other`, `own`, `excess`.
    """
    sides = pairs.pivot_table(index=["id", "other"], columns="own", values="excess", aggfunc="mean")
    both = sides.reindex(columns=[True, False]).dropna()
    return (both[True] - both[False]).groupby("id").mean()


def noise(table: pd.DataFrame) -> list[NoiseRow]:
    """Estimate how much each judge that voted more than once on an inference differs from itself.

    Args:
        table: What `votes` returns.
    """
    rows = []
    for about, members in _groups(table[~table["by_rule"]], "kind", "judge"):
        units = members.groupby("unit")["rating"]
        counts = units.size()
        repeated = counts[counts > 1].index
        if not len(repeated):
            continue
        freedom = float((counts[repeated] - 1).sum())
        variance = float((units.var(ddof=1)[repeated] * (counts[repeated] - 1)).sum() / freedom)
        judge_means = units.mean()
        users = _of_units(members, "user").loc[judge_means.index]
        error = cluster_mean(judge_means.to_numpy(), users.to_numpy()).standard_error
        of_mean = variance * float((1 / counts).mean()) / len(counts)
        explained = min(of_mean / error**2, 1.0) if error > 0 else math.nan
        rows.append(
            NoiseRow(
                **about,
                inferences=len(repeated),
                repeats=float(counts.mean()),
                sd_within=variance**0.5,
                share=explained,
                advice=_advice(explained),
            )
        )
    return rows


def _advice(explained: float) -> str:
    """Say whether more votes or more samples would make the interval narrower."""
    if math.isnan(explained):
        return ""
    narrower = 1 - (1 - explained) ** 0.5
    better = "more repeats help" if narrower >= 0.1 else "more samples help, more repeats hardly"
    return f"without any judge noise the interval would be {narrower:.0%} narrower: {better}"


def _groups(table: pd.DataFrame, *columns: str) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Give the members of each group and what they share, in the order in which the groups come."""
    for values, members in table.groupby(list(columns), sort=False):
        yield dict(zip(columns, cast(tuple[Any, ...], values), strict=True)), members


def _by_judge(table: pd.DataFrame) -> pd.DataFrame:
    """Put inferences into rows and judges into columns, each cell the mean of the judge's votes, NaN without any."""
    return table.pivot_table(index="unit", columns="judge", values="rating", aggfunc="mean")


def _of_units(table: pd.DataFrame, column: str) -> pd.Series:
    return table.drop_duplicates("unit").set_index("unit")[column]
