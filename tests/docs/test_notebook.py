"""The example notebook: its cells run on what a report writes, and it holds nothing that it should not."""

import json
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from thoughttrace.analysis.chapters.breakdown import COLUMNS, GroupRow
from thoughttrace.analysis.page.table import Table


@pytest.fixture
def cells(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((root / "examples/breakdown.ipynb").read_text(encoding="utf-8"))["cells"]
    return found


def test_its_cells_run_on_the_table_of_a_report(
    cells: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        GroupRow(
            model=model, kind=kind, context="history", judge="j", by="type", group=group, order=order,
            mean=3.0 + order, lower=2.0, upper=4.5, n=20, users=9, note="", samples=20, coverage=1.0,
            difference=0.5, compared="within users", p_value=0.01, p_fdr=0.02,
        )
        for model in ("a", "b") for kind in ("reason", "reaction") for order, group in enumerate(("x_y", "z"))
    ]  # fmt: skip
    (tmp_path / "report").mkdir()
    Table(rows, COLUMNS).to_parquet(tmp_path / "report/breakdown.parquet")
    monkeypatch.chdir(tmp_path)
    drawn: list[list[str]] = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append([axes.get_title() for axes in plt.gcf().axes]))
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    plt.close("all")
    assert drawn == [["reason", "reaction"]]
    assert len(names["table"]) == len(rows)


def test_it_is_executed_and_small_and_names_no_machine(cells: list[dict[str, Any]], root: Path) -> None:
    assert all(cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    text = (root / "examples/breakdown.ipynb").read_text(encoding="utf-8")
    assert len(text) < 60_000
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
