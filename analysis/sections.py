"""The report's sections on the scale and on the judges: tables as people read them, with a note on each."""

from collections.abc import Sequence

import pandas as pd

from thoughttrace.analysis import judges
from thoughttrace.analysis.cards import card_rows, cards
from thoughttrace.analysis.headline import headline
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.scale import MEMORY, against_controls, in_words, leaked, recovered
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import Rows, headline_rows, interval, p_value, percents, signed
from thoughttrace.analysis.votes import repeated, votes


def scale_sections(runs: Runs) -> list[Section]:
    """What the scale means: controls, recovered share, models against controls, leaks; empty without controls.

    Args:
        runs: Models and controls.
    """
    if not runs.controls:
        return []
    controls = headline(runs.controls)
    shares = recovered(runs.counted)
    against = against_controls(runs.counted)
    leaks, flagged = leaked(runs.counted)
    return _filled([
        Section("recovered", "Recovered share", shares, _share_rows(shares),
            "(agreement − floor) / (ceiling − floor), means over the samples that model, floor and ceiling all have; "
            "Fieller's interval from their CR2 covariance by user. Floor: another user's thought of the same type "
            "(someone_else). Ceiling: the target in other words (reworded), or else the target itself."),
        Section("controls", "Controls", controls, [r for r in headline_rows(controls) if r["n"]],
            "Inferences that needed no model under test, through the same task and judge."),
        Section("against", "Models against controls", against, _against_rows(against),
            "Paired differences, clustered by user, Holm over all rows of a kind. " + " ".join(in_words(against))),
        Section("leaks", "Targets repeated word for word", leaks, _leak_rows(leaks),
            "The dataset is public, so a model may have read it. Flagged is an inference that shares a longer run of "
            f"words with its target than any of someone_else's does, {MEMORY} or more."),
        Section("flagged", "Flagged samples", flagged, _plain_rows(flagged), ""),
    ])  # fmt: skip


def judge_sections(runs: Runs) -> list[Section]:
    """What the judges are like: what they make of each other's ratings, and their cards; empty without either.

    Args:
        runs: Models and controls; the judges' cards are looked for where they were found.
    """
    table = votes(runs.models)
    several = table[table.groupby("kind")["judge"].transform("nunique") > 1]
    noise = repeated(table)
    reliability = judges.agreements(several)
    severity, adjusted = judges.severity(several)
    preference = judges.self_preference(several)
    by_judge = judges.means(several) if len(several) else pd.DataFrame()
    known = cards(runs.others.get("judge_agreement", []))
    runs.left_out += [sentence for sentence in known.left_out if sentence not in runs.left_out]
    return _filled([
        Section("cards", "The judges' cards", known.table, card_rows(known.table),
            "How often a judge is right about probes whose right rating is known (judge_agreement). Right: the rating "
            "is one that the rubric allows. Order broken: of two probes of one target, the better is rated no higher."),
        Section("by_judge", "Mean by judge and model", by_judge, _mean_rows(by_judge),
            "Own family: judge and model have the same first name (claude, gpt, gemini, qwen …)."),
        Section("reliability", "How far judges agree", reliability, _estimate_rows(reliability),
            "Over inferences that two or more judges rated; 95 % intervals by a seeded bootstrap of users."),
        Section("severity", "How severe each judge is", severity, _estimate_rows(severity),
            "Points below the average judge, by an additive model of judge and model, clustered by user."),
        Section("adjusted", "Models as the average judge rates them", adjusted, _estimate_rows(adjusted),
            "From the same additive model: what is left of the difference when not all judges rated all models."),
        Section("preference", "Self-preference", preference, _estimate_rows(preference),
            "How much more a judge gives to its own family than the other judges do, on the same samples."),
        Section("noise", "How much a judge differs from itself", noise, _plain_rows(noise),
            "From repeated votes on one inference (judge_repeats). The share is what its noise explains of the "
            "variance of its mean."),
    ])  # fmt: skip


def _filled(sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if section.rows]


def _share_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Context": row["context"],
            "Judge": row["judge"],
            "Floor": f"{row['floor']:.2f}",
            "Agreement": f"{row['agreement']:.2f}",
            "Ceiling": f"{row['ceiling']:.2f} ({row['ceiling_is']})",
            "Recovered share": "" if pd.isna(row["share"]) else f"{row['share']:.1%}".replace("%", " %"),
            "95 % interval": percents(row["lower"], row["upper"], row["note"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
        }
        for _, row in table.iterrows()
    ]


def _against_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Control": row["control"],
            "Context": row["context"],
            "Judge": row["judge"],
            "Model − control": signed(row["difference"]),
            "95 % interval": interval(row["lower"], row["upper"], row["note"]),
            "p (Holm)": p_value(row["p_holm"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
        }
        for _, row in table.iterrows()
    ]


def _leak_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Judge": row["judge"],
            "Longest by chance, words": str(row["longest_by_chance"]),
            "Flagged": f"{row['flagged']:,} of {row['n']:,}",
            "Agreement": f"{row['mean']:.2f}",
            "Without the flagged": f"{row['mean_without']:.2f}",
        }
        for _, row in table.iterrows()
    ]


def _mean_rows(table: pd.DataFrame) -> Rows:
    return [
        {
            "Kind": row["kind"],
            "Judge": row["judge"],
            "Model": row["model"],
            "Context": row["context"],
            "Own family": "yes" if row["own_family"] else "",
            "Agreement": f"{row['mean']:.2f}",
            "95 % interval": interval(row["lower"], row["upper"], row["note"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
        }
        for _, row in table.iterrows()
    ]


def _estimate_rows(table: pd.DataFrame) -> Rows:
    """A table whose limits belong to the column before them."""
    rows: Rows = []
    for _, row in table.iterrows():
        cells: dict[str, str] = {}
        for name in table.columns:
            if name == "lower":
                cells["95 % interval"] = interval(row["lower"], row["upper"], row.get("note", ""))
            elif name not in {"upper", "note"}:
                cells[str(name).capitalize()] = _cell(row[name])
        rows.append(cells)
    return rows


def _plain_rows(table: pd.DataFrame) -> Rows:
    return [
        {str(name).replace("_", " ").capitalize(): _cell(cell) for name, cell in row.items()}
        for _, row in table.iterrows()
    ]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.2f}".replace("-", "−")
    return f"{value:,}" if isinstance(value, int) else str(value)
