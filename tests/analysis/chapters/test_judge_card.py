"""The judge's card: its figures against hand computation, and which logs count."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from loopback import verdict
from scipy.stats import binomtest

from thoughttrace.analysis.chapters.judge_card import ALL, CardRow, IntendedRow, chapter
from thoughttrace.analysis.page.table import Section
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.human_ratings import inferences
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.datasets.probes import FAMILIES, WRITTEN, load_probes
from thoughttrace.tasks.judge_agreement import judge_agreement

Rate = Callable[[dict[str, Any], int], int | None]
"""From a probe's metadata and how often it was asked before, the judge's rating; None for no verdict."""

PROBES = load_probes(WRITTEN)


def pairs_of(ratings: dict[str, int]) -> tuple[int, int]:
    """Count the pairs of one target whose better probe is not rated higher, and all; of the probes with a rating."""
    broken = total = 0
    for better in PROBES:
        for worse in PROBES:
            if better.ladder == worse.ladder and better.low > worse.high and {better.id, worse.id} <= ratings.keys():
                total += 1
                broken += ratings[better.id] <= ratings[worse.id]
    return broken, total


@pytest.fixture
def judge(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def judge(rate: Rate, name: str = "judge", epochs: int = 1, **arguments: Any) -> EvalLog:
        task = judge_agreement(per_family=0, **arguments)
        probes: dict[str, dict[str, Any]] = {}
        for sample in task.dataset:
            assert not isinstance(sample.input, str)
            probes[sample.input[1].text] = {**(sample.metadata or {}), "id": sample.id}
        asked: dict[str, int] = {}

        def script(messages: list[Any]) -> str:
            text = messages[1].text
            if len(messages) == 2:
                asked[text] = asked.get(text, -1) + 1
            rating = rate(probes[text], asked[text])
            return "no idea" if rating is None else verdict(rating)

        (log,) = inspect_eval(
            task, model=scripted(name, script), log_dir=str(tmp_path / "logs"), display="none", epochs=epochs
        )
        assert log.status == "success"
        return log

    return judge


@pytest.fixture
def section(tmp_path: Path) -> Callable[..., Section]:
    """Make a section of the cards in all logs so far."""

    def section(name: str = "cards") -> Section:
        made = chapter(Evidence(read_runs([str(tmp_path / "logs")]))).sections
        return next(each for each in made if each.name == name)

    return section


@pytest.fixture
def cards(section: Callable[..., Section]) -> Callable[[], dict[str, CardRow]]:
    """Make the rows of the only card, by family."""
    return lambda: {row.family: row for row in section().rows}


def shown(section: Section) -> dict[str, dict[str, str]]:
    """The cells by the titles of their columns, by family."""
    titles = [column.title for column in section.table.filled_columns]
    rows = [dict(zip(titles, cells, strict=True)) for cells in section.table.cells()]
    return {row["Probes"]: row for row in rows}


def right(probe: dict[str, Any], asked: int) -> int:
    return int(probe["low"])


def test_a_perfect_judge_has_a_clean_card(
    judge: Callable[..., EvalLog], cards: Callable[[], dict[str, CardRow]]
) -> None:
    judge(right)
    found = cards()
    assert next(iter(found)) == ALL
    assert len(found) == len(FAMILIES)  # nothing is written for `unrelated`
    assert all(row.right == row.coverage == 1 for row in found.values())
    attacked = {"injection", "injection_message", "injection_note"}
    assert {name for name, row in found.items() if row.injected == 0} == {ALL, *attacked}
    assert all(math.isnan(row.injected) for name, row in found.items() if name in {"half", "order"})
    whole = found[ALL]
    assert (whole.n, whole.judgements, whole.targets) == (124, 124, 30)
    assert (whole.order_broken, whole.order_pairs) == pairs_of({probe.id: probe.low for probe in PROBES})
    assert (whole.order_broken, whole.swapped_alike, whole.swapped) == (0, 4, 4)
    assert math.isnan(whole.repeat_sd)
    assert whole.right_note == ""
    half, exact = found["half"], binomtest(7, 7).proportion_ci(method="exact")  # one probe of each target
    assert (half.right_lower, half.right_upper) == pytest.approx((exact.low, 1))
    assert half.right_lower < whole.right_lower < 1
    assert whole.tokens_per_1000 == 12_000
    assert math.isnan(whole.cost_per_1000)


def fallible(probe: dict[str, Any], asked: int) -> int | None:
    """Carpet and bike fall for the attack, carpet's half is a 5, one order pair differs, one reply is no verdict."""
    if probe["family"] == "injection" and probe["ladder"] in {"carpet", "bike"}:
        return 4 if probe["ladder"] == "carpet" else 5
    changed = {"carpet/half": 5, "order-dog/order/2": 3, "shelf/wrong_detail": None}
    return changed.get(probe["id"], probe["low"])


FALLIBLE = {
    probe.id: rating for probe in PROBES if (rating := fallible(probe.model_dump(), 0)) is not None
}  # fmt: skip


def test_figures_equal_those_computed_by_hand(
    judge: Callable[..., EvalLog], cards: Callable[[], dict[str, CardRow]]
) -> None:
    judge(fallible)
    found = cards()
    injection, detail, whole = found["injection"], found["wrong_detail"], found[ALL]
    expected = cluster_mean([1, 1] + [0] * 4, range(6), bounds=(0, 1))
    assert injection.injected == pytest.approx(2 / 6)
    assert (injection.injected_lower, injection.injected_upper) == (expected.lower, expected.upper)
    assert 0 < expected.lower < 2 / 6
    assert injection.right == pytest.approx(4 / 6)
    assert injection.rating == pytest.approx((4 + 5 + 4) / 6)
    assert (detail.n, detail.judgements, detail.coverage) == (9, 10, 9 / 10)
    assert detail.right == 1
    assert whole.n == 123
    assert whole.right == pytest.approx(119 / 123)
    assert whole.injected == pytest.approx(2 / 18)
    # The targets are the clusters: both faults of carpet are in one.
    wrong = {"carpet/injection", "bike/injection", "carpet/half", "order-dog/order/2"}
    rated = [probe for probe in PROBES if probe.id in FALLIBLE]
    again = cluster_mean([float(p.id not in wrong) for p in rated], [p.ladder for p in rated], bounds=(0, 1))
    assert (whole.right_lower, whole.right_upper) == pytest.approx((again.lower, again.upper))
    assert (whole.order_broken, whole.order_pairs) == pairs_of(FALLIBLE)
    # carpet: the attack (4) is not below half's 3 of before, now a 5, which is not below other_words and third_person.
    assert whole.order_broken >= 3
    assert (whole.swapped_alike, whole.swapped) == (3, 4)


def test_what_was_intended_and_what_was_given(judge: Callable[..., EvalLog], section: Callable[..., Section]) -> None:
    judge(lambda probe, _: 2 if probe["ladder"] == "pump" else probe["high"], families=["half"])
    rows: list[IntendedRow] = list(section("judge_intended").rows)
    assert [(row.right, row.given, row.n) for row in rows] == [
        ("3", [0, 1, 2, 0, 0], 3), ("3–4", [0, 0, 0, 1, 0], 1), ("4", [0, 0, 0, 3, 0], 3),
    ]  # fmt: skip
    (picture,) = section("judge_intended").pictures
    assert picture.name == "judge_intended"
    assert "follow our rubric" not in section("judge_quality").note


def test_what_is_right_by_our_rubric_is_said_where_another_was_given(
    judge: Callable[..., EvalLog], section: Callable[..., Section], tmp_path: Path
) -> None:
    path = tmp_path / "mine.md"
    path.write_text('Rate from 1 (another thought) to 5 (the same). Reply with JSON: "rationale", "rating".')
    judge(right, families="half", kind="reason", rubric=str(path))
    made = section("judge_quality")
    assert re.search(r"By mine\.md \(sha256 \w{12}\): the right ratings follow our rubric, not this one\.$", made.note)
    assert made.rows[0].rubric.startswith("mine.md (sha256 ")
    assert made.rows[0].n == 4


def test_epochs_show_how_much_a_judge_differs_from_itself(
    judge: Callable[..., EvalLog], cards: Callable[[], dict[str, CardRow]], section: Callable[..., Section]
) -> None:
    # Of 7 probes one is rated 3, 3, 5 (sum of squares 8/3), one 3 and twice not at all; 6 · 2 degrees of freedom.
    ratings: dict[str, tuple[int | None, ...]] = {"pump/half": (3, 3, 5), "kenya/half": (3, None, None)}
    judge(lambda probe, asked: ratings.get(probe["id"], (3, 3, 3))[asked], epochs=3, families="half")
    card, summary = cards()[ALL], section("judge_quality").rows[0]
    assert card.repeat_sd == pytest.approx(math.sqrt((8 / 3) / 12))
    assert (card.n, card.judgements, card.targets) == (19, 21, 7)
    # Right are the 3s of four probes: of one of them a 5 is wrong, of three others every 3.
    assert card.right == pytest.approx((19 - 1 - 9) / 19)
    # Six probes have three pairs of epochs; in two of them the 5 meets a 3.
    assert summary.same_again == pytest.approx(16 / 18)
    # Quadratic kappa of 16 pairs 3–3 and two 3–5: the first rating never varies.
    assert summary.kappa_again == pytest.approx(0)
    # Two replies of two judgements were asked for again.
    assert card.tokens_per_1000 == pytest.approx(12 * 23 / 21 * 1000)


def test_a_judge_that_never_gives_a_verdict(
    judge: Callable[..., EvalLog], cards: Callable[[], dict[str, CardRow]], section: Callable[..., Section]
) -> None:
    judge(lambda probe, asked: None, families="injection")
    card = cards()[ALL]
    assert (card.n, card.coverage, card.order_pairs, card.swapped) == (0, 0, 0, 0)
    assert math.isnan(card.right)
    cells = shown(section())[ALL]
    assert (cells.get("Right", ""), cells["Mean rating"], cells["Coverage"]) == ("", "none valid", "0.0 %")


def test_only_the_newest_card_of_a_judge_counts(
    judge: Callable[..., EvalLog],
    run_task: Callable[..., EvalLog],
    backdated: Callable[[EvalLog], EvalLog],
    tmp_path: Path,
) -> None:
    logs = tmp_path / "logs"
    older = backdated(judge(right, families="half"))
    newer = judge(lambda probe, asked: 1, families="half")
    judge(right, families="one_sided")  # other probes
    judge(right, families="half", name="other")
    run_task()  # another task
    log = read_eval_log(newer.location)
    log.status = "error"
    write_eval_log(log, str(logs / "stopped.eval"))
    (logs / "damaged.eval").write_bytes(b"PK")
    runs = read_runs([str(logs)])
    *_, section = chapter(Evidence(runs)).sections
    assert sorted((row.judge, row.right) for row in section.rows if row.family == ALL) == [
        ("scripted/judge", 0), ("scripted/judge", 1), ("scripted/other", 1),
    ]  # fmt: skip
    left_out = "\n".join(sorted(runs.left_out))
    assert len(runs.left_out) == 3
    assert f"{Path(older.location).name}: superseded by the newer run {Path(newer.location).name}" in left_out
    assert "stopped.eval: did not finish (status error); resume it with inspect eval-retry." in left_out
    assert "damaged.eval: cannot be read" in left_out


def test_without_cards_there_is_no_chapter() -> None:
    made = chapter(Evidence(Runs()))
    assert (made.filled, made.intro) == ([], "")


def test_the_card_as_people_read_it(judge: Callable[..., EvalLog], section: Callable[..., Section]) -> None:
    judge(lambda probe, asked: 5 if probe["id"] == "carpet/injection" else probe["low"])
    rows = shown(section())
    assert rows["all"]["Attacks that succeeded"] == "5.6 %"
    assert rows["all"]["Order broken"] == "{} of {}".format(
        *pairs_of({p.id: 5 if p.id == "carpet/injection" else p.low for p in PROBES})
    )
    assert rows["all"]["Same in both orders"] == "4 of 4"
    assert rows["all"]["Cost per 1,000"] == "no price"
    assert rows["all"]["Tokens per 1,000"] == "12,000"
    assert rows["injection"]["Right"] == "83.3 %"
    # 7 targets, all right: Clopper and Pearson's limit for 7 of 7.
    assert rows["half"] | {"Right": "100 %", "95 % interval": "59.0 – 100.0 %"} == rows["half"]


def test_no_successful_attack_is_no_proof_that_none_succeeds(
    judge: Callable[..., EvalLog], cards: Callable[[], dict[str, CardRow]]
) -> None:
    judge(right, families="injection")
    card = cards()[ALL]
    assert card.injected == 0
    expected = binomtest(0, card.targets).proportion_ci(method="exact")
    assert (card.injected_lower, card.injected_upper) == pytest.approx((0, expected.high))
    assert card.injected_note == ""


def test_families_of_probes_have_no_order(judge: Callable[..., EvalLog], section: Callable[..., Section]) -> None:
    judge(lambda probe, asked: 5 if probe["id"] == "carpet/injection" else probe["low"])
    rows = shown(section())
    assert rows["half"]["Order broken"] == rows["half"]["Cost per 1,000"] == ""


def test_agreement_with_people_stands_on_the_card_of_the_judge_that_rated_alone(
    judge: Callable[..., EvalLog], run_task: Callable[..., EvalLog], tmp_path: Path
) -> None:
    judge(right, families="half", name="j")
    judge(right, families="half", name="other")
    run_task()
    runs = read_runs([str(tmp_path / "logs")])
    (rated,) = runs.models
    found = inferences(rated)
    # Two people: one says what the judge says, the other 5 less that, plus 1.
    people = found.assign(rater="ann", rating=found["score"].astype(int), kind="reason")
    evidence = Evidence(runs, pd.concat([people, people.assign(rater="bob", rating=6 - people["rating"])]))
    by_judge = {row.judge: row for row in chapter(evidence).sections[0].rows}
    own, other = by_judge["scripted/j"], by_judge["scripted/other"]
    assert own.people_ratings == 2 * len(people)
    judged = np.array([*people["rating"], *people["rating"]], dtype=float)
    said = np.array([*people["rating"], *(6 - people["rating"])], dtype=float)
    # Cohen 1968: one less the squared differences seen over those of all pairs.
    chance = ((judged[:, None] - said[None, :]) ** 2).mean()
    assert own.people_kappa == pytest.approx(1 - ((judged - said) ** 2).mean() / chance)
    assert math.isnan(other.people_kappa)
    assert other.people_ratings is None
