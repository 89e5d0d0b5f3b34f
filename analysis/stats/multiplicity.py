"""Adjust p-values for the number of comparisons: by Holm, or for the false discovery rate."""

from collections.abc import Callable, Hashable, Sequence

import pandas as pd
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05
"""A difference is significant where its adjusted p-value is below this."""


def holm(p_values: pd.Series) -> pd.Series:
    """Adjust the p-values of one family by the step-down method of Holm.

    It controls the family-wise error rate under any dependence (Holm 1979, *Scandinavian Journal of Statistics* 6).

    Args:
        p_values: One per comparison, 0 to 1; NaN where a comparison has no test, and then it is not counted.

    Returns:
        The adjusted p-values with the same index; NaN where there was none.
    """
    return _adjust(p_values, "holm")


def benjamini_hochberg(p_values: pd.Series) -> pd.Series:
    """Adjust the p-values of one family by the step-up method of Benjamini and Hochberg.

    Of the comparisons whose adjusted p-value is below 5 %, an expected 5 % at most are false discoveries, where the
    tests are independent or positively dependent, as those of overlapping groups are (Benjamini & Hochberg 1995,
    *J. R. Stat. Soc. B* 57; Benjamini & Yekutieli 2001, *Annals of Statistics* 29).

    Args:
        p_values: One per comparison, 0 to 1; NaN where a comparison has no test, and then it is not counted.

    Returns:
        The adjusted p-values with the same index; NaN where there was none.
    """
    return _adjust(p_values, "fdr_bh")


def holm_by_family(p_values: Sequence[float], families: Sequence[Hashable]) -> list[float]:
    """Adjust the p-values of several families by `holm`, each by itself.

    Args:
        p_values: n values, 0 to 1; NaN where a comparison has no test.
        families: The family of each; comparisons of the same family are adjusted together.

    Returns:
        n adjusted p-values; NaN where there was none.
    """
    return _by_family(holm, p_values, families)


def benjamini_hochberg_by_family(p_values: Sequence[float], families: Sequence[Hashable]) -> list[float]:
    """Adjust the p-values of several families by `benjamini_hochberg`, each by itself.

    Args:
        p_values: n values, 0 to 1; NaN where a comparison has no test.
        families: The family of each; comparisons of the same family are adjusted together.

    Returns:
        n adjusted p-values; NaN where there was none.
    """
    return _by_family(benjamini_hochberg, p_values, families)


def _adjust(p_values: pd.Series, method: str) -> pd.Series:
    known = p_values.dropna()
    if known.empty:
        return p_values
    return pd.Series(multipletests(known, method=method)[1], index=known.index).reindex(p_values.index)


def _by_family(
    adjust: Callable[[pd.Series], pd.Series], p_values: Sequence[float], families: Sequence[Hashable]
) -> list[float]:
    values = pd.Series(p_values, dtype=float)
    # pandas takes a list of tuples for several keys: number the families instead.
    numbers = {family: number for number, family in enumerate(dict.fromkeys(families))}
    grouped = values.groupby([numbers[family] for family in families], sort=False)
    return list(grouped.transform(adjust)) if len(values) else []
