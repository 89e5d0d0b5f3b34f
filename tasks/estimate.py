"""What a run would send and get back, counted on the very samples it would run, before anything is spent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.model import ModelUsage
from pydantic import TypeAdapter, ValidationError

from thoughttrace.datasets.errors import UserError
from thoughttrace.datasets.model_names import family, same_model
from thoughttrace.datasets.prices import Prices
from thoughttrace.tasks.asked import asked_of_judges, prompt_of, settled, targets
from thoughttrace.tasks.cache_bill import Prompt, cached, lay_out, rules
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.predict_message import predict_message
from thoughttrace.tasks.rate_thought import rate_thought
from thoughttrace.tasks.relate_messages import relate_messages
from thoughttrace.tasks.replies import Assumed

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

_REWORD = (Path(__file__).resolve().parent / "reword.md").read_text(encoding="utf-8")


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
            yield work(model, "model", [Prompt((_REWORD, targets(sample)[0])) for sample in samples], assumed.inference)
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
