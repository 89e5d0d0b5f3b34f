"""Write a reply anew that a user was dissatisfied with, knowing what they thought, what they wrote next, or nothing."""

from typing import Literal

from inspect_ai import Task, task
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel

from thoughttrace.core.errors import check_choice
from thoughttrace.core.record import (
    COMPLAINT,
    DISSATISFIED,
    REPLY_SELECTIONS,
    REQUEST,
    REWRITE,
    SIGNALS,
    RewriteMetadata,
    RunMetadata,
)
from thoughttrace.datasets.prompt import quote
from thoughttrace.datasets.rewrites import ReplyChoice, rewrite_sample
from thoughttrace.models.prompt_cache import CacheOrdered, generate_cached
from thoughttrace.scorers.judges import judges
from thoughttrace.scorers.panel import JUDGE_REASONS
from thoughttrace.scorers.rewrite import rewrite
from thoughttrace.scorers.structured_output import Form, ask
from thoughttrace.tasks._options import (
    DataOptions,
    JudgeOptions,
    ScoreColumn,
    dataset_of,
    prompt_hash,
    provenance,
    read_prompt,
    viewer,
)

_INSTRUCTIONS = read_prompt(REWRITE.name)
_QUESTIONS = {signal: read_prompt(f"rewrite_{signal}") for signal in SIGNALS}
DECIDE = read_prompt("rewrite_decide")
"""The instructions by which a judge decides whether a message shows dissatisfaction."""

_VIEWER = viewer(
    "Rewrites",
    ScoreColumn("Answers the complaint", REWRITE.score, COMPLAINT, REWRITE.scale),
    ScoreColumn("Keeps the request", REWRITE.score, REQUEST, REWRITE.scale),
)


class Decision(BaseModel):
    """A judge's reply on whether a message shows dissatisfaction."""

    rationale: str
    dissatisfied: Literal["no", "yes"]


DECISION = Form(
    "decision",
    Decision,
    'That was not one JSON object with a "rationale" and a "dissatisfied" that is yes or no. '
    "Reply again with that object and nothing else.",
)


@task
def rewrite_reply(
    signal: str = "thought",
    data: str = "sample",
    selection: str = "shared",
    types: str | list[str] | None = None,
    min_words: int = 6,
    min_messages: int = 2,
    max_messages: int = 20,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
    allow_self_judging: bool = False,
    exclude_family: bool = False,
    judge_repeats: int = 1,
) -> Task:
    """Write a reply anew; a judge rates, 1–5 each, whether it answers the user's complaint and keeps what they asked.

    Needs a judge: `--model-role grader=PROVIDER/MODEL`, another model than the one evaluated. It is not told what the
    rewriter was shown, and always judges by what the user noted. `thoughttrace pairs` makes preference pairs of the
    logs. Runs that differ in `signal` alone rewrite the same replies, so that what a signal adds is a paired
    difference.

    Args:
        signal: What the model is shown beside the chat up to the reply: `thought`, what the user privately noted of
            the reply; `message`, the message that they sent next; `none`, nothing. With `message` the first judge also
            says whether that message shows dissatisfaction; the log holds what it says, and `pairs` goes by it.
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        selection: Which replies: `shared`, those with a note of these types and a user message after it, whatever the
            signal; or `own`, as the paper's arms were chosen: for `thought` and `none` also replies that no message
            follows, and for `message` every reply that one follows and with which the judge says it is dissatisfied.
            Such a reply without a note is rewritten, and not judged.
        types: Only replies with a reaction of these types; by default those of dissatisfied users,
            `content_relevance`, `presentation_style` and `scope_fit`.
        min_words: Only notes of at least this many words.
        min_messages: Only conversations of at least this many messages.
        max_messages: Only conversations of at most this many messages.
        users: At most this many users, each with all their replies.
        per_user: At most this many replies of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Drop the oldest turns until at most this many words are shown.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
        allow_self_judging: Let the evaluated model judge itself; the report marks such numbers.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge on each sample, which tell how much a judge differs from itself.
    """
    judging = JudgeOptions(True, allow_self_judging, exclude_family, judge_repeats)
    judging.require_judge()
    options = DataOptions(data, types, users, per_user, seed, max_context_words, skip_bad)
    choice = ReplyChoice(
        selection=check_choice("selection", str(selection), REPLY_SELECTIONS),
        types=options.selected_types or DISSATISFIED,
        min_words=min_words,
        min_messages=min_messages,
        max_messages=max_messages,
        signal=check_choice("signal", str(signal), SIGNALS),
    )
    source = options.open()
    items = options.draw(choice.replies(source.conversations))
    question = _QUESTIONS[choice.signal]
    samples = [rewrite_sample(item, choice, _INSTRUCTIONS, question, max_context_words) for item in items]
    answer = generate_cached()
    if choice.signal == "message":
        answer = decide_then(answer, choice.any_message, allow_self_judging, exclude_family)
    return Task(
        dataset=dataset_of(samples, source, CacheOrdered),
        solver=judging.require_judge_then(answer),
        scorer=rewrite(allow_self_judging, exclude_family, judge_repeats),
        version="1-A",
        metadata=RunMetadata(
            signal=choice.signal,
            reply_selection=choice.text,
            context="history",
            max_context_words=max_context_words,
            # The same for all signals, which are compared.
            prompt_hash=prompt_hash(_INSTRUCTIONS, *_QUESTIONS.values(), DECIDE, DECISION.text),
            **provenance(source),
        ).to_log(),
        viewer=_VIEWER,
        headline_metric=REWRITE.score,
    )


@solver
def decide_then(
    answer: Solver, only_dissatisfied: bool, allow_self_judging: bool = False, exclude_family: bool = False
) -> Solver:
    """Let a judge say whether the next message shows dissatisfaction, then let a solver answer.

    The first judge is asked, not the evaluated model, so that the replies of several models are decided alike.

    Args:
        answer: The solver.
        only_dissatisfied: Let it answer only where the judge says yes.
        allow_self_judging: As for `judges`.
        exclude_family: As for `judges`.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        sample = state.metadata_as(RewriteMetadata)
        judge = judges(allow_self_judging, exclude_family)[0]
        prompt = decision_prompt(sample.request, sample.reply, sample.next_message)
        reply = await ask(judge, prompt, DECISION)
        decided = RewriteMetadata.model_construct(
            message_dissatisfied=reply.filled.dissatisfied if reply.filled else None,
            decided_by=str(judge),
            undecided=JUDGE_REASONS[reply.reason] if reply.reason else None,
        )
        state.metadata.update(decided.to_log())
        if only_dissatisfied and not (reply.filled and reply.filled.dissatisfied == "yes"):
            return state
        return await answer(state, generate)

    return solve


def decision_prompt(request: str, reply: str, next_message: str) -> list[ChatMessage]:
    """Write the prompt that asks a judge whether a message shows dissatisfaction.

    Args:
        request: The user's message that the reply answers.
        reply: The reply.
        next_message: The user's message after it.
    """
    texts = {"message": request, "reply": reply, "next message": next_message}
    return [ChatMessageSystem(content=DECIDE), ChatMessageUser(content=quote(texts).text)]
