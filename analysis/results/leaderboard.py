"""The leaderboard: one page made of results, each group of comparable systems a table and a figure of its own."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from thoughttrace.analysis.page.page import write_page
from thoughttrace.analysis.page.plots import Dot, Reference, dots, in_figures
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    dollars,
    limits,
    name,
    number,
    share,
    short,
    text,
)
from thoughttrace.analysis.results.card import DOUBTS
from thoughttrace.analysis.results.standings import Group, Standing, groups
from thoughttrace.analysis.stats.ranks import rank_text
from thoughttrace.core.record import INFER, Kind
from thoughttrace.core.result import Estimate, Result

TITLE = "ThoughtTrace leaderboard"
INTRO = (
    "How much of what users privately thought a system can tell from their conversation, rated by judge models from 1 "
    "(another thought) to 5 (the same thought). Systems stand in one table only where their numbers compare."
)


_NAMED = 3
"""Points of a protocol that a row names."""


@dataclass(frozen=True)
class LeaderRow:
    """One system in a group; NaN for what is not known."""

    rank: str
    """One rank or a range; empty where nothing was compared with it."""
    system: str
    what: str
    """A model, a person, answers made elsewhere, or a control."""
    mean: float
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    note: str
    """Why there is no interval, where there is none."""
    recovered: float
    """(agreement − floor) / (ceiling − floor)."""
    recovered_lower: float
    recovered_upper: float
    recovered_note: str
    verdicts: float
    """Of reactions: balanced share of verdicts told."""
    verdicts_lower: float
    verdicts_upper: float
    verdicts_note: str
    samples: int
    users: int
    coverage: float
    remarks: str
    effort: str
    generation: str
    cutoff: str
    judges: str
    cost: float
    """US dollars for the system's own tokens; NaN where no price is known."""
    submitted_by: str
    date: str
    file: str
    control: bool


COLUMNS = [
    short("Rank", "rank"),
    name("System", "system"),
    number("Agreement", lambda row: "none scored" if math.isnan(row.mean) else row.mean),
    limits("95 % interval"),
    text("Remarks", "remarks"),
    short("What", "what"),
    share("Recovered share", "recovered"),
    limits("Share, 95 %", "recovered_", percent=True),
    share("Verdicts told", "verdicts"),
    limits("Verdicts, 95 %", "verdicts_", percent=True),
    count("Samples", "samples"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    name("Training cutoff", "cutoff"),
    name("Judges", "judges"),
    dollars("Cost", lambda row: "" if row.what != "model" else row.cost),
    name("Sent in by", "submitted_by"),
    short("Date", "date"),
    short("Result", "file"),
]

HELP = [
    (
        "Rank",
        "A range where systems cannot be told apart: from one more than the number of systems that are significantly "
        "better to the number of all less those that are significantly worse. Pairs are compared by the judges that "
        "rated both, by Welch’s t test of the results’ means and standard errors, with p-values adjusted by Holm "
        "within the table. A result holds no single ratings, so the test takes the samples of two systems for "
        "independent. Mostly they are the same samples, rated alike in part: then the test is conservative, and ranks "
        "are wider than those of a report of both logs (thoughttrace report), which compares sample by sample. No "
        "rank: nothing to compare with, or no interval.",
    ),
    (
        "Comparable",
        "The same kind of thought, protocol and subset, version of the task, prompt, context, rubric, way of judging, "
        "data and planned samples; and judges in common. Everything else stands in a table of its own.",
    ),
    (
        "Agreement",
        "The mean over rated samples, with its 95 % interval, cluster-robust by user. It is as good as the judges: see "
        "the remarks on them. A mean over other judges is not the same measure.",
    ),
    (
        "Recovered share",
        "(agreement − floor) / (ceiling − floor), where a floor and a ceiling were run beside it.",
    ),
    (
        "Verdicts told",
        "Of reactions: the mean over pleased, mixed and displeased notes of the share of inferences with the same "
        "verdict, by the judges’ votes; a third for what does not depend on the note.",
    ),
    (
        "Controls",
        "Rows without a rank: answers that needed no model, which show where the scale begins and ends. Dotted in the "
        "figure, where the same judges rated every system of the table.",
    ),
    (
        "Self-reported",
        "Whoever sent the result in has run it, and nobody else. Its logs can be asked for.",
    ),
]


def write_leaderboard(results: Sequence[Result], left_out: Sequence[str], folder: Path) -> list[Chapter]:
    """Write the leaderboard.

    Args:
        results: Each measurement once, as `once_each` gives them.
        left_out: A sentence for each result that does not count.
        folder: Made if absent.

    Returns:
        Its chapters.

    Raises:
        UserError: The folder cannot be written.
    """
    found = groups(results)
    chapters = [_chapter(kind, [group for group in found if group.kind == kind]) for kind in INFER]
    without = [result.system.name for result in results if result.system.sort != "control" and not _followed(result)]
    warnings = []
    if all(result.invented for result in results):
        warnings.append(
            "All results here are of the bundled sample, which is invented: they show how the leaderboard works, and "
            "say nothing about users or about language models."
        )
    elif without:
        warnings.append(f"Not by a protocol, and so in tables of their own: {', '.join(dict.fromkeys(without))}.")
    left = Chapter(
        "left_out", "Results left out", "",
        [Section("left_out", "Results left out", [_LeftOut(line) for line in left_out], [text("Result", "reason")])],
    )  # fmt: skip
    chapters[0] = _with(chapters[0], warnings)
    write_page(folder, TITLE, INTRO, [*chapters, left])
    return [*chapters, left]


@dataclass(frozen=True)
class _LeftOut:
    reason: str


def _with(chapter: Chapter, warnings: Sequence[str]) -> Chapter:
    return Chapter(chapter.name, chapter.title, chapter.intro, chapter.sections, warnings, chapter.help)


def _chapter(kind: Kind, found: Sequence[Group]) -> Chapter:
    sections = [_section(kind, number, group) for number, group in enumerate(found, 1)]
    return Chapter(f"{kind}s", f"{kind.capitalize()}s", "", sections, help=HELP)


def _section(kind: Kind, number: int, group: Group) -> Section:
    rows = [_row(standing, kind) for standing in (*group.standings, *group.controls)]
    place = f"{kind}_{number}"
    pictures = [Picture(place, _figure(group), "Mean agreement with its 95 % interval; dotted: controls.")]
    return Section(
        place, _title(group), rows, COLUMNS, _note(group), pictures,
        row_class=lambda row: "control" if row.control else "",
        terminal=True,
    )  # fmt: skip


def _title(group: Group) -> str:
    first = (*group.standings, *group.controls)[0]
    if not group.standings:
        return f"Controls alone, {_data(first)}"
    return f"{group.protocol or 'No protocol'}, {_data(first)}, context {first.part.context}"


def _data(standing: Standing) -> str:
    data = standing.result.data
    return "invented sample" if standing.result.invented else f"{data.name} {data.revision[:19]}"


def _note(group: Group) -> str:
    """Say what the table's results have in common."""
    first = (*group.standings, *group.controls)[0]
    part, data = first.part, first.result.data
    texts = [f"Task {part.task} {part.task_version}", f"data {data.name}, {data.revision}"]
    if group.standings:
        texts.append(f"prompt {part.prompt_hash}")
        texts.append(f"context {part.context}" + f", {part.context_words} words at most" * bool(part.context_words))
    texts += [
        f"rubric {part.rubric_hash}",
        f"{part.judge_scale} ratings",
    ]
    judges = dict.fromkeys(
        judge.name for standing in (*group.standings, *group.controls) for judge in standing.part.judges
    )
    return f"{'; '.join(texts)}. Judges: {', '.join(judges)}."


def _row(standing: Standing, kind: Kind) -> LeaderRow:
    result, part = standing.result, standing.part
    system, mean = result.system, part.mean
    return LeaderRow(
        rank=rank_text(*standing.ranks) if standing.ranks else "",
        system=standing.name,
        what=system.sort,
        mean=_or_nan(mean.value),
        lower=_or_nan(mean.lower),
        upper=_or_nan(mean.upper),
        note=mean.note,
        **_columns("recovered", part.recovered.share if part.recovered else None),
        **_columns("verdicts", part.verdicts.balanced_accuracy if part.verdicts else None),
        samples=part.samples,
        users=part.users,
        coverage=part.coverage,
        remarks="\n".join(_remarks(result, kind)),
        effort=system.effort,
        generation=system.generation,
        cutoff=system.cutoff,
        judges=", ".join(judge.name for judge in part.judges),
        cost=_or_nan(part.system_usage.cost),
        submitted_by=result.submitted_by,
        date=result.date[:10],
        file=f"{result.stem}.json",
        control=system.sort == "control",
    )


def _columns(prefix: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        estimate = Estimate(value=None, lower=None, upper=None)
    return {
        prefix: _or_nan(estimate.value),
        f"{prefix}_lower": _or_nan(estimate.lower),
        f"{prefix}_upper": _or_nan(estimate.upper),
        f"{prefix}_note": estimate.note,
    }


def _remarks(result: Result, kind: Kind) -> Iterator[str]:
    """Give what a reader must know of a row in a few words each."""
    part, mark, system = result.kinds[kind], result.protocol, result.system
    if _followed(result) and mark:
        yield f"follows {mark.name}, {mark.subset}"
    elif mark:
        yield f"not {mark.name}: {_first([deviation.name for deviation in mark.deviations])}"
    elif system.sort != "control":
        yield "no protocol checked"
    for status in DOUBTS:
        if judges := [judge.name for judge in part.judges if judge.qualification == status]:
            yield f"judge {status}: {', '.join(judges)}"
    if lost := part.lost_votes:
        yield f"no rating: {lost}"
    if part.self_judged:
        yield "judges itself"
    if not result.invented and system.contamination in {"after", "trained on it"}:
        yield "may have read the notes" if system.contamination == "after" else "trained on ThoughtTrace"
    if part.answers_equal_to_note and system.sort != "control":
        many = part.answers_equal_to_note > 1
        yield f"{part.answers_equal_to_note:,} {'answers equal' if many else 'answer equals'} the note"
    if result.self_reported:
        yield "self-reported"


def _first(names: Sequence[str]) -> str:
    """List names; of many only as many as a row has room for."""
    more = len(names) - _NAMED
    return ", ".join(names) if more < 2 else f"{', '.join(names[:_NAMED])} and {more} more points"


def _followed(result: Result) -> bool:
    return bool(result.protocol and result.protocol.followed)


def _figure(group: Group) -> Figure:
    """Draw the means, best first; beside systems the controls as lines, if the same judges rated all of them."""
    lines = [
        # Of "control reworded by MODEL" one word: a line has room for no more.
        Reference(value, control.result.system.name.removeprefix("control ").split(" ")[0].replace("_", " "), "control")
        for control in group.controls
        if group.standings
        and all(_panel(standing) == _panel(control) for standing in group.standings)
        and (value := control.part.mean.value) is not None
    ]
    points = [_dot(standing) for standing in group.standings or group.controls]
    return dots(points, "mean agreement, 1–5, with 95 % interval", lines, scale=INFER[group.kind].scale)


def _panel(standing: Standing) -> set[tuple[str, str]]:
    """Give who rated: of a judge whose every vote was lost, nothing is in the mean."""
    return {
        (judge.name, judge.config)
        for judge in standing.part.judges
        if not judge.votes_asked or judge.votes_lost < judge.votes_asked
    }


def _dot(standing: Standing) -> Dot:
    estimate = standing.part.mean
    mean, lower, upper = _or_nan(estimate.value), _or_nan(estimate.lower), _or_nan(estimate.upper)
    return Dot(standing.name, mean, lower, upper, text=in_figures(mean, lower, upper))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
