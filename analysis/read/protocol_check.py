"""Compare an entry with a protocol, point by point."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inspect_ai.util import warn_once

from thoughttrace.analysis.read.entries import Entry, entries
from thoughttrace.analysis.read.measurement import ASPECT_NAMES
from thoughttrace.analysis.read.runs import Runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.votes import planned_votes
from thoughttrace.core.errors import UserError
from thoughttrace.core.model_names import family, same_model
from thoughttrace.core.record import KINDS, Kind
from thoughttrace.protocols.manifest import Manifest, kept_manifest
from thoughttrace.protocols.protocol import Protocol, find_subset

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Point:
    """One thing that a protocol asks."""

    name: str
    asked: str
    found: str
    followed: bool


@dataclass(frozen=True)
class ProtocolCheck:
    """Whether an entry follows a protocol."""

    protocol: str
    """Its name."""
    subset: str | None
    """The subset whose samples it must have, such as `mini-v1`; None where its runs name none, or different ones."""
    points: tuple[Point, ...]

    @property
    def followed(self) -> bool:
        """Whether every point is followed."""
        return all(point.followed for point in self.points)

    @property
    def deviations(self) -> list[Point]:
        """The points that are not followed."""
        return [point for point in self.points if not point.followed]

    @property
    def mark(self) -> str:
        """The mark in tables: `infer-v1, mini`, or how many points are not followed."""
        if self.subset and self.followed:
            return f"{self.protocol}, {self.subset.partition('-')[0]}"
        count = len(self.deviations)
        return f"not {self.protocol}: {count} point{'s' * (count > 1)}"


@dataclass(frozen=True)
class _Compared:
    """One point for the run of one kind."""

    asked: str
    found: str
    followed: bool


def find_manifest(entry: Entry) -> Manifest | None:
    """Return the manifest kept on this machine of the subset that an entry names; None if there is none.

    Nobody named it here, so one that is damaged is warned of, and counts as none: it must not stop every report.

    Args:
        entry: The entry.
    """
    for run in entry.runs:
        try:
            if run.subset and (manifest := kept_manifest(run.subset, run.data_revision)):
                return manifest
        except UserError as error:
            warn_once(_logger, str(error))
    return None


def manifest_of(entry: Entry, given: Manifest | None) -> Manifest | None:
    """Return the manifest that an entry is compared with.

    Args:
        entry: The entry.
        given: What the user gave: it stands for entries that name its subset or none.

    Raises:
        UserError: The manifest was altered.
    """
    named = {run.subset for run in entry.runs} - {""}
    return given if given and named <= {given.name} else find_manifest(entry)


def check_models(runs: Runs) -> list[tuple[Entry, ProtocolCheck]]:
    """Compare the entries that name a subset with its protocol, those of controls left out.

    Args:
        runs: The runs that count.
    """
    checks = []
    for entry in entries(runs):
        of_subset = [found for run in entry.runs if not run.control and (found := find_subset(run.subset))]
        if of_subset:
            protocol, _ = of_subset[0]
            checks.append((entry, check_protocol(entry, protocol, find_manifest(entry))))
    return checks


def check_protocol(entry: Entry, protocol: Protocol, manifest: Manifest | None) -> ProtocolCheck:
    """Compare an entry with a protocol.

    Args:
        entry: The entry.
        protocol: The protocol.
        manifest: Of the subset whose samples the entry must have. None where it is not here: then samples are compared
            by what the log says of the subset that it took, which the run compared with its manifest.
    """
    entry = Entry(
        entry.name,
        entry.reason if "reason" in protocol.tasks else None,
        entry.reaction if "reaction" in protocol.tasks else None,
    )
    if not entry.runs:
        return ProtocolCheck(protocol.name, None, (_kinds(entry, protocol),))
    named = {run.subset for run in entry.runs}
    recorded = named.pop() if len(named) == 1 else None
    subset = recorded or (manifest.name if manifest and recorded == "" else None)

    def point(name: str, compare: Callable[[Run], _Compared]) -> Point:
        return _merge(name, [(run, compare(run)) for run in entry.runs])

    points = [
        _kinds(entry, protocol),
        point("system", _system),
        point(ASPECT_NAMES["version"], lambda run: _version(run, protocol)),
        point("prompt", lambda run: _prompt(run, protocol)),
        point("confidence", lambda run: _same("not asked", "asked" if run.confidence else "not asked")),
        point("context", lambda run: _same(protocol.context, run.context)),
        point(ASPECT_NAMES["context_words"], lambda run: _same("all", run.context_words or "all")),
        point("solver", lambda run: _same("the task's own", run.solver or "the task's own")),
        point(ASPECT_NAMES["generation"], _generation),
        point("epochs", lambda run: _same(str(protocol.epochs), str(run.epochs))),
        point("rubric", lambda run: _rubric(run, protocol)),
        point(ASPECT_NAMES["judge_message"], lambda run: _judge_message(run, protocol)),
        point(ASPECT_NAMES["judge_scale"], lambda run: _same(protocol.judges.scale, run.judge_scale)),
        point("judge repeats", lambda run: _repeats(run, protocol)),
        point("judges' config", _judge_configs),
        point("panel", lambda run: _panel(run, protocol)),
        point("judges missing", lambda run: _missing_judges(run, protocol)),
        point("judges' family", lambda run: _kinship(run, protocol)),
        point("data", lambda run: _data(run, protocol, manifest)),
        point("coverage", lambda run: _coverage(run, protocol)),
        point("votes", lambda run: _votes(run, protocol)),
        _subset(entry, protocol, manifest),
    ]
    if subset in protocol.subsets:
        stated = protocol.subsets[subset].manifest_sha256
        points += [
            point("manifest", lambda run: _manifest(run, stated, manifest)),
            point("samples missing", lambda run: _missing_samples(run, manifest)),
            point("samples outside", lambda run: _samples_outside(run, manifest)),
        ]
    return ProtocolCheck(protocol.name, subset, tuple(points))


def _merge(name: str, of_runs: Sequence[tuple[Run, _Compared]]) -> Point:
    """Make one point of both kinds, which names a kind only where the kinds differ."""

    def text(value: Callable[[_Compared], str]) -> str:
        texts = {f"{run.kind}s": value(compared) for run, compared in of_runs}
        if len(set(texts.values())) == 1:
            return next(iter(texts.values()))
        return "; ".join(f"{kind}: {said}" for kind, said in texts.items())

    return Point(
        name,
        text(lambda compared: compared.asked),
        text(lambda compared: compared.found),
        all(compared.followed for _, compared in of_runs),
    )


def _same(asked: str, found: str) -> _Compared:
    return _Compared(asked, found, asked == found)


# ---- what is evaluated, and how it is asked


def _kinds(entry: Entry, protocol: Protocol) -> Point:
    there = {run.kind for run in entry.runs}
    found = " and ".join(f"{kind}s" for kind in KINDS if kind in there)
    asked = " and ".join(f"{kind}s" for kind in KINDS if kind in protocol.tasks)
    return Point("kinds", asked, found if found == asked else f"{found} only" if found else "none", found == asked)


def _system(run: Run) -> _Compared:
    asked = "a model, or answers made elsewhere"
    if run.control:
        return _Compared(asked, run.model, False)
    return _Compared(asked, f"answers made elsewhere, {run.answers_file}" if run.answers_file else "a model", True)


def _version(run: Run, protocol: Protocol) -> _Compared:
    asked = protocol.tasks[_kind(run)].version
    return _Compared(str(asked), str(run.version), run.version == asked)


def _prompt(run: Run, protocol: Protocol) -> _Compared:
    asked = protocol.tasks[_kind(run)].prompt_hash
    return _Compared(asked, run.prompt, run.prompt_hash == asked)


def _generation(run: Run) -> _Compared:
    effort = f"effort {run.effort}" if run.effort else "default effort"
    return _Compared(
        "the provider's defaults, any effort", f"{run.generation or 'defaults'}, {effort}", not run.generation
    )


# ---- how it is judged


def _rubric(run: Run, protocol: Protocol) -> _Compared:
    task = protocol.tasks[_kind(run)]
    same = run.rubric_hash in {task.rubric_hash, task.rubric_hash_without_message}
    asked = task.rubric_hash if protocol.judges.message else task.rubric_hash_without_message
    return _Compared(asked, asked if same else run.rubric, same)


def _judge_message(run: Run, protocol: Protocol) -> _Compared:
    task = protocol.tasks[_kind(run)]
    texts = {task.rubric_hash: "the message", task.rubric_hash_without_message: "not the message"}
    asked = "the message" if protocol.judges.message else "not the message"
    found = texts.get(run.rubric_hash, "not known of another rubric")
    return _Compared(asked, found, found == asked or run.rubric_hash not in texts)


def _repeats(run: Run, protocol: Protocol) -> _Compared:
    counts = sorted({len(votes) for row in run.recorded_votes for votes in row.values() if votes})
    asked = protocol.judges.repeats
    return _Compared(str(asked), " and ".join(map(str, counts)) or "no votes", set(counts) <= {asked})


def _judge_configs(run: Run) -> _Compared:
    configs = [f"{judge}: {run.judge_configs[judge]}" for judge in run.configured_judges]
    return _Compared("the providers' defaults", "; ".join(configs) or "the providers' defaults", not configs)


def _seat(judge: str, protocol: Protocol) -> list[str] | None:
    """Return the judge of the panel, with its stand-ins, that a judge is one of."""
    return next((seat for seat in protocol.judges.panel if any(same_model(judge, model) for model in seat)), None)


def _panel(run: Run, protocol: Protocol) -> _Compared:
    """Compare the judges with the panel; a stand-in is accepted and named."""
    texts, taken, followed = [], [], True
    for judge in run.judges:
        seat = _seat(judge, protocol)
        if seat is None:
            texts.append(f"{judge} (is none of the panel)")
        elif seat in taken:
            texts.append(f"{judge} (a second judge in the place of {seat[0]})")
        else:
            taken.append(seat)
            texts.append(judge if same_model(judge, seat[0]) else f"{judge} (stands in for {seat[0]})")
            continue
        followed = False
    asked = ", ".join(seat[0] for seat in protocol.judges.panel)
    return _Compared(f"{asked}, or their stand-ins", ", ".join(texts), followed)


def _kin(run: Run, model: str, protocol: Protocol) -> bool:
    # A person may be called Claude.
    return protocol.judges.exclude_family and not run.person and family(model) == family(run.evaluated)


def _missing_judges(run: Run, protocol: Protocol) -> _Compared:
    """Compare with the judges that the model must have: those of the panel that are not of its family."""
    taken = [_seat(judge, protocol) for judge in run.judges]
    needed = [seat for seat in protocol.judges.panel if not _kin(run, seat[0], protocol)]
    missing = [seat[0] for seat in needed if seat not in taken]
    return _Compared("none", ", ".join(missing) or "none", not missing)


def _kinship(run: Run, protocol: Protocol) -> _Compared:
    """Compare the judges' families with the evaluated model's."""
    found = [
        f"{judge} ({'is of its family' if judge in run.other_judges else 'is the model itself'})"
        for judge in run.judges
        if judge not in run.other_judges or _kin(run, judge, protocol)
    ]
    return _Compared("another than the model's", ", ".join(found) or "another than the model's", not found)


# ---- what it is measured on


def _data(run: Run, protocol: Protocol, manifest: Manifest | None) -> _Compared:
    """Compare the data: by their content where a manifest tells it, for a commit is only the server's word for it."""
    asked = f"{protocol.data.name}, {protocol.data.revision}"
    found = f"{run.data}, {run.data_revision}"
    if manifest is None or run.data_content == "unknown":
        return _Compared(asked, found, run.data_revision == protocol.data.revision)
    if manifest.data_revision != protocol.data.revision:
        return _Compared(asked, f"a manifest of {manifest.data}, {manifest.data_revision}", False)
    if run.data_content != manifest.data_content:
        return _Compared(asked, f"{found}, whose content {run.data_content} is another", False)
    return _Compared(asked, found, True)


def _coverage(run: Run, protocol: Protocol) -> _Compared:
    rated = int(run.rows["score"].notna().sum())
    share = rated / run.planned_replies
    missing = f" ({run.missing})" if rated < run.planned_replies else ""
    return _Compared(
        f"{100 * protocol.coverage:g} % or more", f"{100 * share:.1f} %{missing}", share >= protocol.coverage
    )


def _votes(run: Run, protocol: Protocol) -> _Compared:
    """Compare how many of its votes each judge gave: a reply that one judge of three rated counts as rated."""
    planned, given = planned_votes(run).sum(), run.vote_counts.sum()
    shares = {judge: given[judge] / planned[judge] if planned[judge] else 1.0 for judge in run.judges}
    return _Compared(
        f"{100 * protocol.coverage:g} % or more of each judge's",
        ", ".join(f"{judge} {100 * share:.1f} %" for judge, share in shares.items()),
        all(share >= protocol.coverage for share in shares.values()),
    )


def _subset(entry: Entry, protocol: Protocol, manifest: Manifest | None) -> Point:
    asked = manifest.name if manifest else " or ".join(protocol.subsets)
    names = {run.subset for run in entry.runs}
    if names == {""}:
        if manifest:
            return Point("subset", asked, "none named; compared with this manifest", manifest.name in protocol.subsets)
        return Point("subset", asked, "none named; its samples can be compared with --manifest FILE", False)
    found = "; ".join(sorted(name or "none" for name in names))
    allowed = {manifest.name} if manifest else set(protocol.subsets)
    return Point("subset", asked, found, len(names) == 1 and names <= allowed)


def _manifest(run: Run, stated: str | None, manifest: Manifest | None) -> _Compared:
    """Compare the checksum of the manifest that a run took its samples from."""
    here = manifest.sha256 if manifest else None
    asked = stated or here
    found = run.subset_sha256 or here or ""
    followed = all(sha == asked for sha in (found, here) if asked and sha)
    wrong = found if found != asked else here
    return _Compared(
        asked[:12] if asked else "any: the protocol states none yet",
        (found if followed else wrong or "")[:12],
        followed,
    )


def _missing_samples(run: Run, manifest: Manifest | None) -> _Compared:
    wanted = _wanted(run, manifest)
    if wanted is None:
        short = run.subset_samples - run.planned
        return _Compared("none", f"{short:,} of {run.subset_samples:,}" if short > 0 else "none", short <= 0)
    missing = sorted(wanted - _planned(run))
    found = f"{len(missing):,} of {len(wanted):,}, such as {missing[0]}" if missing else "none"
    return _Compared("none", found, not missing)


# Runs of one measurement are joined, whichever samples each took.
_ALONE = "; if another run of the same system took them, check the logs of the subset alone"


def _samples_outside(run: Run, manifest: Manifest | None) -> _Compared:
    wanted = _wanted(run, manifest)
    if wanted is None:
        more = run.planned - run.subset_samples
        return _Compared("none", f"{more:,}{_ALONE}" if more > 0 else "none", more <= 0)
    outside = sorted(_planned(run) - wanted)
    found = f"{len(outside):,}, such as {outside[0]}{_ALONE}" if outside else "none"
    return _Compared("none", found, not outside)


def _wanted(run: Run, manifest: Manifest | None) -> set[str] | None:
    return None if manifest is None else set(manifest.samples.get(_kind(run), {}))


def _planned(run: Run) -> set[str]:
    return {*map(str, run.rows["id"]), *run.absent}


def _kind(run: Run) -> Kind:
    assert run.kind, f"{run.task} is not about one kind of thought"
    return run.kind
