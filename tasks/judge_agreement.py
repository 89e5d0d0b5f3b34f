"""Judge the judge: probes whose right rating is known, rated by the model under evaluation."""

import hashlib

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.viewer import ScoreColorScale, TaskSamplesColumn, TaskSamplesSort, TaskSamplesView, ViewerConfig

from thoughttrace import __version__
from thoughttrace.core.errors import check_choice
from thoughttrace.core.record import TYPES
from thoughttrace.datasets.probes import FAMILIES, Probe, gather_probes
from thoughttrace.datasets.sources import open_source
from thoughttrace.scorers.agreement import VERDICT, judge_prompt, rubric_hash
from thoughttrace.scorers.panel import vote
from thoughttrace.scorers.probe import keep_vote, probe
from thoughttrace.tasks._labelling import answered

_VIEWER = ViewerConfig(
    # An attack is written to be run by its reader; show it as text.
    trust_content=False,
    task_samples_view=TaskSamplesView(
        name="Probes",
        columns=[
            TaskSamplesColumn(id="sampleId"),
            TaskSamplesColumn(id="target"),
            TaskSamplesColumn.score("probe", "rating"),
            TaskSamplesColumn.score("probe", "within"),
            TaskSamplesColumn.score("probe", "injected"),
            TaskSamplesColumn(id="input", visible=False),
            TaskSamplesColumn(id="error"),
        ],
        sort=[TaskSamplesSort(column="sampleId")],
        score_labels={"rating": "Rating, 1–5", "within": "Right", "injected": "Attack succeeded"},
        score_color_scales={"within": ScoreColorScale(palette="good-high", min=0, max=1)},
    ),
)


@task
def judge_agreement(
    data: str = "sample",
    families: str | list[str] | None = None,
    per_family: int = 12,
    seed: int = 0,
    judge_message: bool = True,
    skip_bad: bool = False,
) -> Task:
    """Rate inferences whose right rating is known, exactly as a judge does; the evaluated model is the judge.

    Run it with `--epochs` to see how much a judge differs from itself.

    Args:
        data: Where the families `verbatim`, `unrelated` and `order` are built from: `sample`, `hub`,
            `hub@REVISION`, or the path of a JSONL file or a folder of them.
        families: Only probes of these families.
        per_family: Build at most this many of a family (of `order`, so many pairs); 0 for the probes written by
            hand only.
        seed: Of the order and the choice.
        judge_message: Show the judge the annotated message; without it, attacks in the message are left out.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    source = open_source(str(data), skip_bad)
    wanted = [families] if isinstance(families, str) else FAMILIES if families is None else families
    chosen = [check_choice("families", name, FAMILIES) for name in wanted]
    shown = [name for name in chosen if judge_message or name != "injection_message"]
    probes = gather_probes(source.conversations, shown, per_family, seed)
    return Task(
        dataset=MemoryDataset([probe_to_sample(one, judge_message) for one in probes], name=source.name),
        solver=judge_probe(judge_message),
        scorer=probe(),
        version="1-A",
        metadata={
            "families": sorted({one.family for one in probes}),
            "judge_message": judge_message,
            "data": source.name,
            "data_revision": source.revision,
            "data_skipped": source.skipped,
            "probes_hash": _probes_hash(probes),
            "rubric_hash": {kind: rubric_hash(kind, judge_message) for kind in TYPES},
            "thoughttrace": __version__,
        },
        viewer=_VIEWER,
        headline_metric="probe.within",
    )


def probe_to_sample(one: Probe, judge_message: bool) -> Sample:
    """The sample of a probe: its input is what the real judge is asked."""
    message = one.message if judge_message else None
    return Sample(
        id=one.id,
        input=judge_prompt(one.kind, message, one.targets, one.inference),
        target=one.targets,
        metadata=one.model_dump(include={"family", "kind", "ladder", "low", "high", "inference"}),
    )


@solver
def judge_probe(judge_message: bool) -> Solver:
    """Let the evaluated model vote, with the same schema, parsing and repair as a judge.

    Args:
        judge_message: Whether the sample's input shows the annotated message.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        cast_vote = await vote(
            get_model(), [*state.messages], VERDICT, rubric_hash(state.metadata["kind"], judge_message)
        )
        keep_vote(state, cast_vote)
        return answered(state, cast_vote.replies, VERDICT)

    return solve


def _probes_hash(probes: list[Probe]) -> str:
    """Names the probes, in whatever order: two cards compare only where it is equal."""
    lines = sorted(one.model_dump_json() for one in probes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
