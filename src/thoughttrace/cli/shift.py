"""`thoughttrace shift`: how far thoughts are from messages, measured on embeddings."""

import sys
from importlib.util import find_spec
from pathlib import Path

import click
from rich.progress import Progress

from thoughttrace.core.terminal import Terminal

_WIDE = 120
"""Characters in a line of tables that are not printed to a terminal."""


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

    Compared are message → next message, message → reason, and reaction → next message: cosine distance, distance of
    the centroids, MMD, and the AUC of a linear probe, also at equal length. Embeddings are cached, so the next run is
    fast.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL file (also .gz), a folder of them, or - for standard input.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.core.errors import UserError, missing_extra  # noqa: PLC0415
    from thoughttrace.models.embedding import NEEDED  # noqa: PLC0415

    modules = ("sklearn", "umap", *(NEEDED if embedder == "local" else ()))
    if missing := [module for module in modules if find_spec(module) is None]:
        raise missing_extra("thoughttrace shift", missing, "shift")
    from thoughttrace.analysis.page.page import write_page  # noqa: PLC0415
    from thoughttrace.analysis.shift.chapter import shift_chapter, summarize  # noqa: PLC0415
    from thoughttrace.analysis.shift.measure import measure  # noqa: PLC0415
    from thoughttrace.analysis.shift.pairs import cut_pairs  # noqa: PLC0415
    from thoughttrace.datasets.sources import open_source  # noqa: PLC0415
    from thoughttrace.models.embedding import Vectorizer, open_embedder  # noqa: PLC0415

    console = Terminal(width=None if sys.stdout.isatty() else _WIDE)
    source = open_source(data)
    pairs = cut_pairs(source.conversations)
    if pairs.table.empty:
        raise UserError(
            f"{source.name}: no pairs to compare. At least one user message needs a next user message or a reason."
        )
    texts = [*pairs.table["source"], *pairs.table["target"]]
    vectorizer = Vectorizer(open_embedder(embedder))
    if missing_texts := vectorizer.missing(texts):
        console.print(vectorizer.embedder.announce(missing_texts), markup=False)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("Embedding", total=len(missing_texts))
        vectors = vectorizer.embed(texts, lambda done: bar.advance(task, done))
    with console.status("Measuring …"):
        measured = measure(pairs.table, vectors[: len(pairs.table)], vectors[len(pairs.table) :], seed)
        notes = [measured.note] if measured.note else []
        if long := vectorizer.embedder.count_truncated(list(dict.fromkeys(texts))):
            notes.append(f"{long:,} texts are longer than the embedder's limit; it reads only their beginning.")
        name = f"{source.name}, {source.revision}"
        chapter = shift_chapter(measured, pairs, vectorizer.embedder.name, name, seed, notes)
        write_page(output, "Thoughts and messages", "", [chapter])
    for section in chapter.filled:
        console.print(section.table.to_terminal(section.title, console.width))
    for sentence in [*summarize(measured), *notes]:
        console.print(f"• {sentence}", markup=False)
    console.print(f"Page: {output / 'index.html'}", markup=False, soft_wrap=True)
