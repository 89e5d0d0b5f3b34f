"""What conversations are about and how messages in them relate: shares, and how far labellers agree."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from thoughttrace.analysis.finished import Header, Read
from thoughttrace.analysis.profile.tables import mean_by_user
from thoughttrace.analysis.stats.interrater import bootstrap_counts, cohen_kappa, confusions
from thoughttrace.analysis.thought_logs import missing
from thoughttrace.core.published import published_labels
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS, SUBTOPICS

Of = Literal["relation", "domain", "subtopic"]

NAMES: dict[Of, tuple[str, ...]] = {"relation": RELATIONS, "domain": DOMAINS, "subtopic": tuple(SUBTOPICS)}

_HAS: dict[Of, Callable[[str, str], bool]] = {
    "relation": lambda answer, name: answer == name,
    "domain": lambda answer, name: name in {SUBTOPICS.get(one) for one in answer.split("; ")},
    "subtopic": lambda answer, name: name in answer.split("; "),
}
"""Whether an answer names a label."""


def shares(found: Sequence[Read], of: Of) -> pd.DataFrame:
    """Estimate the share of every label.

    Args:
        found: Logs of `relate_messages` for relations, else of `label_topic`.
        of: Which labels. Of domains and subtopics several may apply, so that shares add up to more than 1.

    Returns:
        One row per log and label: `model`, `name`, `count`, `n` (labelled messages or conversations, of all epochs),
        `users`, `mean` (the share) with its 95 % limits `lower` and `upper` (CR2 by user), `note` (why there are none),
        `published` and `status` (NaN and empty where nothing is), `samples` (planned), `coverage`, `missing`, and what
        names the log.
    """
    published = {} if of == "subtopic" else published_labels(of)
    rows: list[dict[str, Any]] = []
    for header, labels in found:
        known = labels[labels["answer"] != ""]
        planned = header["planned"] * header["epochs"]
        for name in NAMES[of]:
            has = known["answer"].map(lambda answer, name=name: _HAS[of](answer, name)).astype(bool)
            share, status = published.get(name, (np.nan, ""))
            rows.append(
                {"model": header["model"], "name": name, "count": int(has.sum())}
                | mean_by_user(has, known["user"])
                | {"published": share, "status": status, "samples": planned, "coverage": len(known) / planned}
                | {"missing": _missing(header, labels)}
                | {key: header[key] for key in ("task_version", "data", "data_revision", "prompt_hash")}
                | {key: header[key] for key in ("package_version", "date", "log")}
            )
    return pd.DataFrame(rows)


def agreements(related: Sequence[Read], topics: Sequence[Read]) -> pd.DataFrame:
    """How far two models label alike what both have labelled, with the same prompt on the same data.

    Args:
        related: Logs of `relate_messages`. A conversation's first messages are left out: nobody chose their label.
        topics: Logs of `label_topic`; each domain is a label of its own, given or not.

    Returns:
        One row per pair of models and label: `of`, `name` (`all four` relations, or a domain), `a`, `b`, `n`, `users`,
        `alike` (share of equal labels), `kappa` (Cohen's) with percentile limits over users `lower` and `upper`, and
        `note`, why there are none.
    """
    rows: list[dict[str, Any]] = []
    for of, found in (("relation", related), ("domain", topics)):
        for (a, first), (b, second) in combinations(found, 2):
            if a["model"] == b["model"] or any(a[key] != b[key] for key in ("data_revision", "prompt_hash")):
                continue
            pair = _both(first, second)
            for name, x, y, names in _paired(of, pair):
                named = {"of": of, "name": name, "a": a["model"], "b": b["model"]}
                rows.append(named | _alike(x, y, pair["user"], names))
    return pd.DataFrame(rows)


def _both(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """The first epoch's labels of what both have labelled by choice."""
    a, b = (
        rows[(rows["epoch"] == 1) & (rows["answer"] != "") & ~rows["first"]].set_index("id") for rows in (first, second)
    )
    return a[["user", "answer"]].join(b["answer"].rename("other"), how="inner")


def _paired(of: str, pair: pd.DataFrame) -> list[tuple[str, list[str], list[str], tuple[str, ...]]]:
    if pair.empty:
        return []
    if of == "relation":
        return [("all four", pair["answer"].tolist(), pair["other"].tolist(), RELATIONS[1:])]

    def named(answers: pd.Series, name: str) -> list[str]:
        return ["yes" if _HAS["domain"](answer, name) else "no" for answer in answers]

    return [(name, named(pair["answer"], name), named(pair["other"], name), ("yes", "no")) for name in DOMAINS]


def _alike(x: list[str], y: list[str], users: pd.Series, names: tuple[str, ...]) -> dict[str, Any]:
    found = bootstrap_counts(confusions(x, y, users.to_numpy(), names), cohen_kappa)
    return {
        "n": found.n,
        "users": found.clusters,
        "alike": float(np.mean([a == b for a, b in zip(x, y, strict=True)])),
        "kappa": found.estimate,
        "lower": found.lower,
        "upper": found.upper,
        "note": (found.reason or "").replace("labels and answers are", "both are"),
    }


def _missing(header: Header, labels: pd.DataFrame) -> str:
    return missing(header, labels.assign(value=np.where(labels["answer"] == "", np.nan, 1.0)))
