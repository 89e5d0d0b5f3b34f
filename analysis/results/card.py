"""Write the reporting card of a result: one page of Markdown."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from thoughttrace.analysis.page.table import (
    Column,
    Table,
    format_dollars,
    format_interval,
    format_number,
    format_share,
    name,
    text,
)
from thoughttrace.core.cutoffs import RELEASE
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import OWN, RECALL, Kind
from thoughttrace.core.result import SORTS, Estimate, KindResult, Qualification, Result, Usage
from thoughttrace.core.result_files import write_result
from thoughttrace.core.terminal import visible

FEW_USERS = 30
"""With fewer users an interval is rough and its mean may be of unusual ones."""


_KINDS = "\0"
"""Stands in a sentence for the kinds of which it is true."""

DOUBTS: dict[Qualification, str] = {
    "not qualified": "by their cards they do not rate as the rubric says",
    "untested": "no card shows that they rate as the rubric says",
}
"""What a judge's qualification says against a mean, the gravest first."""


@dataclass(frozen=True)
class _Line:
    what: str
    reason: str
    reaction: str = ""


_COLUMNS = [name("", "what"), text("Reasons", "reason"), text("Reactions", "reaction")]
_PAIR = [name("", "what"), text("Value", "reason")]


def card(result: Result) -> str:
    """Write the card of a result.

    Args:
        result: The result.

    Returns:
        Markdown: the means, what limits them, and how they were measured.
    """
    limits = [f"- {sentence}" for sentence in limits_of(result)]
    parts = [
        f"# {visible(result.system.name)}",
        f"How much of what users privately thought it can tell from the conversation: {SORTS[result.system.sort]}, "
        f"measured on {result.date[:10]} by ThoughtTrace. Agreement is rated by judge models from 1 (another thought) "
        "to 5 (the same thought); intervals are 95 %, clustered by user.",
        *(["## Before you rely on it", "\n".join(limits)] if limits else []),
        "## Agreement",
        _table(_agreement(result), _COLUMNS),
        "## Judges",
        _table(list(_judges(result)), _JUDGE_COLUMNS),
        *(["## Without a judge", _table(list(_judge_free(result)), _PAIR)] if list(_judge_free(result)) else []),
        "## How it was measured",
        _table(_measured(result), _COLUMNS),
        _table(_of_all(result), _PAIR),
    ]
    return visible("\n\n".join(part.strip() for part in parts)) + "\n"


def write_cards(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write the card of each result as Markdown, and the result beside it as JSON.

    Args:
        results: The results.
        folder: Made if absent.

    Returns:
        The Markdown files.

    Raises:
        UserError: The folder cannot be written.
    """
    return [_write(write_result(result, folder).with_suffix(".md"), card(result)) for result in results]


def _write(file: Path, words: str) -> Path:
    try:
        file.write_text(words, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{file}: cannot write here ({error.strerror}). Choose another folder with -o.") from error
    return file


def limits_of(result: Result) -> list[str]:
    """Say what limits a result, in whole sentences, the gravest first.

    Args:
        result: The result.
    """
    return list(_limits(result))


def _limits(result: Result) -> Iterator[str]:
    if result.invented:
        yield "The bundled sample is invented: these numbers say nothing about users or about language models."
    if result.system.sort == "control":
        yield "This is a control, which shows where the scale begins or ends, and no system under test."
    yield from _of_kinds(result, _judging)
    if (mark := result.protocol) and not mark.followed:
        points = ", ".join(deviation.name for deviation in mark.deviations)
        yield f"It does not follow the protocol {mark.name} ({points}): do not compare it with results that do."
    if not result.invented:
        yield from _contamination(result)
    if result.system.sort != "control":
        yield from _of_kinds(result, _notes_given)
    yield from _of_kinds(result, _answers)
    if result.self_reported and result.submitted_by:
        yield f"Self-reported by {result.submitted_by}: nobody else has run it."


def _of_kinds(result: Result, say: Callable[[KindResult], Iterator[str]]) -> Iterator[str]:
    """Say of each kind what there is to say, and what is the same of both in one sentence."""
    said: dict[str, list[str]] = {}
    for kind, part in result.kinds.items():
        for sentence in say(part):
            said.setdefault(sentence, []).append(f"{kind}s")
    return (sentence.replace(_KINDS, " and ".join(kinds)) for sentence, kinds in said.items())


def _judging(part: KindResult) -> Iterator[str]:
    for status, meaning in DOUBTS.items():
        if judges := [judge.name for judge in part.judges if judge.qualification == status]:
            yield f"Of {_KINDS}, judges that are {status}: {', '.join(judges)} ({meaning})."
    if lost := part.lost_votes:
        yield f"On {_KINDS} judges gave no rating: {lost}. The mean is over the votes that are left."
    if part.self_judged:
        yield f"On {_KINDS} the system is among the judges of its own answers: do not compare its mean."


def _answers(part: KindResult) -> Iterator[str]:
    if part.coverage < 1:
        yield (
            f"Of {_KINDS} {format_share(part.coverage)} of the replies are rated ({part.missing}); with every lost "
            f"vote at an end of the scale the mean would be {_number(part.mean_if_missing_1)} to "
            f"{_number(part.mean_if_missing_5)}."
        )
    if not part.users:
        yield f"Of {_KINDS} no sample is rated."
    elif part.users < FEW_USERS:
        users = "is only 1 user" if part.users == 1 else f"are only {part.users:,} users"
        yield f"On {_KINDS} there {users}: intervals are rough."


def _notes_given(part: KindResult) -> Iterator[str]:
    if count := part.answers_equal_to_note:
        said = f"{count:,} answers on {_KINDS} equal" if count > 1 else f"1 answer on {_KINDS} equals"
        yield f"{said} the note word for word: the system may have seen the notes."


def _contamination(result: Result) -> Iterator[str]:
    if result.system.contamination == "trained on it":
        yield "Its makers say that it was trained on ThoughtTrace: its numbers are not of inference alone."
    elif result.system.contamination == "after":
        yield (
            f"It may have read the notes in its training, which ended on or after their release ({RELEASE}; cutoff "
            f"{result.system.cutoff}). Whether it knows them by heart: inspect eval {OWN}{RECALL.name}."
        )
    elif result.system.contamination == "unknown":
        yield "It is not known when its training ended: whether it has read the notes cannot be said."


# ---- tables


def _table(lines: Sequence[object], columns: Sequence[Column]) -> str:
    return Table(lines, columns).to_markdown()


def _both(result: Result, what: str, show: Callable[[KindResult], str]) -> _Line:
    """Make a line of both kinds."""

    def shown(kind: Kind) -> str:
        part = result.kinds.get(kind)
        return show(part) if part else ""

    return _Line(what, shown("reason"), shown("reaction"))


def _agreement(result: Result) -> list[_Line]:
    """Give the lines of what was measured; those that say nothing are left out."""
    controls = dict.fromkeys(control.control for part in result.kinds.values() for control in part.controls)
    lines = [
        _both(result, "Mean agreement", lambda part: _number(part.mean.value) or "none scored"),
        _both(result, "95 % interval", lambda part: _interval(part.mean)),
        _both(result, "Samples, thoughts, users", lambda part: f"{part.samples:,}, {part.thoughts:,}, {part.users:,}"),
        _both(result, "Replies rated", lambda part: f"{part.replies_rated:,} of {part.replies:,}"),
        _both(result, "Refused or empty", lambda part: f"{part.refused_or_empty:,}"),
        _both(result, "Replies rated 1·2·3·4·5", lambda part: "·".join(f"{count:,}" for count in part.ratings)),
        _both(result, "Recovered share", _recovered),
        *(_both(result, f"Same judges: {control}", _mean_of(control)) for control in controls),
        _both(
            result,
            "Verdict told, balanced",
            lambda part: _percent(part.verdicts.balanced_accuracy if part.verdicts else None),
        ),
        _both(result, "Cause told", lambda part: _percent(part.verdicts.cause if part.verdicts else None)),
        _both(
            result, "Confidence: AUROC", lambda part: _plain(part.confidence.auroc if part.confidence else None)
        ),
        _both(
            result,
            "Confidence: overstated",
            lambda part: _percent(part.confidence.overstated if part.confidence else None),
        ),
    ]  # fmt: skip
    return [line for line in lines if line.reason or line.reaction]


@dataclass(frozen=True)
class _JudgeLine:
    kind: str
    judge: str
    config: str
    status: str
    right: str
    why: str


_JUDGE_COLUMNS = [
    name("Kind", "kind"),
    name("Judge", "judge"),
    name("Configuration", "config"),
    name("By its card", "status"),
    name("Right on probes", "right"),
    text("Why", "why"),
]


def _judges(result: Result) -> Iterator[_JudgeLine]:
    for kind, part in result.kinds.items():
        for judge in part.judges:
            yield _JudgeLine(
                f"{kind}s", judge.name, judge.config, judge.qualification, _percent(judge.right), judge.why
            )


def _judge_free(result: Result) -> Iterator[_Line]:
    for choice in result.choose_thought:
        yield _Line(
            f"Own note chosen among several, {choice.kind}s ({choice.context})",
            f"{_percent(choice.accuracy)}; by chance {format_share(choice.chance)}; {choice.samples:,} replies, "
            f"{choice.users:,} users",
        )
    for told in result.predict_satisfaction:
        yield _Line(
            f"Dissatisfied users told ({told.context})",
            f"balanced accuracy {_percent(told.balanced_accuracy)}; AUROC {_plain(told.auroc)}; {told.samples:,} "
            f"replies, {told.users:,} users",
        )


def _measured(result: Result) -> list[_Line]:
    lines = [
        _both(result, "Task, version", lambda part: f"{part.task}, {part.task_version}"),
        _both(result, "Samples of", lambda part: part.subset),
        _both(result, "Context", _context),
        _both(result, "Prompt", lambda part: part.prompt_file or part.prompt_hash),
        _both(result, "Rubric", lambda part: part.rubric_file or part.rubric_hash),
        _both(result, "Ratings", lambda part: part.judge_scale),
        _both(result, "Tokens in / out", lambda part: _tokens(part.system_usage)),
        _both(result, "Cost", lambda part: _cost(part.system_usage.cost)),
        _both(result, "Judges' tokens in / out", lambda part: _tokens(part.judge_usage)),
        _both(result, "Judges' cost", lambda part: _cost(part.judge_usage.cost)),
        _both(result, "Logs", lambda part: ", ".join(part.logs)),
    ]  # fmt: skip
    return [line for line in lines if line.reason or line.reaction]


def _of_all(result: Result) -> list[_Line]:
    system, data, mark = result.system, result.data, result.protocol
    followed = "not checked" if mark is None else f"{mark.name}, {mark.subset or 'no subset'}: " + (
        "followed" if mark.followed else f"not followed in {len(mark.deviations)} points"
    )  # fmt: skip
    lines = [
        _Line("Effort", system.effort or "default"),
        _Line("Generation", system.generation or "defaults"),
        _Line("Solver", system.solver),
        _Line("Answers made elsewhere", system.answers_file),
        _Line("Training cutoff", system.cutoff),
        _Line("Data, revision", f"{data.name}, {data.revision}"),
        _Line("Protocol", followed),
        _Line("ThoughtTrace, Inspect", f"{result.package_version}, {result.inspect_version}"),
        _Line("Commit", result.commit),
    ]
    return [line for line in lines if line.reason]


# ---- numbers


def _number(value: float | None) -> str:
    return format_number(value)


def _interval(estimate: Estimate) -> str:
    return format_interval(estimate.lower, estimate.upper) or estimate.note.partition(":")[0]


def _plain(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return ""
    return f"{format_number(estimate.value)} ({_interval(estimate)})"


def _percent(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return ""
    limits = format_interval(estimate.lower, estimate.upper, percent=True) or estimate.note.partition(":")[0]
    return f"{format_number(estimate.value, '.1%')} ({limits})"


def _context(part: KindResult) -> str:
    return part.context + f", {part.context_words} words at most" * bool(part.context_words)


def _recovered(part: KindResult) -> str:
    if (found := part.recovered) is None:
        return ""
    ends = f"from {found.floor_is} ({_number(found.floor)}) to {found.ceiling_is} ({_number(found.ceiling)})"
    share = _percent(found.share)
    return f"{share} of the way {ends}" if share else f"not known, {ends}: {found.share.note.partition(':')[0]}"


def _mean_of(control: str) -> Callable[[KindResult], str]:
    return lambda part: next((_plain(of.mean) for of in part.controls if of.control == control), "")


def _tokens(usage: Usage) -> str:
    numbers = [format_number(count, ",.0f") for count in (usage.input_tokens, usage.output_tokens)]
    return " / ".join(numbers) if all(numbers) else ""


def _cost(dollars: float | None) -> str:
    return format_dollars(dollars)
