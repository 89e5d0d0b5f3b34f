"""Compare an answer with the baseline's, by judges that see both in both orders."""

import hashlib
import logging
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, Model
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState
from inspect_ai.util import warn_once
from pydantic import BaseModel

from thoughttrace.core.record import NO_ANSWER, ArenaMetadata, Comparison, PairVerdict, Style, Unscored, WinScore
from thoughttrace.datasets.prompt import block, marker
from thoughttrace.scorers.answer import whole_answer, why_none
from thoughttrace.scorers.judges import judges
from thoughttrace.scorers.panel import JUDGE_REASONS, NOT_THE_JUDGES, name_error
from thoughttrace.scorers.structured_output import Form, ask

_logger = logging.getLogger(__name__)


class PairReply(BaseModel):
    """A judge's reply."""

    rationale: str
    verdict: PairVerdict


PAIR_VERDICT = Form(
    "pair_verdict",
    PairReply,
    'That was not one JSON object with a "rationale" and a "verdict", one of A>>B, A>B, A=B, B>A and B>>A. '
    "Reply again with that object and nothing else.",
)

_OUTCOMES = {1.0: "win", 0.5: "tie", 0.0: "loss", None: "none"}


@cache
def pair_rubric() -> str:
    """Return the rubric of the comparison."""
    return Path(__file__).with_suffix(".md").read_text(encoding="utf-8").strip()


@cache
def pair_rubric_hash() -> str:
    """Hash everything fixed in a judge's prompt: only verdicts with equal hashes can be compared."""
    return hashlib.sha256(f"{pair_rubric()}\n{PAIR_VERDICT.text}".encode()).hexdigest()[:12]


def pair_prompt(prompt: str, first: str, second: str) -> list[ChatMessage]:
    """Write the prompt that asks a judge which of two answers is better.

    Args:
        prompt: What the person asked.
        first: Answer A.
        second: Answer B.
    """
    mark = marker(prompt, first, second)
    blocks = [block(mark, "request", prompt), block(mark, "answer A", first), block(mark, "answer B", second)]
    return [ChatMessageSystem(content=pair_rubric()), ChatMessageUser(content=f"{''.join(blocks)}[{mark} end]")]


# A block that is not closed goes to the end, as in a reply that max_tokens cut off.
_FENCED = re.compile(r"^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:\d+\.|[-*+])\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")


def style_of(answer: str) -> Style:
    """Count the words of an answer, and the headers, list items and bold passages outside of fenced code.

    What counts as each is what Arena-Hard-Auto counts (`utils/add_markdown_info.py`); it counts length in tokens of
    GPT-4o's tokenizer, which must be fetched.

    Args:
        answer: The answer, with its fenced code.
    """
    text = _FENCED.sub("", answer)
    return Style(
        words=len(answer.split()),
        headers=len(_HEADER.findall(text)),
        lists=len(_ITEM.findall(text)),
        bold=len(_BOLD.findall(text)),
    )


@scorer(metrics=[mean(), stderr(), grouped(mean(), "category", all=False)])
def win(allow_self_judging: bool = False, exclude_family: bool = False) -> Scorer:
    """Score whether an answer is better than the baseline's: 1 for a win, 0.5 for a tie, 0 for a loss.

    Every model bound to the role `grader` says which answer is better, except the evaluated model itself: once with the
    answer as A and the baseline's as B, once the other way round. The score is the mean of the judges, each the mean of
    its two verdicts. A judge whose reply is no valid verdict is asked once more; one that then has no verdict in one of
    the orders, or cannot be asked after all of Inspect's retries, does not count for this sample: one order alone would
    hold the judge's preference for a place.

    An answer that is empty or a refusal loses by rule against one that is not, and ties with another; no judge is
    asked, and the reason is `refusal` or `no_response`, or `no_baseline_answer` where only the baseline has none.
    Without a judge that counts the sample is unscored, never a loss; its reason is that of the missing verdicts, or
    `grader_failed` where they differ. It is unscored too where the model could not answer (`truncated`,
    `prompt_too_long`, `no_output`), and where the baseline was never asked (`baseline_not_asked`).

    Args:
        allow_self_judging: Let the evaluated model judge itself.
        exclude_family: Leave out judges of the evaluated model's family.

    Raises:
        Exception: When a sample is scored: what a judge's provider raised, if no judge gave a valid verdict.
    """

    async def score(state: TaskState, target: Target) -> Score:
        if not state.metadata_as(ArenaMetadata).baseline_asked:
            return Score.unscored(reason=Unscored.BASELINE_NOT_ASKED, answer="")
        answer, baseline = whole_answer(state.output), target.text
        panel = judges(allow_self_judging, exclude_family)
        styles = WinScore.model_construct(style=style_of(answer), baseline_style=style_of(baseline))
        reason = None if answer else why_none(state.output)
        if reason and reason not in NO_ANSWER:
            return Score.unscored(reason=reason, answer="")
        if not (answer and baseline):
            return _by_rule(reason, baseline, panel, styles)
        return _combine(await _compare(state.input_text, answer, baseline, panel), styles)

    return score


def _by_rule(reason: Unscored | None, baseline: str, panel: Sequence[Model], styles: WinScore) -> Score:
    """Score two answers of which one, or each, is empty or a refusal."""
    value = 1.0 if reason is None else 0.0 if baseline else 0.5
    # Without the judges' names, the run of a model that never answers would name none.
    metadata = styles.model_copy(
        update={"pair_verdicts": {str(judge): [] for judge in panel}, "rubric_hash": pair_rubric_hash()}
    )
    return Score(
        value=value,
        reason=reason or Unscored.NO_BASELINE_ANSWER,
        answer=_OUTCOMES[value],
        explanation="An answer that is empty or a refusal loses against one that is not, without asking a judge.",
        metadata=metadata.to_log(),
    )


async def _compare(prompt: str, answer: str, baseline: str, panel: Sequence[Model]) -> list[Comparison]:
    """Ask each judge in both orders.

    Raises:
        Exception: What a judge's provider raised, if no judge gave a valid verdict.
    """
    comparisons: list[Comparison] = []
    errors: list[Exception] = []
    for judge in panel:
        for shown_first in (True, False):
            order = (answer, baseline) if shown_first else (baseline, answer)
            told = Comparison(
                judge=str(judge), shown_first=shown_first, verdict=None, rationale=None, rubric_hash=pair_rubric_hash(),
                replies=[],
            )  # fmt: skip
            try:
                reply = await ask(judge, pair_prompt(prompt, *order), PAIR_VERDICT)
            except NOT_THE_JUDGES:
                raise
            except Exception as error:
                errors.append(error)
                lost = {"reason": Unscored.JUDGE_FAILED, "error": name_error(error)}
                comparisons.append(told.model_copy(update=lost))
                warn_once(_logger, f"{judge} could not judge ({lost['error']}): such verdicts are missing.")
                continue
            given = {"replies": reply.replies, "reason": JUDGE_REASONS[reply.reason] if reply.reason else None}
            filled = reply.filled.model_dump() if reply.filled else {}
            comparisons.append(told.model_copy(update=given | filled))
    if errors and all(each.verdict is None for each in comparisons):
        raise errors[0]
    return comparisons


def _combine(comparisons: Sequence[Comparison], styles: WinScore) -> Score:
    """Score an answer by the mean over judges, each the mean of its valid verdicts."""
    verdicts: dict[str, list[PairVerdict | None]] = {}
    for each in comparisons:
        verdicts.setdefault(each.judge, []).append(each.verdict)
    known = {"pair_verdicts": verdicts, "rubric_hash": pair_rubric_hash(), "comparisons": list(comparisons)}
    judged = styles.model_copy(update=known)
    values = {judge: [value for value in given if value is not None] for judge, given in (judged.counted or {}).items()}
    means = [fmean(given) for given in values.values() if given]
    if not means:
        reasons = {each.reason for each in comparisons if each.reason}
        return Score.unscored(
            reason=reasons.pop() if len(reasons) == 1 else Unscored.NO_VALID_VOTE,
            answer="",
            explanation="No judge gave a valid verdict in both orders; their replies are in the metadata.",
            metadata=judged.to_log(),
        )
    outcomes = {
        judge: " / ".join(_OUTCOMES[value] for value in given) for judge, given in (judged.counted or {}).items()
    }
    return Score(
        value=fmean(means),
        # Shown first and shown second.
        answer="; ".join(outcomes.values()),
        explanation="\n".join(
            f"{each.judge}, the answer shown as {'A' if each.shown_first else 'B'}: {each.verdict} {each.rationale}"
            for each in comparisons
            if each.verdict
        ),
        metadata=judged.to_log(),
    )
