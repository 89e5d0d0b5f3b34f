"""Read what each judge said of two answers in both orders."""

import json

import numpy as np
import pandas as pd

from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.record import WINS


def label_pairs(run: Run) -> pd.DataFrame:
    """List the labels of each judge on each reply to which it gave both.

    Args:
        run: A run of `arena`.

    Returns:
        A row for each pair: `id`, `judge`, `labels` (the model's answer shown as A, then as B), `changed` (1 where win,
        tie or loss depends on the order, else 0), and `first` (how far the answer that stands first won: 0 to 1, the
        mean over both orders).
    """
    found = [
        (row.id, judge, labels)
        for row in run.rows[["id", "labels"]].itertuples()
        if isinstance(row.labels, str)
        for judge, labels in json.loads(row.labels).items()
        if len(labels) == 2 and None not in labels
    ]
    pairs = pd.DataFrame(found, columns=["id", "judge", "labels"])
    shown_first = np.array([WINS[labels[0]] for labels in pairs["labels"]])
    shown_second = np.array([1 - WINS[labels[1]] for labels in pairs["labels"]])
    return pairs.assign(changed=(shown_first != shown_second).astype(float), first=(shown_first + 1 - shown_second) / 2)
