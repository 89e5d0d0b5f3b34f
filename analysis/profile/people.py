"""What users told of themselves. Occupation and purposes, free text, are not shown."""

import numpy as np
import pandas as pd

from thoughttrace.analysis.profile.frames import Frames
from thoughttrace.analysis.profile.shares import mean_of, share_cells, whole
from thoughttrace.analysis.section import Section

NOT_TOLD = "not told"
IMPLAUSIBLE = "implausible"
OTHERS = "other answers"
_ANSWERS = 8
"""Different answers to a question that are shown; the survey has fewer."""

_AGES = (10, 18, 25, 35, 45, 55, 65)


def groups(conversations: pd.DataFrame) -> dict[str, "pd.Series"]:
    """The group of each conversation's user by age, gender, education, and AI use.

    Args:
        conversations: Of `Frames`.

    Returns:
        A categorical column for each grouping, in the order in which the groups are shown.
    """
    ends = [f"{end - 1}" for end in _AGES[1:]]
    names = [f"{start}–{end}" for start, end in zip(_AGES, ends, strict=False)] + [f"{_AGES[-1]} or older"]
    ages = pd.cut(conversations["age"].astype(float), [*_AGES, np.inf], right=False, labels=names)
    odd = conversations["said_age"].notna() & conversations["age"].isna()
    banded = ages.astype(object).mask(odd, IMPLAUSIBLE)
    told = {
        "gender": conversations["gender"],
        "education": conversations["education"],
        "AI use, 1 to 5": conversations["frequency"].map(lambda often: f"{often:g}", na_action="ignore"),
    }
    return {"age": _categories(banded, [*names, IMPLAUSIBLE])} | {
        by: _categories(values.map(lambda told: str(told).strip() or None, na_action="ignore"), None)
        for by, values in told.items()
    }


def people_section(made: Frames) -> Section:
    """Who the users are, as far as they told.

    Args:
        made: Conversations as tables.
    """
    table = demographics(made)
    odd = made.conversations[made.conversations["said_age"].notna() & made.conversations["age"].isna()]
    ages = sorted(set(odd["said_age"].astype(int)))
    said = f"Implausible ages: {', '.join(map(str, ages))}. " if ages else ""
    note = (
        f"{said}Of each user the first conversation with an answer counts. Share of all users, with 95 % intervals "
        "(CR2; every user is one). Conversations and thoughts are those of these users. Occupation and purposes are "
        "free text and not shown."
    )
    rows = [
        {"By": row["by"], "Group": row["group"], "Count": whole(row["count"])}
        | share_cells(row)
        | {"Conversations": whole(row["conversations"]), "Thoughts": whole(row["thoughts"])}
        for _, row in table.iterrows()
    ]
    return Section("annotators_people", "Users", table, rows, note)


def demographics(made: Frames) -> pd.DataFrame:
    """How many users are of each group.

    Args:
        made: Conversations as tables.

    Returns:
        `by`, `group`, `count` (users), `conversations`, `thoughts`, and what `mean_of` returns of all users.
    """
    heads = made.conversations.assign(thoughts=made.thoughts["conversation"].value_counts())
    rows = []
    for by, labels in groups(made.conversations).items():
        told = labels.astype(object).mask(labels == NOT_TOLD)
        of_user = told.groupby(heads["user"], sort=False).first().fillna(NOT_TOLD)
        for group in labels.cat.categories:
            is_it = of_user == group
            own = heads[heads["user"].map(is_it)]
            if is_it.any():
                counted = {"count": int(is_it.sum()), "conversations": len(own), "thoughts": int(own["thoughts"].sum())}
                rows.append(
                    {"by": by, "group": group} | counted | mean_of(is_it, pd.Series(of_user.index, of_user.index))
                )
    return pd.DataFrame(rows)


def _categories(values: pd.Series, order: list[str] | None) -> pd.Series:
    """Answers in order; of free ones those that are given most, and the rest together."""
    usual = list(values.value_counts().index[:_ANSWERS])
    if order is None:
        values = values.where(values.isin(usual) | values.isna(), OTHERS)
    found = order or [*sorted(usual), *([OTHERS] if (values == OTHERS).any() else [])]
    return values.fillna(NOT_TOLD).astype(pd.CategoricalDtype([*dict.fromkeys([*found, NOT_TOLD])]))
