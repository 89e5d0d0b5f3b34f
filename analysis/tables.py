"""The tables as people read them."""

import re

import pandas as pd

from thoughttrace.analysis.headline import PUBLISHED, PUBLISHED_LABEL

Rows = list[dict[str, str]]
"""A table as people read it: one dictionary per row, all with the same keys."""

_NUMBER = re.compile(r"[<>≥±+−]?\s?[$]?\d[\d,.]*(?:\s?%)?")
_REMARK = re.compile(r"[a-z]\w* ")
"""Several words say why there is no number; a name is one."""
_BETWEEN = re.compile(r"\s?[·/–()]\s?|\sof\s")


def numeric(rows: Rows) -> set[str]:
    """Which columns stand to the right: those of numbers, intervals and counts, with here and there a remark.

    Args:
        rows: A table.
    """
    return {name for name in (rows[0] if rows else ()) if _is_numeric([row[name] for row in rows if row[name]])}


def _is_numeric(cells: list[str]) -> bool:
    told = [all(_NUMBER.fullmatch(part) for part in _BETWEEN.split(cell) if part) for cell in cells]
    return any(told) and all(number or _REMARK.match(cell) for cell, number in zip(cells, told, strict=True))


def headline_rows(table: pd.DataFrame) -> Rows:
    """The headline table, the published values last of each kind and marked as such.

    Args:
        table: What `headline` returns.
    """
    rows: Rows = []
    for kind, value in PUBLISHED.items():
        own = [_headline_row(row) for _, row in table[table["kind"] == kind].iterrows()]
        if own:
            said = {"Kind": kind, "Model": PUBLISHED_LABEL, "Agreement": f"{value:.2f}"}
            rows += [*own, dict.fromkeys(own[0], "") | said | {"95 % interval": "not published", "Judge": "others"}]
    return rows


def comparison_rows(table: pd.DataFrame) -> Rows:
    """The paired differences.

    Args:
        table: What `compare` returns.
    """
    return [
        {
            "Kind": row["kind"],
            "A": row["a"],
            "B": row["b"],
            "Model": row["model"],
            "Context": row["context"],
            "Judge": row["judge"],
            "A − B": signed(row["difference"]),
            "95 % interval": interval(row["lower"], row["upper"], row["note"]),
            "p": p_value(row["p_value"]),
            "p (Holm)": p_value(row["p_holm"]),
            "Wins·ties·losses": f"{row['wins']}·{row['ties']}·{row['losses']}",
            "d": signed(row["d"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Note": row["note"],
        }
        for _, row in table.iterrows()
    ]


def ranking_rows(table: pd.DataFrame) -> Rows:
    """The ranks.

    Args:
        table: What `ranking` returns.
    """
    return [
        {
            "Kind": row["kind"],
            "Rank": _ranks(row["best_rank"], row["worst_rank"]),
            "By": row["by"],
            "Name": row["name"],
            "Model": row["model"],
            "Context": row["context"],
            "Judge": row["judge"],
        }
        for _, row in table.iterrows()
    ]


def breakdown_rows(table: pd.DataFrame) -> Rows:
    """The groups.

    Args:
        table: What `breakdown` returns.
    """
    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Context": row["context"],
            "Judge": row["judge"],
            "By": row["by"],
            "Group": row["group"],
            "Agreement": f"{row['mean']:.2f}" if pd.notna(row["mean"]) else "",
            "95 % interval": interval(row["lower"], row["upper"], row["note"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Coverage": percent(row["coverage"]),
        }
        for row in table.to_dict("records")
    ]


def interval(lower: float, upper: float, note: str) -> str:
    """An interval in words, or in short why there is none."""
    return f"{lower:.2f} – {upper:.2f}".replace("-", "−") if pd.notna(lower) else note.partition(":")[0]


def percents(lower: float, upper: float, note: str) -> str:
    """An interval of shares in per cent, or in short why there is none."""
    return note.partition(":")[0] if pd.isna(lower) else f"{100 * lower:.1f} – {100 * upper:.1f} %".replace("-", "−")


def signed(value: float) -> str:
    """A number with its sign; nothing for NaN."""
    return f"{value:+.2f}".replace("-", "−") if pd.notna(value) else ""


_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Name characters that turn the direction of all text after them, instead of obeying them."""
    return _TURNING.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def without_empty(rows: Rows) -> Rows:
    """Drop columns in which nothing stands."""
    names = [name for name in (rows[0] if rows else {}) if any(row[name] for row in rows)]
    return [{name: row[name] for name in names} for row in rows]


def p_value(value: float) -> str:
    """A p-value as papers print it."""
    return "" if pd.isna(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent(share: float) -> str:
    """A share of 1; only what is whole is printed as 100 %."""
    return "100 %" if share == 1 else f"{min(share, 0.999):.1%}".replace("%", " %")


def _ranks(best: int, worst: int) -> str:
    return str(best) if best == worst else f"{best}–{worst}"


def _headline_row(row: pd.Series) -> dict[str, str]:
    mark = " (judges itself)" if row["self_judged"] else ""
    return {
        "Kind": row["kind"],
        "Model": f"{row['model']}{mark}",
        "Agreement": f"{row['mean']:.2f}" if row["n"] else "none scored",
        "95 % interval": interval(row["lower"], row["upper"], row["note"]),
        "n": f"{row['n']:,}",
        "Users": f"{row['users']:,}",
        "Coverage": percent(row["coverage"]),
        "Missing": row["missing"],
        "Refused or empty": f"{row['refused_or_empty']:,}",
        "Rated 1·2·3·4·5": "·".join(str(row[f"rated_{rating}"]) for rating in range(1, 6)),
        "If missing were 1 / 5": f"{row['mean_if_missing_1']:.2f} / {row['mean_if_missing_5']:.2f}",
        "Similarity": f"{row['similarity']:.2f}" if pd.notna(row["similarity"]) else "",
        "Tokens in / out": f"{row['input_tokens']:,.0f} / {row['output_tokens']:,.0f}",
        "Judge's tokens": f"{row['judge_input_tokens']:,.0f} / {row['judge_output_tokens']:,.0f}",
        "Cost": dollars(row["cost"]),
        "Judge's cost": dollars(row["judge_cost"]),
        "Context": row["context"],
        "Judge": row["judge"],
    }


def dollars(cost: float) -> str:
    """A cost, or that there is no price for it."""
    return "no price" if pd.isna(cost) else f"${cost:,.2f}"
