"""The headline: for each model and kind of thought, the mean agreement and how sure it is."""

import datetime
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.page.plots import Bar, Dot, Reference, dots, in_figures, stacked
from thoughttrace.analysis.page.table import (
    Chapter,
    Column,
    Picture,
    Section,
    count,
    dollars,
    limits,
    name,
    number,
    pair,
    share,
    short,
    spread,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import SYSTEM, measurement
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.votes import count_votes
from thoughttrace.analysis.stats.intervals import Interval, Numbers, cluster_mean, pooled_mean
from thoughttrace.analysis.stats.variance import components
from thoughttrace.core import published
from thoughttrace.core.cutoffs import RELEASE
from thoughttrace.core.model_names import same_model
from thoughttrace.core.nearest_rating import nearest_rating
from thoughttrace.core.prices import LOCAL, our_prices
from thoughttrace.core.record import CEILINGS, FLOOR, INFER, OWN, RECALL, SAMPLE, Kind

SCALE = INFER["reason"].scale
"""The ends of the agreement scale."""

RATINGS = range(1, 6)

RIGHT = 4
"""The agreement from which an inference counts as right: it says the note's main point."""


@dataclass(frozen=True)
class HeadlineRow:
    """The mean agreement of one run."""

    model: str
    kind: Kind
    context: str = ""
    judge: str = ""
    mean: float = math.nan
    lower: float = math.nan
    """95 % limit, CR2 by user, on the logit; NaN where there is no interval, and then `note` says why."""
    upper: float = math.nan
    n: int | None = None
    """Scored samples; each is one message."""
    thoughts: int | None = None
    """Thoughts on these messages, of which some carry several."""
    users: int | None = None
    note: str = ""
    samples: int | None = None
    """Planned."""
    replies: int | None = None
    """Planned: samples × epochs."""
    replies_rated: int | None = None
    coverage: float = math.nan
    """replies_rated / replies."""
    votes: int | None = None
    """Planned: replies × judges × repeats, without those that a rule rated."""
    votes_lost: int | None = None
    """Planned votes that gave no rating, those on missing replies included."""
    mean_if_missing_1: float = math.nan
    """The mean if every lost vote were the lowest rating."""
    mean_if_missing_5: float = math.nan
    rated_1: int | None = None
    """Replies whose rating is nearest to 1, halves up."""
    rated_2: int | None = None
    rated_3: int | None = None
    rated_4: int | None = None
    rated_5: int | None = None
    refused_or_empty: int | None = None
    """Replies that were no answer, rated 1 by rule."""
    missing: str = ""
    """How many replies have no rating, by reason."""
    similarity: float = math.nan
    """Mean cosine; NaN where not scored."""
    self_judged: bool = False
    protocol: str = ""
    """The protocol and subset that the model's runs follow, or how many points they do not; empty without a subset."""
    cutoff: str = ""
    """Up to when the model's training goes, or `unknown`; empty for means of models, people, controls and published
    values."""
    input_tokens: float = math.nan
    output_tokens: float = math.nan
    cost: float = math.nan
    """US dollars; NaN where no price is known."""
    judge_input_tokens: float = math.nan
    judge_output_tokens: float = math.nan
    judge_cost: float = math.nan
    pooled: int = 0
    """Number of models, or people, that the mean is over; 0 for the mean of one run."""
    var_users: float = math.nan
    """Variance between users."""
    var_samples: float = math.nan
    var_epochs: float = math.nan
    icc: float = math.nan
    published: bool = False

    @property
    def model_shown(self) -> str:
        """The model's name, marked where it judged itself."""
        return self.model + " (judges itself)" * self.self_judged

    @property
    def agreement(self) -> float | str:
        """The mean, or that there is none."""
        return "none scored" if self.n == 0 else self.mean


COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model_shown"),
    number("Agreement", "agreement"),
    limits("95 % interval"),
    count("Samples", "n"),
    count("Thoughts", "thoughts"),
    count("Users", "users"),
    pair("Replies rated", "replies_rated", "replies", between=" of "),
    share("Coverage", "coverage"),
    spread("Replies rated 1·2·3·4·5", *(f"rated_{rating}" for rating in RATINGS)),
    text("Replies missing", "missing"),
    count("Replies refused or empty", "refused_or_empty"),
    pair("Votes lost", "votes_lost", "votes", between=" of "),
    pair("If missing were 1 / 5", "mean_if_missing_1", "mean_if_missing_5", ".2f"),
    number("Similarity", "similarity"),
    pair("Tokens in / out", "input_tokens", "output_tokens"),
    pair("Judge's tokens", "judge_input_tokens", "judge_output_tokens"),
    dollars("Cost", lambda row: "" if row.published else row.cost),
    dollars("Judge's cost", lambda row: "" if row.published else row.judge_cost),
    short("Context", "context"),
    name("Judge", "judge"),
    text("Cutoff", "cutoff"),
]


def _columns(rows: Sequence[HeadlineRow]) -> list[Column]:
    """Return the columns; of a model in several contexts the name says which, for a terminal shows few columns.

    Where runs took the samples of a protocol, a column after the interval says whether they follow it.
    """
    contexts: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        contexts.setdefault((row.kind, row.model), set()).add(row.context)

    def named(row: HeadlineRow) -> str:
        several = len(contexts.get((row.kind, row.model), ())) > 1
        return row.model_shown + f" ({row.context})" * several

    columns = [name("Model", named) if column.title == "Model" else column for column in COLUMNS]
    if any(row.protocol for row in rows):
        place = [column.title for column in columns].index("95 % interval") + 1
        columns.insert(place, name("Protocol", "protocol"))
    return columns


VARIANCE_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    number("Users", "var_users", empty="–"),
    number("Samples", "var_samples", empty="–"),
    number("Epochs", "var_epochs", empty="–"),
    number("ICC", "icc", empty="–"),
]

HELP = [
    (
        "Interval",
        "Users are independent, their thoughts are not: the interval is cluster-robust by user (CR2, Bell–McCaffrey "
        "degrees of freedom), symmetric on the logit of the scale. Overlapping intervals are no test of a difference "
        "between models; the comparisons are.",
    ),
    (
        "Samples, replies, votes",
        "A message is one sample, and its inference is rated against all thoughts on it. A sample has a reply for each "
        "epoch, and a reply a vote of each judge, or several (judge_repeats). Samples and thoughts are those of which "
        "a reply was rated. What happened is counted in replies, of all that were planned.",
    ),
    (
        "Coverage",
        "Rated replies of all planned. A reply of which a panel has lost some votes is rated by the others. A missing "
        "rating is never given a number: “if missing were 1 / 5” is the mean if every lost vote of every judge, on "
        "every reply, had been a 1 or a 5. The true mean of complete votes lies between them.",
    ),
    (
        "People",
        "A row “NAME (person)” is one person's guesses, made with `thoughttrace guess`. In “mean of N people” every "
        "person counts the same. Its interval is clustered by user, and holds for these people: for people at large "
        "it would have to be wider, for they were not drawn at random and are few.",
    ),
    (
        "Judge",
        "The number is as good as the judge. Means compare only where judge, rubric, prompt, context and data are the "
        "same.",
    ),
    (
        "Cutoff",
        "Up to when the model's training data or its reliable knowledge goes, as its makers or a host of the model "
        "state it. Training data can still come after reliable knowledge ends, unless the model was published before; "
        f"a month counts as its last day. ThoughtTrace was released on {RELEASE}: a model trained after it can have "
        "read the notes. Sources: core/cutoffs.yml; yours: --cutoffs.",
    ),
    (
        "Similarity",
        "Cosine of sentence embeddings, where it was scored: it finds the same topic, not the same thought.",
    ),
    (
        "Tokens and cost",
        "Sums over the samples of the log, tokens read from a provider's cache included; cost at the prices named "
        "under the table, or at those that Inspect was given (--model-cost-config). Batches cost what batches cost; "
        "what came from Inspect's own cache costs nothing. An unknown price is shown as no price, not as zero.",
    ),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write the headline."""
    models, cutoffs = evidence.runs.models, evidence.cutoffs
    marks = {id(run): check.mark for entry, check in evidence.protocol_checks for run in entry.runs}
    rows = [
        replace(row, cutoff="" if run.person else cutoffs.describe(run.evaluated), protocol=marks.get(id(run), ""))
        for run, row in zip(models, headline(models), strict=True)
    ]
    means = [*pooled(evidence.runs.models), *pooled_people(evidence.runs.models)]
    controls = headline(evidence.runs.controls)
    return Chapter(
        "headline",
        "Headline",
        "",
        [
            Section(
                "headline",
                "Mean agreement",
                with_published([*rows, *means]),
                _columns(rows),
                " ".join(
                    [
                        published.agreement_note(),
                        *expected_note(evidence.runs.models),
                        *_elsewhere_note(evidence.runs.models),
                        price_note(evidence.runs.models),
                    ]
                ).strip(),
                [
                    Picture("forest", _forest([*rows, *means], controls),
                            "Mean agreement with its 95 % interval, clustered by user."
                            + " Dotted: controls." * bool(controls)),
                    Picture("ratings", _ratings(rows), "How the ratings are distributed."),
                ] if rows else [],
                row_class=lambda row: "published" if row.published else "",
                paper=True,
                terminal=True,
            ),
            Section(
                "variance",
                "Where the ratings' variance comes from",
                rows,
                VARIANCE_COLUMNS,
                "Variance between users, between samples of a user, and between epochs of a sample (repeated "
                "inference and judgement; needs --epochs), by nested analysis of variance. ICC: the users' share of "
                "users and samples.",
            ),
        ],
        warnings=[
            *(
                f"{model} judged its own inferences (allow_self_judging). Do not compare its numbers."
                for model in dict.fromkeys(run.name for run in evidence.runs.inferences if run.self_judged)
            ),
            *(
                f"{part.log} is unfinished (status {part.status}); {part.counted:,} replies of it count for {run.name}."
                for run in evidence.runs.counted
                for part in run.contributions
                if part.status != "success"
            ),
            *_answers_that_are_notes(evidence.runs.models),
            *(
                f"{model} may have read these notes in its training (cutoff: {cutoffs.describe(model)}). Whether it "
                f"knows notes by heart: inspect eval {OWN}{RECALL.name}."
                for model in dict.fromkeys(run.evaluated for run in models if run.data != SAMPLE)
                if cutoffs.contamination(model) in {"after", "trained on it"}
            ),
        ],
        help=HELP,
    )  # fmt: skip


def expected_note(runs: Sequence[Run]) -> list[str]:
    """Name the runs whose ratings are expected ones; nothing where there are none.

    Args:
        runs: The runs of a table.
    """
    names = list(dict.fromkeys(run.name for run in runs if run.judge_scale == "expected"))
    return [f"Expected ratings (from log-probabilities): {', '.join(names)}."] if names else []


def _elsewhere_note(runs: Sequence[Run]) -> list[str]:
    """Name the runs of answers made elsewhere, and their files."""
    files = {f"{run.name} ({run.answers_file})": None for run in runs if run.answers_file}
    return [f"Answers made elsewhere, whose cost is not known: {', '.join(files)}."] if files else []


def _answers_that_are_notes(runs: Sequence[Run]) -> Iterator[str]:
    """Warn of answers made elsewhere that are the notes themselves."""
    for run in runs:
        answered = run.rows[run.rows["words"].notna()]
        if run.answers_file and (same := int(answered["equals_note"].sum())):
            yield (
                f"{same:,} of {len(answered):,} answers of {run.name} on {kind_of(run)}s equal their note word for "
                "word. If the notes themselves were given in the place of the answers, its numbers say nothing."
            )


def headline(runs: Sequence[Run]) -> list[HeadlineRow]:
    """Estimate the mean agreement of every run."""
    return [_row(run) for run in runs]


def pooled(runs: Sequence[Run]) -> list[HeadlineRow]:
    """Estimate the mean of several models that judge each other, as the paper publishes it.

    A model's vote on itself does not count. Every model counts the same, and a user's samples under all models are one
    cluster.

    Args:
        runs: Runs of models. Models of the same setting whose judges are all among the others are pooled.

    Returns:
        Two rows for each such group: over all samples of each model, and over the samples that all models share.
    """
    rows = []
    for members in judged_by_each_other(runs):
        ratings, users = side_by_side(members)
        shared = ratings.notna().all(axis=1)
        named = pooled_name(members)
        everywhere = _pooled_row(members, pooled_agreement(members), named, "each other")
        on_shared = _pooled_mean(ratings[shared], users[shared])
        rows += [
            replace(everywhere, **_completeness(members)),
            _pooled_row(members, on_shared, f"{named}, on the samples all have", "each other"),
        ]
    return rows


def pooled_people(runs: Sequence[Run]) -> list[HeadlineRow]:
    """Estimate the mean of several people who guessed in the same setting and were rated by the same judges.

    Every person counts the same, and a user's samples under all of them are one cluster.

    Args:
        runs: Runs of models and people.

    Returns:
        Two rows for each group of two or more: over all samples of each person, and over those that all guessed.
    """
    rows = []
    for members in groups_of_people(runs):
        ratings, users = side_by_side(members)
        shared = ratings.notna().all(axis=1)
        named = f"mean of {len(members)} people"
        everywhere = _pooled_row(members, _pooled_mean(ratings, users), named, members[0].judge)
        rows.append(replace(everywhere, **_completeness(members)))
        if not shared.all():
            mean = _pooled_mean(ratings[shared], users[shared])
            rows.append(_pooled_row(members, mean, f"{named}, on the samples all have", members[0].judge))
    return rows


def groups_of_people(runs: Sequence[Run]) -> list[list[Run]]:
    """Group the people who guessed in the same setting and were rated by the same judges; of each person one run.

    Args:
        runs: Runs of models and people. Of a person whose guesses were scored from several versions of a file the
            newest run counts.

    Returns:
        Groups of two or more people.
    """
    groups: dict[tuple[str, ...], dict[str, Run]] = {}
    for run in sorted(runs, key=lambda run: run.date):
        if run.person and len(run.scored):
            groups.setdefault(measurement(run, *SYSTEM), {})[run.evaluated] = run
    return [[members[name] for name in sorted(members)] for members in groups.values() if len(members) > 1]


def judged_by_each_other(runs: Sequence[Run]) -> list[list[Run]]:
    """Group the runs of models that judge each other, each as the other models rated it.

    Args:
        runs: Runs of models.
    """
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        # A person, whom all models judge, is not one of those that judge each other.
        if not run.answers_file:
            groups.setdefault(measurement(run, *SYSTEM, "judge"), []).append(run)
    models = {setting: {run.evaluated for run in members} for setting, members in groups.items()}
    return [
        [run.rated_by(run.other_judges) for run in members]
        for setting, members in groups.items()
        if len(models[setting]) > 1 and all(_judged_by_others(run, models[setting]) for run in members)
    ]


def pooled_agreement(runs: Sequence[Run]) -> Interval:
    """Estimate the mean of several runs' mean agreements, over all samples of each.

    Args:
        runs: One group from `judged_by_each_other`.
    """
    return _pooled_mean(*side_by_side(runs))


def pooled_name(runs: Sequence[Run]) -> str:
    """Name the mean of several runs as tables do."""
    return f"mean of {len(runs)} models, each judged by the others"


def side_by_side(runs: Sequence[Run]) -> "tuple[pd.DataFrame, pd.Series[str]]":
    """Put samples into rows and runs into columns; and give the user of each sample.

    Args:
        runs: Runs on the same data.
    """
    ratings = pd.concat([run.scored["score"] for run in runs], axis=1)
    users = pd.concat([run.scored["user"] for run in runs])
    return ratings, users[~users.index.duplicated()].loc[ratings.index]


def _pooled_mean(ratings: pd.DataFrame, users: "pd.Series[str]") -> Interval:
    if not ratings.notna().any().all():
        return Interval.without_limits("no scored sample in common")
    return pooled_mean(ratings.to_numpy(), users.to_numpy(), bounds=SCALE)


def _judged_by_others(run: Run, models: Collection[str]) -> bool:
    others = [model for model in models if not same_model(model, run.evaluated)]
    judges = run.other_judges
    return bool(judges) and all(any(same_model(judge, other) for other in others) for judge in judges)


def _pooled_row(members: Sequence[Run], mean: Interval, named: str, judge: str) -> HeadlineRow:
    return HeadlineRow(
        model=named,
        kind=kind_of(members[0]),
        context=members[0].context,
        judge=judge,
        **mean.as_row("mean"),
        pooled=len(members),
    )


def with_published(rows: Sequence[HeadlineRow]) -> list[HeadlineRow]:
    """Add the published value after the rows of each kind."""
    shown: list[HeadlineRow] = []
    for kind in INFER:
        members = [row for row in rows if row.kind == kind]
        if members:
            value = HeadlineRow(
                published.LABEL, kind, judge="others", mean=published.agreement(kind).value, note="not published",
                published=True,
            )  # fmt: skip
            shown += [*members, value]
    return shown


def _row(run: Run) -> HeadlineRow:
    scored = run.scored
    values = scored["score"].to_numpy()
    mean = mean_agreement(values, scored["user"].to_numpy())
    return HeadlineRow(
        model=run.name,
        kind=kind_of(run),
        context=run.context,
        judge=run.judge,
        **mean.as_row("mean"),
        thoughts=int(scored["thoughts"].sum()),
        samples=run.planned,
        **_rated(run.rows["score"].dropna().to_numpy()),
        **_completeness([run]),
        refused_or_empty=int(run.rated_by_rule.sum()),
        missing=run.missing,
        similarity=run.samples["similarity"].mean(),
        self_judged=run.self_judged,
        **run.usage,
        **_variance(run),
    )


def kind_of(run: Run) -> Kind:
    """Return the kind of thought of a run that has one."""
    assert run.kind, f"{run.task} is not about one kind of thought"
    return run.kind


RUN_COLUMNS = [short("Kind", "kind"), name("Model", "model"), short("Context", "context"), name("Judge", "judge")]
"""The columns of the fields that `columns_of` gives."""


def columns_of(run: Run) -> dict[str, Any]:
    """Return the columns of a row that name its run: `kind`, `model`, `context` and `judge`."""
    return {"kind": kind_of(run), "model": run.name, "context": run.context, "judge": run.judge}


PROVENANCE_COLUMNS = [
    short("Prompt", "prompt_hash"),
    name("Data, revision", lambda row: ", ".join(filter(None, (row.data, row.data_revision)))),
]
"""What tables show of the fields that `provenance_of` gives; files hold all of them."""


def provenance_of(run: Run) -> dict[str, Any]:
    """Return the columns of a row that say what its run was made with: versions, data, prompt, date and log."""
    return {
        "task_version": run.task_version,
        "data": run.data,
        "data_revision": run.data_revision,
        "prompt_hash": run.prompt_hash,
        "package_version": run.package_version,
        "date": run.date,
        "log": run.log,
    }


def mean_agreement(values: Numbers, users: npt.NDArray[Any]) -> Interval:
    """Estimate the mean agreement of scored samples, clustered by user; without any, the reason says so.

    Args:
        values: n ratings, none of them NaN.
        users: n names.
    """
    if not len(values):
        return Interval.without_limits("none scored")
    return cluster_mean(values, users, bounds=SCALE)


def _rated(scores: Numbers) -> dict[str, Any]:
    nearest = nearest_rating(scores)
    return {f"rated_{rating}": int((nearest == rating).sum()) for rating in RATINGS}


def _completeness(runs: Sequence[Run]) -> dict[str, Any]:
    """Count the replies and votes of runs that count the same in a mean, and bound this mean."""
    counts = [count_votes(run) for run in runs]
    rated = sum(int(run.rows["score"].notna().sum()) for run in runs)
    planned = sum(run.planned_replies for run in runs)
    return {
        "replies": planned,
        "replies_rated": rated,
        "coverage": rated / planned,
        "votes": sum(count.planned for count in counts),
        "votes_lost": sum(count.lost for count in counts),
        "mean_if_missing_1": fmean(count.lowest_mean for count in counts),
        "mean_if_missing_5": fmean(count.highest_mean for count in counts),
    }


def _variance(run: Run) -> dict[str, Any]:
    scored = run.rows.dropna(subset="score")
    if scored.empty:
        return {}
    parts = components(scored["score"], scored["user"], scored["id"])
    return {"var_users": parts.users, "var_samples": parts.samples, "var_epochs": parts.epochs, "icc": parts.icc}


def price_note(runs: Sequence[Run]) -> str:
    """Say of which day the prices are, and for which models there are none."""
    prices = our_prices()
    paid: dict[str, datetime.date] = {}
    for run in runs:
        asked = run.control in {"", "reworded"} and not run.answers_file
        for model in [run.evaluated] * asked + run.judges:
            if model.partition("/")[0] not in LOCAL:
                paid[model] = datetime.date.fromisoformat(run.date[:10])
    priced = {model: price for model, day in paid.items() if (price := prices.find(model, day))}
    days = [f"{model} of {price.date}" for model, price in sorted(priced.items()) if price.date]
    without = sorted(set(paid) - set(priced))
    dated = f"Cost: tokens of the logs at the prices of {', '.join(days)}. " if days else ""
    return dated + (f"No price is known for {', '.join(without)}." if without else "")


def run_names(rows: Sequence[Any]) -> list[list[str]]:
    """Name the run of each row by its model, and by context and judge where these differ within a kind.

    Args:
        rows: Rows with `kind`, `model`, `context` and `judge`.
    """
    names = []
    for row in rows:
        members = [other for other in rows if other.kind == row.kind]
        differing = [
            getattr(row, field) for field in ("context", "judge") if len({getattr(m, field) for m in members}) > 1
        ]
        names.append([row.model, *differing])
    return names


def _forest(rows: Sequence[HeadlineRow], controls: Sequence[HeadlineRow]) -> Figure:
    points = [
        Dot(
            "\n".join(name),
            row.mean,
            row.lower,
            row.upper,
            panel=f"{row.kind}s",
            text=in_figures(row.mean, row.lower, row.upper),
        )
        for name, row in zip(run_names(rows), rows, strict=True)
    ]
    return dots(
        points,
        "mean agreement, 1–5, with 95 % interval",
        _control_lines(rows, controls),
        scale=SCALE,
    )


def _control_lines(rows: Sequence[HeadlineRow], controls: Sequence[HeadlineRow]) -> list[Reference]:
    """Draw floor, ceiling and the message itself as lines, where all judges of the models rated the controls too."""
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        judges = {judge for row in rows if row.kind == kind and not row.pooled for judge in row.judge.split(", ")}
        means = {
            row.model.split()[1]: row.mean
            for row in controls
            if row.kind == kind and {*row.judge.split(", ")} == judges
        }
        ceiling = next((control for control in CEILINGS if control in means), "")
        lines += [
            Reference(means[control], control.replace("_", " "), "control", panel=f"{kind}s")
            for control in ("constant", FLOOR, "parrot", ceiling)
            if control in means
        ]
    return lines


def _ratings(rows: Sequence[HeadlineRow]) -> Figure:
    bars = [
        Bar("\n".join(name), [getattr(row, f"rated_{rating}") for rating in RATINGS], panel=f"{row.kind}s")
        for name, row in zip(run_names(rows), rows, strict=True)
    ]
    return stacked(bars, "share of rated replies, %")
