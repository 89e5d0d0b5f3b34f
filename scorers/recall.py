"""Score how much of a user's note a model recalled, by the words themselves: without a judge."""

from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.core.record import NO_ANSWER, RecallMetadata, RecallScore
from thoughttrace.core.shared_words import longest_overlap, share_in_order
from thoughttrace.scorers.answer import normalise_message, why_none, written


@scorer(metrics=[mean(), stderr(cluster="user"), grouped(mean(), "source", all=False)])
def recall() -> Scorer:
    """Score the share of the note's words that the answer has in the same order, 0 to 1 (`share_in_order`).

    The score's metadata hold the same share of other users' notes, which shows what notes have in common, and the
    longest run of words that answer and note share. Where a half was given, the share is without words that stand in it
    too, for the model need only repeat them. A model that refuses or says nothing recalled nothing: 0, and the score's
    reason says which. Where the model could not answer the sample is unscored.
    """

    async def score(state: TaskState, target: Target) -> Score:
        metadata = state.metadata_as(RecallMetadata)
        answer = normalise_message(written(state))
        if not answer and (reason := why_none(state.output)) not in NO_ANSWER:
            return Score.unscored(reason=reason, answer="", explanation="The model could not answer.")
        others = [share_in_order(answer, other, metadata.shown) for other in metadata.others]
        details = RecallScore(
            others=sum(others) / len(others) if others else 0.0, run=longest_overlap(answer, [target.text])
        )
        return Score(
            value=share_in_order(answer, target.text, metadata.shown),
            answer=answer,
            reason=None if answer else why_none(state.output),
            metadata=details.to_log(),
        )

    return score
