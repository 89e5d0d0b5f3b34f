"""Which messages carry a thought, and whose: annotation is optional, so what is there is a selection."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.drawing import STYLE, wrapped
from thoughttrace.analysis.profile.figures import COLOURS, SOFT, rows_figure
from thoughttrace.analysis.profile.frames import Frames
from thoughttrace.analysis.profile.people import NOT_TOLD, groups
from thoughttrace.analysis.profile.shares import mean_of, per_cent, share_cells, whole
from thoughttrace.analysis.section import Section
from thoughttrace.core.record import TYPES

_TURNS = (1, 2, 3, 4, 5, 9, 17)


def annotator_sections(made: Frames) -> list[Section]:
    """How much is annotated, by message, pair and user, and by what users told of themselves.

    Args:
        made: Conversations as tables.
    """
    sparse, users, chosen = sparsity(made), by_user(made), selection(made)
    clustered = "95 % intervals are clustered by user (CR2)."
    return [
        Section("annotators_messages", "Annotated messages", sparse, _sparse_rows(sparse),
            "Share of messages that carry a thought of their kind (users' messages reasons, replies reactions). "
            f"{clustered} Turns are counted from 1. Pair: a reply that a user's message follows.",
            _turn_figure(sparse)),
        Section("annotators_users", "Annotated messages of a user", users, _user_rows(users),
            "Each user's share of annotated messages: quantiles over users, and the share of users who annotated every "
            "message, or none, with 95 % intervals."),
        Section("annotators_selection", "Who annotates", chosen, _selection_rows(chosen),
            f"Share of messages annotated, by what users told in the survey. {clustered} An analysis of thoughts "
            "weighs those who annotate more. That intervals overlap is no test of a difference.",
            _selection_figure(chosen)),
    ]  # fmt: skip


def sparsity(made: Frames) -> pd.DataFrame:
    """How many messages carry a thought.

    Args:
        made: Conversations as tables.

    Returns:
        `kind` (or `pair`), `group` (`all`, `first`, `later`, turns; or what a pair has), `annotated` (count), and what
        `mean_of` returns.
    """
    rows = []
    edges = [*_TURNS, np.inf]
    ends = [end - 1 for end in _TURNS[1:]]
    names = [
        f"turn {first}" if first == end else f"turns {first}–{end}" for first, end in zip(_TURNS, ends, strict=False)
    ]
    names.append(f"turn {_TURNS[-1]} or later")
    for kind in TYPES:
        own = made.messages[made.messages["kind"] == kind]
        bands = pd.cut(own["turn"], edges, right=False, labels=names)
        chosen = {"all": own["turn"] > 0, "first": own["turn"] == 1, "later": own["turn"] > 1}
        for name, which in {**chosen, **{name: bands == name for name in names}}.items():
            rows.append({"kind": kind, "group": name} | _share(own[which]))
    said = made.messages
    following = said.shift(-1)
    paired = said[
        (said["role"] == "assistant")
        & (following["role"] == "user")
        & (following["conversation"] == said["conversation"])
    ]
    next_too = paired["annotated"] & following.loc[paired.index, "annotated"].astype(bool)
    for name, has in {"with a reaction": paired["annotated"], "with a reaction and a reason": next_too}.items():
        rows.append({"kind": "pair", "group": name} | _share(paired.assign(annotated=has)))
    table = pd.DataFrame(rows)
    return table[table["n"] > 0].reset_index(drop=True)


def by_user(made: Frames) -> pd.DataFrame:
    """How users differ in the share of messages they annotated.

    Args:
        made: Conversations as tables.

    Returns:
        `kind`, `users`, quantiles of their shares `q0`, `q25`, `q50`, `q75`, `q100`, and the shares of users who
        annotated `every` message of the kind and `none`, each with `_lower` and `_upper`.
    """
    rows = []
    for kind in TYPES:
        own = made.messages[made.messages["kind"] == kind]
        shares = own.groupby("user")["annotated"].mean()
        if shares.empty:
            continue
        row: dict[str, object] = {"kind": kind, "users": len(shares)}
        row |= {f"q{at}": float(shares.quantile(at / 100)) for at in (0, 25, 50, 75, 100)}
        for name, which in {"every": shares == 1, "none": shares == 0}.items():
            found = mean_of(which, pd.Series(shares.index, index=shares.index))
            row |= {name: found["mean"], f"{name}_lower": found["lower"], f"{name}_upper": found["upper"]}
            row[f"{name}_note"] = found["note"]
        rows.append(row)
    return pd.DataFrame(rows)


def selection(made: Frames) -> pd.DataFrame:
    """The share of messages annotated, by what users told in the survey.

    Args:
        made: Conversations as tables.

    Returns:
        `by`, `group`, `kind`, `annotated` (count), and what `mean_of` returns.
    """
    rows = []
    for by, labels in groups(made.conversations).items():
        of_message = made.messages["conversation"].map(labels.astype(object))
        for group in [*labels.cat.categories]:
            for kind in TYPES:
                own = made.messages[(of_message == group) & (made.messages["kind"] == kind)]
                if len(own):
                    rows.append({"by": by, "group": group, "kind": kind} | _share(own))
    return pd.DataFrame(rows)


def _share(messages: pd.DataFrame) -> dict[str, object]:
    return {"annotated": int(messages["annotated"].sum())} | mean_of(messages["annotated"], messages["user"])


def _sparse_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {"Kind": row["kind"], "Group": row["group"], "Annotated": whole(row["annotated"]), "Out of": whole(row["n"])}
        | share_cells(row)
        | {"Users": whole(row["users"])}
        for _, row in table.iterrows()
    ]


def _user_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    def reach(row: pd.Series, name: str) -> str:
        found = row.rename({name: "mean", f"{name}_lower": "lower", f"{name}_upper": "upper", f"{name}_note": "note"})
        cells = share_cells(found)
        return f"{cells['Share']} ({cells['95 % interval']})" if cells["Share"] else cells["95 % interval"]

    quantiles = {"Least": "q0", "Quarter": "q25", "Median": "q50", "Three quarters": "q75", "Most": "q100"}
    return [
        {"Kind": row["kind"], "Users": whole(row["users"])}
        | {name: per_cent(row[column]) for name, column in quantiles.items()}
        | {"Annotated all": reach(row, "every"), "Annotated none": reach(row, "none")}
        for _, row in table.iterrows()
    ]


def _selection_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {"By": row["by"], "Group": row["group"], "Kind": row["kind"]}
        | {"Annotated": whole(row["annotated"]), "Out of": whole(row["n"])}
        | share_cells(row)
        | {"Users": whole(row["users"])}
        for _, row in table.iterrows()
    ]


def _turn_figure(sparse: pd.DataFrame) -> Figure:
    turns = sparse[sparse["group"].str.startswith("turn")]
    names = list(dict.fromkeys(turns["group"]))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.2), layout="constrained")
        axes = figure.subplots()
        for number, (kind, own) in enumerate(turns.groupby("kind", sort=False)):
            x = np.array([names.index(group) for group in own["group"]]) + 0.08 * number
            reach = [100 * (own["mean"] - own["lower"]), 100 * (own["upper"] - own["mean"])]
            axes.errorbar(
                x, 100 * own["mean"], yerr=reach, color=COLOURS[number], marker="os"[number], label=f"{kind}s"
            )
        axes.set_xticks(range(len(names)), [name.replace("turn", "").replace("s ", "").strip() for name in names])
        axes.set(ylim=(0, 103), xlabel="turn", ylabel="annotated, %")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=SOFT, linewidth=0.6)
        axes.legend(frameon=False)
    return figure


def _selection_figure(table: pd.DataFrame) -> Figure | None:
    named = table[table["group"] != NOT_TOLD]
    if named.empty:
        return None
    names = named["by"] + ": " + named["group"].map(wrapped)
    return rows_figure(named.assign(name=names), "messages annotated, %, 95 % interval")
