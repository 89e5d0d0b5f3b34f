"""`thoughttrace calibrate`: how far a judge's ratings agree with those of people."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from thoughttrace.core.terminal import Terminal

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog

    from thoughttrace.analysis.page.table import Table

_TASK, _SCORE = "calibrate_judge", "judge_rating"

_SAYS = """\
Spearman: whether the judge orders the pairs as people do, 0 by chance, 1 the same order. Weighted kappa: whether it
gives the ratings that people give, 0 by chance, 1 the same; people's mean is rounded to 1, 2, 3, 4 or 5 for it.
The last line: by how much it rates higher (+) or lower (−). Intervals: clustered by {clusters}. {scale}"""
_CANNOT_SAY = """\
What this cannot say: whether the judge is right about the thoughts of users. These are {texts}, and people rated them
by other rules than our rubric's. A judge that does badly here is suspect there; one that does well may still be wrong
there. The set is public, so a model may have seen the ratings. People differ among themselves: do not expect 1."""
_SETS = {
    "mocha": {
        "clusters": "passage",
        "scale": "People rated from 1 to 5, as the judge does.",
        "texts": "answers to questions about a passage that ask for a reason (the judge does not see the passage)",
    },
    "stsb": {
        "clusters": "first sentence",
        "scale": "People rated from 0 to 5; their mean m is stretched to the judge's scale as 1 + 0.8 m.",
        "texts": "pairs of sentences from news, captions and forums, which are similar or not and give no reasons",
    },
}


@dataclass(frozen=True)
class Calibration:
    """One statistic of a judge's ratings beside people's."""

    statistic: str
    value: float
    lower: float
    upper: float
    note: str
    """Why there is no interval, where there is none."""
    n: int
    """Pairs that the judge rated."""
    clusters: int
    without_rating: int
    """Pairs that it gave no valid rating."""
    judge: str
    ratings: str
    """The set."""
    revision: str
    rubric_hash: str
    thoughttrace: str
    """The version of this package."""
    date: str


@click.command()
@click.argument("ratings", metavar="mocha|stsb|LOG")
@click.option("--model", help="The judge, such as openai/gpt-5.4 or local/qwen2.5-coder-1.5b; not with a LOG.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Maximum number of pairs, a random sample of all.",
)
@click.option("--seed", default=0, show_default=True, help="Random seed of that sample.")
@click.option("--revision", help="Commit, branch or tag of the set on the Hub.  [default: the one named in the code]")
@click.option("--file", help="A copy of the set's file (Parquet or JSON Lines), in place of the Hub's.")
@click.option(
    "--judge-message/--no-judge-message",
    default=True,
    show_default=True,
    help="Show the judge the question, as `-T judge_message` does in a run.",
)
@click.option("--log-dir", default="logs/calibrate", show_default=True, help="Folder for Inspect's log.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="CSV file to write the numbers to."
)
def calibrate(
    ratings: str,
    model: str | None,
    limit: int,
    seed: int,
    revision: str | None,
    file: str | None,
    judge_message: bool,
    log_dir: str,
    output: Path | None,
) -> None:
    """Compare a judge's ratings with those that people gave to public pairs of texts.

    MOCHA (Chen et al. 2020) holds answers to questions and STS-B (Cer et al. 2017) pairs of sentences, each with
    people's mean rating; both are CC BY-SA 4.0. The set is fetched from the Hugging Face Hub. The judge rates each
    candidate against its reference, by the rubric for reasons, in an Inspect run that calls the model once a pair.

    A run that was interrupted is resumed with `inspect eval-retry LOG --log-dir logs/calibrate`, which writes a new
    log; `thoughttrace calibrate` on that log gives its numbers. For other options of Inspect run `inspect eval
    thoughttrace/calibrate_judge -T ratings=stsb` first; with `--epochs`, the mean rating of a pair counts.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from inspect_ai import eval as inspect_eval  # noqa: PLC0415
    from inspect_ai.model import get_model  # noqa: PLC0415

    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.tasks.calibrate_judge import RATED_PAIRS, calibrate_judge  # noqa: PLC0415

    console = Terminal()
    if ratings in RATED_PAIRS:
        if not model:
            raise UserError("Name the judge with --model, such as --model openai/gpt-5.4.")
        if "," in model:
            raise UserError(f"--model {model}: name one judge; run the command again for each other.")
        try:
            judge = get_model(model)
        except ValueError as error:
            raise UserError(f"--model {model}: {error}") from error
        task = calibrate_judge(ratings, file, revision, seed, judge_message)
        (log,) = inspect_eval(task, model=judge, limit=limit, log_dir=log_dir)
        if log.status != "success":
            raise UserError(
                f"The run ended as '{log.status}'; its output above gives the reason. {_how_to_resume(log)}"
            )
    elif model or file or revision:
        raise UserError(f"{ratings} is no set (mocha, stsb): --model, --file and --revision do not go with a log.")
    else:
        log = _read(ratings)
    table = calibration(log)
    console.print(table.to_terminal(f"{log.eval.model} beside people, on {table.rows[0].ratings}", console.width))
    words = _SETS[table.rows[0].ratings]
    for text in (_SAYS, _CANNOT_SAY):
        console.print(text.format(**words).replace("\n", " "), soft_wrap=True)
    console.print(f"Log: {log.location}", soft_wrap=True)
    if output:
        try:
            table.to_csv(output)
        except OSError as error:
            raise UserError(f"{output}: cannot be written ({error.strerror}); choose another file with -o.") from error
        console.print(f"Table: {output}", soft_wrap=True)


def _read(path: str) -> "EvalLog":
    from inspect_ai.log import read_eval_log  # noqa: PLC0415

    from thoughttrace.core.errors import UserError  # noqa: PLC0415

    try:
        log = read_eval_log(path)
    except Exception as error:
        raise UserError(
            f"{path}: is neither a set (mocha, stsb) nor a log that can be read ({type(error).__name__})."
        ) from error
    if log.eval.task.rpartition("/")[2] != _TASK:
        raise UserError(f"{path}: is a log of {log.eval.task}; give one of thoughttrace/{_TASK}.")
    if log.status != "success":
        raise UserError(f"{path}: is unfinished (status '{log.status}'). {_how_to_resume(log)}")
    return log


def _how_to_resume(log: "EvalLog") -> str:
    # Without --log-dir the new log lies in ./logs, whatever the folder of the old one.
    folder = log.location.rpartition("/")[0] or "."
    return (
        f"Resume it with `inspect eval-retry {log.location} --log-dir {folder}`, then run `thoughttrace calibrate` on "
        "the new log that this writes."
    )


def calibration(log: "EvalLog") -> "Table":
    """Compare the judge's ratings in a log with people's; of a pair rated in several epochs, the mean rating.

    Args:
        log: A log of `calibrate_judge`, with its samples.
    """
    import numpy as np  # noqa: PLC0415

    from thoughttrace.analysis.page.table import Table, count, limits, number, short  # noqa: PLC0415
    from thoughttrace.analysis.stats.interrater import kappa, spearman  # noqa: PLC0415
    from thoughttrace.analysis.stats.intervals import cluster_mean  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.nearest_rating import nearest_rating  # noqa: PLC0415
    from thoughttrace.core.record import PairMetadata, run_metadata  # noqa: PLC0415

    by_pair: dict[int | str, list[float]] = {}
    pairs: dict[int | str, PairMetadata] = {}
    for sample in log.samples or []:
        pairs[sample.id] = sample.metadata_as(PairMetadata)
        score = (sample.scores or {}).get(_SCORE)
        if score and not np.isnan(score.as_float()):
            by_pair.setdefault(sample.id, []).append(score.as_float())
    if not by_pair:
        raise UserError(f"{log.location}: the judge gave no valid rating of its {len(pairs)} pairs; look at the log.")
    # Epochs of a pair are no pairs of their own: they would narrow the interval.
    judge = np.array([np.mean(ratings) for ratings in by_pair.values()])
    people = np.array([pairs[id_].people for id_ in by_pair])
    clusters = [pairs[id_].cluster for id_ in by_pair]
    run = run_metadata(log.eval.metadata)
    rows = [
        Calibration(
            statistic,
            found.estimate,
            found.lower,
            found.upper,
            found.reason or "",
            n=found.n,
            clusters=found.clusters,
            without_rating=len(pairs) - len(by_pair),
            judge=log.eval.model,
            ratings=run.data,
            revision=run.data_revision,
            rubric_hash=run.rubric_hash["reason"],
            thoughttrace=run.thoughttrace,
            date=log.eval.created,
        )
        for statistic, found in {
            "Spearman": spearman(judge, people, clusters),
            "Weighted kappa": kappa(judge, nearest_rating(people), clusters),
            "Judge − people": cluster_mean(judge - people, clusters),
        }.items()
    ]
    columns = [
        short("Statistic", "statistic"),
        number("Value", "value", "+.2f"),
        limits("95 % interval"),
        count("Pairs", "n"),
        count("Clusters", "clusters"),
        count("No rating", "without_rating"),
    ]
    return Table(rows, columns)
