"""Score embedding similarity: a baseline that needs no judge and no key.

It finds the same topic, not the same thought: a near miss on the topic scores above a true paraphrase. It is a
baseline for the judge to beat, never a judge.
"""

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.core.record import Unscored
from thoughttrace.models.embedding import embed, require_embedder
from thoughttrace.scorers.answer import answer_of


@scorer(metrics=[mean(), stderr(cluster="user")])
def similarity() -> Scorer:
    """Score the cosine of the embeddings of answer and target, −1 to 1; of several targets the nearest.

    Raises:
        UserError: The extra `similarity` is not installed.
    """
    require_embedder("The similarity scorer")

    async def score(state: TaskState, target: Target) -> Score:
        answer = answer_of(state)
        if not answer:
            return Score.unscored(reason=Unscored.NO_RESPONSE, answer="")
        answer_vector, *target_vectors = embed([answer, *target])
        return Score(value=max(float(answer_vector @ vector) for vector in target_vectors), answer=answer)

    return score


def with_similarity(rated: Scorer, similar: bool) -> list[Scorer]:
    """Return the scorers of a judged task.

    Args:
        rated: The scorer that the judges' ratings come from.
        similar: Whether to score the similarity too.
    """
    return [rated, similarity()] if similar else [rated]
