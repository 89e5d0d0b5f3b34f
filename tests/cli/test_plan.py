"""`thoughttrace plan`, as people call it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.stats.pilot import RatingStatistics, pilot_statistics
from thoughttrace.analysis.stats.power import (
    Assumptions,
    detectable,
    even_sizes,
    half_width,
    users_for_difference,
    users_for_half_width,
)
from thoughttrace.cli.main import main
from thoughttrace.cli.plan import _Plan, _ratings, _remarks

STATED = {"--sd": "1.1", "--icc": "0.1", "--per-user": "4"}
RATINGS = Assumptions(1.1, 0.1, even_sizes(4))
DIFFERENCES = RatingStatistics(1.1, 0.1, even_sizes(4), correlation=0.4).for_difference()


def plan(*arguments: str, **stated: str | None) -> Result:
    """Call the command; a stated figure of None is not stated."""
    options = STATED | {f"--{name.replace('_', '-')}": value for name, value in stated.items()}
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    return CliRunner().invoke(main, ["plan", *arguments, *words])


def test_how_many_samples_a_half_width_needs() -> None:
    users = users_for_half_width(RATINGS, 0.1)
    done = plan("--half-width", "0.1")
    assert done.exit_code == 0, done.output
    assert f"a model needs {4 * users:,} samples of {users:,} users" in done.output
    assert done.output.count("stated") == 3
    assert f"{half_width(RATINGS, 200):.3f}" in done.output
    assert "Difference at" not in done.output


def test_how_many_samples_a_difference_needs() -> None:
    users = users_for_difference(DIFFERENCES, 0.1, 0.9)
    done = plan("--difference", "0.1", correlation="0.4", power="0.9")
    assert done.exit_code == 0, done.output
    assert f"each model needs {4 * users:,} samples of {users:,} users" in done.output
    assert "default: as of ratings" in done.output
    assert f"{detectable(DIFFERENCES, 500, 0.9):.3f}" in done.output


def test_what_a_budget_tells() -> None:
    done = plan("--samples", "1002", correlation="0.4", icc_difference="0")
    assert done.exit_code == 0, done.output
    told = f"± {half_width(RATINGS, 250):.3f}, and detect a difference of "
    told += f"{detectable(Assumptions(DIFFERENCES.sd, 0.0, (4,)), 250, 0.8):.3f}"
    assert f"1,000 samples of 250 users estimate a model's mean within {told}" in done.output


def test_a_small_plan_is_computed_too() -> None:
    """Three users have two degrees of freedom, where scipy's noncentral t has no far tail."""
    done = plan("--samples", "12", sd="1.2", icc=".05", correlation=".5")
    assert done.exit_code == 0, done.output
    assert "12 samples of 3 users estimate" in done.output
    assert "nan" not in done.output


def test_several_models_are_planned_at_the_first_step_of_holm() -> None:
    users = users_for_difference(DIFFERENCES, 0.2, 0.8, 1 - 0.05 / 6)
    done = plan("--difference", "0.2", "--models", "4", correlation="0.4")
    assert done.exit_code == 0, done.output
    assert f"each model needs {4 * users:,} samples of {users:,} users" in done.output
    assert "• 4 models make 6 pairs" in done.output
    assert f"{detectable(DIFFERENCES, 500, 0.8, 1 - 0.05 / 6):.3f}" in done.output
    assert f"{half_width(RATINGS, 500):.3f}" in done.output  # intervals are not adjusted
    assert "sure of this" not in done.output  # what is stated is taken as exact


def test_a_pilot_too_small_for_assurance_still_gives_its_plan() -> None:
    of_two_users = Assumptions(1.2, 0.9, (1,), df=1)
    planned = _Plan(of_two_users, None, 0.8, 0.95, 0.95)
    users = planned.users_for(0.005, None)
    sure, guess = _remarks(planned, users, 0.005, None, 2, 2)
    expected = "To be 80 % sure of this in spite of the pilot's uncertainty: More than 1,000,000 users would be needed."
    assert sure == expected
    assert guess == "The pilot has only 2 users: the plan is no more than a guess."
    (sure, _) = _remarks(planned, 100, None, None, 2, 2)
    assert sure.endswith(f"estimate a model's mean within ± {half_width(of_two_users.assured(), 100):.3f}.")


def test_it_says_when_the_published_dataset_is_too_small() -> None:
    assert "published dataset" not in plan("--samples", "4232").output
    assert "has only 1,058 users." in plan("--samples", "4236").output
    assert "has only 1,058 users and 4,498 reasons." in plan("--samples", "5000", kind="reason").output
    assert "has only 1,058 users." in plan("--samples", "5000", kind="reaction").output


def test_a_pilot_tells_what_is_assumed(run_task: Callable[..., EvalLog], tmp_path: Path) -> None:
    logs = str(tmp_path / "logs")
    nothing = dict.fromkeys(("sd", "icc", "per_user"))
    run_task(model="m1")
    run_task(model="m2")
    known = pilot_statistics(*_ratings(read_runs([logs]).counted))
    users = users_for_difference(known.for_difference(), 0.2, 0.8)
    done = plan(logs, "--difference", "0.2", **nothing)
    assert done.exit_code == 0, done.output
    assert "Pilot, reasons: scripted/m1, scripted/m2" in done.output
    assert f"{known.for_mean().samples(users):,} samples of {users:,} users" in done.output
    assert "stated" not in done.output
    sure = users_for_difference(known.for_difference().assured(), 0.2, 0.8)
    assert sure > users
    needed = f"plan for {known.for_mean().samples(sure):,} samples of {sure:,} users."
    assert f"• To be 80 % sure of this in spite of the pilot's uncertainty, {needed}" in done.output
    assert (
        f"The pilot has only {len(known.for_mean().per_user)} users: the plan is no more than a guess." in done.output
    )
    assert "from SD and correlation" in plan(logs, "--difference", "0.2", **nothing | {"sd": "1"}).output
    assert "contain no reactions, only reasons" in plan(logs, "--samples", "100", kind="reaction").output
    run_task(kind="reaction")
    assert "choose with --kind reason or --kind reaction" in plan(logs, "--samples", "100").output
    assert "Pilot, reactions: " in plan(logs, "--samples", "100", kind="reaction").output
    other = read_eval_log(run_task(model="m3").location)
    other.eval.metadata = {**(other.eval.metadata or {}), "context": "message"}
    write_eval_log(other, other.location)
    assert "runs differ in judge, context, prompt or data" in plan(logs, "--samples", "9", kind="reason").output


@pytest.mark.parametrize(
    ("arguments", "stated", "sentence"),
    [
        ([], {}, "pass exactly one of --half-width, --difference and --samples"),
        (["--samples", "9", "--half-width", "1"], {}, "exactly one of --half-width, --difference and --samples"),
        (
            ["--samples", "9"],
            {"sd": None, "icc": None, "per_user": None},
            "--sd and --icc and --per-user missing: a plan",
        ),
        (["--samples", "9"], {"icc": None}, "--icc missing: a plan needs the logs of a pilot, or --sd, --icc"),
        (["--difference", "0.1"], {}, "needs the correlation of two models' ratings: pass --correlation, or the logs"),
        (["--samples", "7"], {}, "two users, who have 8 samples (got 7). Raise --samples, or lower --per-user."),
        (["--half-width", "0"], {}, "--half-width must be above 0 (got 0)."),
        (["--half-width", "nan"], {}, "--half-width must be above 0 (got nan)."),
        (["--half-width", "0.0001"], {}, "More than 1,000,000 users would be needed."),
        (["--difference", "-1"], {"correlation": "0"}, "--difference must be above 0 (got -1)."),
        (["--difference", "1"], {"correlation": "1"}, "--correlation must be -1 or more and below 1 (got 1)."),
        (
            ["--difference", "1"],
            {"correlation": "0", "power": "1"},
            "--power must be above 1 - level = 0.05 and below 1 (got 1).",
        ),
        (["--difference", "1"], {"correlation": "0", "power": "0.05"}, "must be above 1 - level = 0.05"),
        (["--samples", "99"], {"level": "95"}, "--level must be between 0 and 1, such as 0.95 (got 95)."),
        (["--samples", "99"], {"icc": "1.1"}, "--icc must be from 0 to 1 (got 1.1)."),
        (["--samples", "99"], {"correlation": "0", "icc_difference": "-0.1"}, "--icc-difference must be from 0 to 1"),
        (["--samples", "99"], {"sd": "0"}, "--sd must be above 0 and at most 2, the most"),
        (["--samples", "99"], {"sd": "2.1"}, "that ratings from 1 to 5 can have (got 2.1)."),
        (["--samples", "99"], {"per_user": "0.5"}, "--per-user must be 1 or more (got 0.5)."),
        (["--samples", "0"], {}, "--samples must be 1 or more (got 0)."),
        (["--half-width", "inf"], {}, "--half-width must be above 0 (got inf)."),
        (["nowhere", "--samples", "99"], {}, "nowhere"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments: list[str], stated: dict[str, str | None], sentence: str) -> None:
    done = plan(*arguments, **stated)
    assert done.exit_code == 1, done.output
    assert sentence in done.output
    assert "Traceback" not in done.output
