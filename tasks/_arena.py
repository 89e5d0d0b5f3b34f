"""Make the samples of `arena`, and read a baseline's answers from a log of an earlier run or from a file."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessageUser
from inspect_ai.util import warn_once

from thoughttrace.core.errors import UserError
from thoughttrace.core.log_files import log_files
from thoughttrace.core.record import ARENA, NO_ANSWER, ArenaMetadata, task_of
from thoughttrace.datasets.answers import listed
from thoughttrace.datasets.arena import Baseline, Prompts, Question, read_answers
from thoughttrace.datasets.sources import from_where_started
from thoughttrace.scorers.answer import whole_answer, why_none, without_thinking
from thoughttrace.tasks._options import is_retry, limit_of_command

_logger = logging.getLogger(__name__)


def arena_samples(prompts: Prompts, against: Baseline | None) -> list[Sample]:
    """Make a sample of each prompt; its target is the baseline's answer.

    Args:
        prompts: The prompts. Those that the baseline was asked and could not answer are left out, for every model that
            is compared with it. Those that it was never asked stay, for a limit may leave them out.
        against: The baseline's answers; None where there is none.
    """
    return [
        Sample(
            id=question.uid,
            input=[ChatMessageUser(content=question.prompt)],
            target=against.texts.get(question.uid, "") if against else "",
            metadata=ArenaMetadata(
                category=question.category or "",
                subcategory=question.subcategory or "",
                baseline_asked=against is None or question.uid in against.asked,
            ).to_log(),
        )
        for question in prompts.questions
        if not (against and _unanswered(question, against))
    ]


def count_unanswered(prompts: Prompts, against: Baseline) -> int:
    """Count the prompts that the baseline was asked and could not answer, and warn of them.

    Args:
        prompts: The prompts.
        against: The baseline's answers.
    """
    count = sum(_unanswered(question, against) for question in prompts.questions)
    if count:
        warn_once(_logger, f"{count:,} prompts are left out, for {against.model} could not answer them.")
    return count


def _unanswered(question: Question, against: Baseline) -> bool:
    return question.uid in against.asked and question.uid not in against.texts


def read_baseline(baseline: str, prompts: Prompts) -> Baseline:
    """Read the answers of a baseline, one for each prompt of the run.

    Args:
        baseline: A log of `arena` or a folder with one, or a file in Arena-Hard-Auto's form.
        prompts: The prompts. Those that a `--limit` of the command leaves out need no answer.

    Raises:
        UserError: There are no such answers, they are of several models, one is missing or to another prompt, or none
            of the prompts was answered.
    """
    where = f"baseline={baseline}"
    remote = "://" in baseline
    path = None if remote else from_where_started(baseline)
    if path is not None and not path.exists():
        raise UserError(f"{where}: no such file or folder.")
    answers = _of_logs(where, str(path or baseline)) if path is None or _is_log(path) else _of_file(where, path)
    # What a resumed run was limited to stands in its log alone.
    kept = [question.uid for question in prompts.questions if not _unanswered(question, answers)]
    planned = [] if is_retry() else kept[limit_of_command()]
    given = {question.uid: question.prompt for question in prompts.questions}
    if other := [uid for uid in planned if uid in answers.asked and answers.asked[uid].strip() != given[uid].strip()]:
        raise UserError(
            f"{where}: {len(other):,} of its answers are to other prompts of the same uid: {listed(other)}. Give the "
            "answers to these prompts. Nothing was judged."
        )
    if missing := [uid for uid in planned if uid not in answers.asked]:
        raise UserError(
            f"{where}: {len(missing):,} of {len(planned):,} prompts have no answer of {answers.model}: "
            f"{listed(missing)}. Let it answer them, or plan fewer prompts (categories, --limit). Nothing was judged."
        )
    if not any(uid in answers.texts for uid in given):
        raise UserError(
            f"{where}: {answers.model} answered none of the {len(given):,} prompts. Let it answer them anew, as with a "
            "larger --max-tokens, or give another baseline. Nothing was judged."
        )
    return answers


def _is_log(path: Path) -> bool:
    """Whether a path is a folder of logs, or a log: one in JSON begins with its version."""
    if path.is_dir() or path.suffix != ".json":
        return path.is_dir() or path.suffix == ".eval"
    with path.open("rb") as file:
        return re.match(rb'\s*\{\s*"version"', file.read(1024)) is not None


def _of_file(where: str, path: Path) -> Baseline:
    """Read the answers in a file; like those of a log, without tagged thinking."""
    answers = read_answers(path, where)
    return replace(answers, texts={uid: without_thinking(text) for uid, text in answers.texts.items()})


def _of_logs(where: str, path: str) -> Baseline:
    """Read the answers in the newest log of one model's runs of `arena`."""
    try:
        headers = [read_eval_log(file, header_only=True) for file in log_files([path])]
        finished = [log for log in headers if task_of(log.eval.task) is ARENA and log.status == "success"]
        models = sorted({log.eval.model for log in finished})
        if not models:
            raise UserError(f"{where}: no finished log of {ARENA.name} there; let a model answer the prompts first.")
        if len(models) > 1:
            raise UserError(f"{where}: holds logs of several models ({', '.join(models)}); name the log file of one.")
        newest = max(finished, key=lambda log: str(log.eval.created))
        answered = list(_answered(read_eval_log(newest.location)))
        return Baseline(
            models[0],
            {uid: answer for uid, _, answer in answered if answer is not None},
            {uid: prompt for uid, prompt, _ in answered},
        )
    except UserError:
        raise
    except Exception as error:  # a damaged log can fail in any layer of the reader
        raise UserError(f"{where}: a log cannot be read ({type(error).__name__}); it may be incomplete.") from error


def _answered(log: EvalLog) -> Iterator[tuple[str, str, str | None]]:
    """Yield id, prompt and answer of each sample, of several epochs the first's; None where there was no answer.

    A refusal, or nothing, is an answer.
    """
    for sample in log.samples or []:
        if sample.epoch == 1:
            answer = whole_answer(sample.output)
            given = sample.error is None and (answer or why_none(sample.output) in NO_ANSWER)
            prompt = sample.input if isinstance(sample.input, str) else sample.input[-1].text
            yield str(sample.id), prompt, answer if given else None
