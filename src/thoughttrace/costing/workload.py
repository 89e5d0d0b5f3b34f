"""Count what a run would send and receive, on the very samples it would run, and what that would cost."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from statistics import fmean
from typing import Any, Literal

from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ModelUsage, get_model_info
from pydantic import TypeAdapter, ValidationError

from thoughttrace.core.errors import UserError
from thoughttrace.core.model_names import family, same_model
from thoughttrace.core.prices import LOCAL, Prices
from thoughttrace.core.record import (
    ARENA,
    PREDICT,
    PROBE,
    RECALL,
    RELATE,
    REWRITE,
    TASKS,
    ControlMetadata,
    InferenceMetadata,
    NextMessageMetadata,
    RelationMetadata,
    RewriteMetadata,
    ThoughtMetadata,
    TopicMetadata,
)
from thoughttrace.costing.cache_bill import (
    Prompt,
    bill_input,
    cache_rules,
    count_tokens,
    messages_of,
    shared_prompts,
    unshared_prompt,
)
from thoughttrace.scorers.agreement import judge_prompt, read_rubric
from thoughttrace.scorers.message_similarity import nearness_prompt
from thoughttrace.scorers.rewrite import rewrite_prompt
from thoughttrace.scorers.win import pair_prompt
from thoughttrace.tasks._inference import REWORD
from thoughttrace.tasks.rewrite_reply import decision_prompt

# ---- tasks

TASK_FUNCTIONS: dict[str, Callable[..., Task]] = {
    name: getattr(import_module(f"thoughttrace.tasks.{name}"), name) for name in TASKS
}
"""The tasks by their names."""


def build(name: str, arguments: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
    """Make a task as Inspect would.

    Args:
        name: Name of the task: `infer_reason`, `thoughttrace/infer_reason` or `tasks/infer_reason.py`.
        arguments: The arguments given with -T.

    Returns:
        The task, and all its arguments.

    Raises:
        UserError: There is no such task or parameter, or an argument or the data cannot be used.
    """
    task = _bare(name)
    if task not in TASK_FUNCTIONS:
        raise UserError(f"{name}: no such task; choose from {', '.join(TASK_FUNCTIONS)}.")
    parameters = signature(TASK_FUNCTIONS[task]).parameters
    for parameter, value in arguments.items():
        if parameter not in parameters:
            raise UserError(f"-T {parameter}: {task} has no such parameter; choose from {', '.join(parameters)}.")
        try:
            TypeAdapter(parameters[parameter].annotation).validate_python(value)
        except ValidationError as error:
            raise UserError(f"-T {parameter}={value}: {error.errors()[0]['msg']}.") from error
    values = {parameter: default.default for parameter, default in parameters.items()} | dict(arguments)
    return TASK_FUNCTIONS[task](**arguments), values


def _bare(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".py")


# ---- requests

REASONING = 300
"""Tokens of reasoning assumed before each reply of a reasoning model."""

ANSWER = 500
"""Tokens assumed of an answer to an open prompt, where there is no baseline's answer to go by."""

CONFIDENCE = 6
"""Tokens of the line `Confidence: 80` below an inference."""

_ON_REQUEST = re.compile(r"claude-(?:[a-z]+-)?[34]\b")
"""Models that reason only if asked to: those of Claude before 5."""


@dataclass(frozen=True)
class ReplyLengths:
    """Assumed tokens of one reply, which are not known before the run.

    An inference took 20 to 70 tokens and a verdict 35 to 43 in the logs of `make demo`, whose local judge is limited to
    150 characters of rationale; other models write more. The tokens of reasoning are a guess: run `--limit 50` to see.
    """

    inference: int = 40
    """Without a confidence; `CONFIDENCE` is added where it is asked for."""
    answer: int | None = None
    """To an open prompt; None for as many as the baseline's answers have, or `ANSWER` without them."""
    verdict: int = 80
    reasoning: int | None = None
    """None for `REASONING` if Inspect's model data call a model a reasoning model, else 0."""

    def reasoning_of(self, model: str) -> int:
        """Return the tokens of reasoning before each reply of a model.

        Args:
            model: The model's name, as Inspect writes it.
        """
        if self.reasoning is not None:
            return self.reasoning
        if model.partition("/")[0] in LOCAL:
            return 0
        info = get_model_info(model)
        return REASONING if info and info.reasoning and not _ON_REQUEST.search(model) else 0


_SENTENCE = "I wanted to get this done today and was not sure that what it proposed would work for me. "


def judge_prompts(task: str, samples: Sequence[Sample], values: Mapping[str, Any], length: int) -> Iterator[Prompt]:
    """Yield what each judge is asked, with a sentence in place of the evaluated model's answer.

    Args:
        task: Name of a judged task.
        samples: Its samples.
        values: All its arguments.
        length: Length of that sentence, in tokens.
    """
    if task == ARENA.name:
        yield from _pair_prompts(samples)
        return
    rubric = read_rubric(str(path)).text if (path := values.get("rubric")) is not None else None
    sentence = (_SENTENCE * (1 + 4 * length // len(_SENTENCE)))[: 4 * length]
    for sample in samples:
        recited = sample.metadata_as(ControlMetadata).recited
        answer = sentence if recited is None else recited
        if task == PREDICT.name:
            reply = sample.metadata_as(NextMessageMetadata).reply if values["judge_reply"] else None
            prompt = nearness_prompt(reply, targets(sample)[0], answer)
        elif task == REWRITE.name:
            about = sample.metadata_as(RewriteMetadata)
            if not targets(sample):
                continue  # there is no note to judge by
            # A rewrite is about as long as the reply.
            prompt = rewrite_prompt(about.request, about.reply, targets(sample), about.reply)
        else:
            annotated = sample.metadata_as(InferenceMetadata)
            message = annotated.message if values["judge_message"] else None
            prompt = judge_prompt(annotated.kind, message, targets(sample), answer, rubric)
        yield from [unshared_prompt(prompt)] * values["judge_repeats"]


def _pair_prompts(samples: Sequence[Sample]) -> Iterator[Prompt]:
    """Yield what a judge of answers is asked, in both orders: an answer is taken to be as long as the baseline's."""
    for sample in samples:
        (request,), (baseline,) = messages_of(sample), targets(sample)
        pair = pair_prompt(request.text, baseline, baseline)
        yield from [unshared_prompt(pair)] * 2


def answer_length(samples: Sequence[Sample], model: str) -> int:
    """Return the tokens assumed of an answer to an open prompt: the mean of the baseline's, or `ANSWER` without one.

    Args:
        samples: Samples of `arena`.
        model: The model that answers.
    """
    known = [count_tokens(text, model) for sample in samples for text in targets(sample) if text]
    return round(fmean(known)) if known else ANSWER


def needs_no_model(task: str, sample: Sample) -> bool:
    """Return whether a sample's label is known without a request: a first message's, or a baseline's.

    Args:
        task: Name of a task in which the evaluated model fills in a form.
        sample: Its sample.
    """
    if task == RELATE.name:
        return sample.metadata_as(RelationMetadata).first
    return sample.metadata_as(ControlMetadata).recited is not None


_FORM_METADATA: dict[str, type[RelationMetadata | TopicMetadata | ThoughtMetadata]] = {
    "message": RelationMetadata,
    "conversation": TopicMetadata,
    "thought": ThoughtMetadata,
}
"""By the unit of the task."""


def form_prompt(task: str, sample: Sample) -> Prompt:
    """Lay out the prompt of a sample whose form the evaluated model fills in.

    Args:
        task: Name of its task.
        sample: The sample.
    """
    if task == PROBE.name:
        return unshared_prompt(messages_of(sample))
    metadata = sample.metadata_as(_FORM_METADATA[TASKS[task].unit])
    return unshared_prompt(messages_of(sample), metadata.block_ends)


def _mean_reply(samples: Sequence[Sample]) -> int:
    """Return the mean tokens of the replies to rewrite, at four characters each: a rewrite is about as long."""
    lengths = [len(sample.metadata_as(RewriteMetadata).reply) / 4 for sample in samples]
    return round(sum(lengths) / max(len(lengths), 1))


def _decisions(samples: Sequence[Sample]) -> Iterator[list[ChatMessage]]:
    """Yield what a judge is asked of the messages that are shown to the rewriter."""
    for sample in samples:
        about = sample.metadata_as(RewriteMetadata)
        if about.next_message:
            yield decision_prompt(about.request, about.reply, about.next_message)


def targets(sample: Sample) -> list[str]:
    """Return the texts that a sample's answer is rated against."""
    return [sample.target] if isinstance(sample.target, str) else list(sample.target)


def judges_of(model: str, graders: Sequence[str], arguments: Mapping[str, Any]) -> list[str]:
    """Return the judges of a model, by the rules of `scorers/judges.py`.

    Args:
        model: The evaluated model.
        graders: The models given with --grader.
        arguments: All arguments of the task.

    Raises:
        UserError: No judge is left.
    """
    judges = [grader for grader in graders if arguments["allow_self_judging"] or not same_model(grader, model)]
    if arguments["exclude_family"]:
        judges = [judge for judge in judges if family(judge) != family(model)]
    if not judges:
        raise UserError(f"No judge is left for {model}. Pass --grader with a model other than {model}.")
    return judges


# ---- workloads

Role = Literal["model", "judge"]
"""The evaluated model, or a judge."""


@dataclass(frozen=True)
class Workload:
    """What one model does in one role for one task."""

    task: str
    model: str
    role: Role
    requests: int
    plain: ModelUsage
    """Tokens without prompt cache."""
    cached: ModelUsage
    """Tokens with prompt cache."""
    output: int
    """Tokens of one reply, the reasoning included."""
    at_most: bool = False
    """Whether the run may make fewer requests: how many only the judges' replies tell."""


def workloads(
    name: str,
    arguments: Mapping[str, Any],
    models: Sequence[str],
    graders: Sequence[str],
    prices: Prices,
    limit: int | None = None,
    epochs: int = 1,
    lengths: ReplyLengths | None = None,
) -> Iterator[Workload]:
    """Yield what a task would ask of each model and judge.

    Args:
        name: Name of the task.
        arguments: The arguments given with -T.
        models: The models to evaluate.
        graders: The judges; only judged tasks need any.
        prices: The prices, which hold the least tokens that a provider caches.
        limit: Maximum number of samples.
        epochs: How often each sample is run; the cache is assumed to have forgotten in between.
        lengths: Lengths of the replies.

    Raises:
        UserError: There is no such task or parameter, an argument or the data cannot be used, or no judge is left.
    """
    lengths = lengths or ReplyLengths()
    task, values = build(name, arguments)
    samples = list(task.dataset[0:limit] if limit is not None else task.dataset[0 : len(task.dataset)])
    spec = TASKS[_bare(name)]

    def workload(model: str, role: Role, prompts: Sequence[Prompt], reply: int, at_most: bool = False) -> Workload:
        output = reply + lengths.reasoning_of(model)
        plain, cached = (_usage(prompts, model, known, output, epochs) for known in (Prices({}), prices))
        return Workload(spec.name, model, role, len(prompts) * epochs, plain, cached, output, at_most)

    # Then a judge decides which replies are rewritten.
    chosen_by_judge = spec == REWRITE and (values["selection"], values["signal"]) == ("own", "message")
    for model in models:
        control = values.get("control")
        if spec == ARENA:
            asked = [unshared_prompt(messages_of(sample)) for sample in samples]
            length = lengths.answer if lengths.answer is not None else answer_length(samples, model)
            yield workload(model, "model", asked, length)
            if values["baseline"] is None:
                continue
        elif not spec.judged:
            asked = [form_prompt(spec.name, sample) for sample in samples if not needs_no_model(spec.name, sample)]
            if asked:
                reply = lengths.inference if spec == RECALL else lengths.verdict
                yield workload(model, "judge" if spec == PROBE else "model", asked, reply)
            continue
        elif control == "reworded":
            notes = [Prompt((REWORD, targets(sample)[0])) for sample in samples]
            yield workload(model, "model", notes, lengths.inference)
        elif control is None and values.get("answers") is None:
            stated = CONFIDENCE if values.get("confidence") else 0
            reply = _mean_reply(samples) if spec == REWRITE else lengths.inference + stated
            yield workload(model, "model", shared_prompts(samples), reply, chosen_by_judge)
        if spec == REWRITE and (decisions := [unshared_prompt(prompt) for prompt in _decisions(samples)]):
            yield workload(judges_of(model, graders, values)[0], "judge", decisions, lengths.verdict)
        rated = list(judge_prompts(spec.name, samples, values, lengths.inference))
        for judge in judges_of(str(values.get("system") or model), graders, values):
            yield workload(judge, "judge", rated, lengths.verdict, chosen_by_judge)


def _usage(prompts: Sequence[Prompt], model: str, prices: Prices, reply: int, epochs: int) -> ModelUsage:
    tokens = bill_input(prompts, model, cache_rules(model, prices.find(model)))
    fresh = epochs * round(sum(prompt.fresh for prompt in tokens))
    read = epochs * round(sum(prompt.read for prompt in tokens))
    written = epochs * round(sum(prompt.written for prompt in tokens))
    output = epochs * len(prompts) * reply
    return ModelUsage(
        input_tokens=fresh,
        input_tokens_cache_read=read,
        input_tokens_cache_write=written,
        output_tokens=output,
        total_tokens=fresh + read + written + output,
    )


# ---- bills

CONNECTIONS = 20
"""Concurrent requests with which Inspect begins; it then adapts their number."""

LATENCY, SPEED = 2.0, 60.0
"""Assumed seconds before a reply, and tokens of it per second, typical of large models."""


@dataclass(frozen=True)
class ModelBill:
    """What one model costs in one role, over all tasks."""

    model: str
    role: Role
    requests: int
    plain: ModelUsage
    """Tokens without prompt cache."""
    cached: ModelUsage
    """Tokens with prompt cache."""
    without_cache: float | None
    """US dollars; None if no price is known. So are the next two."""
    with_cache: float | None
    in_batches: float | None
    """Without prompt cache."""
    seconds: float | None
    """None for a local model, whose speed is that of this machine."""


def model_bills(works: Sequence[Workload], prices: Prices, connections: int | None) -> list[ModelBill]:
    """Add up the workloads of each model and role, the evaluated models first.

    Args:
        works: The workloads of all tasks.
        prices: The prices of tokens.
        connections: Concurrent requests; None for `CONNECTIONS`.
    """
    groups: dict[tuple[str, Role], list[Workload]] = {}
    for work in sorted(works, key=lambda work: work.role == "judge"):
        groups.setdefault((work.model, work.role), []).append(work)
    bills = []
    for (model, role), group in groups.items():
        plain, cached = _add(work.plain for work in group), _add(work.cached for work in group)
        price = prices.find(model)
        seconds = sum(work.requests * (LATENCY + work.output / SPEED) for work in group) / (connections or CONNECTIONS)
        bills.append(
            ModelBill(
                model,
                role,
                sum(work.requests for work in group),
                plain,
                cached,
                without_cache=price.dollars(plain) if price else None,
                with_cache=price.dollars(cached) if price else None,
                in_batches=price.dollars(plain, batch=True) if price else None,
                seconds=None if model.partition("/")[0] in LOCAL else seconds,
            )
        )
    return bills


def _add(usages: Iterable[ModelUsage]) -> ModelUsage:
    first, *others = usages
    for usage in others:
        first = first + usage
    return first
