"""Make preference pairs of rewritten replies, in the conversational form that TRL reads, and check such files."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Signal, Unscored
from thoughttrace.datasets.split import Part, Split

FILES: dict[Part, str] = {"train": "train.jsonl", "dev": "validation.jsonl"}
"""The file of each part of the split; test users are in none."""

# ---- rows


class Turn(BaseModel):
    """A message of a chat."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(pattern=r"\S")]


Said = Annotated[list[Turn], Field(min_length=1, max_length=1)]
Rating = Annotated[float, Field(ge=1, le=5, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]


class Pair(BaseModel):
    """A row: what a trainer reads (`prompt`, `chosen`, `rejected`), and where it is from."""

    # A user may add columns; trainers read past them.
    model_config = ConfigDict(strict=True)

    prompt: Annotated[list[Turn], Field(min_length=1)]
    """The chat up to the user's message that both replies answer."""
    chosen: Said
    """The rewrite."""
    rejected: Said
    """The original reply."""
    id: Name
    """Of the sample in the log, such as `user804_task2_conversation1/m05/rewrite`."""
    conversation: Name
    user: Name
    part: Literal["train", "dev"]
    signal: Signal
    """What the rewriter was shown."""
    rewriter: Name
    judges: list[str]
    answers_complaint: Rating | None
    """1–5, the judges' mean; None where no judge rated the rewrite. So is the next."""
    keeps_request: Rating | None
    message_dissatisfied: Literal["yes", "no", ""]
    """Whether the user's next message shows dissatisfaction; empty where nobody was asked."""
    messages_left_out: Annotated[int, Field(ge=0)]
    """Messages dropped from the front of the prompt, as the rewriter did not see them."""
    assistant_model: str
    """The model that wrote the original reply."""
    data: str
    data_revision: Name

    @property
    def fault(self) -> str:
        """What is wrong though every field is well-formed; empty for nothing."""
        roles = [turn.role for turn in self.prompt]
        if roles[-1] != "user":
            return "prompt: does not end with the user's message"
        if any(role == "system" for role in roles[1:]):
            return "prompt: has a system message that is not its first"
        for name, turns in (("chosen", self.chosen), ("rejected", self.rejected)):
            if turns[0].role != "assistant":
                return f"{name}: is not the assistant's message"
        if _bare(self.chosen[0].content) == _bare(self.rejected[0].content):
            return "chosen: is the rejected message"
        return ""


def _bare(text: str) -> str:
    return " ".join(text.split())


# ---- making


@dataclass(frozen=True)
class Rewrite:
    """A reply that was written anew, as a log holds it."""

    pair: Pair
    """Its row, without `part`, which the split tells; unchecked, for there may be no rewrite."""
    unscored: str
    """Why the judges gave no rating, or a rule did, an `Unscored`; empty for a rating."""
    declined: bool
    """Whether the rewrite refuses in plain words."""

    @property
    def rewrite(self) -> str:
        """The rewrite; empty if there is none."""
        return self.pair.chosen[0].content

    @property
    def key(self) -> str:
        """What makes two rewrites pairs of the same chat and reply, white space aside."""
        texts = [turn.content for turn in (*self.pair.prompt, *self.pair.rejected)]
        return "\x1f".join(map(_bare, texts))


@dataclass(frozen=True)
class Arm:
    """The pairs of one signal."""

    pairs: dict[Part, list[Pair]]
    """By part, in the order of the logs."""
    dropped: Counter[str] = field(default_factory=Counter)
    """How many rewrites are no pairs, by reason."""

    @property
    def rewrites(self) -> int:
        """How many rewrites there were."""
        return sum(map(len, self.pairs.values())) + self.dropped.total()


_NO_REWRITE: dict[str, str] = {
    Unscored.REFUSAL: "refused",
    Unscored.NO_RESPONSE: "empty",
    Unscored.TRUNCATED: "cut off",
    Unscored.NO_SIGNAL: "next message not dissatisfied",
}
"""Why there is no rewrite to be chosen, by the reason in the log."""

DROPPED = (
    "test user", "no rewrite", "refused", "empty", "cut off", "unchanged", "no chat", "next message not dissatisfied",
    "undecided", "not rated", "below min score", "duplicate", "not matched",
)  # fmt: skip
"""Every reason why a rewrite is no pair, in the order in which a card shows them."""


def make_arms(
    rewrites: Mapping[Signal, Sequence[Rewrite]],
    split: Split,
    min_score: float | None = None,
    any_message: bool = False,
) -> dict[Signal, Arm]:
    """Choose the rewrites that are pairs.

    Args:
        rewrites: The rewrites of each signal.
        split: The published split: its dev users are for validation, and nothing of its test users is used.
        min_score: The least rating, 1–5, by either question; unrated rewrites are then dropped too. None for any.
        any_message: Keep rewrites by the signal `message` whose message shows no dissatisfaction, too.

    Raises:
        UserError: A user is not in the split, or no pair of a signal is for training.
    """
    parts = split.parts()
    users = {rewrite.pair.user for given in rewrites.values() for rewrite in given}
    if unknown := sorted(users - parts.keys()):
        raise UserError(
            f"{len(unknown):,} of the users in these logs are not in the split, such as '{unknown[0]}': it was made of "
            f"{split.data}, {split.data_revision}; make one of the logs' data with `thoughttrace split DATA`."
        )
    arms = {signal: _arm(given, parts, min_score, any_message) for signal, given in rewrites.items()}
    for signal, arm in arms.items():
        if not arm.pairs["train"]:
            raise UserError(f"No pair of the signal {signal} is for training: {_counts(arm.dropped) or 'no rewrites'}.")
    return arms


def _arm(rewrites: Sequence[Rewrite], parts: Mapping[str, Part], least: float | None, any_message: bool) -> Arm:
    arm = Arm({part: [] for part in FILES})
    # Test and validation first: what is repeated in training is dropped from training.
    order: tuple[Part, ...] = ("test", "dev", "train")
    seen: set[str] = set()
    for rewrite in sorted(rewrites, key=lambda rewrite: order.index(parts[rewrite.pair.user])):
        part = parts[rewrite.pair.user]
        why = "test user" if part == "test" else _why_dropped(rewrite, least, any_message)
        if not why and rewrite.key in seen:
            why = "duplicate"
        if not why or part == "test":
            seen.add(rewrite.key)
        if why:
            arm.dropped[why] += 1
        else:
            given = rewrite.pair.model_copy(update={"part": part}).model_dump_json(warnings=False)
            arm.pairs[part].append(_read(given, f"The log's sample {rewrite.pair.id}"))
    return arm


def _why_dropped(rewrite: Rewrite, least: float | None, any_message: bool) -> str:
    """Say why a rewrite is no pair; empty where it is one."""
    pair, text = rewrite.pair, rewrite.rewrite.strip()
    by_message = pair.signal == "message"
    ratings = [rating for rating in (pair.answers_complaint, pair.keeps_request) if rating is not None]
    reasons = (
        (_NO_REWRITE.get(rewrite.unscored, ""), rewrite.unscored in _NO_REWRITE),
        # A judge could not say whether the next message shows dissatisfaction; or the sample failed.
        ("undecided", by_message and not pair.message_dissatisfied and not (text and any_message)),
        ("no rewrite", not text),
        ("refused", rewrite.declined),
        ("unchanged", _bare(text) == _bare(pair.rejected[0].content)),
        # A message before the reply is empty: no trainer's template is made for that.
        ("no chat", not all(turn.content.strip() for turn in pair.prompt)),
        ("next message not dissatisfied", by_message and pair.message_dissatisfied == "no" and not any_message),
        ("not rated", least is not None and len(ratings) < 2),
        ("below min score", least is not None and any(rating < least for rating in ratings)),
    )
    return next((why for why, holds in reasons if holds), "")


def match_sizes(arms: Mapping[Signal, Arm], seed: int) -> dict[Signal, Arm]:
    """Make all arms as large as the smallest, by part: pairs of the same replies first, then others by lot.

    Args:
        arms: The pairs of two signals or more.
        seed: Of the lots.
    """
    matched = {signal: replace(arm, pairs={}, dropped=arm.dropped.copy()) for signal, arm in arms.items()}
    for part in FILES:
        size = min(len(arm.pairs[part]) for arm in arms.values())
        shared = set.intersection(*({pair.id for pair in arm.pairs[part]} for arm in arms.values()))
        for signal, arm in arms.items():
            ordered = sorted(arm.pairs[part], key=lambda pair: (pair.id not in shared, _lot(seed, pair.id)))
            kept = {pair.id for pair in ordered[:size]}
            matched[signal].pairs[part] = [pair for pair in arm.pairs[part] if pair.id in kept]
            matched[signal].dropped["not matched"] += len(ordered) - size
    return matched


def _lot(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def _counts(dropped: Counter[str]) -> str:
    return ", ".join(f"{dropped[why]:,} {why}" for why in DROPPED if dropped[why])


# ---- files


def write_pairs(folder: Path, arms: Mapping[Signal, Arm], card: str) -> None:
    """Write the pairs of each signal into a folder of its name, with a card, and read them back.

    Args:
        folder: The folder. A part without pairs has no file.
        arms: The pairs.
        card: The text of `README.md`.

    Raises:
        UserError: What was written is not what a trainer reads.
    """
    for signal, arm in arms.items():
        (folder / signal).mkdir()
        for part, pairs in arm.pairs.items():
            if pairs:
                lines = [json.dumps(pair.model_dump(), ensure_ascii=False) + "\n" for pair in pairs]
                (folder / signal / FILES[part]).write_text("".join(lines), encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")
    check_pairs(folder)


def check_pairs(folder: Path, split: Split | None = None) -> dict[Path, int]:
    """Check every file of pairs in a folder.

    Args:
        folder: A folder that `write_pairs` wrote, or one of its signals.
        split: The split; each row's user must then be in the part that the row states.

    Returns:
        The number of rows of each file.

    Raises:
        UserError: There is no such file, or a row is wrong; the message names its file and line.
    """
    files = [file for name in FILES.values() for file in sorted(folder.rglob(name))]
    if not files:
        raise UserError(f"{folder}: holds no {' or '.join(FILES.values())}; name a folder that this command wrote.")
    parts = split.parts() if split else {}
    places: dict[tuple[Path, str], tuple[Part, str]] = {}
    counts = {}
    for file in files:
        ids: dict[str, int] = {}
        # Not `splitlines`: a line separator of Unicode may stand within a text. Bytes: a line may not be UTF-8.
        for number, line in enumerate(file.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
            where = f"{file}, line {number}"
            pair = _read(line, where)
            if FILES[pair.part] != file.name:
                raise UserError(f"{where}: part: is {pair.part}, whose rows are in {FILES[pair.part]}.")
            if split and parts.get(pair.user) != pair.part:
                said = f"in {parts[pair.user]}" if pair.user in parts else "not in it"
                raise UserError(f"{where}: user '{pair.user}' is in {pair.part}; by the split they are {said}.")
            if (first := ids.setdefault(pair.id, number)) != number:
                raise UserError(f"{where}: id: '{pair.id}' is that of line {first} too.")
            part, other = places.setdefault((file.parent, pair.user), (pair.part, where))
            if part != pair.part:
                raise UserError(f"{where}: user '{pair.user}' is in {other} too; a user is in one part.")
        counts[file] = len(ids)
    return counts


def _read(line: str | bytes, where: str) -> Pair:
    try:
        pair = Pair.model_validate_json(line if isinstance(line, str) else line.decode())
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: is not UTF-8 from its byte {error.start + 1} on; save it as UTF-8.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: {place}{': ' * bool(place)}{first['msg']}.") from error
    if pair.fault:
        raise UserError(f"{where}: {pair.fault}.")
    return pair
