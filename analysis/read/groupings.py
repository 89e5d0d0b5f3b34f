"""Group samples by what is known of them: type, stage, assistant model, survey answers, and more."""

from collections.abc import Callable

import pandas as pd

from thoughttrace.analysis.stats.groups import bands, stage
from thoughttrace.core.record import TYPES, Kind

UNKNOWN = "unknown"
"""The group of missing values."""

_WORDS = (1, 6, 11, 21, 41)
_AGES = (10, 18, 25, 35, 45, 55)


def by_types(labels: pd.Series, kind: Kind) -> pd.Series:
    """Order types as the release does, those it does not know after them.

    Args:
        labels: Types of thoughts.
        kind: The kind of the thoughts.
    """
    return labels.astype(pd.CategoricalDtype([*TYPES[kind], *sorted(set(labels) - set(TYPES[kind]))]))


def _as_given(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Group by a column as it is, missing values apart."""

    def group(samples: pd.DataFrame) -> pd.Series:
        values = samples[column]
        words = values.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value).strip())
        return words.mask(values.isna() | words.isin(["", "None"]), UNKNOWN)

    return group


GROUPINGS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "type": lambda samples: samples["type"].str.split(" + ", regex=False),
    "stage": lambda samples: stage(samples["position"]),
    "turn": lambda samples: bands((1, 2, 3, 4, 5, 9), "of the conversation")(samples["message_index"] // 2 + 1),
    "assistant model": _as_given("assistant_model"),
    "hindsight": lambda samples: (
        samples["hindsight"].map({True: "written after the next message", False: "before"}).fillna(UNKNOWN)
    ),
    "target length": lambda samples: bands(_WORDS, "words")(samples["target_words"]),
    "age": lambda samples: bands(_AGES, "years")(samples["age"]).cat.add_categories(UNKNOWN).fillna(UNKNOWN),
    "gender": _as_given("gender"),
    "education": _as_given("education"),
    "AI use, 1 to 5": _as_given("frequency"),
}
"""How samples are grouped: a name, and the group (or groups) of each sample. Occupation and purposes, free text
that hardly repeats, are not among them."""
