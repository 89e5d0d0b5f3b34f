"""`thoughttrace guess`: a person infers notes in the terminal or a browser, shown what a model is shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from inspect_ai.dataset import Sample

    from thoughttrace.core.terminal import Terminal

_MOST_COLUMNS = 100
"""Longer lines are hard to read."""


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
@click.option(
    "--name",
    help="The name under which your guesses are stored, such as a pseudonym. Required in the terminal; in a browser "
    "the page asks for it.",
)
@click.option("--browser", is_flag=True, help="Guess in a browser on this computer: prints the address of a page.")
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page to this file, for people elsewhere. It holds the conversations; people download their guesses "
    "from it.",
)
@click.option(
    "--import",
    "imported",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add the guesses that a person downloaded from such a page.",
)
@click.option("--kind", type=click.Choice(["reason", "reaction"]), help="Guess one kind of note.  [default: both]")
@click.option("--context", help="What you are shown, as for the task.  [default: that of the task]")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of notes of each kind.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of users, as for the task.")
def guess(
    data: str,
    output: Path,
    name: str | None,
    browser: bool,
    page: Path | None,
    imported: Path | None,
    kind: str | None,
    context: str | None,
    limit: int | None,
    seed: int,
) -> None:
    """Guess, as a model would, what the users in DATA noted; your guesses are scored beside the models'.

    DATA is `sample`, `hub`, or the path of a file or folder. You are shown what a model is shown, never the note, and
    write one sentence. Every guess is saved at once: quit at any time and run the same command again to continue.
    Messages before a later one that you were shown are not asked any more, for you have read what came after them.

    \b
    thoughttrace guess sample --name ann --limit 20
    thoughttrace guess sample --browser --limit 20
    thoughttrace guess sample --page guess.html --limit 20
    inspect eval thoughttrace/infer_reason thoughttrace/infer_reaction --limit 20 -T answers=guesses.jsonl \\
        -T system=ann --model none/none --model-role grader=PROVIDER/MODEL
    """  # noqa: D301
    ways = {"--browser": browser, "--page": page is not None, "--import": imported is not None}
    chosen = [way for way, given in ways.items() if given]
    if len(chosen) > 1:
        raise click.ClickException(f"{' and '.join(chosen)} do not go together: choose one.")
    if not chosen and name is None:
        raise click.ClickException("--name is required: pass your name or a pseudonym.")
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.cli.people.guesses import (  # noqa: PLC0415
        GuessQuestions,
        append_lines,
        end_last_line,
        import_guesses,
    )
    from thoughttrace.cli.people.page import write_page  # noqa: PLC0415
    from thoughttrace.cli.people.server import serve  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.terminal import Terminal  # noqa: PLC0415
    from thoughttrace.datasets.answers import check_system  # noqa: PLC0415

    if name is not None:
        name = name.strip()
        check_system("--name", name)
    if output.suffix.lower() != ".jsonl":
        # Under another ending nothing reads them afterwards.
        raise UserError(f"-o {output}: guesses are JSON Lines; name a file that ends in .jsonl.")
    console = Terminal()
    if imported is not None:
        end_last_line(output)
        number = import_guesses(imported, _samples(data, kind, None, None, seed), output)
        console.print(f"{number:,} guesses imported into {output}", soft_wrap=True)
        return
    samples = _samples(data, kind, context, limit, seed)
    questions = GuessQuestions(samples, output)
    if page is not None:
        written = write_page(questions, page, name, range(len(samples)))
        console.print(f"{written:,} notes to guess in {page}; import what people send back with:", soft_wrap=True)
        console.print(f"  thoughttrace guess {data} -o {output} --import FILE", soft_wrap=True)
        return
    append_lines(output, [])  # a file that cannot be written fails before the first sentence is written, not after
    end_last_line(output)
    if browser:
        stored = serve(questions, output, name, console)
        console.print(f"{stored:,} guesses stored in {output}", soft_wrap=True)
    else:
        assert name is not None
        _in_terminal(console, samples, output, name)


def _samples(data: str, kind: str | None, context: str | None, limit: int | None, seed: int) -> "list[Sample]":
    """Make the samples that a person guesses, in reading order."""
    from thoughttrace.cli.people.guesses import in_reading_order, one_of_each_conversation  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.record import INFER, KINDS  # noqa: PLC0415
    from thoughttrace.costing.workload import build  # noqa: PLC0415

    arguments = {"data": data, "seed": seed} | ({"context": context} if context else {})
    tasks, faults = [], []
    for each in KINDS:
        if kind in (each, None):
            try:
                tasks.append(build(INFER[each].name, arguments)[0])
            except UserError as error:  # the data may have notes of the other kind only
                faults.append(error)
    if not tasks:
        raise faults[0]
    samples = [sample for task in tasks for sample in list(task.dataset)[:limit]]
    return in_reading_order(one_of_each_conversation(samples, seed) if context == "message" else samples)


def _in_terminal(console: "Terminal", samples: "Sequence[Sample]", output: Path, name: str) -> None:
    """Ask a person here for what they have not guessed yet, and say how far they have come."""
    from thoughttrace.cli.people.guesses import GuessQuestions, guesses_of, read_to, shown_to  # noqa: PLC0415
    from thoughttrace.cli.people.page import consent  # noqa: PLC0415
    from thoughttrace.core.record import InferenceMetadata, place_of  # noqa: PLC0415

    before = guesses_of(output, name)
    ids = {sample for sample, _ in before}
    first = read_to(samples, ids | shown_to(output, name))
    open_samples = [
        sample
        for sample in samples
        if sample.id not in ids and (at := place_of(str(sample.id))).message_index >= first.get(at.conversation, 0)
    ]
    guessed_before = [sample for sample in samples if sample.id in ids]
    done = sum((str(s.id), s.metadata_as(InferenceMetadata).context) in before for s in guessed_before)
    otherwise = len(guessed_before) - done
    passed = len(samples) - len(guessed_before) - len(open_samples)
    if not before:
        words = consent(GuessQuestions, f"in {output}", name)
        console.print("\n\n".join(words) + "\n", width=_width(console))
        click.confirm("Go on?", abort=True)
        if open_samples:
            _instruct(console, open_samples[0])
    guessed = _ask(console, open_samples, output, name, done)
    console.print(f"{guessed:,} guessed now; {done + guessed:,} of {len(samples):,} in {output}", soft_wrap=True)
    if otherwise:
        console.print(f"{otherwise:,} are not asked: you have guessed them in another context.", soft_wrap=True)
    if passed:
        alone = any(sample.metadata_as(InferenceMetadata).context == "message" for sample in samples)
        read = "others of their conversations" if alone else "what comes after them"
        console.print(f"{passed:,} are not asked: you have read {read}.", soft_wrap=True)
    if guessed < len(open_samples):
        console.print("Run the same command again to continue.")


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
    from thoughttrace.cli.people.guesses import append_guess, mark_shown  # noqa: PLC0415

    guessed, waiting, hint = 0, list(samples), ""
    while waiting:
        sample = waiting[0]
        mark_shown(file, str(sample.id), name)
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
            append_guess(file, sample, said, name)
            waiting.pop(0)
            guessed += 1
    return guessed


def _show(console: "Terminal", sample: "Sample") -> None:
    from thoughttrace.cli.people.guesses import roles_of  # noqa: PLC0415

    for part in roles_of(sample):
        context = part["role"] == "context"
        if part["heading"]:
            console.print(f"── {part['heading']}", style="bold" if context else "bold yellow", width=_width(console))
        console.print(f"{part['text']}\n", style="dim" if context else "", width=_width(console))


def _instruct(console: "Terminal", sample: "Sample") -> None:
    from thoughttrace.cli.people.guesses import instructions  # noqa: PLC0415

    console.clear()
    console.print(instructions(sample), width=_width(console))
    click.pause()


def _width(console: "Terminal") -> int:
    return min(console.width, _MOST_COLUMNS)
