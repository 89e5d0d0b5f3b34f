"""`thoughttrace guess`: a person infers notes in the terminal, shown what a model is shown."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from inspect_ai.dataset import Sample

    from thoughttrace.core.terminal import Terminal

_OPENING = b'{"id": "'
"""How every line that is written begins."""

_MOST_COLUMNS = 100
"""Longer lines are hard to read."""

_MARKED = re.compile(r"\[[0-9a-f]{8} (m\d+) [a-z]+\]")
"""How a question names a message, such as `[1a2b3c4d m05 user]`."""

_SPEAKERS = {"user": "the person", "assistant": "the assistant"}


@click.command()
@click.argument("data")
@click.option(
    "-o",
    "--output",
    default="guesses.jsonl",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to which guesses are appended. Several people may share one.",
)
@click.option("--name", required=True, help="The name under which your guesses are stored, such as a pseudonym.")
@click.option("--kind", type=click.Choice(["reason", "reaction"]), help="Guess one kind of note.  [default: both]")
@click.option("--context", help="What you are shown, as for the task.  [default: that of the task]")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of notes of each kind.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of users, as for the task.")
def guess(
    data: str, output: Path, name: str, kind: str | None, context: str | None, limit: int | None, seed: int
) -> None:
    """Guess, as a model would, what the users in DATA noted; your guesses are scored beside the models'.

    DATA is `sample`, `hub`, or the path of a file or folder. You are shown what a model is shown, never the note, and
    write one sentence. Every guess is saved at once: quit at any time and run the same command again to continue. What
    lies behind a later guess in the same conversation is not asked any more, for you have read what came after it.

    \b
    thoughttrace guess sample --name ann --limit 20
    inspect eval thoughttrace/infer_reason thoughttrace/infer_reaction --limit 20 -T answers=guesses.jsonl \\
        -T system=ann --model none/none --model-role grader=PROVIDER/MODEL
    """  # noqa: D301
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.record import INFER, KINDS, InferenceMetadata, place_of  # noqa: PLC0415
    from thoughttrace.core.terminal import Terminal  # noqa: PLC0415
    from thoughttrace.costing.workload import build  # noqa: PLC0415
    from thoughttrace.datasets.answers import check_system, guessed_by  # noqa: PLC0415

    name = name.strip()
    check_system("--name", name)
    if output.suffix.lower() != ".jsonl":
        # Under another ending nothing reads them afterwards.
        raise UserError(f"-o {output}: guesses are JSON Lines; name a file that ends in .jsonl.")
    arguments = {"data": data, "seed": seed} | ({"context": context} if context else {})
    tasks = [build(INFER[each].name, arguments)[0] for each in KINDS if kind in (each, None)]
    samples = in_reading_order([sample for task in tasks for sample in list(task.dataset)[:limit]])
    _end_last_line(output)
    before = guessed_by(output, name) if output.exists() else []
    read_to: dict[str, int] = {}
    for place in (place_of(sample) for sample, _ in before):
        read_to[place.conversation] = max(place.message_index, read_to.get(place.conversation, 0))
    open_samples = [s for s in samples if (at := place_of(str(s.id))).message_index > read_to.get(at.conversation, -1)]
    ids = {sample for sample, _ in before}
    guessed_before = [sample for sample in samples if sample.id in ids]
    done = sum((str(s.id), s.metadata_as(InferenceMetadata).context) in before for s in guessed_before)
    otherwise = len(guessed_before) - done
    console = Terminal()
    passed = len(samples) - len(guessed_before) - len(open_samples)
    if not before:
        console.print(_CONSENT.format(file=output, name=name), width=_width(console))
        click.confirm("Go on?", abort=True)
        if open_samples:
            _instruct(console, open_samples[0])
    guessed = _ask(console, open_samples, output, name, done)
    console.print(f"{guessed:,} guessed now; {done + guessed:,} of {len(samples):,} in {output}", soft_wrap=True)
    if otherwise:
        console.print(f"{otherwise:,} are not asked: you have guessed them in another context.", soft_wrap=True)
    if passed:
        console.print(f"{passed:,} are not asked: you have read what comes after them.", soft_wrap=True)
    if guessed < len(open_samples):
        console.print("Run the same command again to continue.")


_CONSENT = """\
People chatted with an assistant and privately noted what they were thinking. You are asked to guess some of \
these notes.

What is stored, in {file}: the name you gave ({name}), the sentences you write, for which message and with how much of \
the conversation shown, and when. Nothing else about you. Later your sentences are sent to judge models, which rate \
how near they come to the notes, and a report may quote them under that name. You can stop at any time.
"""


def in_reading_order(samples: "Sequence[Sample]") -> "list[Sample]":
    """Order samples so that nobody is asked about a message after having read what follows it.

    Args:
        samples: Of one kind or both; the order of conversations is kept.
    """
    from thoughttrace.core.record import place_of  # noqa: PLC0415

    rank: dict[str, int] = {}
    places = [place_of(str(sample.id)) for sample in samples]
    for place in places:
        rank.setdefault(place.conversation, len(rank))
    ordered = sorted(zip(places, samples, strict=True), key=lambda one: (rank[one[0].conversation], one[0][1]))
    return [sample for _, sample in ordered]


def shown_parts(sample: "Sample") -> Iterator[tuple[str, str]]:
    """Yield heading and text of each part of what a model is shown, the question last, under no heading.

    Args:
        sample: A sample of a task that infers.
    """
    from thoughttrace.core.record import InferenceMetadata  # noqa: PLC0415
    from thoughttrace.datasets.prompt import split_at  # noqa: PLC0415

    prompt = sample.input[-1].text if not isinstance(sample.input, str) else sample.input
    *blocks, asked = split_at(prompt, sample.metadata_as(InferenceMetadata).block_ends)
    for block in blocks:
        header, _, text = block.partition("\n")
        _, _, label = header.strip("[]").partition(" ")
        number, _, role = label.partition(" ")
        yield f"{number}, {_SPEAKERS[role]}" if role in _SPEAKERS else label, text.strip()
    yield "", _MARKED.sub(r"\1", asked.partition("\n\n")[2])


def _ask(console: "Terminal", samples: "Sequence[Sample]", file: Path, name: str, done: int) -> int:
    """Ask for one guess after the other.

    Args:
        console: The terminal.
        samples: What is to be guessed.
        file: To which each guess is appended at once.
        name: The person's.
        done: How many this person has guessed before.

    Returns:
        How many were guessed.
    """
    guessed, waiting, hint = 0, list(samples), ""
    while waiting:
        sample = waiting[0]
        console.clear()
        _show(console, sample)
        console.print(f"\n{hint or f'{done + guessed:,} guessed, {len(waiting):,} to go'}", style="dim")
        keys = "Your guess, in one sentence (s skip, ? instructions, q quit)"
        try:
            said = " ".join(click.prompt(keys, default="", show_default=False, prompt_suffix="\n> ").split())
        except click.Abort:
            break
        hint = ""
        if said == "q":
            break
        if said == "?":
            _instruct(console, sample)
        elif said == "s":
            waiting.pop(0)
        elif not said:
            hint = "Nothing was written: write a sentence, or s to skip."
        else:
            _append(file, sample, said, name)
            waiting.pop(0)
            guessed += 1
    return guessed


def _show(console: "Terminal", sample: "Sample") -> None:
    from thoughttrace.core.record import InferenceMetadata  # noqa: PLC0415

    about = f"m{sample.metadata_as(InferenceMetadata).message_index:02},"
    for heading, text in shown_parts(sample):
        asked = not heading or heading.startswith(about)
        if heading:
            console.print(f"── {heading}", style="bold yellow" if asked else "bold", width=_width(console))
        console.print(f"{text}\n", style="" if asked else "dim", width=_width(console))


def _instruct(console: "Terminal", sample: "Sample") -> None:
    console.clear()
    console.print(_instructions(sample), width=_width(console))
    click.pause()


def _instructions(sample: "Sample") -> str:
    """Return what a model is told, without the paragraph on marked lines, which people are not shown."""
    paragraphs = "" if isinstance(sample.input, str) else sample.input[0].text
    *first, _, last = paragraphs.split("\n\n")
    return "\n\n".join([*first, last])


def _append(file: Path, sample: "Sample", text: str, name: str) -> None:
    """Append a guess, so that it is on the disk when this returns."""
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.record import InferenceMetadata  # noqa: PLC0415

    line = {
        "id": sample.id,
        "text": text,
        "person": name,
        "context": sample.metadata_as(InferenceMetadata).context,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # For its owner alone: it holds people's names.
        with open(file, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
            opened.write(json.dumps(line).encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror}). Choose another file with -o.") from error


def _end_last_line(file: Path) -> None:
    """End a file's last line, or remove one that was being written when the command was killed."""
    if not file.exists():
        return
    raw = file.read_bytes()
    last = raw.rpartition(b"\n")[2]
    if last.startswith(_OPENING) and not last.endswith(b"}"):
        os.truncate(file, len(raw) - len(last))
    elif last:
        with file.open("ab") as opened:
            opened.write(b"\n")


def _width(console: "Terminal") -> int:
    return min(console.width, _MOST_COLUMNS)
