"""What kinds of thoughts there are: types, how long they are, and which were written in hindsight."""

import numpy as np
import pandas as pd

from thoughttrace.analysis.profile.figures import ordered, readable, rows_figure
from thoughttrace.analysis.profile.frames import Frames
from thoughttrace.analysis.profile.shares import TOO_SMALL, mean_cells, mean_of, per_cent, share_cells, whole
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.stats.intervals import ratio_of_means
from thoughttrace.analysis.tables import interval
from thoughttrace.core.published import published_types
from thoughttrace.core.record import TYPES

_BY_USER = "95 % intervals are clustered by user (CR2)."


def types_section(thoughts: pd.DataFrame) -> Section:
    """Shares of the types, beside the published ones.

    Args:
        thoughts: Of `Frames`, at least one.
    """
    table = type_shares(thoughts)
    note = (
        f"Share of the thoughts of a kind. {_BY_USER} The types are an LLM's labels, not people's. Published: the "
        "shares in the paper's figure. They are not quite those of the counts reported of the release "
        "(task_motivation: 36.9 %, and 1,680 of 4,498, which is 37.3 %), so the figure may rest on another "
        "selection."
    )
    drawn = rows_figure(_named(table), "share of the thoughts of the kind, %", "published")
    return Section("thoughts_types", "Types", table, _type_rows(table), note, drawn)


def length_section(thoughts: pd.DataFrame) -> Section:
    """How long thoughts are, beside their messages.

    Args:
        thoughts: Of `Frames`, at least one.
    """
    table = thought_lengths(thoughts)
    note = (
        f"Words, divided at spaces. {_BY_USER} Of the message: how many words a thought has for each word of the "
        "message it is on (ratio of means, Fieller's interval)."
    )
    drawn = rows_figure(_named(table), "mean words of a thought, 95 % interval", scale=1)
    return Section("thoughts_length", "Length of thoughts", table, _length_rows(table), note, drawn)


def hindsight_section(made: Frames) -> Section:
    """How many thoughts were written in hindsight.

    Args:
        made: Conversations as tables, with at least one thought.
    """
    table = hindsight(made)
    note = (
        "Messages of which a thought was written after the user's next message had been sent, of those of which it "
        f"can be told: not a user's last, nor where times are missing. {_BY_USER} A message with thoughts of several "
        "types counts in each. After the reply: reasons that were written when the reply to their message was there "
        "already."
    )
    drawn = rows_figure(_named(table), "written in hindsight, %, 95 % interval")
    return Section("thoughts_hindsight", "Written in hindsight", table, _late_rows(table), note, drawn)


def type_shares(thoughts: pd.DataFrame) -> pd.DataFrame:
    """The share of each type among the thoughts of its kind.

    Args:
        thoughts: Of `Frames`.

    Returns:
        `kind`, `type`, `count`, `n` (thoughts of the kind), `users`, `mean` with `lower` and `upper` (0 to 1), `note`,
        `published` (NaN for a type the paper does not know). Every known type is there, also where none is found.
    """
    rows = []
    for kind, own in thoughts.groupby("kind", sort=False):
        published = published_types()[kind]  # type: ignore[index]
        for name in ordered([*TYPES[kind], *own["type"].unique()], TYPES[kind]):  # type: ignore[index]
            is_it = own["type"] == name
            told = published[name].share if name in published else np.nan
            named = {"kind": kind, "type": name, "count": int(is_it.sum())}
            rows.append(named | mean_of(is_it, own["user"]) | {"published": told})
    return pd.DataFrame(rows).sort_values("kind", key=_kind_order, kind="stable", ignore_index=True)


def thought_lengths(thoughts: pd.DataFrame) -> pd.DataFrame:
    """How many words thoughts have, and how many their messages.

    Args:
        thoughts: Of `Frames`.

    Returns:
        `kind`, `type` (`all` first), `n`, `users`, `mean`, `lower`, `upper`, `note`, `median` (all in words),
        `message_mean` (words of their messages), `ratio` with `ratio_lower` and `ratio_upper`.
    """
    rows = []
    for kind in TYPES:
        own = thoughts[thoughts["kind"] == kind]
        for name in ["all", *ordered(list(own["type"].unique()), TYPES[kind])] if len(own) else []:
            chosen = own if name == "all" else own[own["type"] == name]
            found = mean_of(chosen["words"], chosen["user"], (0, np.inf))
            row = {"kind": kind, "type": name} | found | {"median": chosen["words"].median()}
            row |= {"message_mean": chosen["message_words"].mean()}
            if found["note"] != TOO_SMALL and chosen["message_words"].any():
                ratio = ratio_of_means(chosen["words"], chosen["message_words"], chosen["user"])
                row |= {"ratio": ratio.estimate, "ratio_lower": ratio.lower, "ratio_upper": ratio.upper}
            rows.append({"ratio": np.nan, "ratio_lower": np.nan, "ratio_upper": np.nan} | row)
    return pd.DataFrame(rows)


def hindsight(made: Frames) -> pd.DataFrame:
    """How many annotated messages got their thoughts in hindsight.

    Args:
        made: Conversations as tables.

    Returns:
        `kind`, `type` (`all`, `all, after the reply`, a type), `late` (count), `annotated` (messages of the kind and
        type, also those of which it cannot be told), and what `mean_of` returns.
    """
    rows = []
    place = ["conversation", "index"]
    types = made.thoughts.drop_duplicates([*place, "type"])[[*place, "type"]]
    annotated = made.messages[made.messages["annotated"]]
    for kind in TYPES:
        own = annotated[annotated["kind"] == kind]
        if own.empty:
            continue
        rows.append({"kind": kind, "type": "all"} | _late(own["hindsight"], own["user"]))
        written = made.thoughts[made.thoughts["kind"] == kind]
        if written["after_reply"].notna().any():
            rows.append({"kind": kind, "type": "all, after the reply"} | _late(written["after_reply"], written["user"]))
        each = own.merge(types, on=place)
        for name in ordered(list(each["type"].unique()), TYPES[kind]):
            chosen = each[each["type"] == name]
            rows.append({"kind": kind, "type": name} | _late(chosen["hindsight"], chosen["user"]))
    return pd.DataFrame(rows)


def _late(late: pd.Series, users: pd.Series) -> dict[str, object]:
    known = late.notna()
    told = late[known].astype(bool)
    return {"late": int(told.sum()), "annotated": len(late)} | mean_of(told, users[known])


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(name=table["type"].map(readable))


def _kind_order(kinds: pd.Series) -> pd.Series:
    return kinds.map(list(TYPES).index)


def _type_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {"Kind": row["kind"], "Type": row["type"], "Count": whole(row["count"])}
        | share_cells(row)
        | {"Published": per_cent(row["published"]), "Users": whole(row["users"])}
        for _, row in table.iterrows()
    ]


def _length_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {"Kind": row["kind"], "Type": row["type"], "n": whole(row["n"])}
        | mean_cells(row)
        | {
            "Median": f"{row['median']:g}",
            "Mean of the messages": f"{row['message_mean']:,.1f}",
            "Of the message": "" if np.isnan(row["ratio"]) else f"{row['ratio']:.2f}",
            "Of the message, 95 %": interval(row["ratio_lower"], row["ratio_upper"], ""),
            "Users": whole(row["users"]),
        }
        for _, row in table.iterrows()
    ]


def _late_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {"Kind": row["kind"], "Type": row["type"], "Late": whole(row["late"]), "Out of": whole(row["n"])}
        | share_cells(row)
        | {"Cannot be told": whole(row["annotated"] - row["n"]), "Users": whole(row["users"])}
        for _, row in table.iterrows()
    ]
