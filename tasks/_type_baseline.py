"""Predict the types of thoughts by a classifier that needs no key and is never fitted on the same user."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from thoughttrace.core.errors import UserError, missing_extra
from thoughttrace.core.record import ThoughtContext
from thoughttrace.datasets.samples import AnnotatedThought
from thoughttrace.models.embedding import NEEDED, embed

FOLDS = 5


def predict_types(thoughts: Sequence[AnnotatedThought], context: ThoughtContext) -> dict[str, str]:
    """Predict the type of each thought by a classifier fitted on those of other users.

    Logistic regression (L2, C = 1, classes weighted by the inverse of their frequency, so that rare types count) on
    standardised embeddings, in 5 folds that split no user (GroupKFold; fewer where there are fewer users).

    Args:
        thoughts: All thoughts of a kind in the data, with their labels.
        context: `thought`; or `message`, to use the embedding of the message too.

    Returns:
        The predicted type by the thought's id.

    Raises:
        UserError: The extra `shift` is not installed, the context is `history`, or there is only one
            user.
    """
    missing = [name for name in ("sklearn", *NEEDED) if find_spec(name) is None]
    if missing:
        raise missing_extra("baseline=true", missing, "shift")
    if context == "history":
        raise UserError("baseline=true cannot read a history: pass context=thought or context=message.")
    users = np.array([noted.conversation.user for noted in thoughts])
    if len(set(users)) < 2:
        raise UserError(
            "baseline=true learns from other users, but the data has only one. Use data of two or more users."
        )
    texts = [[noted.thought.content for noted in thoughts]]
    if context == "message":
        texts.append([noted.message.content for noted in thoughts])
    vectors = np.hstack([embed(column) for column in texts])
    predicted = out_of_fold(vectors, np.array([noted.thought.label for noted in thoughts]), users)
    return {noted.id: str(label) for noted, label in zip(thoughts, predicted, strict=True)}


def out_of_fold(
    vectors: npt.NDArray[np.float32], types: npt.NDArray[np.str_], users: npt.NDArray[np.str_]
) -> npt.NDArray[np.str_]:
    """Predict each row by a classifier fitted on the rows of other users.

    Args:
        vectors: Shape (n, d).
        types: n labels.
        users: n names, of two or more users.

    Returns:
        n predicted labels.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    predicted = np.empty_like(types)
    for fitted, held in GroupKFold(min(FOLDS, len(set(users)))).split(vectors, groups=users):
        if len(set(types[fitted])) == 1:  # a regression on one class cannot be fitted
            predicted[held] = types[fitted][0]
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
        predicted[held] = model.fit(vectors[fitted], types[fitted]).predict(vectors[held])
    return predicted
