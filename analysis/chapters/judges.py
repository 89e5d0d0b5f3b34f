"""The judges: how far they agree, whether one favours its own family, how noisy its votes are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from thoughttrace.analysis.chapters.headline import SCALE, kind_of, mean_agreement
from thoughttrace.analysis.page.table import (
    Chapter,
    Section,
    count,
    limits,
    name,
    note,
    number,
    share,
    short,
    text,
    yes,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.votes import by_judge, groups, of_units, votes
from thoughttrace.analysis.stats.interrater import alpha, kappa
from thoughttrace.analysis.stats.intervals import cluster_mean
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
    """95 % limit, CR2 by user, on the logit."""
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
    """95 % percentile limit, jackknife of users."""
    upper: float
    n: int
    """Inferences that two or more of these judges rated."""
    users: int
    note: str


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
    """95 % limit for these judges and other users, CR2 by user, on the logit."""
    upper: float
    other_judges_lower: float
    """95 % limit for other judges and other users, on the logit."""
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
                "judges rated; 95 % intervals by a jackknife of users.",
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


def means(table: pd.DataFrame) -> list[JudgeMeanRow]:
    """Estimate the mean rating that each judge gives each model.

    Args:
        table: What `votes` returns.
    """
    rows = []
    for about, members in groups(table, "kind", "judge", "model", "context", "own_family"):
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
    for about, members in groups(table, "kind"):
        wide = by_judge(members[~members["by_rule"]])
        users = of_units(members, "user").loc[wide.index]
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
    for about, members in groups(table, "kind"):
        wide = by_judge(members[~members["by_rule"]])
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
    for about, members in groups(table[~table["by_rule"]], "kind", "judge"):
        units = members.groupby("unit")["rating"]
        counts = units.size()
        repeated = counts[counts > 1].index
        if not len(repeated):
            continue
        freedom = float((counts[repeated] - 1).sum())
        variance = float((units.var(ddof=1)[repeated] * (counts[repeated] - 1)).sum() / freedom)
        judge_means = units.mean()
        users = of_units(members, "user").loc[judge_means.index]
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
