"""Samples worth reading: numbers convince nobody who has not read what they stand for."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from inspect_ai.log import EvalSample, read_eval_log_sample

from thoughttrace.analysis.runs import Run
from thoughttrace.core.record import Kind
from thoughttrace.datasets.prompt import rendered_messages

EACH = 8
"""Samples shown of each choice (best, worst, most disagreed) and kind."""

_MESSAGES, _MESSAGE_CHARACTERS = 3, 280
_CHARACTERS = 1_000
_UNREAD = {"messages", "events", "store", "attachments"}


@dataclass(frozen=True)
class Reading:
    """One inference to read."""

    why: str
    kind: Kind
    id: str
    model: str
    context: str
    agreement: float
    texts: "Texts | None"
    """None where no text shall be shown."""


@dataclass(frozen=True)
class Texts:
    """What is read of an inference."""

    excerpt: list[tuple[str, str]]
    """The last messages that the model saw: who (`m02 user`), and the text, cut."""
    target: str
    inference: str
    rationale: str


def to_read(runs: Sequence[Run], text: bool = True) -> list[Reading]:
    """Choose the best, the worst, and those on which models disagree most, and read them from their logs.

    Ties are broken by a hash of the sample's id, so that the choice is the same every time and no conversation is
    preferred. No sample is shown twice for the same reason.

    Args:
        runs: Finished runs.
        text: Read the texts too; without them a reading is an id and a rating.
    """
    chosen: list[Reading] = []
    for kind in dict.fromkeys(run.kind for run in runs):
        members = [run for run in runs if run.kind == kind]
        # The first scored epoch of each sample stands for it.
        scored = [
            run.rows.dropna(subset="agreement").drop_duplicates("id").assign(run=number, setting="|".join(run.setting))
            for number, run in enumerate(members)
        ]
        rows = pd.concat(scored, ignore_index=True)
        rows["lot"] = _lots(rows["id"])
        rows["turn"] = _lots(rows["id"] + rows["run"].astype(str))
        for why, picked in _choices(rows).items():
            chosen += [_reading(members[row["run"]], row, why, text) for _, row in picked.iterrows()]
    return chosen


def _choices(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ties = ["lot", "turn"]  # which sample, and which model's inference of it
    best = rows.sort_values(["agreement", *ties], ascending=[False, True, True]).drop_duplicates("id").head(EACH)
    worst = rows.sort_values(["agreement", *ties]).drop_duplicates("id").head(EACH)
    groups = rows.groupby(["setting", "id"])["agreement"]
    apart = rows.assign(gap=groups.transform("max") - groups.transform("min"))
    order, ascending = ["gap", "lot", "agreement", "turn"], [False, True, False, True]
    apart = apart[apart["gap"] > 0].sort_values(order, ascending=ascending)
    ends = pd.concat([apart.drop_duplicates("id"), apart.drop_duplicates("id", keep="last")])
    ends = ends.sort_values(order, ascending=ascending).head(2 * EACH)
    return {"best": best, "worst": worst, "disagreed": ends}


def _lots(names: pd.Series) -> pd.Series:
    """Numbers that look drawn and are the same every time."""
    return pd.util.hash_pandas_object(names, index=False)


def _reading(run: Run, row: pd.Series, why: str, text: bool) -> Reading:
    return Reading(
        why=why,
        kind=run.kind,
        id=row["id"],
        model=run.model,
        context=run.context,
        agreement=row["agreement"],
        texts=_texts(run, row) if text else None,
    )


def _texts(run: Run, row: pd.Series) -> Texts:
    sample = read_eval_log_sample(run.file, row["id"], row["epoch"], exclude_fields=_UNREAD)
    score = (sample.scores or {})["agreement"]
    target = sample.target if isinstance(sample.target, str) else "\n".join(sample.target)
    return Texts(
        excerpt=_excerpt(sample),
        target=_cut(target),
        inference=_cut(score.answer or ""),
        rationale=_cut(score.explanation or ""),
    )


def _excerpt(sample: EvalSample) -> list[tuple[str, str]]:
    prompt = sample.input if isinstance(sample.input, str) else sample.input[-1].text
    shown = rendered_messages(prompt)[-_MESSAGES:]
    return [(f"m{index:02} {role}", _cut(" ".join(text.split()), _MESSAGE_CHARACTERS)) for index, role, text in shown]


def _cut(text: str, characters: int = _CHARACTERS) -> str:
    return text if len(text) <= characters else f"{text[:characters]} … ({len(text):,} characters)"
