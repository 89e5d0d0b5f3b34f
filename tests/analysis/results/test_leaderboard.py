"""The leaderboard's page: what stands in a table together, and what a reader is told of each row."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from thoughttrace.analysis.page.plots import Reference
from thoughttrace.analysis.results import leaderboard
from thoughttrace.analysis.results.card import card, limits_of
from thoughttrace.analysis.results.leaderboard import write_leaderboard
from thoughttrace.analysis.results.standings import once_each
from thoughttrace.core.result import Result

Make = Callable[..., Result]

OF_JUDGE: dict[str, object] = {"name": "google/j1", "config": "", "qualification": "qualified"}
OF_JUDGE |= {"itself": False, "votes_asked": 90, "votes_lost": 0}
NOT_FOLLOWED = {"followed": False, "deviations": [{"name": "context", "asked": "history", "found": "message"}]}


@pytest.fixture
def results(make_result: Make) -> list[Result]:
    elsewhere = {
        "sort": "made elsewhere",
        "answers_file": "ours.jsonl (sha256 0123456789ab)",
        "contamination": "unknown",
    }
    judge = OF_JUDGE | {"qualification": "untested"}
    return [
        make_result("openai/best", (4.0, 3.8, 4.2), kinds=("reason", "reaction")),
        make_result(
            "openai/second", (3.0, 2.8, 3.2), system={"contamination": "after", "cutoff": "2026-06-01 (training)"}
        ),
        make_result(
            "ours <script>", (2.9, 2.7, 3.1), system=elsewhere, part={"judges": [judge], "answers_equal_to_note": 3}
        ),
        make_result("ann", (3.1, 2.9, 3.3), system=elsewhere | {"sort": "person", "contamination": None}),
        make_result(
            "control constant", (1.5, 1.4, 1.6), system={"sort": "control", "contamination": None}, protocol=None
        ),
        make_result("openai/apart", (4.5, 4.3, 4.7), protocol=NOT_FOLLOWED, part={"context": "message"}),
        make_result(
            "openai/best", date="2026-01-01T00:00:00+00:00", part={"logs": ["old.eval"]}, kinds=("reason", "reaction")
        ),
    ]


def test_what_compares_is_ranked_and_the_rest_stands_apart(results: list[Result], tmp_path: Path) -> None:
    write_leaderboard(*once_each(results), tmp_path)
    first, second = (pd.read_csv(tmp_path / f"reason_{number}.csv", keep_default_na=False) for number in (1, 2))
    assert list(zip(first["rank"], first["system"], first["what"], strict=True)) == [
        ("1", "openai/best", "model"),
        ("2–4", "ann (person)", "person"),
        ("2–4", "openai/second", "model"),
        ("2–4", "ours <script>", "made elsewhere"),
        ("", "control constant", "control"),
    ]
    assert list(second["system"]) == ["openai/apart", "control constant"]  # a control reads no context
    remarks = dict(zip(first["system"], first["remarks"], strict=True))
    assert remarks["openai/best"] == "follows infer-v1, mini-v1\nself-reported"
    assert "may have read the notes" in remarks["openai/second"]
    assert "judge untested: google/j1\n3 answers equal the note" in remarks["ours <script>"]
    assert second["remarks"][0] == "not infer-v1: context\nself-reported"


def test_the_page_is_whole_without_scripts_or_network(results: list[Result], tmp_path: Path) -> None:
    chapters = write_leaderboard(*once_each(results), tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "infer-v1, mini-v1, hub 0420f3d8, context history" in page
    assert "No protocol, hub 0420f3d8, context message" in page
    assert "takes the samples of two systems for independent" in page
    assert "conservative" in page
    assert "superseded by" in page
    assert page.count("<svg") == 3
    assert '<tr class="control">' in page
    assert "ours &lt;script&gt;" in page
    assert "ours <script>" not in page
    assert '<link rel="icon" href="data:,">' in page
    assert "src=" not in page
    assert [sentence for chapter in chapters for sentence in chapter.warnings] == [
        "Not by a protocol, and so in tables of their own: openai/apart."
    ]
    assert len(page) < 300_000


def test_results_of_the_invented_sample_are_named_as_that(make_result: Make, tmp_path: Path) -> None:
    invented = make_result(data={"name": "sample"}, protocol=NOT_FOLLOWED, system={"contamination": "after"})
    (warning,) = [sentence for chapter in write_leaderboard([invented], [], tmp_path) for sentence in chapter.warnings]
    assert "invented" in warning
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "may have read the notes" not in page  # nobody can have read invented ones
    assert limits_of(invented)[0].startswith("The bundled sample is invented")
    assert "may have read" not in card(invented)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"system": {"contamination": "after", "cutoff": "2026-06-01"}}, "It may have read the notes in its training"),
        ({"system": {"contamination": "trained on it"}}, "Its makers say that it was trained on ThoughtTrace"),
        ({"system": {"contamination": "unknown"}}, "It is not known when its training ended"),
        ({"part": {"answers_equal_to_note": 1}}, "1 answer on reasons equals the note word for word"),
        (
            {"part": {"coverage": 0.9, "missing": "9 truncated"}},
            "Of reasons 90.0 % of the replies are rated (9 truncated)",
        ),
        ({"part": {"users": 29}}, "On reasons there are only 29 users"),
        ({"part": {"users": 1}}, "On reasons there is only 1 user: "),
        ({"part": {"users": 0}}, "Of reasons no sample is rated."),
        (
            {"part": {"judges": [OF_JUDGE | {"votes_lost": 90}, OF_JUDGE | {"name": "b/j", "votes_lost": 1}]}},
            "On reasons judges gave no rating: google/j1 90 of 90 votes, b/j 1 of 90 votes. The mean is over",
        ),
        (
            {"part": {"judges": [OF_JUDGE | {"itself": True}]}},
            "On reasons the system is among the judges of its own answers",
        ),
        ({"protocol": NOT_FOLLOWED}, "It does not follow the protocol infer-v1 (context)"),
        ({"system": {"sort": "control"}}, "This is a control"),
        ({}, "Self-reported by somebody"),
    ],
)
def test_a_card_says_what_limits_its_numbers(make_result: Make, change: dict[str, object], sentence: str) -> None:
    changed, plain = limits_of(make_result(**change)), limits_of(make_result())
    assert any(said.startswith(sentence) for said in changed)
    assert all(said in card(make_result(**change)) for said in changed)
    assert not change or not any(said.startswith(sentence) for said in plain)
    assert len(plain) == 1


def test_a_row_names_the_first_points_that_a_result_does_not_follow(make_result: Make, tmp_path: Path) -> None:
    points = [{"name": f"point {number}", "asked": "a", "found": "b"} for number in range(1, 7)]
    many, few = ({"followed": False, "deviations": points[:count]} for count in (6, 4))
    write_leaderboard([make_result("x/many", protocol=many), make_result("x/few", protocol=few)], [], tmp_path)
    remarks = pd.read_csv(tmp_path / "reason_1.csv").set_index("system")["remarks"]
    assert remarks["x/many"].startswith("not infer-v1: point 1, point 2, point 3 and 3 more points\n")
    assert remarks["x/few"].startswith("not infer-v1: point 1, point 2, point 3, point 4\n")


def test_a_card_gives_the_recovered_share_or_says_why_there_is_none(make_result: Make) -> None:
    ends = {"floor_is": "constant", "floor": 2.0, "ceiling_is": "target", "ceiling": 4.8, "samples": 80}
    share = {"value": 0.25, "lower": 0.1, "upper": 0.4, "note": ""}
    none = {"value": None, "lower": None, "upper": None, "note": "no distance: ceiling and floor are the same"}
    known, unknown = (card(make_result(part={"recovered": ends | {"share": one}})) for one in (share, none))
    assert "| 25.0 % (10.0 – 40.0 %) of the way from constant (2.00) to target (4.80) |" in known
    assert "| not known, from constant (2.00) to target (4.80): no distance |" in unknown


def test_a_row_says_what_votes_were_lost_and_one_answer_is_one(make_result: Make, tmp_path: Path) -> None:
    judges = [OF_JUDGE | {"votes_lost": 90}, OF_JUDGE | {"name": "google/j2"}]
    write_leaderboard([make_result(part={"judges": judges, "answers_equal_to_note": 1})], [], tmp_path)
    (remarks,) = pd.read_csv(tmp_path / "reason_1.csv")["remarks"]
    assert "no rating: google/j1 90 of 90 votes\n1 answer equals the note\n" in remarks


def test_a_control_is_a_line_only_where_its_judges_rated_every_system(
    make_result: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def draw(points: object, label: str, lines: list[Reference], scale: object) -> Figure:
        drawn.extend(line.label for line in lines)
        return Figure()

    monkeypatch.setattr(leaderboard, "dots", draw)
    control = make_result("control constant", (4.2, 4.1, 4.3), system={"sort": "control"}, protocol=None)
    alone = make_result("x/a").reason
    assert alone
    (by_first,) = json.loads(alone.model_dump_json())["by_judges"]
    two = make_result("x/b", judges=["google/j1", "google/j2"], part={"by_judges": [by_first]})
    write_leaderboard([make_result("x/a"), control], [], tmp_path)
    assert drawn == ["constant"]
    drawn.clear()
    write_leaderboard([make_result("x/a"), two, control], [], tmp_path)
    assert drawn == []
    assert "control constant" in set(pd.read_csv(tmp_path / "reason_1.csv")["system"])  # its row stays
