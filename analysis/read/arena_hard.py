"""Read the judgements that Arena-Hard-Auto writes, and score them as it does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field

from thoughttrace.analysis.stats.arena_hard import ArenaHardScore, arena_hard_scores, rows_of
from thoughttrace.analysis.stats.win_rates import style_differences
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.arena import Answer, Record, read_lines

_COUNTS = ("header_count", "list_count", "bold_count")
_JUDGEMENT = "uid, model, baseline and games, as Arena-Hard-Auto's model_judgment/JUDGE/MODEL.jsonl"
_ANSWER = "uid, model, messages and metadata, as Arena-Hard-Auto's model_answer/MODEL.jsonl"


class Game(BaseModel):
    """One game: what the judge said of answer A and answer B."""

    score: str | None
    """The verdict; None where the judge gave none."""


class Judgement(Record):
    """The two games of a prompt: in the first the baseline's answer is A, in the second the model's."""

    category: str = ""
    judge: str = ""
    model: str
    baseline: str
    games: Annotated[list[Game | None], Field(min_length=2, max_length=2)]

    @property
    def verdicts(self) -> tuple[str, str] | None:
        """The verdicts on the first and on the second game; None where one is missing."""
        first, second = (game.score if game else None for game in self.games)
        return None if first is None or second is None else (first, second)


def score_arena_hard(
    judgements: Sequence[str], answers: Sequence[str] = (), category: str | None = None, seed: int = 0
) -> list[ArenaHardScore]:
    """Score Arena-Hard-Auto's own judgement files by its own formula, with our interval beside its own.

    A prompt of which a game has no verdict is left out, as there, and so is a model that judged itself.

    Args:
        judgements: Files of one model and judge each (`model_judgment/JUDGE/MODEL.jsonl`).
        answers: Files of the answers of each model and of the baseline (`model_answer/MODEL.jsonl`), to control for
            style; none for scores without control.
        category: Only judgements of this category; None for all.
        seed: Of the bootstraps.

    Raises:
        UserError: A file cannot be read, has another form, or holds a verdict that is none; judgements are against
            several baselines, none is left, or an answer is missing.
    """
    read: list[Judgement] = []
    for file in judgements:
        lines = read_lines(Path(file), f"judgements {file}", Judgement, _JUDGEMENT)
        read += [line for line in lines.values() if category in (None, line.category) and line.model != line.judge]
        for line in lines.values():
            _check(file, line)
    pairs = [(line, line.verdicts) for line in read if line.verdicts is not None]
    if not pairs:
        raise UserError("No judgement with verdicts on both games in these files; check the category.")
    if len(baselines := sorted({line.baseline for line, _ in pairs})) > 1:
        raise UserError(f"The judgements are against several baselines ({', '.join(baselines)}); pass --category.")
    differences = _differences([line for line, _ in pairs], _styles(answers)) if answers else None
    return arena_hard_scores(
        [line.model for line, _ in pairs], [line.uid for line, _ in pairs], [verdicts for _, verdicts in pairs],
        differences, seed,
    )  # fmt: skip


def _check(file: str, line: Judgement) -> None:
    for verdict in line.verdicts or ():
        try:
            rows_of(verdict)
        except ValueError as error:
            raise UserError(f"judgements {file}: uid {line.uid}: {error}.") from error


def _styles(files: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """Read length and Markdown of answers, by model and prompt, as their metadata count them."""
    styles = {}
    for file in files:
        for line in read_lines(Path(file), f"answers {file}", Answer, _ANSWER).values():
            counted = line.metadata
            try:
                markdown = [sum(counted[name].values()) for name in _COUNTS]
                styles[line.model, line.uid] = [int(counted["token_len"]), *markdown]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"answers {file}: uid {line.uid}: its metadata do not count its tokens and Markdown (token_len, "
                    f"{', '.join(_COUNTS)})."
                ) from error
    return styles


def _differences(lines: Sequence[Judgement], styles: Mapping[tuple[str, str], Sequence[int]]) -> np.ndarray:
    sides = [[(line.model, line.uid), (line.baseline, line.uid)] for line in lines]
    if missing := next((place for pair in sides for place in pair if place not in styles), None):
        raise UserError(f"answers: none of {missing[0]} to the prompt {missing[1]}; give its file too.")
    return style_differences([styles[own] for own, _ in sides], [styles[other] for _, other in sides])
