"""What Inspect finds under the name `thoughttrace` (entry point group `inspect_ai`)."""

from thoughttrace.models.local import local
from thoughttrace.scorers.agreement import agreement
from thoughttrace.scorers.probe import probe
from thoughttrace.scorers.similarity import similarity
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement

__all__ = ["agreement", "infer_reaction", "infer_reason", "judge_agreement", "local", "probe", "similarity"]
