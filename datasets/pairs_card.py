"""Write the card of preference pairs, and measure what the length of their messages tells."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from thoughttrace.core.record import Signal
from thoughttrace.datasets.pairs import DROPPED, FILES, Arm, Pair
from thoughttrace.datasets.split import Part


@dataclass(frozen=True)
class Lengths:
    """How long the chosen and rejected messages of some pairs are, in words."""

    pairs: int
    chosen: float
    """Median; NaN of no pairs, as are the next two."""
    rejected: float
    longer: float
    """Share of pairs whose chosen message is the longer one, a tie as half, 0 to 1."""

    @property
    def longer_is_chosen(self) -> bool:
        """What a classifier that looks at nothing but length learns of these pairs."""
        return self.longer >= 0.5

    def told_by_length(self, longer_is_chosen: bool) -> float:
        """How often the longer message, or else the shorter, is the chosen one, 0 to 1."""
        return self.longer if longer_is_chosen else 1 - self.longer


def lengths_of(pairs: Sequence[Pair]) -> Lengths:
    """Measure the messages of pairs."""
    if not pairs:
        return Lengths(0, math.nan, math.nan, math.nan)
    chosen, rejected = (
        [len(turns[0].content.split()) for turns in side]
        for side in ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
    )
    longer = [(a > b) + (a == b) / 2 for a, b in zip(chosen, rejected, strict=True)]
    return Lengths(len(pairs), median(chosen), median(rejected), fmean(longer))


_CARD = """# Preference pairs of rewritten replies

Each row is a chat up to a user's message (`prompt`), a reply written anew (`chosen`) and the assistant's original reply
(`rejected`), in the conversational preference form of TRL: `dataset_name: {example}` in the configuration of `trl dpo`.
Each folder is one signal, which is what the rewriter was shown: `thought`, what the user privately noted of the reply;
`message`, the message that they sent next; `none`, nothing. `validation.jsonl` holds the split's dev users; nothing of
its test users is here.

{facts}

## Counts

{counts}

No chat: a message before the reply is empty. Undecided: no judge said whether the next message shows dissatisfaction.
Duplicate: the chat and reply of another pair, or of a test user.{matched}

## Lengths

Words, medians. DPO learns length where the chosen messages are longer or shorter than the rejected: told by length is
how often a classifier is right that looks at nothing else, taking always the longer message or always the shorter,
whichever is right more often in training. A reward accuracy that is not above it shows nothing but length.

{lengths}

Prompts have {prompts} words. A trainer's `max_length`, in tokens, is for a prompt with its reply: TRL drops pairs whose
prompt alone is as long, and cuts the end of replies that are longer.

The texts are real people's conversations where the data are: the data's licence and terms hold for them. Special tokens
of chat templates in them are broken by a space.
"""


def count_rows(arms: Mapping[Signal, Arm]) -> list[list[str]]:
    """Make the rows of a table of what became of the rewrites: what is counted, then the count of each signal."""
    counts: dict[str, list[int]] = {"rewrites": [arm.rewrites for arm in arms.values()]}
    for why in DROPPED:
        if any(dropped := [arm.dropped[why] for arm in arms.values()]):
            counts[f"dropped: {why}"] = dropped
    for part, file in FILES.items():
        counts[f"pairs in {file}"] = [len(arm.pairs[part]) for arm in arms.values()]
        counts[f"users in {file}"] = [len({pair.user for pair in arm.pairs[part]}) for arm in arms.values()]
    return [[name, *(f"{number:,}" for number in numbers)] for name, numbers in counts.items()]


def card(arms: Mapping[Signal, Arm], facts: Mapping[str, str]) -> str:
    """Write the card of preference pairs: where they are from, what was dropped and why, and how long they are.

    Args:
        arms: The pairs.
        facts: What the card says of where they are from, by name.
    """
    shared = {part: shared_replies(arms, part) for part in FILES}
    matched = (
        f" Of the pairs, {shared['train']:,} in training and {shared['dev']:,} in validation are of the same replies "
        "with every signal." * (len(arms) > 1)
    )
    lengths = []
    for signal, arm in arms.items():
        longer = lengths_of(arm.pairs["train"]).longer_is_chosen
        for part, file in FILES.items():
            found = lengths_of(arm.pairs[part])
            if found.pairs:
                lengths.append(
                    [signal, file.partition(".")[0], f"{found.pairs:,}", f"{found.chosen:g}", f"{found.rejected:g}",
                     f"{found.longer:.0%}", f"{found.told_by_length(longer):.0%}"]
                )  # fmt: skip
    head = ["signal", "part", "pairs", "chosen", "rejected", "chosen is longer", "told by length"]
    return _CARD.format(
        example=f"pairs/{next(iter(arms))}",
        facts="\n".join(f"- {name}: {value}" for name, value in facts.items()),
        counts=_table(["", *arms], count_rows(arms)),
        matched=matched,
        lengths=_table(head, lengths),
        prompts=_prompt_words([pair for arm in arms.values() for pairs in arm.pairs.values() for pair in pairs]),
    )


def _prompt_words(pairs: Sequence[Pair]) -> str:
    words = sorted(sum(len(turn.content.split()) for turn in pair.prompt) for pair in pairs)
    nine_tenths = words[math.ceil(0.9 * len(words)) - 1]
    return f"{median(words):,g} (median), nine in ten at most {nine_tenths:,}, the longest {words[-1]:,}"


def shared_replies(arms: Mapping[Signal, Arm], part: Part) -> int:
    """Count the replies that are pairs of every signal in a part."""
    return len(set.intersection(*({pair.id for pair in arm.pairs[part]} for arm in arms.values())))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
