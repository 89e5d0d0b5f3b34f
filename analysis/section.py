"""A section of the report, or of a page of the data."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.tables import Rows


@dataclass(frozen=True)
class Section:
    """A table of the report."""

    name: str
    """Of its files and its place in the page."""
    title: str
    table: pd.DataFrame
    rows: Rows
    note: str
    figure: Figure | None = None
    """Stands above the table; what it shows is in the title and the note."""
