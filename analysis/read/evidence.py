"""Gather what a report is written from."""

from dataclasses import dataclass, field

import pandas as pd

from thoughttrace.analysis.read.runs import Runs
from thoughttrace.core.cutoffs import Cutoffs, our_cutoffs


@dataclass(frozen=True)
class Evidence:
    """What a report is written from; every chapter takes of it what it needs."""

    runs: Runs
    ratings: pd.DataFrame | None = None
    """People's ratings of inferences, as `read_ratings` returns them."""
    annotations: pd.DataFrame | None = None
    """Labels of messages and conversations, as `read_annotations` returns them."""
    texts: bool = True
    """Whether conversations, thoughts, inferences and rationales may be quoted."""
    cutoffs: Cutoffs = field(default_factory=our_cutoffs)
    """Up to when models' training goes."""
