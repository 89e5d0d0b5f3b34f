"""Define how a rating follows from what a judge says of a reaction: two verdicts and a cause."""

from typing import Literal, get_args

ReplyVerdict = Literal["pleased", "mixed", "displeased"]
"""What a note, or a guess, says of a reply: only good, good and bad, or only bad."""

Cause = Literal["same", "part", "none", "added", "other"]
"""Whether a guess names the cause that the note names: the same; a part or a vaguer form of it; neither names one; the
guess alone names one; another, or none where the note names one."""

REPLY_VERDICTS: tuple[ReplyVerdict, ...] = get_args(ReplyVerdict)
CAUSES: tuple[Cause, ...] = get_args(Cause)

SAME_VERDICT: dict[Cause, int] = {"same": 5, "part": 4, "none": 5, "added": 4, "other": 2}
HALF_VERDICT: dict[Cause, int] = {"same": 3, "part": 2, "none": 2, "added": 2, "other": 1}
"""Where one of the two is mixed and the other is not."""
OPPOSITE_VERDICT = 1


def reaction_rating(note: ReplyVerdict, guess: ReplyVerdict, cause: Cause) -> int:
    """Rate how far a guess says what the note says, 1–5.

    Args:
        note: What the note says of the reply.
        guess: What the guess says of the reply.
        cause: Whether the guess names the note's cause.
    """
    if note == guess:
        return SAME_VERDICT[cause]
    return HALF_VERDICT[cause] if "mixed" in {note, guess} else OPPOSITE_VERDICT
