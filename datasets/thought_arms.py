"""Choose which private thoughts stand between the messages that a model reads: the arms of `predict_message`."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log, read_eval_log_sample_summaries

from thoughttrace.core.errors import UserError
from thoughttrace.core.model_names import same_model
from thoughttrace.core.record import Arm, Kind
from thoughttrace.datasets.conversation import KIND_OF, Conversation
from thoughttrace.datasets.prompt import Notes
from thoughttrace.datasets.sources import from_where_started

Inferred = Mapping[tuple[str, int], str]
"""What a model inferred, by conversation and message."""

_KINDS: dict[Arm, tuple[Kind, ...]] = {
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
        conversations: All of the data: where the thoughts of others come from.
        seed: Of the choice among them.
        inferred: What stands in the place of the user's thoughts in the arm `inferred`.

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
        # Many samples are cut from one conversation.
        return cache(_shuffler(conversations, seed))
    return lambda conversation: tuple(
        tuple(thought.content for thought in message.thoughts) if message.kind in _KINDS[arm] else ()
        for message in conversation.messages
    )


def _shuffler(conversations: Sequence[Conversation], seed: int) -> Callable[[Conversation], Notes]:
    """Put another user's thought of the same kind in the place of each.

    Of `DRAWN` drawn by the seed the one nearest in words is taken, so that the notes are about as long; none twice in
    a conversation while there are others.
    """
    owned: dict[Kind, list[tuple[str, str]]] = {
        kind: [(c.user, t.content) for c in conversations for _, message in c.annotated(kind) for t in message.thoughts]
        for kind in KIND_OF.values()
    }
    for kind, thoughts in owned.items():
        if len({user for user, _ in thoughts}) == 1:
            raise UserError(
                f"thoughts=shuffled: all {kind}s in this data are of one user, so no other user's can stand in their "
                "place; use data of two users or more."
            )

    def shuffle(conversation: Conversation) -> Notes:
        used: set[str] = set()

        def another(kind: Kind, index: int, number: int, content: str) -> str:
            pool = owned[kind]
            lots = random.Random(f"{seed}:{conversation.id}:{index}:{number}").sample(pool, min(len(pool), 8 * DRAWN))
            others = [text for user, text in lots if user != conversation.user]
            others = others or [text for user, text in pool if user != conversation.user]
            drawn = [text for text in others if text not in used][:DRAWN] or others
            words = len(content.split())
            nearest = min(drawn, key=lambda text: abs(len(text.split()) - words))
            used.add(nearest)
            return nearest

        return tuple(
            tuple(another(message.kind, index, n, thought.content) for n, thought in enumerate(message.thoughts))
            for index, message in enumerate(conversation.messages)
        )

    return shuffle


BLIND = ("message", "history")
"""Contexts that end with the annotated message. With more, an inference about the last reply has read the next
message, which is what shall be predicted."""

_TASKS: dict[str, Kind] = {f"infer_{kind}": kind for kind in KIND_OF.values()}
_NO_ANSWER = ("refusal", "no_response")


@dataclass(frozen=True)
class Inferences:
    """The inferences of one model."""

    model: str
    kinds: tuple[Kind, ...]
    """Of which there is a log."""
    texts: dict[tuple[str, int], str]
    """By conversation and message. One of more than 1,024 characters is cut, as a log's summaries do it."""
    logs: list[str]
    """The names of their files."""


def read_inferences(paths: Sequence[str], revision: str, evaluated: str | None) -> Inferences:
    """Read the inferences of one model; of several logs of a kind the newest counts.

    Args:
        paths: Log files, or folders of them; logs of controls and of other tasks are passed over.
        revision: Of the data; the logs must be of the same.
        evaluated: Whose inferences are meant where the logs hold those of several models; None if not known.

    Raises:
        UserError: There is no such log, or not of the evaluated model; or its data or its context do not fit.
    """
    named = ",".join(paths)
    found = [log for path in paths for log in _logs(path)]
    models = list(dict.fromkeys(log.eval.model for log in found))
    if not models:
        raise UserError(
            f"inferred={named}: holds no finished log of infer_reason or infer_reaction of a model; run "
            "inspect eval thoughttrace/infer_reason thoughttrace/infer_reaction -T context=history first."
        )
    own = [model for model in models if evaluated and same_model(model, evaluated)]
    if len(models) > 1 and not own:
        raise UserError(
            f"inferred={named}: holds inferences of several models ({', '.join(models)}), none of them the one "
            "evaluated; name the log files of one of them."
        )
    model = own[0] if own else models[0]
    texts: dict[tuple[str, int], str] = {}
    kinds: list[Kind] = []
    names = []
    for task, kind in _TASKS.items():
        logs = [log for log in found if log.eval.model == model and _task(log) == task]
        if not logs:
            continue
        log = _usable(logs, revision, task)
        texts |= _texts(log)
        kinds.append(kind)
        names.append(Path(log.location).name)
    return Inferences(model, tuple(kinds), texts, names)


def _logs(path: str) -> Iterator[EvalLog]:
    """The headers of the finished logs of models in a file or folder."""
    where = path if "://" in path else str(from_where_started(path))
    try:
        single = where.endswith((".eval", ".json"))
        if "://" not in where and not Path(where).exists():
            raise UserError(f"inferred={path}: no such log file or folder.")
        files = [where] if single else [log.name for log in list_eval_logs(where)]
        for file in files:
            log = read_eval_log(file, header_only=True)
            if _task(log) in _TASKS and log.status == "success" and not _said(log).get("control"):
                yield log
    except UserError:
        raise
    except Exception as error:  # a damaged log can fail in any layer of the reader
        raise UserError(
            f"inferred={path}: a log cannot be read ({type(error).__name__}); it may be cut off."
        ) from error


def _usable(logs: Sequence[EvalLog], revision: str, task: str) -> EvalLog:
    """The newest log of a model and task that tells nothing of the message to be predicted.

    Raises:
        UserError: There is none, or it is of other data.
    """
    newest = sorted(logs, key=lambda log: str(log.eval.created), reverse=True)
    blind = [log for log in newest if _said(log).get("context") in BLIND]
    if not blind:
        raise UserError(
            f"inferred: {Path(newest[0].location).name} was run with context={_said(newest[0]).get('context')}, so its "
            f"inferences may have read the very message to be predicted; run {task} with -T context=history."
        )
    other = str(_said(blind[0]).get("data_revision"))
    if other != revision:
        raise UserError(
            f"inferred: {Path(blind[0].location).name} is of another revision of the data ({other}, here {revision}); "
            "run it on the same data."
        )
    return blind[0]


def _texts(log: EvalLog) -> dict[tuple[str, int], str]:
    texts = {}
    for sample in read_eval_log_sample_summaries(log.location):
        score = (sample.scores or {}).get("agreement")
        if sample.epoch == 1 and score and score.answer and score.reason not in _NO_ANSWER:
            texts[str(sample.metadata["conversation"]), int(sample.metadata["message_index"])] = score.answer
    return texts


def _task(log: EvalLog) -> str:
    return log.eval.task.rpartition("/")[2]


def _said(log: EvalLog) -> dict[str, Any]:
    return log.eval.metadata or {}
