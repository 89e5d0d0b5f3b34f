"""The report's chapter on the next message."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from thoughttrace.analysis.comparison import LEVEL
from thoughttrace.analysis.messages.figures import gain_forest, means_by_arm
from thoughttrace.analysis.messages.gains import gains, shares, unpaired
from thoughttrace.analysis.messages.logs import TASK, predictions
from thoughttrace.analysis.messages.means import means
from thoughttrace.analysis.messages.rows import gain_rows, mean_rows, share_rows, span
from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.section import Section

_INTRO = (
    "A model reads a conversation up to one of the assistant's replies, with or without the user's private thoughts "
    "between the messages, and predicts what the user writes next; a judge rates from 0 to 100 how near in meaning "
    "that is to what they wrote. The thought on the predicted message itself is never shown."
)
_MEANS = (
    "CR2 intervals by user, clipped to 0–100. Thoughts: none, the history alone; reasons, reactions, both, the user's "
    "own; shuffled, other users' of the same kind and about the same length in their places; inferred, a model's "
    "guesses there. Cosine: of embeddings, found without a judge. A refusal or an empty answer counts as 0. "
    "Published: Jin et al. 2026 (arXiv:2605.20087), with another judge, other prompts, messages kept by an LLM's "
    "rating of their thoughts, and no interval; for orientation, not the same measurement."
)
_GAINS = (
    "Differences on the samples that both runs of a model scored, under the same judge, rubric, prompt, data and "
    "choice of messages; CR2 by user, Holm over a setting's rows (those over models apart). Relative: ratio of the "
    "means − 1, Fieller's interval. Over models: a sample's mean over the models, each within its own judge, on the "
    "samples that all of them have. Written before: only messages before which no thought shown was written after "
    "the message itself, for a thought written in hindsight can tell of it; own against inferred: the user's thoughts "
    "against a model's guesses in their places."
)
_SHARES = (
    "(inferred − none) / (own − none), a ratio of means over the samples that all three runs scored; Fieller's "
    "interval from their CR2 covariance by user, not clipped: below 0 the guesses harm, above 100 % they help more "
    "than the thoughts. The guesses were made without the message to be predicted (context history or message)."
)


def message_chapter(runs: Runs) -> Chapter:
    """What the logs of `predict_message` say; without sections where there is none.

    Args:
        runs: What was found; a sentence for every log that does not count is added.
    """
    found, left_out = predictions(runs.others.get(TASK, []))
    runs.left_out += [sentence for sentence in left_out if sentence not in runs.left_out]
    if not found:
        return Chapter("messages", "Next message", "", [])
    averages, added, recovered = means(found), gains(found), shares(found)
    drawn = means_by_arm(averages) if averages["n"].any() else None
    against_none = not added.empty and (added["against"] == "none").any()
    alone = " ".join(unpaired(found))
    sections = [
        Section("messages_means", "How near the predicted messages are", averages, mean_rows(averages), _MEANS, drawn),
        Section("messages_gains", "What thoughts add", added, gain_rows(added), f"{_GAINS} {alone}".strip(),
            gain_forest(added) if against_none else None),
        Section("messages_shares", "How much of it a model's guesses recover", recovered, share_rows(recovered),
            _SHARES),
    ]  # fmt: skip
    intro = " ".join([_INTRO, *in_words(added, {run.header["arm"] for run in found})])
    return Chapter("messages", "Next message", intro, [section for section in sections if section.rows])


def in_words(table: pd.DataFrame, arms: set[str]) -> list[str]:
    """Say whether the user's own thoughts help more than other users'.

    Args:
        table: What `gains` returns.
        arms: Of which there are runs.
    """
    if "both" not in arms:
        return []
    rows = table[(table["arm"] == "both") & (table["against"] == "shuffled")] if len(table) else table
    if rows.empty:
        return [
            "There is no comparison with other users' thoughts (thoughts=shuffled), so it cannot be told whether "
            "thoughts help by what they say or by their mere length."
        ]
    pooled = rows[rows["pooled"] > 0]
    return [_verdict(row) for row in (rows if pooled.empty else pooled).to_dict("records")]


def _verdict(row: Mapping[Any, Any]) -> str:
    said = f"{row['model']}: {span(row['gain'], row['lower'], row['upper'])}, n = {row['n']:,}"
    if not row["p_holm"] < LEVEL:
        return f"Whether the user's own thoughts help more than other users' cannot be told ({said})."
    if row["gain"] > 0:
        return f"The user's own thoughts help more than other users' in their places ({said}): by what they say."
    return f"The user's own thoughts help less than other users' in their places ({said})."
