"""Choose which private thoughts a model reads between the messages: the arms of `predict_message`."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inspect_ai.log import EvalLog, read_eval_log, read_eval_log_sample_summaries

from thoughttrace.core.errors import UserError
from thoughttrace.core.log_files import log_files
from thoughttrace.core.model_names import same_model
from thoughttrace.core.record import (
    INFER,
    KINDS,
    NO_ANSWER,
    Arm,
    Kind,
    MessageMetadata,
    MessagePlace,
    run_metadata,
    task_of,
)
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.prompt import Notes
from thoughttrace.datasets.sources import from_where_started

Inferred = Mapping[tuple[str, int], str]
"""What a model inferred, by conversation and message."""

_SHOWN_KINDS: dict[Arm, tuple[Kind, ...]] = {
    "reasons": ("reason",),
    "reactions": ("reaction",),
    "both": ("reason", "reaction"),
}

DRAWN = 8
"""Thoughts of other users among which the one nearest in length is taken."""


def annotate(
    arm: Arm, conversations: Sequence[Conversation], seed: int, inferred: Inferred
) -> Callable[[Conversation], Notes]:
    """Prepare an arm.

    Args:
        arm: Which one.
        conversations: All of the data: the thoughts of others come from here.
        seed: Another seed chooses other thoughts of others.
        inferred: What replaces the user's thoughts in the arm `inferred`.

    Returns:
        A function from a conversation to all notes that may be shown in it.

    Raises:
        UserError: The thoughts of others are asked for, and there is one user only.
    """
    if arm == "none":
        return lambda conversation: ()
    if arm == "inferred":
        return lambda conversation: tuple(
            (text,) if (text := inferred.get((conversation.id, index))) and message.thoughts else ()
            for index, message in enumerate(conversation.messages)
        )
    if arm == "shuffled":
        # Many samples are made of one conversation.
        return cache(_shuffler(conversations, seed))
    return lambda conversation: tuple(
        tuple(thought.content for thought in message.thoughts) if message.kind in _SHOWN_KINDS[arm] else ()
        for message in conversation.messages
    )


def _shuffler(conversations: Sequence[Conversation], seed: int) -> Callable[[Conversation], Notes]:
    """Prepare to replace each thought by another user's of the same kind.

    Of `DRAWN` drawn by the seed the one nearest in words is taken, so that the notes are about as long; none twice in
    a conversation while there are others.
    """
    pools: dict[Kind, list[tuple[str, str]]] = {
        kind: [(c.user, t.content) for c in conversations for _, message in c.annotated(kind) for t in message.thoughts]
        for kind in KINDS
    }
    for kind, pool in pools.items():
        if len({user for user, _ in pool}) == 1:
            raise UserError(
                f"thoughts=shuffled: all {kind}s in this data are from one user, so no other user's can replace them; "
                "use data of two or more users."
            )

    def shuffle(conversation: Conversation) -> Notes:
        used: set[str] = set()

        def replacement(kind: Kind, index: int, number: int, content: str) -> str:
            pool = pools[kind]
            lots = random.Random(f"{seed}:{conversation.id}:{index}:{number}").sample(pool, min(len(pool), 8 * DRAWN))
            others = [text for user, text in lots if user != conversation.user]
            others = others or [text for user, text in pool if user != conversation.user]
            drawn = [text for text in others if text not in used][:DRAWN] or others
            words = len(content.split())
            nearest = min(drawn, key=lambda text: abs(len(text.split()) - words))
            used.add(nearest)
            return nearest

        return tuple(
            tuple(replacement(message.kind, index, n, thought.content) for n, thought in enumerate(message.thoughts))
            for index, message in enumerate(conversation.messages)
        )

    return shuffle


# ---- inferences, read from logs

_BLIND_CONTEXTS = ("message", "history")
"""Contexts that end with the annotated message. With more, an inference about the last reply has read the next
message, the very one to be predicted."""


@dataclass(frozen=True)
class Inferences:
    """The inferences of one model."""

    model: str
    kinds: tuple[Kind, ...]
    """Those of which there is a log."""
    texts: dict[tuple[str, int], str]
    """By conversation and message. One of more than 1,024 characters is cut, as a log's summaries do it."""
    logs: list[str]
    """The names of their files."""


def read_inferences(paths: Sequence[str], revision: str, evaluated: str | None) -> Inferences:
    """Read the inferences of one model; of several logs of a kind the newest counts.

    Args:
        paths: Log files, or folders of them; logs of controls and of other tasks are ignored.
        revision: The revision of the data; the logs must be of the same.
        evaluated: The model whose inferences are meant where the logs hold those of several; None if not known.

    Raises:
        UserError: There is no such log, or not of the evaluated model; or its data or its context do not fit.
    """
    argument = ",".join(paths)
    usable = [log for path in paths for log in _logs(path)]
    models = list(dict.fromkeys(map(_evaluated, usable)))
    if not models:
        raise UserError(
            f"inferred={argument}: no finished log of a model's infer_reason or infer_reaction; run "
            "inspect eval thoughttrace/infer_reason thoughttrace/infer_reaction -T context=history first."
        )
    same = [model for model in models if evaluated and same_model(model, evaluated)]
    if len(models) > 1 and not same:
        raise UserError(
            f"inferred={argument}: has inferences of several models ({', '.join(models)}), and none of them is the "
            "one evaluated; name the log files of one of them."
        )
    model = same[0] if same else models[0]
    texts: dict[tuple[str, int], str] = {}
    kinds: list[Kind] = []
    names = []
    for kind, task in INFER.items():
        logs = [log for log in usable if _evaluated(log) == model and task_of(log.eval.task) == task]
        if logs:
            log = _newest_blind(logs, revision, task.name)
            try:
                texts |= _texts(log, task.score)
            except Exception as error:  # a damaged log can fail in any layer of the reader
                raise _unreadable(argument, error) from error
            kinds.append(kind)
            names.append(Path(log.location).name)
    return Inferences(model, tuple(kinds), texts, names)


def _logs(path: str) -> Iterator[EvalLog]:
    """Yield the headers of the finished logs of models in a file or folder."""
    remote = "://" in path
    place = path if remote else str(from_where_started(path))
    if not remote and not Path(place).exists():
        raise UserError(f"inferred={path}: no such log file or folder.")
    try:
        for file in log_files([place]):
            log = read_eval_log(file, header_only=True)
            infers = task_of(log.eval.task) in INFER.values()
            if infers and log.status == "success" and not run_metadata(log.eval.metadata).control:
                yield log
    except Exception as error:  # a damaged log can fail in any layer of the reader
        raise _unreadable(path, error) from error


def _evaluated(log: EvalLog) -> str:
    """Name what inferred: the model that Inspect ran, or the system whose answers were made elsewhere."""
    return run_metadata(log.eval.metadata).system or log.eval.model


def _unreadable(path: str, error: Exception) -> UserError:
    return UserError(f"inferred={path}: a log cannot be read ({type(error).__name__}); it may be incomplete.")


def _newest_blind(logs: Sequence[EvalLog], revision: str, task: str) -> EvalLog:
    """Return the newest log of a model and task whose inferences have not read the message to be predicted.

    Raises:
        UserError: There is none, or it is of other data.
    """
    newest_first = sorted(logs, key=lambda log: str(log.eval.created), reverse=True)
    blind = [log for log in newest_first if run_metadata(log.eval.metadata).context in _BLIND_CONTEXTS]
    if not blind:
        context = run_metadata(newest_first[0].eval.metadata).context
        raise UserError(
            f"inferred: {Path(newest_first[0].location).name} was run with context={context}, so its "
            f"inferences may have read the very message to be predicted; run {task} with -T context=history."
        )
    other = run_metadata(blind[0].eval.metadata).data_revision
    if other != revision:
        raise UserError(
            f"inferred: {Path(blind[0].location).name} is of another revision of the data ({other}, here {revision}); "
            f"run {task} on the same data."
        )
    return blind[0]


def _texts(log: EvalLog, score_name: str) -> dict[tuple[str, int], str]:
    texts: dict[tuple[str, int], str] = {}
    for sample in read_eval_log_sample_summaries(log.location):
        score = (sample.scores or {}).get(score_name)
        if sample.epoch == 1 and score and score.answer and score.reason not in NO_ANSWER:
            metadata = MessageMetadata.model_validate(sample.metadata)
            texts[MessagePlace(metadata.conversation, metadata.message_index)] = score.answer
    return texts
