"""Samples worth reading: numbers convince nobody who has not read what they stand for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.page.table import Chapter, Section, name, number, quotes, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import SYSTEM, measurement
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.whole_samples import Inference, read_inference
from thoughttrace.core.record import Kind

EACH = 8
"""Samples shown of each choice (best, worst, most different) and kind."""

_MESSAGES, _MESSAGE_CHARACTERS = 3, 280
_CHARACTERS = 1_000

UNREADABLE = "(cannot be read: this part of the log is damaged)"
"""In the place of an inference; its rating stands in another part of the log."""


@dataclass(frozen=True)
class ExampleRow:
    """One inference to read."""

    why: str
    """`best`, `worst`, or `most different`: models' ratings of it are most apart."""
    kind: Kind
    id: str
    model: str
    context: str
    agreement: float
    conversation: list[tuple[str, str]] | None = None
    """The last messages that the model saw: who (`m02 user`), and the text, shortened. None, as the other texts, where
    texts are left out of the report."""
    thought: str | None = None
    inference: str | None = None
    rationale: str | None = None


COLUMNS = [
    short("Why", "why"),
    short("Kind", "kind"),
    name("Model", "model"),
    number("Agreement", "agreement", ".3g"),
    quotes("Conversation", "conversation"),
    text("Thought", "thought"),
    text("Inference", "inference"),
    text("Judge's rationale", "rationale"),
    name("Sample", "id"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write the samples to read."""
    rows = example_samples(evidence.runs.models, evidence.texts)
    without_texts = " Texts are left out of this report (--no-text)." * (not evidence.texts)
    return Chapter(
        "example_samples",
        "Samples to read",
        "",
        [
            Section(
                "example_samples", "Samples to read", rows, COLUMNS,
                "The best and the worst rated, and those whose ratings differ most between models; ties are broken at "
                f"random, the same way every time.{without_texts} Every sample with its whole prompt: inspect view "
                "--log-dir and the folder of the logs.",
            ),
        ],
    )  # fmt: skip


def example_samples(runs: Sequence[Run], texts: bool = True) -> list[ExampleRow]:
    """Choose the best samples, the worst, and those that models are rated most differently on, and read their texts.

    Ties are broken by a hash of the sample's id, so that the choice is the same every time and no conversation is
    preferred. No sample is shown twice for the same reason.

    Args:
        runs: Finished runs.
        texts: Read the texts too; without them a row is an id and a rating.
    """
    rows: list[ExampleRow] = []
    for kind in dict.fromkeys(run.kind for run in runs):
        members = [run for run in runs if run.kind == kind]
        # The first scored epoch of each sample stands for it.
        scored = [
            run.rows.dropna(subset="score")
            .drop_duplicates("id")
            .assign(run=place, setting=repr(measurement(run, *SYSTEM)))
            for place, run in enumerate(members)
        ]
        samples = pd.concat(scored, ignore_index=True)
        samples["sample_lot"] = _lots(samples["id"])
        samples["run_lot"] = _lots(samples["id"] + samples["run"].astype(str))
        for why, chosen in _choices(samples).items():
            rows += [_row(members[sample["run"]], sample, why, texts) for _, sample in chosen.iterrows()]
    return rows


def _choices(samples: pd.DataFrame) -> dict[str, pd.DataFrame]:
    lots = ["sample_lot", "run_lot"]  # which sample, and which model's inference of it
    best = samples.sort_values(["score", *lots], ascending=[False, True, True]).drop_duplicates("id").head(EACH)
    worst = samples.sort_values(["score", *lots]).drop_duplicates("id").head(EACH)
    scores = samples.groupby(["setting", "id"])["score"]
    apart = samples.assign(gap=scores.transform("max") - scores.transform("min"))
    order, ascending = ["gap", "sample_lot", "score", "run_lot"], [False, True, False, True]
    apart = apart[apart["gap"] > 0].sort_values(order, ascending=ascending)
    ends = pd.concat([apart.drop_duplicates("id"), apart.drop_duplicates("id", keep="last")])
    ends = ends.sort_values(order, ascending=ascending).head(2 * EACH)
    return {"best": best, "worst": worst, "most different": ends}


def _lots(names: pd.Series) -> pd.Series:
    """Give numbers that look drawn and are the same every time."""
    return pd.util.hash_pandas_object(names, index=False)


def _row(run: Run, sample: pd.Series, why: str, texts: bool) -> ExampleRow:
    return ExampleRow(
        why=why,
        kind=kind_of(run),
        id=sample["id"],
        model=run.name,
        context=run.context,
        agreement=sample["score"],
        **_texts(sample) if texts else {},
    )


def _texts(row: pd.Series) -> dict[str, Any]:
    # A rescored log holds several scores: the rationale must be of the one whose rating is shown.
    inference = read_inference(row["file"], row["id"], row["epoch"], row["score_name"])
    if not inference:
        return {"inference": UNREADABLE}
    return {
        "conversation": _excerpt(inference),
        "thought": _shortened("\n".join(inference.thoughts)),
        "inference": _shortened(inference.text),
        "rationale": _shortened(inference.rationale),
    }


def _excerpt(inference: Inference) -> list[tuple[str, str]]:
    # Logs of older versions do not say where messages end: then the annotated message stands alone.
    messages = inference.shown or [inference.message]
    return [
        (f"m{index:02} {who}", _shortened(" ".join(words.split()), _MESSAGE_CHARACTERS))
        for index, who, words in messages[-_MESSAGES:]
    ]


def _shortened(words: str, characters: int = _CHARACTERS) -> str:
    return words if len(words) <= characters else f"{words[:characters]} … ({len(words):,} characters)"
