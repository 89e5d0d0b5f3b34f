"""Register what Inspect finds under the name `thoughttrace` (entry point group `inspect_ai`)."""

from inspect_ai.model import ModelAPI, modelapi

from thoughttrace.scorers.agreement import agreement
from thoughttrace.scorers.labels import choice, rating, relation, satisfaction, topic, type_match
from thoughttrace.scorers.message_similarity import message_similarity
from thoughttrace.scorers.probe import probe
from thoughttrace.scorers.recall import recall
from thoughttrace.scorers.rewrite import rewrite
from thoughttrace.scorers.similarity import similarity
from thoughttrace.scorers.win import win
from thoughttrace.tasks.arena import arena
from thoughttrace.tasks.calibrate_judge import calibrate_judge, judge_rating
from thoughttrace.tasks.choose_thought import choose_thought
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.predict_message import predict_message
from thoughttrace.tasks.predict_satisfaction import predict_satisfaction
from thoughttrace.tasks.rate_thought import rate_thought
from thoughttrace.tasks.recall_note import recall_note
from thoughttrace.tasks.relate_messages import relate_messages
from thoughttrace.tasks.rewrite_reply import rewrite_reply

__all__ = [
    "agreement",
    "arena",
    "calibrate_judge",
    "choice",
    "choose_thought",
    "classify_thought",
    "cover_thought",
    "infer_reaction",
    "infer_reason",
    "judge_agreement",
    "judge_rating",
    "label_topic",
    "local",
    "message_similarity",
    "predict_message",
    "predict_satisfaction",
    "probe",
    "rate_thought",
    "rating",
    "recall",
    "recall_note",
    "relate_messages",
    "relation",
    "rewrite",
    "rewrite_reply",
    "satisfaction",
    "similarity",
    "topic",
    "type_match",
    "win",
]


@modelapi(name="local")
def local() -> type[ModelAPI]:
    """Provide a small model that runs in this process, as `local/NAME` or `local/PATH.gguf`.

    NAME is one of those that `thoughttrace fetch-model` lists; its weights are fetched at their first use.
    See `thoughttrace.models.local.LocalAPI` for the arguments (`-M name=value`).
    """
    # Imported here: the provider is registered wherever Inspect runs, and its runtime is an extra.
    from thoughttrace.models.local import LocalAPI  # noqa: PLC0415

    return LocalAPI
