"""The numbers of commit cedf1f9, and prompts, to which every later step is held.

`logs/` are real logs (`make_logs.py` says of what), `expected/` is what that commit said of them. A table or a column
that gets another name, or goes, stands in `names.json`:

    {"tables": {"old": "new"}, "columns": {"old_table": {"old": "new"}}, "dropped": {"old_table.old": "why"},
     "values": {"old_table.old": {"old label": "new label"}},
     "more": {"scenario.old_table": "why it has more rows now"}, "reordered": {"old_table": "the new order"},
     "gone": {"scenario.old_table": {"column": "of the rows that are no more", "value": "their cell", "why": "…"}},
     "not_shown": {"scenario.old_table": "why it is no longer written"},
     "recounted": {"scenario.old_table": {"columns": ["that have other numbers on purpose"], "why": "…"}},
     "logit": {"old_table": {"mean": ["lower", "upper", "note", "end of the scale", "other end"]}}}

All keys are the old names. `dropped` may also name a whole table; `values` is for labels that are said otherwise. New
tables and columns are no difference. The limits of a mean under `logit` were symmetric, clipped to the scale: those
that reach as far on its logit are expected instead. Sentences are not compared, only whether there is one, the numbers
in the methods paragraph, and which logs are left out.

Prompts and estimates of `infer_reason`, `infer_reaction`, `judge_agreement` and `label_topic` are of the rewritten
prompts and rubrics, written anew once.
"""

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import collected
import pandas as pd
import pytest
import scripted

NAMES: dict[str, Any] = json.loads((collected.HERE / "names.json").read_text(encoding="utf-8"))
RELATIVE = 1e-9
EMBEDDED = 1e-3
"""The embedding model computes with 8-bit numbers, and how they are rounded depends on the processor."""
UNKNOWN = "?"
"""What an expected cell holds that cannot be known."""
MOST = 40
"""Differences that are told."""

_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_SENTENCES = re.compile(r"(^|_)(note|advice)$")
"""Columns that hold sentences: only whether there is one is compared."""


def expected_json(*path: str) -> Any:
    return json.loads(collected.EXPECTED.joinpath(*path).read_text(encoding="utf-8"))


def expected_tables(scenario: str) -> dict[str, pd.DataFrame]:
    """The tables of a scenario, without what is gone or counted anew on purpose."""
    tables = {
        path.stem: pd.DataFrame()
        if not path.read_text(encoding="utf-8").strip('"\n')
        else pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
        for path in sorted((collected.EXPECTED / scenario).glob("*.csv"))
    }
    for name, table in tables.items():
        if gone := NAMES["gone"].get(f"{scenario}.{name}"):
            tables[name] = table[table[gone["column"]] != gone["value"]].reset_index(drop=True)
        for mean, limits in NAMES["logit"].get(name, {}).items():
            if not table.empty:
                tables[name] = on_the_logit(tables[name], mean, *limits)
        if recounted := NAMES["recounted"].get(f"{scenario}.{name}"):
            tables[name] = tables[name].drop(columns=recounted["columns"])
    return tables


def on_the_logit(table: pd.DataFrame, mean: str, lower: str, upper: str, note: str, low: float, high: float) -> Any:
    """Give a mean the limits that reach as far as its symmetric ones do, on the logit of the scale.

    Where both were clipped, and where the mean is at an end of the scale and had none, they are `UNKNOWN`.
    """
    table = table.copy()
    for row in table.index:
        estimate, *ends = (float(table.loc[row, column] or "nan") for column in (mean, lower, upper))
        if estimate in {low, high}:
            table.loc[row, [lower, upper, note]] = UNKNOWN
        elif not math.isnan(ends[0]):
            reach = max(estimate - ends[0] if ends[0] > low else 0, ends[1] - estimate if ends[1] < high else 0)
            place = (estimate - low) / (high - low)
            shift = reach / (high - low) / (place * (1 - place))
            limits = [low + (high - low) / (1 + math.exp(-math.log(place / (1 - place)) - x)) for x in (-shift, shift)]
            table.loc[row, [lower, upper]] = [repr(end) if reach else UNKNOWN for end in limits]
    return table


def same(expected: str, found: str, relative: float = RELATIVE) -> bool:
    """Whether two cells hold the same: whole numbers and texts exactly, others to a relative difference."""
    if expected in {found, UNKNOWN}:
        return True
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(found)):
        return False
    if re.fullmatch(r"-?\d+", expected) and re.fullmatch(r"-?\d+", found):
        return False
    return math.isclose(float(expected), float(found), rel_tol=relative, abs_tol=1e-12)


def table_differences(name: str, expected: pd.DataFrame, found: pd.DataFrame, relative: float) -> list[str]:
    """One line for every cell that differs: table, row, column, expected, found."""
    if len(expected) != len(found):
        return [f"{name}: {len(expected)} rows expected, {len(found)} found"]
    differences = []
    for column in expected.columns:
        if f"{name}.{column}" in NAMES["dropped"]:
            continue
        renamed = NAMES["columns"].get(name, {}).get(column, column)
        if renamed not in found.columns:
            differences.append(f"{name}: column {column} is missing (as {renamed}); it has {', '.join(found.columns)}")
            continue
        said = NAMES["values"].get(f"{name}.{column}", {})
        for row, (label, now) in enumerate(zip(expected[column], found[renamed], strict=True)):
            was = said.get(label, label)
            equal = bool(was) == bool(now) or was == UNKNOWN if _SENTENCES.search(column) else same(was, now, relative)
            if not equal:
                differences.append(f"{name}, row {row}, {column}: expected {was!r}, found {now!r}")
    return differences


def rows_that_were(name: str, expected: pd.DataFrame, found: pd.DataFrame, relative: float) -> pd.DataFrame:
    """Keep the rows that the table had, in their old order: for each expected row the first that equals it."""
    places: list[int] = []
    for place in range(len(expected)):
        was = expected.iloc[[place]].reset_index(drop=True)
        left = (row for row in range(len(found)) if row not in places)
        places += [
            next(
                (
                    row
                    for row in left
                    if not table_differences(name, was, found.iloc[[row]].reset_index(drop=True), relative)
                ),
                0,
            )
        ]
    return found.iloc[places].reset_index(drop=True)


def differences(where: str, expected: Any, found: Any) -> list[str]:
    """One line for every value of nested data that differs; numbers to a relative difference, all else exactly."""
    if isinstance(expected, float) and isinstance(found, float | int):
        both_nan = math.isnan(expected) and math.isnan(found)
        return [] if both_nan or math.isclose(expected, found, rel_tol=RELATIVE) else [f"{where}: {expected} → {found}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        missing = [f"{where}.{name}: is missing" for name in expected if name not in found]
        shared = [name for name in expected if name in found]
        return missing + [
            line for name in shared for line in differences(f"{where}.{name}", expected[name], found[name])
        ]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{where}: {len(expected)} expected, {len(found)} found"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for n, (was, now) in pairs for line in differences(f"{where}[{n}]", was, now)]
    return [] if expected == found else [f"{where}: expected {expected!r}, found {found!r}"]


def tell(lines: list[str]) -> None:
    """Fail with the differences, if there are any."""
    if lines:
        more = f"\n… and {len(lines) - MOST} more" if len(lines) > MOST else ""
        pytest.fail("\n".join(lines[:MOST]) + more, pytrace=False)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where parsed logs and embeddings are kept for this session."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("scenario", collected.COMMANDS)
def test_a_command_says_the_same(scenario: str, tmp_path: Path, cache: Path) -> None:
    if scenario == "shift_umap" and not os.environ.get("THOUGHTTRACE_NET_ALL"):
        pytest.skip("UMAP compiles itself for a minute: set THOUGHTTRACE_NET_ALL=1")
    found = collected.collect(scenario, tmp_path, cache)
    was = expected_json(scenario, "said.json")
    lines = []
    for name, table in expected_tables(scenario).items():
        renamed = NAMES["tables"].get(name, name)
        if name in NAMES["dropped"]:
            continue
        if renamed not in found.tables and table.empty:
            continue
        if renamed not in found.tables and f"{scenario}.{name}" in NAMES["not_shown"]:
            continue
        if renamed not in found.tables:
            lines.append(f"{name}: the table is missing (as {renamed}); there are {', '.join(found.tables)}")
            continue
        relative = EMBEDDED if scenario.startswith("shift") else RELATIVE
        now = found.tables[renamed]
        if f"{scenario}.{name}" in NAMES["more"] or (name in NAMES["reordered"] and len(now) == len(table)):
            now = rows_that_were(name, table, now, relative)
        lines += table_differences(name, table, now, relative)
    left_out = found.said["left_out"]
    if f"{scenario}.left_out" in NAMES["more"]:
        left_out = [log for log in left_out if log in was["left_out"]]
    else:
        lines += differences("times a log is left out", was["left_out_count"], found.said["left_out_count"])
    lines += differences("logs left out", was["left_out"], left_out)
    if "methods" in was:
        old, new = (collected.numbers(said["methods"]) for said in (was, found.said))
        if f"{scenario}.methods" in NAMES["more"]:
            new = [number for number in old if new.count(number) >= old.count(number)]
        lines += differences("numbers of the methods paragraph", old, new)
    if scenario.startswith(("plan", "estimate")):
        old, new = (collected.figures(said["output"]) for said in (was, found.said))
        lines += differences("numbers on the terminal", old, new)
    tell(lines)


@pytest.mark.parametrize("name", collected.PROMPTS)
def test_prompts_are_the_same_to_the_byte(name: str, tmp_path: Path) -> None:
    found = json.loads(json.dumps(collected.prompts(name, scripted, tmp_path)))
    tell(differences(name, expected_json("prompts", f"{name}.json"), found))


def test_plans_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path))
    tell(differences("plan", expected_json("planned.json"), collected.planned()))


def test_estimates_are_the_same() -> None:
    tell(differences("estimate", expected_json("estimated.json"), collected.estimated()))
