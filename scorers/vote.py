"""One judge's vote on one inference."""

from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageUser, Model

from thoughttrace.scorers.verdict import REPAIR, VERDICT_CONFIG, parse_verdict

Vote = dict[str, Any]
"""`judge`, `rating` (1–5 or None), `rationale`, `prompt_hash`, `replies` (raw, in order)."""


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
    replies: list[str] = []
    messages = prompt
    verdict = None
    while verdict is None and len(replies) < 2:
        output = await judge.generate(messages, config=config)
        replies.append(output.completion)
        verdict = parse_verdict(output.completion)
        # Some providers refuse an empty assistant message.
        said = [output.message] if output.completion.strip() else []
        messages = [*prompt, *said, ChatMessageUser(content=REPAIR)]
    return {
        "judge": str(judge),
        "rating": verdict.rating if verdict else None,
        "rationale": verdict.rationale if verdict else None,
        "prompt_hash": prompt_hash,
        "replies": replies,
    }
