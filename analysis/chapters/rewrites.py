"""Rewritten replies: whether they answer what the user held against the reply, by what the rewriter was shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import pandas as pd

from thoughttrace.analysis.chapters.headline import provenance_of
from thoughttrace.analysis.page.plots import Dot, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
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
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import measurement
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean, paired_difference, ratio_of_means
from thoughttrace.analysis.stats.multiplicity import holm_by_family
from thoughttrace.core.record import REQUEST, REWRITE, SIGNALS, Signal

GOOD = 4
"""The least rating, 1–5, of a rewrite that answers the complaint, or keeps the request."""

CONTROL: Signal = "none"
"""The signal that the others are compared with."""

_OUTCOMES = {"answers": "answers the complaint", "keeps": "keeps the request", "both": "both"}


@dataclass(frozen=True)
class RewriteRow:
    """How one run's rewrites were rated.

    `…_lower` and `…_upper` are 95 % limits, NaN where there is no interval, and then `…_note` says why.
    """

    model: str
    signal: str
    judge: str
    self_judged: bool
    answers: float
    """Share of the rated rewrites that answer the complaint (`GOOD` or more), 0 to 1; limits CR2 by user."""
    answers_lower: float
    answers_upper: float
    answers_note: str
    keeps: float
    """Share that keeps the request."""
    keeps_lower: float
    keeps_upper: float
    keeps_note: str
    both: float
    """Share that does both."""
    both_lower: float
    both_upper: float
    both_note: str
    length_ratio: float
    """Words of the rewrites by words of the original replies; Fieller's limits."""
    length_ratio_lower: float
    length_ratio_upper: float
    length_ratio_note: str
    dissatisfied_messages: float
    """Of the next messages that a judge was asked about, the share that shows dissatisfaction; NaN for none."""
    unchanged: int
    declined: int
    """Refused in plain words; the judge rated them."""
    refused_or_empty: int
    """Rated lowest by rule."""
    n: int
    """Replies whose rewrites were rated."""
    users: int
    samples: int
    """Planned rewrites."""
    coverage: float
    missing: str
    """How many rewrites have no rating, by reason."""
    selection: str
    task_version: str
    data: str
    data_revision: str
    prompt_hash: str
    rubric_hash: str
    package_version: str
    date: str
    log: str


@dataclass(frozen=True)
class DifferenceRow:
    """What a signal adds to none, on the replies rated with both."""

    model: str
    judge: str
    signal: str
    outcome: str
    share: float
    """With the signal, 0 to 1."""
    share_control: float
    difference: float
    lower: float
    """95 % limit, CR2 by user; NaN where there is no interval, and then `note` says why."""
    upper: float
    p_value: float
    n: int
    users: int
    note: str
    selection: str
    p_holm: float = float("nan")
    """Over the rows of a setting: one judge, rubric, prompt and selection, of all models."""


COLUMNS = [
    name("Model", lambda row: row.model + " (judges itself)" * row.self_judged),
    short("Shown", "signal"),
    share("Answers the complaint", lambda row: row.answers if row.n else "none rated"),
    limits("95 % interval", "answers_", percent=True),
    share("Keeps the request", "keeps"),
    limits("Its 95 % interval", "keeps_", percent=True),
    share("Both", "both"),
    limits("Both, 95 %", "both_", percent=True),
    number("Length ratio", "length_ratio"),
    limits("Ratio, 95 %", "length_ratio_"),
    share("Next messages dissatisfied", "dissatisfied_messages", empty="–"),
    count("Unchanged", "unchanged"),
    count("Refused in words", "declined"),
    count("Refused or empty", "refused_or_empty"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    text("Missing", "missing"),
    name("Judge", "judge"),
    name("Replies", "selection"),
    short("Prompt", "prompt_hash"),
    short("Rubric", "rubric_hash"),
    name("Data, revision", lambda row: f"{row.data}, {row.data_revision}"),
]

DIFFERENCE_COLUMNS = [
    name("Model", "model"),
    short("Shown", "signal"),
    short("Rewrites that", "outcome"),
    share("With it", "share"),
    share("With none", "share_control"),
    number("Difference", "difference", "+.1%"),
    limits("95 % interval", percent=True),
    p("p", "p_value"),
    p("p (Holm)", "p_holm"),
    count("n", "n"),
    count("Users", "users"),
    note(),
    name("Judge", "judge"),
    name("Replies", "selection"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how rewritten replies were rated, and what knowing the user's thought adds."""
    runs = evidence.runs.of(REWRITE)
    if not runs:
        return Chapter("rewrites", "Rewritten replies", "")
    rows = rewrites(runs)
    return Chapter(
        "rewrites",
        "Rewritten replies",
        "A model writes replies anew that users were dissatisfied with. It is shown the chat up to the reply and the "
        "user's private note on it (thought), the user's next message (message), or nothing else (none). A judge that "
        "is not told which rates, 1–5 each, whether the new reply answers the note, and whether it keeps what the "
        "person asked for.",
        [
            Section(
                "rewrite_shares", "How good the rewrites are", rows, COLUMNS,
                f"Shares of rewrites rated {GOOD} or 5; intervals CR2 by user, on the logit. Length ratio: words of "
                "rewrites by words of the original replies, Fieller's interval. A refusal or no answer counts as rated "
                "1; a rewrite that was cut off is missing. That a rewriter who was shown the note answers it more "
                "often is what the note is for; whether a model learns from it is for training to show.",
                _picture(rows),
                terminal=True,
            ),
            Section(
                "rewrite_differences", "What the signal adds", differences(runs), DIFFERENCE_COLUMNS,
                "Paired by reply: the share with the signal less the share with none, on the replies that were rated "
                "with both; CR2 by user. Holm's p over the rows of the same judge, prompt and selection.",
                terminal=True,
            ),
        ],
    )  # fmt: skip


def rewrites(runs: Sequence[Run]) -> list[RewriteRow]:
    """Estimate how good the rewrites of each run are.

    Args:
        runs: Runs of `rewrite_reply`.
    """
    return [_row(run) for run in sorted(runs, key=_order)]


def differences(runs: Sequence[Run]) -> list[DifferenceRow]:
    """Compare each signal with none, on the replies rated with both.

    Args:
        runs: Runs of `rewrite_reply`.
    """
    rows, families = [], []
    for _, members in groupby(sorted(runs, key=_setting), key=_setting):
        of = {run.arm: run for run in members}
        for signal in SIGNALS:
            if signal != CONTROL and signal in of and CONTROL in of:
                found = _differences(of[signal], of[CONTROL])
                rows += found
                families += [measurement(of[signal], "arm", "model", "effort", "generation")] * len(found)
    adjusted = holm_by_family([row.p_value for row in rows], families)
    return [replace(row, p_holm=value) for row, value in zip(rows, adjusted, strict=True)]


def _order(run: Run) -> tuple[str, int]:
    return run.name, [*SIGNALS].index(run.arm) if run.arm in SIGNALS else len(SIGNALS)


def _setting(run: Run) -> tuple[str, ...]:
    return measurement(run, "arm")


def _rated(run: Run) -> pd.DataFrame:
    """Return a row for each rated reply, indexed by id: `user`, the mean outcomes over epochs, and `words`."""
    columns = [*dict.fromkeys([*run.rows, REQUEST, "words", "reply_words"])]
    rows = run.rows.reindex(columns=columns).dropna(subset="score")
    answers, keeps = rows["score"] >= GOOD, rows[REQUEST] >= GOOD
    outcomes = rows.assign(answers=answers, keeps=keeps, both=answers & keeps).astype(dict.fromkeys(_OUTCOMES, float))
    by_reply = outcomes.groupby("id", sort=False)
    return by_reply[[*_OUTCOMES, "words", "reply_words"]].mean().assign(user=by_reply["user"].first())


def _row(run: Run) -> RewriteRow:
    rated = _rated(run)
    none = Interval.without_limits("none rated")
    shares = {
        outcome: cluster_mean(rated[outcome], rated["user"], bounds=(0, 1)) if len(rated) else none
        for outcome in _OUTCOMES
    }
    written, ratio = rated[rated["words"] > 0], none
    if len(written):
        ratio = ratio_of_means(
            written["words"], written["reply_words"], written["user"], denominator_name="reply length"
        )
    said = run.rows["message_dissatisfied"].dropna()
    about = run.rows.reindex(columns=["unchanged", "declined"]).fillna(value=False).astype(bool).sum()
    return RewriteRow(
        model=run.name,
        signal=run.arm,
        judge=run.judge,
        self_judged=run.self_judged,
        **{key: value for outcome, found in shares.items() for key, value in found.as_columns(outcome).items()},
        **ratio.as_columns("length_ratio"),
        dissatisfied_messages=float((said == "yes").mean()),
        unchanged=int(about["unchanged"]),
        declined=int(about["declined"]),
        refused_or_empty=int(run.rated_by_rule.sum()),
        n=len(rated),
        users=rated["user"].nunique(),
        samples=run.planned,
        coverage=run.rows["score"].notna().sum() / run.planned_replies,
        missing=run.missing,
        selection=run.selection,
        rubric_hash=run.rubric_hash,
        **provenance_of(run),
    )


def _differences(run: Run, control: Run) -> list[DifferenceRow]:
    both = _rated(run).join(_rated(control).add_suffix("_control"), how="inner")
    rows = []
    for outcome, words in _OUTCOMES.items():
        a, b = both[outcome], both[f"{outcome}_control"]
        found = paired_difference(a, b, both["user"]) if len(both) else Interval.without_limits("no reply in common")
        columns = found.as_row("difference", p_value=True)
        rows.append(
            DifferenceRow(
                model=run.name, judge=run.judge, signal=run.arm, outcome=words, share=float(a.mean()),
                share_control=float(b.mean()), selection=run.selection, **columns,
            )
        )  # fmt: skip
    return rows


def _picture(rows: Sequence[RewriteRow]) -> list[Picture]:
    """Draw the share that answers the complaint, a panel for each model."""
    points = [
        Dot(row.signal, 100 * row.answers, 100 * row.answers_lower, 100 * row.answers_upper, panel=row.model,
            text="" if row.n else "none rated")
        for row in rows
    ]  # fmt: skip
    figure = dots(points, "rewrites that answer the complaint, %, 95 % interval")
    return [Picture("rewrites", figure, "Share of rewrites that answer the complaint, by what the rewriter was shown.")]
