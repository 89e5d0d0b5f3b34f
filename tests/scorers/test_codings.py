"""How alike two coders rate 60 real reasons and 60 real reactions by the rubrics, before and after they were rewritten.

`codings.csv` holds ids and ratings, no text. Of each note three guesses were coded: `restated` (from the message or
reply alone), `plausible` and `wrong`; and the guess of the control `constant`. The coders are a language model, in two
conversations that knew nothing of each other and saw the rubric, note, guess and the beginning of the message: they are
nearer to each other than people would be. `also` is another rating that a coder could defend by the rubric as well.
`before` are the rubrics of version 2 of the tasks. After the reasons' guesses were coded, “what would fit any message”
was added to their lowest anchor, by which the constant guess was coded.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest

from thoughttrace.core.reaction_verdict import reaction_rating

Row = dict[str, str]


def rating(row: Row) -> int:
    verdicts = (row["note_verdict"], row["guess_verdict"], row["cause"])
    return int(row["rating"]) if row["rating"] else reaction_rating(*verdicts)  # type: ignore[arg-type]


def second(row: Row) -> int:
    """The other rating that the coder could defend; the same where there is none."""
    if "/" in row["also"]:
        return reaction_rating(*row["also"].split("/"))  # type: ignore[arg-type]
    return int(row["also"]) if row["also"] else rating(row)


@pytest.fixture(scope="module")
def coded() -> Callable[..., list[Row]]:
    with (Path(__file__).parent / "codings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return lambda **which: [row for row in rows if all(row[name] in value.split() for name, value in which.items())]


THREE = "restated plausible wrong"


@pytest.mark.parametrize(
    ("kind", "rubric", "equal", "two_ratings", "far_apart"),
    [
        ("reason", "before", 0.86, 0.34, 0.07),
        ("reason", "after", 0.96, 0.17, 0.03),
        ("reaction", "before", 0.96, 0.43, 0.00),
        ("reaction", "after", 0.98, 0.12, 0.04),
    ],
)
def test_two_coders_give_equal_ratings_more_often(
    coded: Callable[..., list[Row]], kind: str, rubric: str, equal: float, two_ratings: float, far_apart: float
) -> None:
    one, other = (coded(kind=kind, rubric=rubric, guess=THREE, coder=coder) for coder in "12")
    assert [(row["sample"], row["thought"], row["guess"]) for row in one] == [
        (row["sample"], row["thought"], row["guess"]) for row in other
    ]
    assert len(one) == 180
    assert fmean(rating(a) == rating(b) for a, b in zip(one, other, strict=True)) == pytest.approx(equal, abs=0.005)
    both = one + other
    assert fmean(second(row) != rating(row) for row in both) == pytest.approx(two_ratings, abs=0.005)
    assert fmean(abs(second(row) - rating(row)) > 1 for row in both) == pytest.approx(far_apart, abs=0.005)


def test_a_guess_that_always_praises_earns_less(coded: Callable[..., list[Row]]) -> None:
    before, *after = (
        fmean(rating(row) for row in coded(kind="reaction", guess="constant", rubric=rubric, coder=coder))
        for rubric, coder in (("before", "1"), ("after", "1"), ("after", "2"))
    )
    assert before == pytest.approx(3.10, abs=0.005)
    assert after == pytest.approx([2.53, 2.43], abs=0.005)
    reasons = coded(kind="reason", guess="constant", rubric="after")
    assert {rating(row) for row in reasons} == {1}


def test_wrong_guesses_are_rated_low_and_good_ones_high(coded: Callable[..., list[Row]]) -> None:
    for kind in ("reason", "reaction"):
        means = [fmean(map(rating, coded(kind=kind, guess=guess, rubric="after"))) for guess in THREE.split()]
        restated, plausible, wrong = means
        assert wrong < 1.2
        assert 2.4 < restated < 2.8
        assert plausible > 4.2
