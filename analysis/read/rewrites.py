"""Read rewritten replies out of logs, whole, as what preference pairs are made of."""

from collections.abc import Iterator, Sequence

import pandas as pd
from inspect_ai.log import EvalSample

from thoughttrace.analysis.read.runs import Track, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.whole_samples import read_samples
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import (
    COMPLAINT,
    NO_ANSWER,
    REQUEST,
    REWRITE,
    SIGNALS,
    RewriteMetadata,
    RewriteScore,
    Signal,
)
from thoughttrace.datasets.pairs import Pair, Rewrite, Turn
from thoughttrace.datasets.prompt import sendable, shown_messages


def read_rewriters(paths: Sequence[str], track: Track = iter) -> tuple[dict[Signal, Run], list[str]]:
    """Read the run of each signal in logs of `rewrite_reply`.

    Args:
        paths: Log files, or folders of them; paths or fsspec URLs.
        track: Wraps the list of files to show progress.

    Returns:
        The runs, in the order of `SIGNALS`, and a sentence for every log that does not count.

    Raises:
        UserError: There is no such log, or several rewriters, judges, datasets or selections: what differs between
            signals would then not be the signal.
    """
    runs = read_runs(paths, (REWRITE,), track)
    for what, values in {
        "rewriters": {run.name for run in runs.counted},
        "data": {f"{run.data}, {run.data_revision}" for run in runs.counted},
        "selections": {run.selection for run in runs.counted},
        "judges": {run.judge_described for run in runs.counted},
    }.items():
        if len(values) > 1:
            raise UserError(
                f"These logs are of several {what} ({'; '.join(sorted(values))}): pass the logs of one, such as files "
                "or a folder of its own."
            )
    by_signal = {signal: [run for run in runs.counted if run.arm == signal] for signal in SIGNALS}
    for signal, several in by_signal.items():
        if len(several) > 1:
            logs = ", ".join(run.log for run in several)
            raise UserError(f"These logs hold several runs of the signal {signal} ({logs}): pass the logs of one.")
    return {signal: several[0] for signal, several in by_signal.items() if several}, runs.left_out


def read_rewrites(run: Run) -> list[Rewrite]:
    """Read the rewrites of a run, whole.

    Args:
        run: A run of `rewrite_reply`.

    Raises:
        UserError: A part of its log is damaged.
    """
    return [rewrite for file, rows in run.rows.groupby("file", sort=False) for rewrite in _of_log(run, str(file), rows)]


def _of_log(run: Run, file: str, rows: pd.DataFrame) -> Iterator[Rewrite]:
    places = [(str(name), int(epoch)) for name, epoch in zip(rows["id"], rows["epoch"], strict=True)]
    for name, score_name, sample in zip(rows["id"], rows["score_name"], read_samples(file, places), strict=True):
        if sample is None:
            raise UserError(f"{file}: its sample {name} cannot be read; take the log as the run wrote it.")
        yield _rewrite(run, sample, str(score_name))


def _rewrite(run: Run, sample: EvalSample, score_name: str) -> Rewrite:
    own, score = sample.metadata_as(RewriteMetadata), (sample.scores or {}).get(score_name)
    prompt = sample.input if isinstance(sample.input, str) else sample.input[-1].text
    text = score.answer or "" if score and score.reason not in NO_ANSWER else ""
    ratings = score.value if score and isinstance(score.value, dict) and text else {}
    pair = Pair.model_construct(
        prompt=[
            Turn.model_construct(role=role, content=content)
            for index, role, content in shown_messages(prompt, own.block_ends)
            if index < own.message_index
        ],
        chosen=[Turn.model_construct(role="assistant", content=sendable(text))],
        rejected=[Turn.model_construct(role="assistant", content=sendable(own.reply))],
        id=str(sample.id),
        conversation=own.conversation,
        user=own.user,
        part="train",
        signal=run.arm,
        rewriter=run.name,
        judges=run.judges,
        answers_complaint=ratings.get(COMPLAINT),
        keeps_request=ratings.get(REQUEST),
        message_dissatisfied=own.message_dissatisfied or "",
        messages_left_out=own.messages_left_out,
        assistant_model=own.assistant_model,
        data=run.data,
        data_revision=run.data_revision,
    )
    about = RewriteScore.model_validate((score.metadata if score else None) or {})
    return Rewrite(pair, unscored=(score.reason if score else None) or "", declined=about.declined)
