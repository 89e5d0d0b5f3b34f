"""What a run would send and get back, counted on the very samples it would run, before anything is spent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelUsage
from pydantic import TypeAdapter, ValidationError

from thoughttrace.datasets.errors import UserError
from thoughttrace.datasets.model_names import family, same_model
from thoughttrace.datasets.prices import Prices
from thoughttrace.datasets.render import pieces
from thoughttrace.scorers.verdict import judge_prompt
from thoughttrace.tasks.cache_bill import Prompt, cached, lay_out, rules
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement
from thoughttrace.tasks.replies import Assumed

TASKS: dict[str, Callable[..., Task]] = {
    "infer_reason": infer_reason,
    "infer_reaction": infer_reaction,
    "judge_agreement": judge_agreement,
}

_REWORD = (Path(__file__).resolve().parent / "reword.md").read_text(encoding="utf-8")
_SENTENCE = "I wanted to get this done today and was not sure that what it proposed would work for me. "


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
        graders: The judges; `judge_agreement` needs none.
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
        if shown == "judge_agreement":
            yield work(model, "judge", [_prompt(sample.input) for sample in samples], assumed.verdict)
            continue
        if values["control"] == "reworded":
            yield work(
                model, "model", [Prompt((_REWORD, _targets(sample)[0])) for sample in samples], assumed.inference
            )
        elif values["control"] is None:
            yield work(model, "model", lay_out(samples), assumed.inference)
        asked = list(_asked(samples, values, assumed.inference))
        for judge in judges_of(model, graders, values):
            yield work(judge, "judge", asked, assumed.verdict)


def _asked(samples: Sequence[Sample], values: Mapping[str, Any], length: int) -> Iterator[Prompt]:
    """What each judge is asked, with a sentence of that many tokens in place of the inference."""
    sentence = (_SENTENCE * (1 + 4 * length // len(_SENTENCE)))[: 4 * length]
    for sample in samples:
        metadata = sample.metadata or {}
        message = metadata["message"] if values["judge_message"] else None
        said = metadata.get("recited", sentence)
        yield from [_prompt(judge_prompt(metadata["kind"], message, _targets(sample), said))] * values["judge_repeats"]


def _targets(sample: Sample) -> list[str]:
    return [sample.target] if isinstance(sample.target, str) else list(sample.target)


def _prompt(messages: Any) -> Prompt:
    *first, last = messages
    return Prompt((*(message.text for message in first), *pieces(last.text)), (0,) if first else ())


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
