"""Read the votes of judges: those that gave a rating, and those that are missing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.model_names import family
from thoughttrace.core.record import TASKS


def votes(runs: Sequence[Run]) -> pd.DataFrame:
    """Gather every vote of every judge.

    Args:
        runs: Runs that infer thoughts; of one that is `rated_by` some of its judges, their votes.

    Returns:
        One row per vote that gave a rating: `kind`, `model`, `context`, `unit` (the inference: model, context, prompt,
        date, sample, epoch), `id`, `user`, `judge`, `repeat` (0 …), `rating` (1–5), `by_rule`, `family` (of the
        evaluated model; empty of a person), `own_family` (whether the judge is of the same family). A vote that
        several scores of a log share counts once. What a rule rated, such as a refusal, is given to all judges of the
        run, as often as each was to vote, with `by_rule` true: it belongs to the model's means, and says nothing of
        the judges.
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
            given = (
                {judge: [score] * n for judge, n in repeats.items()}
                if by_rule
                else {judge: ratings for judge, ratings in by_judge.items() if judge in repeats}
            )
            for judge, ratings in given.items():
                for repeat, rating in enumerate(ratings):
                    if rating is not None:
                        rows.append((*about, judge, repeat, float(rating), by_rule))
    columns = ["kind", "model", "context", "unit", "id", "user", "judge", "repeat", "rating", "by_rule"]
    table = pd.DataFrame(rows, columns=columns).astype({"by_rule": bool}).drop_duplicates(["unit", "judge", "repeat"])
    # A person has none, whatever the name.
    families = {run.name: "" if run.person else family(run.evaluated) for run in runs} | {
        judge: family(judge) for judge in set(table["judge"])
    }
    own = table["model"].map(families)
    return table.assign(family=own, own_family=table["judge"].map(families) == own)


@dataclass(frozen=True)
class VoteCount:
    """How many votes of a run's judges were planned, how many gave no rating, and how far these could move the mean."""

    planned: int
    """Planned replies × judges × repeats, without the replies that a rule rated."""
    lost: int
    lowest_mean: float
    """The mean agreement if every lost vote had been the lowest rating."""
    highest_mean: float


def count_votes(run: Run) -> VoteCount:
    """Count the votes of a run that were planned and that were lost, and bound the mean that they would have given.

    Every lost vote counts: of a reply that no judge rated, of one that is not in the log, and of one judge or repeat
    among others. Each is put in its place, so that the bounds are means as the headline takes them: over planned
    samples, of their planned replies, of the judges, of their repeats.

    Args:
        run: A run that infers thoughts.
    """
    low, high = TASKS[run.task].scale
    planned, given = planned_votes(run), run.vote_counts
    of_reply = int(planned.max().sum()) or len(run.judges)
    absent = run.planned_replies - len(run.rows)
    total = int(planned.to_numpy().sum()) + absent * of_reply

    def mean(rating: float) -> float:
        filled = (run.votes.fillna(0) * given + rating * (planned - given)) / planned.where(planned > 0)
        rated = run.rows["score"].where(run.rated_by_rule, filled.mean(axis=1))
        replies = rated.groupby(run.rows["id"]).agg(["sum", "size"])
        expected = replies.index.map(run.planned_epochs).to_numpy(float) if run.planned_epochs else run.epochs
        samples = (replies["sum"] + rating * (expected - replies["size"])) / expected
        return float(samples.sum() + rating * (run.planned - len(samples))) / run.planned

    return VoteCount(total, total - int(given.to_numpy().sum()), mean(low), mean(high))


def planned_votes(run: Run) -> pd.DataFrame:
    """Give the number of votes that each judge was to give on each reply in a run's logs: a column per judge.

    None where a rule rated. The log of a reply that was never rated does not say how many repeats were planned: as
    many as on others.

    Args:
        run: A run that infers thoughts.
    """
    counts = [{judge: len(ratings) for judge, ratings in row.items() if ratings} for row in run.recorded_votes]
    table = pd.DataFrame(counts, index=run.rows.index, columns=run.judges, dtype=float)
    filled = table.fillna(table.max().fillna(1))
    return filled.mul(~run.rated_by_rule, axis=0).astype(int)


def asked_votes(run: Run) -> pd.DataFrame:
    """Give the number of votes that each judge was asked for on each reply in a run's logs: a column per judge.

    These are the planned ones on replies that judges were given: not on those that a rule rated, that were cut off, or
    that failed.

    Args:
        run: A run that infers thoughts.
    """
    judged = pd.Series([any(row.values()) for row in run.recorded_votes], index=run.rows.index)
    return planned_votes(run).mul(judged, axis=0)


def groups(table: pd.DataFrame, *columns: str) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Give the members of each group and what they share, in the order in which the groups come."""
    for values, members in table.groupby(list(columns), sort=False):
        yield dict(zip(columns, cast(tuple[Any, ...], values), strict=True)), members


def by_judge(table: pd.DataFrame) -> pd.DataFrame:
    """Put inferences into rows and judges into columns, each cell the mean of the judge's votes, NaN without any."""
    return table.pivot_table(index="unit", columns="judge", values="rating", aggfunc="mean")


def of_units(table: pd.DataFrame, column: str) -> pd.Series:
    """Give what a column says of each inference."""
    return table.drop_duplicates("unit").set_index("unit")[column]
