"""The report: one folder with a page, the tables, and the figures."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, select_autoescape
from markupsafe import Markup

from thoughttrace.analysis.figures import forest, ratings, save
from thoughttrace.analysis.headline import PUBLISHED, PUBLISHED_LABEL, PUBLISHED_NOTE, headline
from thoughttrace.analysis.runs import Run, Runs
from thoughttrace.datasets.errors import UserError

_TEMPLATE = Path(__file__).resolve().parent / "report.html"

COLUMNS = (
    "Kind", "Model", "Agreement", "95 % interval", "n", "Users", "Coverage", "Rated 1·2·3·4·5",
    "If missing were 1 / 5", "Similarity", "Context", "Judge",
)  # fmt: skip
"""The columns of the headline table as people read it."""


def write_report(runs: Runs, folder: Path) -> pd.DataFrame:
    """Write the report of some runs.

    Args:
        runs: The runs that count, and what was left out.
        folder: Made if absent; files of an earlier report in it are overwritten.

    Returns:
        The headline table.

    Raises:
        UserError: The folder cannot be written.
    """
    table = headline(runs.counted)
    rows = table_rows(table)
    figures = {"forest": forest(table), "ratings": ratings(table)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / "headline.csv", index=False)
        (folder / "headline.md").write_text(_markdown(rows), encoding="utf-8")
        for name, figure in figures.items():
            save(figure, folder, name)
        page = _page(runs, rows, {name: _inline(folder / f"{name}.svg") for name in figures})
        (folder / "index.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror}).") from error
    return table


def table_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    """The headline table as people read it, the published values last and marked as such.

    Args:
        table: The headline table.

    Returns:
        One dictionary per row, its keys `COLUMNS`.
    """
    rows: list[dict[str, str]] = []
    for kind, value in PUBLISHED.items():
        own = table[table["kind"] == kind]
        if own.empty:
            continue
        rows += [_row(row) for _, row in own.iterrows()]
        published = (kind, PUBLISHED_LABEL, f"{value:.2f}", "not published")
        rows.append(dict.fromkeys(COLUMNS, "") | dict(zip(COLUMNS, published, strict=False)) | {"Judge": "others"})
    return rows


def _row(row: pd.Series) -> dict[str, str]:
    mark = " (judges itself)" if row["self_judged"] else ""
    cells = (
        row["kind"],
        f"{row['model']}{mark}",
        f"{row['mean']:.2f}" if row["n"] else "none scored",
        f"{row['lower']:.2f} – {row['upper']:.2f}" if pd.notna(row["lower"]) else "under 2 users",
        str(row["n"]),
        str(row["users"]),
        f"{row['coverage']:.1%}" if row["coverage"] < 1 else "100 %",
        "·".join(str(row[f"rated_{rating}"]) for rating in range(1, 6)),
        f"{row['mean_if_missing_1']:.2f} / {row['mean_if_missing_5']:.2f}",
        f"{row['similarity']:.2f}" if pd.notna(row["similarity"]) else "",
        row["context"],
        row["judge"],
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _markdown(rows: Sequence[dict[str, str]]) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(tuple(row.values()) for row in rows)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return f"{table}\n\n{PUBLISHED_NOTE}\n"


def _inline(svg: Path) -> Markup:
    """An SVG file's element, to stand in the page: nothing is loaded from outside."""
    text = svg.read_text(encoding="utf-8")
    return Markup(text[text.index("<svg") :])


def _page(runs: Runs, rows: Sequence[dict[str, str]], figures: dict[str, Markup]) -> str:
    environment = Environment(autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        columns=COLUMNS,
        rows=rows,
        figures=figures,
        note=PUBLISHED_NOTE,
        runs=[(run, _missing(run)) for run in runs.counted],
        left_out=runs.left_out,
        self_judged=[run.model for run in runs.counted if run.self_judged],
    )


def _missing(run: Run) -> str:
    """Why samples of a run have no rating, with counts."""
    reasons = run.samples.loc[run.samples["agreement"].isna(), "reason"].value_counts()
    absent = run.planned - len(run.samples)
    parts = [f"{count} {reason}" for reason, count in reasons.items()]
    return ", ".join(parts + [f"{absent} failed"] * bool(absent)) or "none"
