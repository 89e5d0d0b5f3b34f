"""Which inferences a person rates, in which order, what is shown of each, and how ratings are kept and imported."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from thoughttrace.analysis.read.human_ratings import Rating, append, inferences, read_ratings
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.whole_samples import read_inference
from thoughttrace.cli.people.lines import LineError, import_lines, require_fields, time_of
from thoughttrace.cli.people.page import Content, Part, Place, Questions, Role, State
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import INFER, KINDS, Kind
from thoughttrace.scorers.agreement import rubric

_TITLES: dict[Kind, tuple[str, str, str]] = {
    "reason": ("The reply before", "The user's message", "The user's note: why they sent it"),
    "reaction": ("The user's message before", "The reply", "The user's note: what they thought of the reply"),
}


@dataclass(frozen=True)
class Question:
    """One inference for one sample; several models may have written it."""

    kind: Kind
    id: str
    """Of the sample."""
    inference: str
    """The hash of its text."""
    model: str
    """One that wrote it; never shown."""
    epoch: int
    file: str
    """The log that holds it."""
    round: int
    """The place of its epoch among those of the sample; questions of the first round are asked first."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two questions the same."""
        return self.kind, self.id, self.inference


@dataclass(frozen=True)
class Texts:
    """What is shown of a question."""

    before: str
    """The message before the annotated one; empty where there is none, the model did not see it, or the log was written
    before logs said where messages end in a prompt."""
    message: str
    thoughts: list[str]
    """What the user really thought: the target."""
    inference: str


def questions_for(runs: Sequence[Run], rater: str, seed: int, limit: int | None) -> list[Question]:
    """List every inference that judges rated, each once, in a rater's order.

    First comes one epoch of each sample, the same for all models, then what other epochs say otherwise: whoever stops
    early, or sets a limit, has rated a random draw of samples. A draw of texts would rarely have samples whose epochs
    all say the same, and the corrected mean (`stats.ppi`) rests on samples drawn at random.

    Within that the order is by hash, so it mixes models and kinds, and stays the same when logs are added. Which
    inferences a limit selects depends on the seed alone: raters with the same seed and limit rate the same ones.

    Args:
        runs: Finished runs.
        rater: The rater's name.
        seed: Of the order and the selection.
        limit: Maximum number of questions; None for all.
    """
    questions: dict[tuple[str, str, str], Question] = {}
    for run in runs:
        assert run.kind, "only inferences are rated"
        rated = inferences(run)
        drawn = [
            _random_key(seed, run.kind, sample, epoch)
            for sample, epoch in zip(rated["id"], rated["epoch"], strict=True)
        ]
        rated["round"] = rated.assign(drawn=drawn).groupby("id")["drawn"].rank().astype(int)
        for row in rated.to_dict("records"):
            names = (run.kind, row["id"], row["inference"], run.name, row["epoch"], row["file"])
            question = Question(*names, round=row["round"])
            first = questions.setdefault(question.key, question)
            questions[question.key] = replace(first, round=min(first.round, question.round))
    selected = sorted(questions.values(), key=lambda question: (question.round, _random_key(seed, *question.key)))
    return sorted(selected[:limit], key=lambda question: (question.round, _random_key(seed, rater, *question.key)))


def _random_key(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def read_texts(question: Question) -> Texts | None:
    """Read from its log what is shown of a question; None if that part of the log is damaged."""
    inference = read_inference(question.file, question.id, question.epoch, INFER[question.kind].score)
    if not inference:
        return None
    index, _, message = inference.message
    shown = {index: text for index, _, text in inference.shown}
    return Texts(
        before=shown.get(index - 1, ""), message=message, thoughts=inference.thoughts, inference=inference.text
    )


SCALES: dict[Kind, str] = {
    "reason": """\
1 = another reason, the opposite, or what would fit any message
2 = no point of the note, but what the message asks or shows
3 = a point of the note, but not the main one; or half of the main one
4 = the main point, but vaguer, or another point is missing or added
5 = every point and no other, in whatever words""",
    "reaction": """\
1 = opposite verdicts; or one is mixed, the other is not, and the cause is "other"
2 = the same verdict, "other"; or one is mixed, the other is not, and "part", "none" or "added"
3 = one is mixed, the other is not, and the cause is "same"
4 = the same verdict, and the cause is "part" or "added"
5 = the same verdict, and "same" cause, or "none\"""",
}
"""A line for each rating. A person sums up verdicts and cause, as `reaction_rating` does for a judge."""


def human_rubric(kind: Kind) -> str:
    """Return the judges' rubric, with the scale in place of its last two paragraphs, on marked texts and the reply."""
    return "\n\n".join([*rubric(kind).split("\n\n")[:-2], SCALES[kind]])


def parts_of(kind: Kind, texts: Texts) -> list[tuple[str, str]]:
    """Return titles and texts, from the context to what is rated.

    Args:
        kind: The kind of thought.
        texts: What is shown.
    """
    before, message, note = _TITLES[kind]
    several = len(texts.thoughts) > 1
    thoughts = "\n".join(f"• {text}" for text in texts.thoughts) if several else texts.thoughts[0]
    title = f"{note} (several: the best match counts)" if several else note
    return [(before, texts.before), (message, texts.message), (title, thoughts), ("The guess", texts.inference)]


def rating_of(question: Question, rater: str, rating: int | None, time: str | None = None) -> Rating:
    """Return the line of a ratings file.

    Args:
        question: What was rated.
        rater: Who rated it.
        rating: 1–5; None takes an earlier one back.
        time: When, ISO 8601; None for now.
    """
    record = {
        "rater": rater,
        "kind": question.kind,
        "id": question.id,
        "model": question.model,
        "epoch": question.epoch,
        "inference": question.inference,
        "rating": rating,
        "time": time or datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Rating.model_validate(record)


class RatingQuestions(Questions):
    """Inferences that people rate in a browser; neither their models nor their judges are told.

    Args:
        questions: From `questions_for`.
        file: To which each rating is appended.
    """

    title = "How near is the guess?"
    introduction = (
        "People chatted with an assistant and privately noted what they were thinking. Somebody guessed the notes. You "
        "are asked to rate from 1 to 5 how near each guess comes to its note."
    )
    stored = "your ratings, and of which guess each is"
    afterwards = "A report compares them with the ratings of judge models and of others, and may show that name."
    verb = "rated"
    answer_field = "rating"
    person_field = "rater"
    imported_by = "thoughttrace rate LOGS --import FILE"

    def __init__(self, questions: Sequence[Question], file: Path) -> None:
        # In an order that tells nothing of who is asked; each person's own order is made on the page.
        self.questions, self.file = sorted(questions, key=lambda question: _random_key(*question.key)), file
        self.numbers = {question.key: number for number, question in enumerate(self.questions)}
        self.help = {kind: human_rubric(kind) for kind in KINDS}
        self.scale = {kind: SCALES[kind].splitlines() for kind in KINDS}
        self.places = [Place(round=question.round) for question in self.questions]

    def content(self, number: int) -> Content | None:
        """Return message, note and inference; None where that part of the log is damaged."""
        question = self.questions[number]
        texts = read_texts(question)
        if not texts:
            return None
        roles: tuple[Role, ...] = ("context", "about", "note", "inference")
        parts = [
            Part(heading=title, text=text.strip() or "(empty)", role=role)
            for role, (title, text) in zip(roles, parts_of(question.kind, texts), strict=True)
            if text or role != "context"
        ]
        return Content(kind=question.kind, parts=parts)

    def record(self, number: int) -> dict[str, Any]:
        """Return what names the inference."""
        question = self.questions[number]
        return {"kind": question.kind, "id": question.id, "inference": question.inference}

    def state(self, name: str) -> State:
        """Read from the file what a person has rated."""
        if not name or not name.isprintable():
            raise UserError("Write a name, such as a pseudonym.")
        ratings = read_ratings([self.file] if self.file.exists() else [])
        keys = ratings.loc[ratings["rater"] == name, ["kind", "id", "inference"]].itertuples(index=False, name=None)
        return State(answered=[self.numbers[key] for key in keys if key in self.numbers], read_to={})

    def save(self, name: str, number: int, answer: object) -> None:
        """Append a rating, or take one back."""
        if answer is not None and (type(answer) is not int or not 1 <= answer <= 5):
            raise UserError("A rating is 1, 2, 3, 4 or 5.")
        append(self.file, [rating_of(self.questions[number], name, answer)])


def import_ratings(file: Path, runs: Sequence[Run], existing: pd.DataFrame) -> list[Rating]:
    """Read ratings that were made elsewhere, and check each against the logs.

    Args:
        file: CSV if its name ends in .csv, otherwise JSON lines. Columns: `kind`, `id`, `rater`, `rating`, and either
            `model`, with `epoch` where it ran several, or `inference`, as in what is downloaded from the page.
        runs: The runs whose inferences were rated.
        existing: The ratings in the ratings file, from `read_ratings`.

    Raises:
        UserError: The file cannot be read, or lines are wrong; the message names each line and its fault.
    """
    logged = pd.concat([inferences(run).assign(kind=run.kind, model=run.name) for run in runs])
    by_sample = {(str(kind), str(id_)): rows for (kind, id_), rows in logged.groupby(["kind", "id"])}
    rated_keys = existing[["rater", "kind", "id", "inference"]].itertuples(index=False, name=None)
    rated_in: dict[tuple[Any, ...], str] = dict.fromkeys(rated_keys, "in the ratings file")

    def read(number: int, line: Mapping[str, Any]) -> Rating:
        rating = _rating(line, by_sample)
        key = (rating.rater, rating.kind, rating.id, rating.inference)
        if key in rated_in:
            raise LineError(f"{rating.rater} has already rated this inference ({rated_in[key]})")
        rated_in[key] = f"line {number}"
        return rating

    return import_lines(file, read)


def _rating(line: Mapping[str, Any], by_sample: Mapping[tuple[str, str], pd.DataFrame]) -> Rating:
    """Return the rating that a line gives.

    Args:
        line: The line's fields.
        by_sample: The inferences in the logs, by kind and sample id.

    Raises:
        LineError: A field is missing or wrong, or the logs hold no such inference.
    """
    named_by = "inference" if line.get("inference") and not line.get("model") else "model"
    require_fields(line, ("kind", "id", named_by, "rater", "rating"))
    kind, sample, named, rater = (str(line[field]).strip() for field in ("kind", "id", named_by, "rater"))
    value = str(line["rating"]).strip()
    if value not in {"1", "2", "3", "4", "5"}:
        raise LineError(f"the rating {value!r} is not 1, 2, 3, 4 or 5")
    of_sample = by_sample.get((kind, sample))
    if of_sample is None:
        raise LineError(f"the logs hold no rated {kind} sample {sample!r}")
    matching = of_sample[of_sample[named_by] == named]
    if matching.empty and named_by == "inference":
        raise LineError(f"the logs hold no inference {named} for this sample; give the logs that the page was made of")
    if matching.empty:
        models = ", ".join(sorted(set(of_sample["model"])))
        raise LineError(f"the logs hold no inference by {named!r} for this sample, only by {models}")
    if epoch := str(line.get("epoch") or "").strip():
        matching = matching[matching["epoch"].astype(str) == epoch]
        if matching.empty:
            raise LineError(f"the logs hold no epoch {epoch!r} of this sample")
    if matching["inference"].nunique() > 1:
        raise LineError(
            f"{named} wrote several inferences for this sample: add the column epoch, or give the logs of one context"
        )
    first = matching.iloc[0]
    question = Question(first["kind"], sample, first["inference"], first["model"], int(first["epoch"]), "", 1)
    return rating_of(question, rater, int(value), time_of(line))
