"""What the commands say of the net's logs, as data: tables, left-out logs, notes, prompts.

Run as a script it writes `expected/`, which was done once, with commit cedf1f9:

    PYTHONPATH=src python tests/net/collected.py

Everything but `planned`, `estimated` and `_forget_caches` goes through the public command line, or through Inspect by
the tasks' names.
"""

import html
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pandas as pd
from click.testing import CliRunner

HERE = Path(__file__).resolve().parent
LOGS, EXPECTED = HERE / "logs", HERE / "expected"

NUMBER = re.compile(r"(?<![\w.])[-−+]?\d[\d,]*(?:\.\d+)?(?![\w])")
_STATED = ("--sd", "1.1", "--icc", "0.1", "--per-user", "4.3")
_MODELS = ("--model", "openai/gpt-5.4,google/gemini-3.1-pro-preview", "--grader", "anthropic/claude-opus-4-6")
_TASKS = (
    "infer_reason", "infer_reaction", "judge_agreement", "predict_message", "classify_thought", "cover_thought",
    "rate_thought", "relate_messages", "label_topic",
)  # fmt: skip

COMMANDS: dict[str, tuple[str, ...]] = {
    "report_infer": ("report", "infer", "--ratings", "ratings.jsonl"),
    "report_panel": ("report", "panel", "cards"),
    "report_versions": ("report", "versions"),
    "report_old": ("report", "versions/old"),
    "report_next": ("report", "next"),
    "report_labels": ("report", "labels"),
    "report_mixed": ("report", "versions", "labels", "cards", "--annotations", "annotations.parquet", "--no-text"),
    "compare_model": ("compare", "infer", "panel"),
    "compare_context": ("compare", "infer", "--by", "context"),
    "compare_judge": ("compare", "infer", "panel", "--by", "judge"),
    "compare_prompt": ("compare", "infer", "versions", "--by", "prompt", "--force"),
    "compare_date": ("compare", "infer", "--by", "date"),
    "compare_force": ("compare", "infer", "panel", "--force"),
    "annotate_gpt": ("annotate", "labels/gpt"),
    "annotate_claude": ("annotate", "labels/claude"),
    "profile": ("profile", "sample"),
    "shift": ("shift", "sample"),
    "shift_umap": ("shift", "sample"),
    "plan_half_width": ("plan", "--half-width", "0.1", *_STATED),
    "plan_difference": ("plan", "--difference", "0.2", "--power", "0.9", "--correlation", "0.4", *_STATED),
    "plan_samples": ("plan", "--samples", "1000", "--level", "0.99", *_STATED),
    "plan_pilot": ("plan", "versions/new", "--kind", "reason", "--difference", "0.2"),
    "plan_pilot_samples": ("plan", "versions/new", "--kind", "reason", "--samples", "500"),
    **{f"estimate_{task}": ("estimate", task, *_MODELS, "--limit", "9", "--epochs", "2") for task in _TASKS},
    "estimate_both": ("estimate", "infer_reason", "infer_reaction", *_MODELS, "-T", "judge_repeats=2"),
}
"""By scenario the words of the command; folders are those of `logs/`. `shift_umap` is `shift` with the real UMAP."""


@dataclass
class Collected:
    """What one command said."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Every cell as text; empty where there is none."""
    said: dict[str, Any] = field(default_factory=dict)
    """`output` (the terminal's), `left_out` (names of logs), `notes` (by table), `methods`, `page` (its text)."""


def numbers(text: str) -> list[str]:
    """The numbers in a text, in order, without thousands' commas."""
    return [found.replace(",", "").replace("−", "-") for found in NUMBER.findall(text)]


def figures(output: str) -> list[list[str]]:
    """The numbers that a command printed, a list per line, without its explanations (lines with a bullet)."""
    lines = [line for line in output.splitlines() if not line.lstrip().startswith("•")]
    return [found for line in lines if (found := numbers(line))]


class Flat:
    """Stands for `umap.UMAP`, which compiles itself for half a minute: the first two coordinates."""

    def __init__(self, **options: Any) -> None:
        self.embedding_: Any = None

    def fit(self, vectors: Any) -> "Flat":
        self.embedding_ = self.transform(vectors)
        return self

    def transform(self, vectors: Any) -> Any:
        return 10 * vectors[:, :2]


@contextmanager
def flat_umap() -> Iterator[None]:
    """A module `umap` with `Flat`, for a while."""
    made, before = ModuleType("umap"), sys.modules.get("umap")
    made.__spec__ = ModuleSpec("umap", None)
    made.UMAP = Flat  # type: ignore[attr-defined]
    sys.modules["umap"] = made
    try:
        yield
    finally:
        del sys.modules["umap"]
        if before:
            sys.modules["umap"] = before


@contextmanager
def undrawn() -> Iterator[None]:
    """Figures are files without a picture, and LaTeX tables are empty: both take more time than the numbers."""

    def savefig(self: Any, path: Path, **options: Any) -> None:
        Path(path).write_text("<svg></svg>", encoding="utf-8")

    latex = patch("pandas.io.formats.style.Styler.to_latex", lambda self, **options: "")
    with patch("matplotlib.figure.Figure.savefig", savefig), latex:
        yield


def collect(scenario: str, folder: Path, kept: Path) -> Collected:
    """Run the command of a scenario.

    Args:
        scenario: Of `COMMANDS`.
        folder: An empty one, to write into.
        kept: For parsed logs and embeddings.
    """
    from thoughttrace.cli.main import main

    words = [_placed(word) for word in COMMANDS[scenario]]
    writes = {"compare": "out.csv", "annotate": "out.parquet", "report": "out", "profile": "out", "shift": "out"}
    out = folder / writes.get(words[0], "none")
    if words[0] in writes:
        words += ["-o", str(out)]
    where = {"COLUMNS": "1000", "THOUGHTTRACE_CACHE": str(kept)}
    with undrawn(), nullcontext() if scenario == "shift_umap" else flat_umap():
        done = CliRunner(env=where).invoke(main, words)
    if done.exit_code:
        raise AssertionError(f"thoughttrace {' '.join(words)}: {done.output}") from done.exception
    output = done.output.replace(str(folder), "").replace(str(HERE), "")
    found = Collected(said={"output": output})
    left_out = re.findall(r"^(?:[^:\n]*: )?([^\s:/]+\.eval): ", output, re.MULTILINE)
    found.said["left_out"] = sorted(set(left_out))
    found.said["left_out_count"] = len(left_out)
    if words[0] == "compare":
        found.tables["comparisons"] = pd.read_csv(out, dtype=str, keep_default_na=False)
    elif words[0] == "annotate":
        found.tables["annotations"] = _text(pd.read_parquet(out))
    elif words[0] in writes:
        _read_folder(out, found)
    return found


def _placed(word: str) -> str:
    if word == ".":
        return str(LOGS)
    return next((str(place / word) for place in (LOGS, HERE) if (place / word).exists()), word)


def _text(table: pd.DataFrame) -> pd.DataFrame:
    """A table's cells as CSV would hold them."""
    import io

    return pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False)


def _read_folder(out: Path, found: Collected) -> None:
    for path in sorted(out.glob("*.csv")):
        # A table without rows and columns is a file of one line break.
        empty = not path.read_text(encoding="utf-8").strip()
        found.tables[path.stem] = (
            pd.DataFrame() if empty else pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
        )
    for path in sorted(out.glob("*.parquet")):
        found.tables[f"{path.stem}.parquet"] = _text(pd.read_parquet(path))
    notes = {
        path.stem: path.read_text(encoding="utf-8").rpartition("|")[2].strip() for path in sorted(out.glob("*.md"))
    }
    found.said["notes"] = {name: note for name, note in notes.items() if note}
    if (out / "sections.json").exists():
        found.said["sections"] = json.loads((out / "sections.json").read_text(encoding="utf-8"))
    page = (out / "index.html").read_text(encoding="utf-8")
    # Where the paragraph stands on the page; to be adapted with it.
    methods = re.search(r'<p class="methods">(.*?)</p>', page, re.DOTALL)
    found.said["methods"] = html.unescape(methods[1]) if methods else ""
    plain = re.sub(r"<(script|style|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    plain = html.unescape(re.sub(r"<[^>]+>", " ", plain))
    found.said["page"] = [line for row in plain.splitlines() if (line := " ".join(row.split()))]


# ---- Prompts: by the tasks' names, through Inspect; only what a process remembers of earlier prompts is internal.

PROMPTS: dict[str, tuple[str, dict[str, Any]]] = {
    "infer_reason": ("infer_reason", {}),
    **{f"infer_reason_{one}": ("infer_reason", {"context": one}) for one in ("message", "lookahead", "profile")},
    "infer_reason_short": ("infer_reason", {"max_context_words": 60, "judge_message": False}),
    "infer_reason_reworded": ("infer_reason", {"control": "reworded"}),
    "infer_reaction": ("infer_reaction", {}),
    "infer_reaction_history": ("infer_reaction", {"context": "history"}),
    "infer_reaction_someone_else": ("infer_reaction", {"control": "someone_else"}),
    "judge_agreement": ("judge_agreement", {"per_family": 2}),
    "judge_agreement_without_message": ("judge_agreement", {"per_family": 2, "judge_message": False}),
    **{f"predict_message_{arm}": ("predict_message", {"thoughts": arm})
       for arm in ("none", "reasons", "reactions", "both", "shuffled")},
    "predict_message_inferred": ("predict_message", {"thoughts": "inferred", "inferred": str(LOGS / "next/guesses")}),
    "predict_message_without_reply": ("predict_message", {"judge_reply": False}),
    **{f"classify_thought_{kind}_{beside}": ("classify_thought", {"kind": kind, "context": beside})
       for kind in ("reason", "reaction") for beside in ("thought", "message", "history")},
    **{f"{task}_{kind}": (task, {"kind": kind})
       for task in ("cover_thought", "rate_thought") for kind in ("reason", "reaction")},
    "relate_messages": ("relate_messages", {}),
    "label_topic": ("label_topic", {}),
}  # fmt: skip
"""By a name of our own, a task and its arguments."""

_HASHES = ("prompt_hash", "rubric_hash", "probes_hash", "data_revision")


def prompts(name: str, scripted: Any, folder: Path) -> dict[str, Any]:
    """What a task's first two samples are, what models and judges are sent, and the hashes in the log.

    Args:
        name: Of `PROMPTS`.
        scripted: The module `scripted`.
        folder: For the log.
    """
    from inspect_ai import eval as inspect_eval
    from inspect_ai.model import get_model

    task, arguments = PROMPTS[name]
    control = arguments.get("control") == "someone_else"
    scripted.forget()
    _forget_caches()
    with scripted.scripted_providers(), patch(_LOOKED_UP, _packages):
        judge = {"grader": get_model(scripted.OPUS, memoize=False)}
        (log,) = inspect_eval(
            f"thoughttrace/{task}", task_args=arguments, limit=2, log_dir=str(folder), display="none", max_samples=1,
            model="none/none" if control else get_model(scripted.CLAUDE, memoize=False),
            model_roles=judge if task in ("infer_reason", "infer_reaction", "predict_message") else None,
        )  # fmt: skip
    if log.status != "success":
        raise AssertionError(f"{name}: {log.status}, {log.error and log.error.message}")
    return {
        "version": str(log.eval.task_version),
        "hashes": {one: said for one in _HASHES if (said := (log.eval.metadata or {}).get(one)) is not None},
        "samples": [
            {
                "id": sample.id,
                "input": _messages(sample.input),
                "target": sample.target,
                "metadata": json.loads(json.dumps(sample.metadata)),
                "scores": {
                    scorer: {"value": score.value, "answer": score.answer,
                             "rubric_hash": (score.metadata or {}).get("rubric_hash")}
                    for scorer, score in (sample.scores or {}).items()
                },
            }
            for sample in log.samples or []
        ],
        "sent": [
            {"model": model, "messages": _messages(messages), "schema": _schema(config)}
            for model, messages, config in scripted.requests
        ],
    }  # fmt: skip


_LOOKED_UP = "inspect_ai._util.package.packages_distributions"


@cache
def _packages() -> dict[str, list[str]]:
    """Which distributions hold which packages; Inspect looks it up for every run, which takes most of its time."""
    return {name: list(found) for name, found in packages_distributions().items()}


def _forget_caches() -> None:
    """Prompts are marked by what earlier ones left in the provider's cache: begin without. Adapt to moved names."""
    from thoughttrace.models import prompt_cache

    prompt_cache._cached_prefixes.clear()


def _messages(messages: Any) -> list[dict[str, Any]]:
    """Roles and whole texts; of texts cut for a cache the pieces, and whether a piece is marked."""
    return [
        {"role": message.role, "text": message.text}
        | ({} if isinstance(message.content, str) else {"pieces": [
            [len(part.text), part.cache_breakpoint] for part in message.content]})
        for message in messages
    ]  # fmt: skip


def _schema(config: Any) -> Any:
    return json.loads(config.response_schema.model_dump_json(exclude_none=True)) if config.response_schema else None


# ---- What has no table of its own on the command line. These two import the project's modules: adapt them here.


def planned() -> dict[str, Any]:
    """The figures of a pilot, and what they plan, with every digit."""
    from thoughttrace.analysis.read.runs import INFERENCE, read_runs
    from thoughttrace.analysis.stats.pilot import RatingStatistics, pilot_statistics
    from thoughttrace.analysis.stats.power import (
        detectable,
        even_sizes,
        half_width,
        power,
        users_for_difference,
        users_for_half_width,
        users_within,
    )
    from thoughttrace.cli.plan import _ratings

    found: dict[str, Any] = {}
    counted = read_runs([str(LOGS / "versions/new")], INFERENCE).counted
    kinds = {kind: [run for run in counted if run.kind == kind]
             for kind in ("reason", "reaction")}  # fmt: skip
    told = {kind: pilot_statistics(*_ratings(runs)) for kind, runs in kinds.items()}
    told["stated"] = RatingStatistics(1.1, 0.1, even_sizes(4.3), correlation=0.4)
    for name, figured in told.items():
        mean = figured.for_mean()
        found[name] = {
            "sd": mean.sd, "icc": mean.icc, "per_user": list(mean.per_user), "correlation": figured.correlation,
            "half_width": [half_width(mean, users, level) for users in (10, 100, 1058) for level in (0.9, 0.95)],
            "users_for_half_width": users_for_half_width(mean, 0.15), "users_within": users_within(mean, 700),
        }  # fmt: skip
        if name != "reaction":  # of one model
            both = figured.for_difference()
            found[name] |= {
                "sd_difference": both.sd, "icc_difference": both.icc,
                "power": [power(both, users, 0.2) for users in (10, 100, 1058)],
                "detectable": [detectable(both, users, 0.8) for users in (10, 100, 1058)],
                "users_for_difference": users_for_difference(both, 0.25, 0.8),
            }  # fmt: skip
    return found


def estimated() -> dict[str, Any]:
    """Requests and tokens of each model and task, whole numbers before any rounding for people."""
    from thoughttrace.core.prices import our_prices
    from thoughttrace.costing.workload import workloads

    models, judges, prices = _MODELS[1].split(","), [_MODELS[3]], our_prices()
    return {
        task: [
            {
                "model": work.model, "role": work.role, "requests": work.requests, "output": work.output,
                "plain": work.plain.model_dump(exclude_none=True), "cached": work.cached.model_dump(exclude_none=True),
                "dollars": [
                    price.dollars(work.plain), price.dollars(work.cached), price.dollars(work.plain, batch=True)
                ],
            }
            for work in workloads(task, {}, models, judges, prices)
            if (price := prices.find(work.model))
        ]
        for task in _TASKS
    }  # fmt: skip


def write() -> None:
    """Write `expected/` anew."""
    import scripted

    shutil.rmtree(EXPECTED, ignore_errors=True)
    kept = Path(os.environ["THOUGHTTRACE_CACHE"])
    for scenario in COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            found = collect(scenario, Path(folder), kept)
        place = EXPECTED / scenario
        place.mkdir(parents=True)
        for name, table in found.tables.items():
            table.to_csv(place / f"{name}.csv", index=False)
        _write_json(place / "said.json", found.said)
        print(scenario, len(found.tables), flush=True)
    for name in PROMPTS:
        with tempfile.TemporaryDirectory() as folder:
            _write_json(EXPECTED / f"prompts/{name}.json", prompts(name, scripted, Path(folder)))
    _write_json(EXPECTED / "planned.json", planned())
    _write_json(EXPECTED / "estimated.json", estimated())


def _write_json(path: Path, found: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ["THOUGHTTRACE_CACHE"] = tempfile.mkdtemp()
    sys.path.insert(0, str(HERE))
    write()
