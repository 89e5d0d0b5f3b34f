"""Rate pairs of texts that people rated; the evaluated model is the judge. The pairs are fetched, never bundled."""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thoughttrace import __version__
from thoughttrace.core.cache_dir import sha256
from thoughttrace.core.errors import UserError, check_choice
from thoughttrace.core.record import JudgedScore, PairMetadata, RunMetadata, Unscored
from thoughttrace.datasets.files import parse_json, records
from thoughttrace.datasets.hub import HubFile, commit_of, download_file
from thoughttrace.datasets.sources import from_where_started
from thoughttrace.scorers.agreement import VERDICT, judge_prompt, rubric_hash
from thoughttrace.scorers.probe import kept_vote
from thoughttrace.tasks._labelling import vote_as_judge
from thoughttrace.tasks._options import ScoreColumn, viewer

_COPY = "a copy of the file is read without the Hub: file=PATH (of the command, --file PATH)"
_LOWEST, _HIGHEST = 1, 5
"""The ends of a judge's scale."""


@dataclass(frozen=True)
class RatedPairs:
    """A public set of pairs, a reference and a candidate, each with the mean of people's ratings in column `score`."""

    file: HubFile
    revision: str
    """What is fetched where the user names no other revision."""
    reference: str
    """The column of the reference, as `candidate` is that of the candidate."""
    candidate: str
    cluster: str
    """The column of what several pairs are about: they resemble each other, and are one cluster of the intervals."""
    low: float
    """The lowest rating that people could give, as `high` is the highest."""
    high: float
    question: str | None = None
    """The column of what the texts answer, which the judge is shown in the place of the message."""
    asks: re.Pattern[str] = re.compile("")
    """What is found in the questions of the pairs that are used."""


RATED_PAIRS = {
    # Chen et al. 2020 (arXiv 2010.03636), CC BY-SA 4.0: answers to questions about a passage, rated 1–5 against a
    # reference. Of its questions those are used that ask for a reason, for a reason is what the judge compares. The
    # dataset's page on the Hub (anthonychen/mocha) holds a loading script (mocha.py: the columns) and no data. So the
    # file is the Hub's own conversion, named as huggingface.co/docs/dataset-viewer/parquet says such files are.
    "mocha": RatedPairs(
        HubFile(
            "anthonychen/mocha",
            "default/validation/0000.parquet",
            f"{_COPY}, which may also be dev.json of the authors' archive, data/mocha.tar.gz of "
            "github.com/anthonywchen/MOCHA",
        ),
        "refs/convert/parquet",
        reference="reference",
        candidate="candidate",
        cluster="context",
        low=1,
        high=5,
        question="question",
        asks=re.compile(r"\b(why|reasons?)\b", re.IGNORECASE),
    ),
    # Cer et al. 2017 (SemEval-2017 task 1), CC BY-SA 4.0: how similar two sentences are in meaning, rated 0–5. File,
    # revision and columns as the task STSBenchmark of the package `mteb` reads them.
    "stsb": RatedPairs(
        HubFile("mteb/stsbenchmark-sts", "test.jsonl.gz", _COPY),
        "b0fddb56ed78048fa8b90373c8a3cfc37b684831",
        reference="sentence1",
        candidate="sentence2",
        cluster="sentence1",
        low=0,
        high=5,
    ),
}


@task
def calibrate_judge(
    ratings: str, file: str | None = None, revision: str | None = None, seed: int = 0, judge_message: bool = True
) -> Task:
    """Rate candidates against references exactly as a judge of reasons does; the evaluated model is the judge.

    The reference stands in the place of the note, the candidate in that of the guess and, in `mocha`, the question in
    that of the message. `thoughttrace calibrate` runs this task and compares the ratings with people's.

    Args:
        ratings: `mocha` or `stsb`.
        file: A copy of the set's file, in place of the Hub's: Parquet, JSON Lines, or MOCHA's `dev.json`.
        revision: A commit, branch or tag of the set on the Hub.
        seed: Of the order, so that any `--limit` is a random sample of the pairs.
        judge_message: Show the judge the question.
    """
    pairs = RATED_PAIRS[check_choice("ratings", ratings, RATED_PAIRS)]
    path = from_where_started(str(file)) if file else download_file(pairs.file, revision or pairs.revision)
    samples = [_sample(pairs, place, row, judge_message) for place, row in _rows(pairs, path)]
    if not samples:
        raise UserError(f"{path.name}: no pair of {ratings} in this file; give another one with file=PATH.")
    random.Random(seed).shuffle(samples)
    content = f"sha256:{sha256(path)[:12]}"
    return Task(
        dataset=MemoryDataset(samples, name=ratings),
        solver=judge_pair(judge_message),
        scorer=judge_rating(),
        version="1-A",
        metadata=RunMetadata(
            data=ratings,
            data_revision=content if file else commit_of(pairs.file, path),
            data_content=content,
            judge_message=judge_message,
            rubric_hash={"reason": rubric_hash("reason", judge_message)},
            thoughttrace=__version__,
        ).to_log(),
        viewer=viewer("Pairs that people rated", ScoreColumn("Judge, 1–5", "judge_rating", scale=(_LOWEST, _HIGHEST))),
        headline_metric="judge_rating",
    )


@solver
def judge_pair(judge_message: bool) -> Solver:
    """Let the evaluated model vote, with the same schema, parsing and repair as a judge.

    Args:
        judge_message: Whether the sample's input may show a question.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await vote_as_judge(state, VERDICT, rubric_hash("reason", judge_message))

    return solve


@scorer(metrics=[mean()])
def judge_rating() -> Scorer:
    """Score a pair with the judge's rating; unscored, for the vote's reason, where it gave none."""

    async def score(state: TaskState, target: Target) -> Score:
        cast_vote = kept_vote(state)
        if cast_vote is None:
            return Score.unscored(reason=Unscored.NO_OUTPUT)
        metadata = JudgedScore(
            ratings={cast_vote.judge: [cast_vote.rating]}, rubric_hash=cast_vote.rubric_hash, votes=[cast_vote]
        ).to_log()
        if cast_vote.rating is None:
            return Score.unscored(reason=cast_vote.reason or Unscored.NO_VALID_VOTE, metadata=metadata)
        return Score(value=cast_vote.rating, explanation=cast_vote.rationale, metadata=metadata)

    return score


def _rows(pairs: RatedPairs, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) for the pairs of a file that are used."""
    try:
        if path.suffix == ".json":
            # As MOCHA's authors publish it: an object of constituent sets, each an object of pairs by their ids.
            sets = parse_json(path.read_bytes())
            found = [(f"{path.name}, {id_}", row) for rows in sets.values() for id_, row in rows.items()]
        else:
            found = [(place, parse_json(row) if isinstance(row, bytes) else row) for place, row in records(path)]
        for place, row in found:
            if pairs.question is None or pairs.asks.search(row[pairs.question]):
                yield place, row
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise UserError(f"{path.name}: is no file of these pairs ({type(error).__name__}: {error}).") from error


def _sample(pairs: RatedPairs, place: str, row: dict[str, Any], judge_message: bool) -> Sample:
    """Make the sample of a pair; its input is what a judge is asked."""
    columns = (pairs.reference, pairs.candidate, pairs.cluster)
    score = row.get("score")
    if not all(isinstance(row.get(column), str) for column in columns) or not isinstance(score, int | float):
        raise UserError(f"{place}: needs the texts {', '.join(dict.fromkeys(columns))} and the number `score`.")
    if not pairs.low <= score <= pairs.high:
        raise UserError(f"{place}: people's rating of {score:g} is not from {pairs.low:g} to {pairs.high:g}.")
    reference, candidate, cluster = (row[column] for column in columns)
    message = row[pairs.question] if pairs.question and judge_message else None
    return Sample(
        id=place,
        input=judge_prompt("reason", message, [reference], candidate),
        target=reference,
        metadata=PairMetadata(
            people=_LOWEST + (_HIGHEST - _LOWEST) * (score - pairs.low) / (pairs.high - pairs.low),
            cluster=hashlib.sha256(cluster.encode()).hexdigest()[:12],
        ).to_log(),
    )
