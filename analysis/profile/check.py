"""Whether a full download has what is published."""

from collections.abc import Mapping

import pandas as pd

from thoughttrace.analysis.section import Section
from thoughttrace.core.published import PER_MODEL, published_counts
from thoughttrace.datasets.sources import Source

_RELEASE = "ThoughtTrace.jsonl"
_SOURCES = {"stated": "stated by the authors", "reported": "reported second-hand", "": "not published"}


def is_release(source: Source) -> bool:
    """Whether this is meant to be the full release: from the Hub, named like it, or with as many conversations.

    Args:
        source: The conversations and where they are from.
    """
    conversations = next(f.value for f in published_counts() if (f.of, f.what) == ("all", "conversations"))
    named = source.name == "hub" or source.name.removesuffix(".gz") == _RELEASE
    return named or len(source.conversations) == conversations


def check_section(checked: pd.DataFrame) -> Section:
    """The check as people read it.

    Args:
        checked: What `against_published` returns.
    """
    note = (
        f"{in_words(checked)} Those that differ stand first. Published: Jin et al. 2026, stated by the authors or "
        "reported second-hand (perhaps of another copy). A difference is told, never mended."
    )
    return Section("contents_published", "Against the published counts", checked, _rows(checked), note)


def against_published(counts: Mapping[str, float], models: pd.DataFrame, thoughts: pd.DataFrame) -> pd.DataFrame:
    """Compare every published count with what is here.

    Args:
        counts: Of all conversations, by what is counted.
        models: `users`, `conversations`, `messages`, `thoughts` of each assistant model.
        thoughts: Of `Frames`.

    Returns:
        `of` (`all`, an assistant model, a kind), `what`, `here`, `published`, `difference`, `status` (`stated` or
        `reported`), those that differ first. What is here and not published counts as published 0, and the reverse.
    """
    here: dict[tuple[str, str], float] = {("all", what): n for what, n in counts.items()}
    for row in models.to_dict("records"):
        here |= {(str(row["model"]), what): row[what] for what in PER_MODEL}
    for kind, own in thoughts.groupby("kind"):
        here |= {(str(kind), str(name)): n for name, n in own["type"].value_counts().items()}
    published = {(figure.of, figure.what): figure for figure in published_counts()}
    unpublished = [place for place in here if place not in published and place[0] != "all"]
    rows: list[dict[str, object]] = []
    for place in [*published, *unpublished]:
        told = published.get(place)
        n, value = here.get(place, 0), told.value if told else 0
        rows.append({"of": place[0], "what": place[1], "here": n, "published": value, "difference": n - value})
        rows[-1]["status"] = told.status if told else ""
    table = pd.DataFrame(rows)
    return table.sort_values("difference", key=lambda differences: differences == 0, kind="stable", ignore_index=True)


def in_words(checked: pd.DataFrame) -> str:
    """Say how many of the published counts are not those of the data, and which of the dataset's totals.

    Args:
        checked: What `against_published` returns.
    """
    known = checked[checked["status"] != ""]
    differing = known[known["difference"] != 0]
    if differing.empty:
        return f"All {len(known)} published counts are those of this data."
    totals = [
        f"{row['what']} {row['here']:,g} instead of {row['published']:,g}"
        for _, row in differing[differing["of"] == "all"].iterrows()
    ]
    said = f"{len(differing)} of {len(known)} published counts are not those of this data"
    return f"{said}{', among them ' + ', '.join(totals) if totals else ''}."


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "Of": row["of"],
            "What": row["what"],
            "Here": f"{row['here']:,g}",
            "Published": f"{row['published']:,g}" if row["status"] else "",
            "Difference": f"{row['difference']:+,g}".replace("-", "−") if row["difference"] else "",
            "Source": _SOURCES[row["status"]],
        }
        for _, row in table.iterrows()
    ]
