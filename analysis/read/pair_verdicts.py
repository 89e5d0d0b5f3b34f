"""Read what each judge said of two answers in both orders."""

import json

import numpy as np
import pandas as pd

from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.record import WINS


def pair_verdicts(run: Run) -> pd.DataFrame:
    """List the verdicts of each judge on each reply to which it gave both.

    Args:
        run: A run of `arena`.

    Returns:
        A row for each pair: `id`, `judge`, `verdicts` (the model's answer shown as A, then as B), `changed` (1 where
        win, tie or loss depends on the order, else 0), and `first` (how far the answer that stands first won: 0 to 1,
        the mean over both orders).
    """
    found = [
        (row.id, judge, verdicts)
        for row in run.rows[["id", "pair_verdicts"]].itertuples()
        if isinstance(row.pair_verdicts, str)
        for judge, verdicts in json.loads(row.pair_verdicts).items()
        if len(verdicts) == 2 and None not in verdicts
    ]
    pairs = pd.DataFrame(found, columns=["id", "judge", "verdicts"])
    shown_first = np.array([WINS[verdicts[0]] for verdicts in pairs["verdicts"]])
    shown_second = np.array([1 - WINS[verdicts[1]] for verdicts in pairs["verdicts"]])
    return pairs.assign(changed=(shown_first != shown_second).astype(float), first=(shown_first + 1 - shown_second) / 2)
