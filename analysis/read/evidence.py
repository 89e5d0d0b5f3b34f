"""Gather what a report is written from."""

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from thoughttrace.analysis.read.entries import Entry
from thoughttrace.analysis.read.protocol_check import ProtocolCheck, check_models
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

    @cached_property
    def protocol_checks(self) -> list[tuple[Entry, ProtocolCheck]]:
        """The entries that took a protocol's samples, compared with it: made once, and shown by several chapters."""
        return check_models(self.runs)
