"""The report's chapter on conversations: how messages relate, and what they are about."""

import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.conversations import agreements, shares
from thoughttrace.analysis.label_logs import label_logs
from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.table import format_interval, format_share
from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import Rows, interval, percent
from thoughttrace.datasets.taxonomy import SUBTOPICS

_INTERVALS = "95 % intervals are clustered by user (CR2). What no valid label was given to is left out and counted."
_PUBLISHED = (
    "Published: Jin et al. 2026 (arXiv:2605.20087), {source}, of all 2,155 conversations, labelled by another model "
    "with a prompt that is not public; for orientation."
)


def conversations_chapter(runs: Runs) -> Chapter:
    """Relations of messages and topics of conversations, from logs of `relate_messages` and `label_topic`.

    Args:
        runs: What was found; sentences on logs that do not count are added.
    """
    related, topics = label_logs(runs, "relate_messages"), label_logs(runs, "label_topic")
    sections = []
    if related:
        sections.append(_section(
            "conversations_relations", "How messages relate to the ones before", shares(related, "relation"),
            "A conversation's first message by its user is so by definition; the others a model has labelled. "
            f"{_INTERVALS} {_PUBLISHED.format(source='reported second-hand')}",
        ))  # fmt: skip
    if topics:
        sections.append(_section(
            "conversations_domains", "What conversations are about", shares(topics, "domain"),
            f"A conversation may have several domains. {_INTERVALS} {_PUBLISHED.format(source='stated')}",
        ))  # fmt: skip
        sections.append(_subtopics(shares(topics, "subtopic")))
    alike = agreements(related, topics)
    if len(alike):
        note = (
            "Two models' labels of the same messages or conversations, given with the same prompt; a conversation's "
            "first messages are left out. Cohen's kappa is 0 for what chance would give; 95 % percentile intervals of "
            "2,000 draws of users. Alike is not right: both may err alike."
        )
        sections.append(Section("conversations_labellers", "How far labellers agree", alike, _alike_rows(alike), note))
    intro = (
        "A model labels each user message by how it relates to the ones before, and each conversation by its topics. "
        "There is no truth to hold the labels against; they serve to describe and to group."
    )
    return Chapter("conversations", "Conversations", intro, sections)


def _section(name: str, title: str, table: pd.DataFrame, note: str) -> Section:
    return Section(name, title, table, _share_rows(table), note, _figure(table))


def _figure(table: pd.DataFrame) -> Figure | None:
    """A panel per labeller; none where all are too small."""
    if table["mean"].isna().all():
        return None
    rows = [(row, str(row["name"]).replace("_", " ")) for _, row in table.iterrows()]
    points = [
        Dot(label, 100 * row["mean"], 100 * row["lower"], 100 * row["upper"], row["model"],
            text=f"n = {row['n']:,}: too small" if pd.isna(row["mean"]) else "")
        for row, label in rows
    ]  # fmt: skip
    published = [
        Reference(100 * row["published"], "published", panel=row["model"], at=label)
        for row, label in rows
        if not pd.isna(row["published"])
    ]
    return dots(points, "share, %", published, scale=(0, None))


def _share_cells(row: pd.Series) -> dict[str, str]:
    limits = format_interval(row["lower"], row["upper"], percent=True) or str(row["note"]).partition(":")[0]
    return {"Share": format_share(row["mean"]), "95 % interval": limits}


def _share_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Labeller": row["model"],
            "Label": str(row["name"]).replace("_", " "),
            "Count": f"{row['count']:,}",
            "Out of": f"{row['n']:,}",
            **_share_cells(row),
            "Published": "" if pd.isna(row["published"]) else percent(row["published"]),
            "Users": f"{row['users']:,}",
            "Coverage": percent(row["coverage"]),
            "Missing": row["missing"],
            "Prompt": row["prompt_hash"],
            "Data, revision": f"{row['data']}, {row['data_revision']}",
        }
        for _, row in table.iterrows()
    ]


def _subtopics(table: pd.DataFrame) -> Section:
    found = table[table["count"] > 0].sort_values(["model", "count"], ascending=[True, False], kind="stable")
    rows = [
        {"Labeller": row["model"], "Domain": SUBTOPICS[row["name"]], "Subtopic": str(row["name"]).replace("_", " ")}
        | {"Count": f"{row['count']:,}", "Out of": f"{row['n']:,}"}
        | _share_cells(row)
        for _, row in found.iterrows()
    ]
    note = f"{len(SUBTOPICS)} subtopics are defined; those that no conversation has are left out. {_INTERVALS}"
    return Section("conversations_subtopics", "Subtopics", table, rows, note)


def _alike_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Labels": "relations" if row["of"] == "relation" else row["name"],
            "A": row["a"],
            "B": row["b"],
            "Alike": percent(row["alike"]),
            "Kappa": "" if pd.isna(row["kappa"]) else f"{row['kappa']:.2f}".replace("-", "−"),
            "Kappa, 95 %": interval(row["lower"], row["upper"], row["note"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
        }
        for row in table.to_dict("records")
    ]
