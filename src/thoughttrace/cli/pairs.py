"""`thoughttrace pairs`: preference pairs of rewritten replies, for DPO."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import track
from rich.table import Table

from thoughttrace.core.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thoughttrace.core.record import Signal
    from thoughttrace.datasets.pairs import Arm


@click.command()
@click.argument("logs", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write; it must be absent or empty.")
@click.option(
    "--split",
    "split_file",
    default="splits/v1.json",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The split by user: its dev users are for validation, its test users are left out.",
)
@click.option("--match-size", is_flag=True, help="As many pairs of each signal, of the same replies where possible.")
@click.option("--min-score", type=click.FloatRange(1, 5), help="Only rewrites that judges gave this or more, by both.")
@click.option(
    "--any-message",
    is_flag=True,
    help="Keep rewrites by the signal `message` also where that message shows no dissatisfaction.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the pairs that --match-size draws.")
@click.option(
    "--check",
    "checked",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Check the pairs in a folder instead; a wrong row is named by its file and line.",
)
def pairs(
    logs: tuple[str, ...],
    output: Path | None,
    split_file: Path,
    match_size: bool,
    min_score: float | None,
    any_message: bool,
    seed: int,
    checked: Path | None,
) -> None:
    """Make preference pairs (rewrite, original reply) of LOGS of `rewrite_reply`, for training by DPO.

    LOGS are files, folders, or URLs such as s3://…, of one rewriter; a folder is written for each signal, with
    train.jsonl and validation.jsonl in the form that `trl dpo` reads, and README.md with what was dropped and why, and
    what length alone tells. Rewrites that are refused, empty, cut off, unchanged or duplicates are no pairs; nor, with
    the signal `message`, are those whose message shows no dissatisfaction.

    The split is made with `thoughttrace split DATA`.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.read.rewrites import read_rewriters, read_rewrites  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.datasets.exports import new_folder  # noqa: PLC0415
    from thoughttrace.datasets.pairs import check_pairs, make_arms, match_sizes, write_pairs  # noqa: PLC0415
    from thoughttrace.datasets.pairs_card import card  # noqa: PLC0415
    from thoughttrace.datasets.split import read_split  # noqa: PLC0415

    console = Terminal()
    if checked:
        if logs or output:
            raise click.UsageError("--check FOLDER takes no logs and no -o.")
        for file, rows in check_pairs(checked, read_split(split_file)).items():
            console.print(f"{file}: {rows:,} rows, none is wrong.", soft_wrap=True)
        return
    if not logs or not output:
        raise click.UsageError("Name the logs of rewrite_reply, and the folder to write with -o.")
    split = read_split(split_file)
    runs, left_out = read_rewriters(logs, lambda files: track(files, "Reading logs", console=console, transient=True))
    arms = make_arms({signal: read_rewrites(run) for signal, run in runs.items()}, split, min_score, any_message)
    if match_size:
        if len(arms) < 2:
            raise UserError(f"--match-size: these logs hold the signal {next(iter(arms))} alone; add those of another.")
        arms = match_sizes(arms, seed)
    (first, *_) = runs.values()
    choices = {
        "--min-score": min_score, "--any-message": any_message or None, "--match-size": f"seed {seed}" * match_size,
    }  # fmt: skip
    facts = {
        "data": f"{first.data}, revision {first.data_revision}",
        "split": f"{split.rule}, of {split.data}, revision {split.data_revision}, sha256 {split.sha256[:12]}",
        "rewriter": f"{first.name}, prompt {first.prompt_hash}",
        "judges": f"{first.judge_described}, rubric {first.rubric_hash}",
        "replies": first.selection,
        "options": ", ".join(f"{name} {value}" for name, value in choices.items() if value) or "none",
        "logs": ", ".join(part.log for run in runs.values() for part in run.contributions),
        "made by": f"thoughttrace {first.package_version}, rewrite_reply {first.task_version}",
    }
    with new_folder(output) as folder:
        write_pairs(folder, arms, card(arms, facts))
    _print_counts(console, arms)
    for signal, arm in arms.items():
        if not arm.pairs["dev"]:
            console.print(
                f"{signal}: no pair is of a dev user, so there is no validation.jsonl, which training/*.yaml need: "
                "make pairs of more users, rewrite more replies with -T selection=own, or pass --eval_strategy no "
                "--save_strategy no --load_best_model_at_end false to `trl dpo`.",
                soft_wrap=True,
            )
    for sentence in left_out:
        console.print(f"Left out: {sentence}", soft_wrap=True)
    console.print(f"{output}: {', '.join(arms)}; {output / 'README.md'} says what is in them.", soft_wrap=True)


def _print_counts(console: Terminal, arms: "Mapping[Signal, Arm]") -> None:
    """Print what became of the rewrites, and what length alone tells."""
    from thoughttrace.datasets.pairs_card import count_rows, lengths_of  # noqa: PLC0415

    table = Table("", *arms, title="Preference pairs")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in count_rows(arms):
        table.add_row(*row)
    found = [lengths_of(arm.pairs["train"]) for arm in arms.values()]
    table.add_row("words, chosen", *(f"{lengths.chosen:g}" for lengths in found))
    table.add_row("words, rejected", *(f"{lengths.rejected:g}" for lengths in found))
    table.add_row("told by length", *(f"{x.told_by_length(x.longer_is_chosen):.0%}" for x in found))
    console.print(table)
