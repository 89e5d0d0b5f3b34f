"""`thoughttrace shift`: how far thoughts are from messages, measured on embeddings."""

import sys
from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

_WIDE = 120
_PAIRS = ("Relation", "Pairs", "Cosine distance", "95 % interval", "AUC", "n", "Users")
_CLOUDS = ("Relation", "Pairs", "Centroids apart", "Without noise", "MMD² × 1,000", "MMD p")
_COMPARED = ("A", "B", "Pairs", "A − B", "95 % interval", "p (Holm)")


@click.command()
@click.argument("data")
@click.option(
    "--embedder",
    default="local",
    show_default=True,
    help="Embedding model: local (all-MiniLM-L6-v2, on this machine) or openai/MODEL, such as "
    "openai/text-embedding-3-large. OPENAI_BASE_URL selects another server.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Random seed.")
@click.option(
    "-o",
    "--output",
    default="shift",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the page, its tables and plots to.",
)
def shift(data: str, embedder: str, seed: int, output: Path) -> None:
    """Measure how far the thoughts in DATA are from the messages around them, and plot it.

    Three relations are compared: message → next message, message → reason, and reaction → next message. Each is
    measured by cosine distance, distance of the centroids, MMD, and the AUC of a linear probe, also on texts of equal
    length. Embeddings are cached, so the next run is quick.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL file (also .gz), a folder of them, or - for standard input.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.models.embedding import NEEDED  # noqa: PLC0415

    _require("sklearn", "umap", *(NEEDED if embedder == "local" else ()))
    from thoughttrace.analysis.pages import write_pages  # noqa: PLC0415
    from thoughttrace.analysis.shift.measure import measure  # noqa: PLC0415
    from thoughttrace.analysis.shift.pairs import cut  # noqa: PLC0415
    from thoughttrace.analysis.shift.sections import chapter  # noqa: PLC0415
    from thoughttrace.analysis.shift.words import cloud_rows, comparison_rows, in_words, relation_rows  # noqa: PLC0415
    from thoughttrace.cli.report import terminal_table  # noqa: PLC0415
    from thoughttrace.datasets.sources import open_source  # noqa: PLC0415
    from thoughttrace.models.embedding import Vectorizer, open_embedder  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    source = open_source(data)
    pairs = cut(source.conversations)
    if pairs.table.empty:
        raise click.ClickException(
            f"{source.name}: nothing to compare: no user message is followed by another one or has a reason."
        )
    texts = [*pairs.table["source"], *pairs.table["target"]]
    vectorizer = Vectorizer(open_embedder(embedder))
    if missing := vectorizer.missing(texts):
        console.print(vectorizer.embedder.announce(missing), markup=False)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("Embedding", total=len(missing))
        vectors = vectorizer.embed(texts, lambda done: bar.advance(task, done))
    with console.status("Measuring …"):
        measured = measure(pairs.table, vectors[: len(pairs.table)], vectors[len(pairs.table) :], seed)
        if long := vectorizer.embedder.cut(list(dict.fromkeys(texts))):
            measured.notes.append(f"{long:,} texts were cut off at the embedder's input limit.")
        page = chapter(measured, pairs, vectorizer.embedder.name, f"{source.name}, {source.revision}", seed)
        write_pages(output, [page], "Thoughts and messages", "")
    console.print(terminal_table("Distance of pairs", relation_rows(measured.relations), _PAIRS))
    console.print(terminal_table("Distance of the clouds", cloud_rows(measured.relations), _CLOUDS))
    if rows := comparison_rows(measured.comparisons):
        console.print(terminal_table("Cosine distances compared", rows, _COMPARED))
    for sentence in [*in_words(measured), *measured.notes]:
        console.print(f"• {sentence}", markup=False)
    console.print(f"Page: {output / 'index.html'}", markup=False, soft_wrap=True)


def _require(*modules: str) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"thoughttrace shift needs {' and '.join(missing)}: install the extra with "
            'pip install "thoughttrace[shift]" (from a clone: pip install -e ".[shift]").'
        )
