"""Tables as files: CSV for programs, Markdown and LaTeX for papers."""

from pathlib import Path

import pandas as pd

from thoughttrace.analysis.tables import Rows, numeric, without_empty


def write_tables(folder: Path, name: str, table: pd.DataFrame, rows: Rows, note: str = "") -> None:
    """Write `NAME.csv` (every column, every digit), `NAME.md` and `NAME.tex` (booktabs, as people read it).

    Args:
        folder: Where to.
        name: Of the files.
        table: The table with all its columns.
        rows: The table as people read it.
        note: Stands below the Markdown and LaTeX tables.
    """
    write_csv(table, folder / f"{name}.csv")
    rows = without_empty(rows)
    (folder / f"{name}.md").write_text(_markdown(rows, note), encoding="utf-8", errors="replace")
    (folder / f"{name}.tex").write_text(_latex(rows, note), encoding="utf-8", errors="replace")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write every column with every digit."""
    table.to_csv(path, index=False, errors="replace")


def _markdown(rows: Rows, note: str) -> str:
    if not rows:
        return "Nothing to show.\n"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([_cell(cell) for cell in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}\n" * bool(note)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _latex(rows: Rows, note: str) -> str:
    if not rows:
        return "% Nothing to show.\n"
    frame = pd.DataFrame(rows).style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    numbers = numeric(rows)
    align = "".join("r" if name in numbers else "l" for name in rows[0])
    table: str = frame.to_latex(hrules=True, column_format=align)
    for character, command in (("−", "$-$"), ("–", "--"), ("·", "$\\cdot$")):
        table = table.replace(character, command)
    return f"% Needs \\usepackage{{booktabs}}.\n{table}" + f"% {note}\n" * bool(note)
