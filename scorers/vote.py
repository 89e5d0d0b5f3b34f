"""One judge's vote on one inference."""

from typing import Any

from inspect_ai.model import ChatMessage, Model

from thoughttrace.scorers.ask import ask
from thoughttrace.scorers.form import Form

Vote = dict[str, Any]
"""`judge`, `rating` (None if there is none), `rationale`, `prompt_hash`, `replies` (raw, in order), and `reason`: why
there is no rating (`judge_refused`, `judge_empty`, `judge_unparsable`, or `judge_failed`, then with the `error`), else
None."""


async def vote(judge: Model, prompt: list[ChatMessage], form: Form[Any], prompt_hash: str, repeat: int = 0) -> Vote:
    """Ask one judge.

    Args:
        judge: The judge.
        prompt: What it is asked, such as from `judge_prompt`.
        form: What it must reply; its fields are `rationale` and `rating`.
        prompt_hash: Names the rubric, such as from `rubric_hash`.
        repeat: Which of several votes on the same prompt this is, from 0.
    """
    asked = await ask(judge, prompt, form, repeat)
    return {
        "judge": str(judge),
        "rating": asked.filled.rating if asked.filled else None,
        "rationale": asked.filled.rationale if asked.filled else None,
        "prompt_hash": prompt_hash,
        "replies": asked.replies,
        "reason": f"judge_{asked.reason}" if asked.reason else None,
    }


def failed_vote(judge: Model, prompt_hash: str, error: Exception) -> Vote:
    """The vote of a judge that could not be asked.

    Args:
        judge: The judge.
        prompt_hash: Names the rubric, from `rubric_hash`.
        error: What its provider raised, after all retries. Of its text, which can quote a key, nothing is kept: it
            stands in the sample's events.
    """
    attempt = getattr(error, "last_attempt", None)  # of tenacity's RetryError
    cause = attempt.exception() if attempt else error
    status = getattr(cause, "status_code", None) or getattr(cause, "code", None)
    said = type(cause).__name__ + (f" {status}" if isinstance(status, int) else "")
    return {
        "judge": str(judge),
        "rating": None,
        "rationale": None,
        "prompt_hash": prompt_hash,
        "replies": [],
        "reason": "judge_failed",
        "error": said,
    }
