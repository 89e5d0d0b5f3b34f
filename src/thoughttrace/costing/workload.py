"""Count what a run would send and get back, on the very samples it would run, before anything is spent."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelUsage, get_model_info
from pydantic import TypeAdapter, ValidationError

from thoughttrace.core.errors import UserError
from thoughttrace.core.model_names import family, same_model
from thoughttrace.core.prices import LOCAL, Prices
from thoughttrace.costing.cache_bill import Prompt, cached, lay_out, rules
from thoughttrace.datasets.prompt import pieces
from thoughttrace.scorers.agreement import judge_prompt
from thoughttrace.scorers.message_similarity import nearness_prompt
from thoughttrace.tasks._inference import REWORD
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.predict_message import predict_message
from thoughttrace.tasks.rate_thought import rate_thought
from thoughttrace.tasks.relate_messages import relate_messages

REASONING = 300
"""Tokens of reasoning before each reply of a reasoning model."""

_ON_REQUEST = re.compile(r"claude-(?:[a-z]+-)?[34]\b")
"""Models that reason only where they are asked to: those of Claude before 5."""


@dataclass(frozen=True)
class Assumed:
    """Tokens of one reply, which nobody knows before.

    An inference was 20 to 70 tokens and a verdict 35 to 43 in the logs of `make demo`, whose local judge is held to
    150 characters of rationale; others write more. What a model thinks before is a guess: `--limit 50` tells.
    """

    inference: int = 40
    verdict: int = 80
    reasoning: int | None = None
    """None for `REASONING` where Inspect's model data call a model a reasoning one, else 0."""

    def reasoning_of(self, model: str) -> int:
        """Tokens of reasoning before each reply of a model.

        Args:
            model: Its name as Inspect writes it.
        """
        if self.reasoning is not None:
            return self.reasoning
        if model.partition("/")[0] in LOCAL:
            return 0
        info = get_model_info(model)
        return REASONING if info and info.reasoning and not _ON_REQUEST.search(model) else 0


_SENTENCE = "I wanted to get this done today and was not sure that what it proposed would work for me. "


def asked_of_judges(samples: Sequence[Sample], values: Mapping[str, Any], length: int) -> Iterator[Prompt]:
    """What each judge is asked, with a sentence in place of what the evaluated model will say.

    Args:
        samples: Of `infer_reason`, `infer_reaction` or `predict_message`.
        values: The task's arguments, all of them.
        length: Of that sentence, in tokens.
    """
    sentence = (_SENTENCE * (1 + 4 * length // len(_SENTENCE)))[: 4 * length]
    for sample in samples:
        metadata = sample.metadata or {}
        said = metadata.get("recited", sentence)
        if metadata["kind"] == "message":
            reply = metadata["reply"] if values["judge_reply"] else None
            prompt = nearness_prompt(reply, targets(sample)[0], said)
        else:
            message = metadata["message"] if values["judge_message"] else None
            prompt = judge_prompt(metadata["kind"], message, targets(sample), said)
        yield from [prompt_of(prompt)] * values["judge_repeats"]


def settled(sample: Sample) -> bool:
    """Whether a sample's label is known without asking: a first message, or a baseline's.

    Args:
        sample: Of a task in which the evaluated model fills in a form.
    """
    metadata = sample.metadata or {}
    return bool(metadata.get("first")) or "recited" in metadata


def targets(sample: Sample) -> list[str]:
    """What a sample's answer is rated against, one or several texts."""
    return [sample.target] if isinstance(sample.target, str) else list(sample.target)


def prompt_of(messages: Any) -> Prompt:
    """A prompt of which providers are told to keep the instructions alone."""
    *first, last = messages
    return Prompt((*(message.text for message in first), *pieces(last.text)), (0,) if first else ())


TASKS: dict[str, Callable[..., Task]] = {
    "infer_reason": infer_reason,
    "infer_reaction": infer_reaction,
    "judge_agreement": judge_agreement,
    "predict_message": predict_message,
    "classify_thought": classify_thought,
    "cover_thought": cover_thought,
    "rate_thought": rate_thought,
    "relate_messages": relate_messages,
    "label_topic": label_topic,
}
_JUDGED = ("infer_reason", "infer_reaction", "predict_message")
"""The tasks whose replies judges rate; in the others the evaluated model fills in a form, as a judge does."""


@dataclass(frozen=True)
class Work:
    """What one model does for one task."""

    task: str
    model: str
    role: str
    """`model` or `judge`."""
    requests: int
    plain: ModelUsage
    """Without prompt cache."""
    cached: ModelUsage
    """With it."""
    output: int
    """Tokens of one reply, the reasoning included."""


def build(name: str, arguments: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
    """Make a task as Inspect would.

    Args:
        name: `infer_reason`, `thoughttrace/infer_reason` or `tasks/infer_reason.py`.
        arguments: Those given with -T.

    Returns:
        The task, and all its arguments.

    Raises:
        UserError: There is no such task or parameter, or an argument or the data cannot be used.
    """
    known = name.rpartition("/")[2].removesuffix(".py")
    if known not in TASKS:
        raise UserError(f"{name}: no such task; there are {', '.join(TASKS)}.")
    parameters = signature(TASKS[known]).parameters
    for parameter, value in arguments.items():
        if parameter not in parameters:
            raise UserError(f"-T {parameter}: {known} has no such parameter; it has {', '.join(parameters)}.")
        try:
            TypeAdapter(parameters[parameter].annotation).validate_python(value)
        except ValidationError as error:
            raise UserError(f"-T {parameter}={value}: {error.errors()[0]['msg']}.") from error
    values = {parameter: default.default for parameter, default in parameters.items()} | dict(arguments)
    return TASKS[known](**arguments), values


def judges_of(model: str, graders: Sequence[str], arguments: Mapping[str, Any]) -> list[str]:
    """The judges of a model, by the rules of `scorers/grader.py`.

    Raises:
        UserError: None is left.
    """
    left = [one for one in graders if arguments["allow_self_judging"] or not same_model(one, model)]
    if arguments["exclude_family"]:
        left = [one for one in left if family(one) != family(model)]
    if not left:
        raise UserError(f"Nobody would judge {model}: give --grader another model than the one evaluated.")
    return left


def estimate(
    name: str,
    arguments: Mapping[str, Any],
    models: Sequence[str],
    graders: Sequence[str],
    prices: Prices,
    limit: int | None = None,
    epochs: int = 1,
    assumed: Assumed | None = None,
) -> Iterator[Work]:
    """Count what a task costs each model and judge.

    Args:
        name: The task.
        arguments: Those given with -T.
        models: The models to evaluate.
        graders: The judges of inferences and predicted messages; the other tasks need none.
        prices: They hold from how many tokens on a provider caches.
        limit: At most so many samples.
        epochs: How often each is run; the cache is reckoned to have forgotten in between.
        assumed: Of replies.

    Raises:
        UserError: There is no such task or parameter, an argument or the data cannot be used, or nobody would judge.
    """
    assumed = assumed or Assumed()
    task, values = build(name, arguments)
    samples = list(task.dataset[0:limit] if limit is not None else task.dataset[0 : len(task.dataset)])
    shown = name.rpartition("/")[2].removesuffix(".py")

    def work(model: str, role: str, prompts: Sequence[Prompt], reply: int) -> Work:
        written = reply + assumed.reasoning_of(model)
        used = [_usage(prompts, model, prices if hits else Prices({}), written, epochs) for hits in (False, True)]
        return Work(shown, model, role, len(prompts) * epochs, used[0], used[1], written)

    for model in models:
        if shown not in _JUDGED:
            asking = [sample for sample in samples if not settled(sample)]
            role = "judge" if shown == "judge_agreement" else "model"
            if asking:
                yield work(model, role, [prompt_of(sample.input) for sample in asking], assumed.verdict)
            continue
        if values.get("control") == "reworded":
            yield work(model, "model", [Prompt((REWORD, targets(sample)[0])) for sample in samples], assumed.inference)
        elif values.get("control") is None:
            yield work(model, "model", lay_out(samples), assumed.inference)
        asked = list(asked_of_judges(samples, values, assumed.inference))
        for judge in judges_of(model, graders, values):
            yield work(judge, "judge", asked, assumed.verdict)


def _usage(prompts: Sequence[Prompt], model: str, prices: Prices, written: int, epochs: int) -> ModelUsage:
    tokens = cached(prompts, model, rules(model, prices.find(model)))
    fresh, read, kept = (epochs * round(sum(getattr(one, name) for one in tokens)) for name in _PARTS)
    output = epochs * len(prompts) * written
    return ModelUsage(
        input_tokens=fresh,
        input_tokens_cache_read=read,
        input_tokens_cache_write=kept,
        output_tokens=output,
        total_tokens=fresh + read + kept + output,
    )


_PARTS = ("fresh", "read", "written")
