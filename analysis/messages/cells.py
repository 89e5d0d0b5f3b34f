"""Which runs of `predict_message` are compared, and on which samples."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.messages.logs import SETTING, Predicted
from thoughttrace.analysis.stats.intervals import Numbers


def settings(runs: Sequence[Predicted]) -> Iterator[tuple[dict[str, Any], list[Predicted]]]:
    """The settings that there are, each with its runs.

    Args:
        runs: Runs.
    """
    for setting in dict.fromkeys(run.setting for run in runs):
        yield dict(zip(SETTING, setting, strict=True)), [run for run in runs if run.setting == setting]


def cells(runs: Sequence[Predicted], arms: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], list[pd.DataFrame]]]:
    """Who has all of some arms, and the samples rated in all of them: each model and judge, and the mean over models.

    Args:
        runs: Of one setting.
        arms: Which.

    Yields:
        `model`, `judge`, `pooled`, and a table per arm with equal rows: `rating`, `cosine`, `user`, `hindsight` by id.
    """
    found: dict[tuple[str, str], dict[str, pd.DataFrame]] = {}
    for run in runs:
        found.setdefault((run.header["model"], run.header["judge"]), {})[run.header["arm"]] = run.scored
    whole = {key: [own[arm] for arm in arms] for key, own in found.items() if {*arms} <= {*own}}
    for (model, judge), tables in whole.items():
        yield {"model": model, "judge": judge, "pooled": 0}, _shared(tables)
    models = list(dict.fromkeys(model for model, _ in whole))
    if len(models) > 1:
        judges = ", ".join(sorted({judge for _, judge in whole}))
        yield {"model": f"mean of {len(models)} models", "judge": judges, "pooled": len(models)}, _pool(whole, models)


def _shared(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    ids = reduce(pd.Index.intersection, (table.index for table in tables)).sort_values()
    return [table.loc[ids] for table in tables]


def _pool(whole: Mapping[tuple[str, str], Sequence[pd.DataFrame]], models: Sequence[str]) -> list[pd.DataFrame]:
    """The mean over models of each sample that all of them have; of a model with several judges first over these."""
    tables = iter(_shared([table for own in whole.values() for table in own]))
    shared = {key: [next(tables) for _ in own] for key, own in whole.items()}
    return [
        first.assign(**{name: _mean(shared, models, arm, name) for name in ("rating", "cosine")})
        for arm, first in enumerate(next(iter(shared.values())))
    ]


def _mean(
    shared: Mapping[tuple[str, str], Sequence[pd.DataFrame]], models: Sequence[str], arm: int, name: str
) -> Numbers:
    by_model = [np.mean([own[arm][name] for (of, _), own in shared.items() if of == model], axis=0) for model in models]
    mean: Numbers = np.mean(by_model, axis=0)
    return mean
