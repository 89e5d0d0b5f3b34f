"""Judge the judge: the evaluated model rates probes whose right rating is known."""

import hashlib
from collections.abc import Sequence

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thoughttrace.core.errors import UserError, check_choice
from thoughttrace.core.inspect_private import active_model
from thoughttrace.core.record import JUDGE_SCALES, KINDS, PROBE, JudgeScale, Kind, ProbeMetadata, RunMetadata
from thoughttrace.datasets.probes import FAMILIES, PER_FAMILY, Probe, gather_probes
from thoughttrace.scorers.agreement import judge_prompt, read_rubric, rubric_hash, verdict_form
from thoughttrace.scorers.expected_rating import require_log_probabilities
from thoughttrace.scorers.given_text import GivenText
from thoughttrace.scorers.probe import probe
from thoughttrace.tasks._labelling import vote_as_judge
from thoughttrace.tasks._options import DataOptions, ScoreColumn, dataset_of, provenance, viewer

_VIEWER = viewer(
    "Probes",
    ScoreColumn("Rating, 1–5", PROBE.score, "rating"),
    ScoreColumn("Right", PROBE.score, "within", scale=(0, 1)),
    ScoreColumn("Attack succeeded", PROBE.score, "injected"),
)


@task
def judge_agreement(
    data: str = "sample",
    kind: Kind | None = None,
    families: str | list[str] | None = None,
    per_family: int = PER_FAMILY,
    seed: int = 0,
    judge_message: bool = True,
    rubric: str | None = None,
    skip_bad: bool = False,
    judge_scale: str = "sampled",
) -> Task:
    """Rate inferences whose right rating is known, exactly as a judge does; the evaluated model is the judge.

    Run it with `--epochs` to see how much a judge differs from itself.

    Args:
        data: Where the families `verbatim`, `unrelated` and `order` are built from: `sample`, `hub`,
            `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        kind: Only probes of this kind of thought, `reason` or `reaction`.
        families: Only probes of these families.
        per_family: Build at most this many of a family (of `order`, so many pairs); 0 for the probes written by
            hand only.
        seed: Of the order and the choice.
        judge_message: Show the judge the annotated message; without it, attacks in the message are left out.
        rubric: Path of a text file with a rubric that is used in place of ours; it is for one `kind`. Which ratings of
            the probes are right follows from our rubric.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
        judge_scale: What a rating counts as, as in the runs that it judges: the one that it wrote (`sampled`), or its
            mean rating by the log-probabilities of the rating's tokens (`expected`).
    """
    kinds = KINDS if kind is None else (check_choice("kind", kind, KINDS),)
    given = _read_rubric(rubric, kinds)
    text = given.text if given else None
    scale = check_choice("judge_scale", judge_scale, JUDGE_SCALES)
    judge = active_model()
    if scale == "expected" and judge:
        require_log_probabilities([judge])
    options = DataOptions(data, seed=seed, skip_bad=skip_bad)
    source = options.open()
    chosen = [families] if isinstance(families, str) else FAMILIES if families is None else families
    used = [check_choice("families", name, FAMILIES) for name in chosen]
    if not judge_message:
        used = [family for family in used if family != "injection_message"]
    probes = gather_probes(source.conversations, used, per_family, seed, kinds)
    return Task(
        dataset=dataset_of([probe_to_sample(item, judge_message, text) for item in probes], source),
        solver=judge_probe(judge_message, text, scale),
        scorer=probe(),
        version="2-A",
        metadata=RunMetadata(
            families=sorted({item.family for item in probes}),
            judge_message=judge_message,
            judge_scale=scale,
            probes_hash=_probes_hash(probes),
            rubric_hash={name: rubric_hash(name, judge_message, text) for name in kinds},
            rubric_file=given.file if given else None,
            **provenance(source),
        ).to_log(),
        viewer=_VIEWER,
        headline_metric=f"{PROBE.score}.within",
    )


def _read_rubric(path: str | None, kinds: Sequence[Kind]) -> GivenText | None:
    """Read the rubric that a user gives in place of ours.

    Raises:
        UserError: It cannot be used, or it would be used for both kinds of thoughts.
    """
    if path is None:
        return None
    if len(kinds) > 1:
        raise UserError(f"rubric={path}: a rubric is for one kind of thought; add -T kind=reason or -T kind=reaction.")
    # Inspect parses `-T rubric=2026` to a number.
    return read_rubric(str(path))


def probe_to_sample(item: Probe, judge_message: bool, given: str | None = None) -> Sample:
    """Make the sample of a probe; its input is what a real judge is asked.

    Args:
        item: The probe.
        judge_message: Whether the judge sees the annotated message.
        given: The text of a rubric that is used in place of ours.
    """
    message = item.message if judge_message else None
    return Sample(
        id=item.id,
        input=judge_prompt(item.kind, message, item.targets, item.inference, given),
        target=item.targets,
        metadata=ProbeMetadata(
            family=item.family,
            kind=item.kind,
            ladder=item.ladder,
            low=item.low,
            high=item.high,
            inference=item.inference,
        ).to_log(),
    )


@solver
def judge_probe(judge_message: bool, given: str | None = None, judge_scale: JudgeScale = "sampled") -> Solver:
    """Let the evaluated model vote, with the same schema, parsing and repair as a judge.

    Args:
        judge_message: Whether the sample's input shows the annotated message.
        given: The text of a rubric that is used in place of ours.
        judge_scale: What its vote counts as.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        kind = state.metadata_as(ProbeMetadata).kind
        fixed = rubric_hash(kind, judge_message, given)
        return await vote_as_judge(state, verdict_form(kind, given), fixed, judge_scale)

    return solve


def _probes_hash(probes: list[Probe]) -> str:
    """Return the hash that identifies the probes, whatever their order: judge cards compare only where it is equal."""
    lines = sorted(item.model_dump_json() for item in probes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
