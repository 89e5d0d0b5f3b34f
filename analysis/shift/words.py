"""What the shift's tables say, and how they are read."""

from collections.abc import Hashable, Mapping

import pandas as pd

from thoughttrace.analysis.shift.measure import ALIKE, ALL, Shift
from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON
from thoughttrace.analysis.shift.projection import PERCENTILES
from thoughttrace.analysis.tables import Rows, p_value

_MEASURES = {
    "distance": "mean cosine distance",
    "centroids_debiased": "distance of the centroids without noise",
    "mmd": "MMD²",
    "auc": "AUC",
}


def relation_rows(table: pd.DataFrame) -> Rows:
    """How far pairs and clouds are apart, pair by pair and to a linear probe.

    Args:
        table: `Shift.relations`.
    """
    return [
        _named(row)
        | {
            "Cosine distance": _number(row["distance"]),
            "95 % interval": _limits(row["lower"], row["upper"]) or row["note"].partition(":")[0],
            "AUC": _number(row["auc"]),
            "AUC, 95 %": _limits(row["auc_lower"], row["auc_upper"]),
            "AUC of words": _number(row["auc_words"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Note": row["note"],
        }
        for row in table.to_dict("records")
    ]


def cloud_rows(table: pd.DataFrame) -> Rows:
    """How far the clouds of sources and targets are apart.

    Args:
        table: `Shift.relations`.
    """
    return [
        _named(row)
        | {
            "Centroids apart": _number(row["centroids"]),
            "Without noise": _number(row["centroids_debiased"]),
            "Without noise, 95 %": _limits(row["centroids_lower"], row["centroids_upper"]),
            "In spreads": _number(row["centroids_units"], 2),
            "MMD² × 1,000": _number(1000 * row["mmd"], 2),
            "MMD p": p_value(row["mmd_p"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
        }
        for row in table.to_dict("records")
    ]


def comparison_rows(table: pd.DataFrame) -> Rows:
    """The relations compared.

    Args:
        table: `Shift.comparisons`.
    """
    return [
        {
            "A": row["a"],
            "B": row["b"],
            "Pairs": row["way"],
            "A − B": _number(row["difference"], signed=True),
            "95 % interval": _limits(row["lower"], row["upper"]) or row["note"].partition(":")[0],
            "p": p_value(row["p_value"]),
            "p (Holm)": p_value(row["p_holm"]),
            "Pairs of A": f"{row['n_a']:,} ({row['share_a']:.0%})",
            "Pairs of B": f"{row['n_b']:,} ({row['share_b']:.0%})",
            "Users": f"{row['users']:,}",
            "Note": row["note"],
        }
        for row in table.to_dict("records")
    ]


def radius_rows(table: pd.DataFrame, plane: str) -> Rows:
    """How far from the origin a quarter, half, and three quarters of the pairs lie.

    Args:
        table: `Shift.radii`.
        plane: `steps` or `differences`.
    """
    return [
        {
            "Relation": row["relation"],
            "25 / 50 / 75 % within": quartiles(row, plane),
            "Published (other model and settings)": quartiles(row, "published"),
            "Norm of the difference": quartiles(row, "norm"),
            "n": f"{row['n']:,}",
        }
        for row in table.to_dict("records")
    ]


def quartiles(row: Mapping[Hashable, float], name: str) -> str:
    """The 25th, 50th and 75th percentile in one cell.

    Args:
        row: Of `Shift.radii`.
        name: `steps`, `differences`, `published` or `norm`.
    """
    return " / ".join(f"{row[f'{name}_{p}']:.2f}" for p in PERCENTILES)


def in_words(shift: Shift) -> list[str]:
    """One sentence on each measure: whether it rises in the published order, on all pairs and at equal length.

    Args:
        shift: With at least two relations.
    """
    sentences = []
    for name, called in _MEASURES.items():
        said = [_order(shift.relations, name, called, pairs) for pairs in (ALL, ALIKE)]
        sentences += [" ".join(filter(None, said))] if said[0] else []
    turns = shift.comparisons[shift.comparisons["b"] == NEXT] if len(shift.comparisons) else shift.comparisons
    for a, rows in turns.groupby("a", sort=False):
        by_turn, equal = (
            next(row for _, row in rows[rows["way"] == way].iterrows()) for way in ("turn by turn", "equal length")
        )
        sentences.append(
            f"Turn by turn, the mean cosine distance of {a} {_against(by_turn)} that of {NEXT} ({_figures(by_turn)}); "
            f"at equal length it {_against(equal)} it ({_figures(equal)})."
        )
    if len(shift.radii) == 3:
        medians = shift.radii["steps_50"]
        rises = "rise" if medians.is_monotonic_increasing else "do not rise"
        sentences.append(
            f"The median steps on the plane of texts {rises} in the published order: "
            f"{', '.join(_number(median, 2) for median in medians)}."
        )
    return sentences


def _named(row: Mapping[Hashable, str]) -> dict[str, str]:
    return {"Relation": row["relation"], "Pairs": row["pairs"]}


def _order(table: pd.DataFrame, name: str, called: str, pairs: str) -> str:
    values = table[table["pairs"] == pairs].set_index("relation")[name].reindex([NEXT, REASON, REACTION])
    if values.isna().any():
        return ""
    figures = ", ".join(_number(value if name != "mmd" else 1000 * value) for value in values)
    times = " (× 1,000)" if name == "mmd" else ""
    rises = "rises in the published order" if values.is_monotonic_increasing else "does not rise in the published order"
    if pairs == ALIKE:
        return f"Over pairs of like length it {rises.replace(' in the published order', '')}: {figures}."
    return f"The {called}{times} {rises}: {figures}."


def _against(row: pd.Series) -> str:
    if pd.isna(row["p_holm"]):
        return "cannot be compared with"
    if row["p_holm"] >= 0.05:
        return "cannot be told from"
    return "exceeds" if row["difference"] > 0 else "is below"


def _figures(row: pd.Series) -> str:
    if pd.isna(row["lower"]):
        return str(row["note"])
    return f"{_number(row['difference'], signed=True)}, 95 % interval {_limits(row['lower'], row['upper'])}"


def _number(value: float, digits: int = 3, signed: bool = False) -> str:
    return "" if pd.isna(value) else f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def _limits(lower: float, upper: float) -> str:
    return "" if pd.isna(lower) else f"{_number(lower)} – {_number(upper)}"
