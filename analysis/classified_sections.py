"""The report's chapter on the types of thoughts."""

import pandas as pd

from thoughttrace.analysis.classified import accuracies, differences
from thoughttrace.analysis.classified_figures import confusion_figure
from thoughttrace.analysis.confused import by_type, confused
from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import Rows, interval, p_value, percent, percents
from thoughttrace.analysis.thought_logs import thought_logs

_MOST = 4
"""Panels of one figure."""

_LABELS = (
    "The labels are a language model's (reported: GPT-5.4 at temperature 0): this is agreement with them, not truth."
)


def labels_chapter(runs: Runs) -> Chapter:
    """How far models name the dataset's types of thoughts, from logs of `classify_thought`.

    Args:
        runs: What was found; sentences on logs that do not count are added.
    """
    intro = (
        "A model reads a thought, alone or with what was said, and names its type. "
        f"{_LABELS} A reply that names no type is wrong."
    )
    found = thought_logs(runs, "classify_thought")
    if not found:
        return Chapter("labels", "Types of thoughts", intro, [])
    table, pairs, types, cells = accuracies(found), differences(found), by_type(found), confused(found)
    sections = [
        Section("labels_models", "How far models agree with the labels", table, _accuracy_rows(table),
            "Accuracy: the same type; interval clustered by user (CR2). Macro-F1: mean over the types that occur. "
            "Kappa: Cohen's, agreement beyond chance. Intervals of both: a seeded bootstrap of users. Majority: the "
            "accuracy of always naming the most frequent type. The baseline is fitted on the thoughts of other users. "
            + _LABELS),
        Section("labels_pairs", "Paired differences in accuracy", pairs, _pair_rows(pairs),
            "On the thoughts that both answered, in percentage points, clustered by user, p adjusted by Holm over all "
            "pairs of a kind."),
        Section("labels_types", "Type by type", types, _type_rows(types),
            "Recall: of the thoughts of a type, the share that was named so; precision: of those named so, the share "
            "that the dataset labels so. The interval is that of the recall."),
    ]  # fmt: skip
    for kind in table["kind"].unique():
        own = cells[cells["kind"] == kind]
        best = table[table["kind"] == kind].sort_values("kappa", ascending=False, kind="stable").head(_MOST)
        left = len(own.groupby(["model", "context"])) - len(best)
        note = "Counts; the darker, the larger the share of the row." + (
            f" Drawn are the {_MOST} runs with the highest kappa, of {left + len(best)}." if left > 0 else ""
        )
        sections.append(
            Section(f"labels_confused_{kind}", f"What each type was taken for: {kind}s", own, _confusion_rows(own),
                    note, confusion_figure(own, best))
        )  # fmt: skip
    return Chapter("labels", "Types of thoughts", intro, [section for section in sections if section.rows])


def _accuracy_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Context": row["context"],
            "Accuracy": percent(row["accuracy"]) if row["n"] else "none scored",
            "95 % interval": percents(row["accuracy_lower"], row["accuracy_upper"], row["accuracy_note"]),
            "Majority": percent(row["majority"]) if row["n"] else "",
            "Macro-F1": _two(row["macro_f1"]),
            "Macro-F1, 95 %": interval(row["macro_f1_lower"], row["macro_f1_upper"], row["macro_f1_note"]),
            "Kappa": _two(row["kappa"]),
            "Kappa, 95 %": interval(row["kappa_lower"], row["kappa_upper"], row["kappa_note"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Coverage": percent(row["coverage"]),
            "Named no type": f"{row['declined']:,}",
            "Missing": row["missing"],
            "Prompt": row["prompt_hash"],
            "Data, revision": f"{row['data']}, {row['data_revision']}",
        }
        for row in table.to_dict("records")
    ]


def _pair_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Kind": row["kind"],
            "By": row["by"],
            "A": row["a"],
            "B": row["b"],
            "Model": row["model"],
            "Context": row["context"],
            "A − B, points": f"{100 * row['difference']:+.1f}".replace("-", "−"),
            "95 % interval, points": percents(row["lower"], row["upper"], row["note"]).removesuffix(" %"),
            "p (Holm)": p_value(row["p_holm"]),
            "Only A right": f"{row['only_a']:,}",
            "Only B right": f"{row['only_b']:,}",
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
        }
        for row in table.to_dict("records")
    ]


def _type_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Context": row["context"],
            "Type": row["type"].replace("_", " "),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Named so": f"{row['answered']:,}",
            "Precision": _two(row["precision"]),
            "Recall": _two(row["recall"]),
            "95 % interval": interval(row["lower"], row["upper"], row["note"]),
            "F1": _two(row["f1"]),
        }
        for row in table.to_dict("records")
    ]


def _confusion_rows(cells: pd.DataFrame) -> Rows:
    rows = []
    for named, own in cells.groupby(["model", "context", "type"], sort=False):
        model, context, name = map(str, named)
        counts = {answer.replace("_", " "): str(n) for answer, n in zip(own["answer"], own["n"], strict=True)}
        rows.append({"Model": model, "Context": context, "The dataset's type": name.replace("_", " "), **counts})
    return rows


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if pd.notna(value) else ""
