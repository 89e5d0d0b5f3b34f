"""Embedding similarity: a second scorer that needs no judge and no key.

It finds the same topic, not the same thought: a near miss on the topic scores above a true paraphrase. It is a
baseline for the judge to beat, never a judge.
"""

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.models.embedding import embed, require_embedder
from thoughttrace.scorers.answer import inference_of


@scorer(metrics=[mean(), stderr(cluster="user")])
def similarity() -> Scorer:
    """Score the cosine of the embeddings of inference and thought, −1 to 1; of several thoughts the nearest.

    Raises:
        UserError: The extra `similarity` is not installed.
    """
    require_embedder()

    async def score(state: TaskState, target: Target) -> Score:
        inference = inference_of(state)
        if not inference:
            return Score.unscored(reason="no_response", answer="")
        guess, *thoughts = embed([inference, *target])
        return Score(value=max(float(guess @ thought) for thought in thoughts), answer=inference)

    return score


def with_similarity(judged: Scorer, similar: bool) -> list[Scorer]:
    """The scorers of a task: the judged one, and the similarity beside it if wanted."""
    return [judged, similarity()] if similar else [judged]
