"""Rate whether a rewritten reply answers what the user held against the old one and does what they asked."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Literal

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState
from pydantic import BaseModel

from thoughttrace.core.errors import check_positive
from thoughttrace.core.record import (
    COMPLAINT,
    NO_ANSWER,
    REQUEST,
    REWRITE,
    JudgedScore,
    RewriteMetadata,
    RewriteScore,
    RewriteVerdict,
    Unscored,
)
from thoughttrace.datasets.prompt import block, marker, numbered
from thoughttrace.scorers.answer import declines, normalise_reply, why_none, written
from thoughttrace.scorers.judges import judges
from thoughttrace.scorers.panel import rate
from thoughttrace.scorers.structured_output import Form


class RewriteReply(BaseModel):
    """A judge's reply."""

    rationale: str
    answers_complaint: Literal[1, 2, 3, 4, 5]
    keeps_request: Literal[1, 2, 3, 4, 5]

    @property
    def rating(self) -> int:
        """The rating that the panel records first."""
        return self.answers_complaint


FORM = Form(
    "rewrite",
    RewriteReply,
    'That was not one JSON object with a "rationale", an "answers_complaint" and a "keeps_request" of 1, 2, 3, 4 or 5 '
    "each. Reply again with that object and nothing else.",
)


@cache
def rewrite_rubric() -> str:
    """Return the rubric, with an anchor for each value of both scales."""
    return Path(__file__).with_suffix(".md").read_text(encoding="utf-8").strip()


@cache
def rewrite_rubric_hash() -> str:
    """Hash everything fixed in a judge's prompt: only ratings with equal hashes can be compared."""
    return hashlib.sha256("\n".join((rewrite_rubric(), FORM.text)).encode()).hexdigest()[:12]


def rewrite_prompt(request: str, reply: str, notes: Sequence[str], rewrite: str) -> list[ChatMessage]:
    """Write the prompt that asks a judge about a rewrite. Nothing in it tells what the rewriter was shown.

    Args:
        request: The user's message that the reply answers.
        reply: The original reply.
        notes: What the user noted against it, whatever the rewriter was shown.
        rewrite: The rewrite.
    """
    mark = marker(request, reply, *notes, rewrite)
    blocks = [
        block(mark, "message", request),
        block(mark, "old reply", reply),
        *(block(mark, label, note) for label, note in numbered("note", notes).items()),
        block(mark, "new reply", rewrite),
    ]
    return [
        ChatMessageSystem(content=rewrite_rubric()),
        ChatMessageUser(content=f"{''.join(blocks)}[{mark} end]"),
    ]


@scorer(metrics={"*": [mean(), stderr(cluster="user")]})
def rewrite(allow_self_judging: bool = False, exclude_family: bool = False, judge_repeats: int = 1) -> Scorer:
    """Rate a rewrite, 1–5 each: whether it answers the user's complaint, and whether it keeps what they asked for.

    The judge sees the message that the reply answers, the original reply, the user's notes against it and the rewrite,
    whatever the rewriter was shown. The rules for who votes, refusals and failed votes are those of `agreement`: a
    refusal or no answer gets the lowest ratings. A sample is unscored also where the rewrite was cut off (`truncated`),
    nothing was rewritten for lack of a signal (`no_signal`), or the user noted nothing against the reply
    (`no_complaint`, or why there is no rewrite). The score's metadata say whether the rewrite is unchanged or refuses
    in plain words; the judge rates it all the same.

    Args:
        allow_self_judging: Let the evaluated model vote on itself.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge, which show how much a judge differs from itself.

    Raises:
        UserError: `judge_repeats` is not positive.
        Exception: When a sample is scored: what a judge's provider raised, if no judge gave a valid vote.
    """
    check_positive("judge_repeats", judge_repeats)

    async def score(state: TaskState, target: Target) -> Score:
        sample, text = state.metadata_as(RewriteMetadata), normalise_reply(written(state))
        about = RewriteScore(
            words=len(text.split()),
            unchanged=text.split() == sample.reply.split(),
            declined=declines(text) and not declines(sample.reply),
        )
        if reason := _why_not_judged(state, text, target):
            return Score.unscored(reason=reason, answer=text, metadata=about.to_log())
        prompt = rewrite_prompt(sample.request, sample.reply, list(target), text)
        panel, lowest = judges(allow_self_judging, exclude_family), int(REWRITE.scale[0])
        rated = await rate(state, text, panel, prompt, FORM, rewrite_rubric_hash(), judge_repeats, lowest)
        if rated.reason in NO_ANSWER:
            rated.value = {COMPLAINT: lowest, REQUEST: lowest}
        elif not rated.reason:
            rated.value = {COMPLAINT: rated.as_float(), REQUEST: _kept(rated)}
        rated.metadata = (rated.metadata or {}) | about.to_log()
        return rated

    return score


def _why_not_judged(state: TaskState, text: str, target: Target) -> Unscored | None:
    sample = state.metadata_as(RewriteMetadata)
    if not state.output.choices and (sample.undecided or sample.message_dissatisfied == "no"):
        return sample.undecided or Unscored.NO_SIGNAL
    if text and state.output.stop_reason == "max_tokens":
        return Unscored.TRUNCATED
    if list(target):
        return None
    # Without a note there is nothing to rate by, not even a refusal; why there is no rewrite is said all the same.
    return Unscored.NO_COMPLAINT if text else why_none(state.output)


def _kept(rated: Score) -> float:
    """Return the mean over judges, each the mean of its votes, of whether the request is kept."""
    given = JudgedScore.model_validate(rated.metadata).verdicts or {}
    by_judge = [[vote.keeps_request for vote in votes if isinstance(vote, RewriteVerdict)] for votes in given.values()]
    means = [fmean(votes) for votes in by_judge if votes]
    return fmean(means)
