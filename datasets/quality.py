"""How informative thoughts are, from a table that an annotator made (`thoughttrace annotate`)."""

from collections.abc import Sequence

from thoughttrace.datasets.errors import UserError
from thoughttrace.datasets.select import Item
from thoughttrace.datasets.sources import from_where_started

NEEDED = ("conversation", "message_index", "quality")

Quality = dict[tuple[str, int], float]
"""The highest informativeness, 1 to 5, of the thoughts on a message, by conversation and message; NaN if not rated."""


def read_quality(path: str, items: Sequence[Item]) -> Quality:
    """Read the quality of the reactions that stand right before some messages.

    Args:
        path: A Parquet file with a row per message and the columns `NEEDED`; others are not read.
        items: The messages; every reaction on the reply before one of them must have a row.

    Raises:
        UserError: The file cannot be read, lacks a column, or does not cover the messages.
    """
    # Imported here: every run loads this module, and pandas takes a second and 70 MB.
    import pandas as pd  # noqa: PLC0415

    try:
        table = pd.read_parquet(from_where_started(path))
    except Exception as error:  # a file that is no Parquet fails in any layer of the reader
        raise UserError(f"quality={path}: cannot be read as a Parquet file ({type(error).__name__}).") from error
    lacking = [name for name in NEEDED if name not in table.columns]
    if lacking:
        raise UserError(
            f"quality={path}: has no column {' and '.join(lacking)}; run thoughttrace/rate_thought on this data and "
            "thoughttrace annotate LOGS -o FILE.parquet."
        )
    rated = table.dropna(subset=["conversation", "message_index"])
    quality = {
        (str(row["conversation"]), int(row["message_index"])): float(row["quality"])
        for row in rated[list(NEEDED)].to_dict("records")
    }
    replies = [(c.id, index - 1) for c, index in items if c.messages[index - 1].thoughts]
    without = [reply for reply in replies if reply not in quality]
    if without:
        raise UserError(
            f"quality={path}: has no row for {len(without):,} of {len(replies):,} replies with a reaction, such as "
            f"message {without[0][1]} of {without[0][0]}; rate the thoughts of all this data."
        )
    return quality
