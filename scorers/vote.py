"""One judge's vote on one inference."""

from typing import Any

from inspect_ai._util.constants import NO_CONTENT
from inspect_ai.model import ChatMessage, ChatMessageUser, Model, ModelOutput
from inspect_ai.model._generate_config import active_generate_config

from thoughttrace.datasets.prompt_cache import only_system_marked
from thoughttrace.scorers.inference import refused
from thoughttrace.scorers.verdict import REPAIR, VERDICT_CONFIG, parse_verdict

Vote = dict[str, Any]
"""`judge`, `rating` (1–5 or None), `rationale`, `prompt_hash`, `replies` (raw, in order), and `reason`: why there is no
rating (`judge_refused`, `judge_empty`, `judge_unparsable`, or `judge_failed`, then with the `error`), else None."""


async def vote(judge: Model, prompt: list[ChatMessage], prompt_hash: str, repeat: int = 0) -> Vote:
    """Ask one judge, and once more if its reply is no verdict.

    Args:
        judge: The judge.
        prompt: What it is asked, from `judge_prompt`.
        prompt_hash: Names the rubric, from `rubric_hash`.
        repeat: Which of several votes on the same prompt this is, from 0.
    """
    # With Inspect's cache on, a second vote must not be the first one read again.
    config = VERDICT_CONFIG.model_copy(update={"cache": False}) if repeat else VERDICT_CONFIG
    # Inspect hands a run's --attempt-timeout to the evaluated model alone; a judge would hang for its SDK's 10 minutes.
    if judge.config.attempt_timeout is None and (seconds := active_generate_config().attempt_timeout):
        config = config.model_copy(update={"attempt_timeout": seconds})
    replies: list[str] = []
    reason = None
    # The rubric is all that a later prompt shares.
    prompt = only_system_marked(prompt, judge)
    messages = prompt
    verdict = None
    while verdict is None and len(replies) < 2:
        output = await judge.generate(messages, config=config)
        replies.append(output.completion)
        verdict = parse_verdict(output.completion)
        reason = None if verdict else _why_none(output)
        # Some providers refuse an empty assistant message.
        said = [output.message] if output.completion.strip() else []
        messages = [*prompt, *said, ChatMessageUser(content=REPAIR)]
    return {
        "judge": str(judge),
        "rating": verdict.rating if verdict else None,
        "rationale": verdict.rationale if verdict else None,
        "prompt_hash": prompt_hash,
        "replies": replies,
        "reason": reason,
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


def _why_none(output: ModelOutput) -> str:
    if refused(output):
        return "judge_refused"
    return "judge_unparsable" if output.completion.replace(NO_CONTENT, "").strip() else "judge_empty"
