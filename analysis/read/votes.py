"""Read the votes of judges: those that gave a rating, and those that are missing."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pandas as pd

from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.model_names import family


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
