"""The commands `subset` and `check`."""

import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scipy import stats

from thoughttrace.analysis.stats.pilot import RatingStatistics
from thoughttrace.analysis.stats.power import detectable, even_sizes, half_width
from thoughttrace.cli.main import main
from thoughttrace.cli.subset import CORRELATION, ICC, SD
from thoughttrace.core.cache_dir import cache_dir


def umask() -> int:
    os.umask(mask := os.umask(0))
    return mask


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> Path:
    return write(*(make_conversation(f"user{n}", turns=2) for n in range(12)))


def test_subset_writes_the_manifest_and_says_what_to_expect_of_it(data: Path) -> None:
    done = CliRunner().invoke(main, ["subset", str(data), "mini-v1"])
    assert done.exit_code == 0, done.output
    (kept,) = (cache_dir() / "manifests").iterdir()
    written = json.loads(kept.read_text(encoding="utf-8"))
    assert {kind: len(samples) for kind, samples in written["samples"].items()} == {"reason": 12, "reaction": 12}
    assert f"{kept}: sha256 {written['sha256']}" in done.output
    # One message of each of 12 users: the t interval of 12 values, and the t test of 12 differences.
    within = stats.t.ppf(0.975, 11) * 1.1 / math.sqrt(12)
    assert done.output.count(f"± {within:.3f}") == 2
    line = next(line for line in done.output.splitlines() if "detectable difference" in line)
    difference = float(line.split("│")[2])
    shift, critical = difference / (1.1 / math.sqrt(12)), stats.t.ppf(0.975, 11)
    assert stats.nct.sf(critical, 11, shift) == pytest.approx(0.8, abs=0.002)
    assert "Computed from assumptions, not measured" in done.output
    assert "mini-v1 asks for 500 users of each kind; here all were taken, for there are fewer." in done.output


def test_subset_writes_to_a_file(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "folder/full.json"
    done = CliRunner().invoke(main, ["subset", str(data), "full-v1", "-o", str(path)])
    assert done.exit_code == 0, done.output
    assert len(json.loads(path.read_text(encoding="utf-8"))["samples"]["reaction"]) == 24
    assert not (cache_dir() / "manifests").exists()
    # It is made to be handed on, as far as the machine's owner lets files be.
    assert path.stat().st_mode & 0o777 == 0o644 & ~umask()


def test_subset_of_one_user_has_no_interval(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    done = CliRunner().invoke(main, ["subset", str(write(make_conversation())), "mini-v1"])
    assert done.exit_code == 0, done.output
    assert done.output.count("–") == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["subset", "sample", "nano-v1"], "there is no such subset"),
        (["subset", "sample", "mini-v1", "-o", "/dev/null/x"], "cannot be written"),
        (["check", "nowhere"], "nowhere"),
        (["check", "LOGS", "--protocol", "infer-v9"], "protocol infer-v9: there is no such file"),
        (["check", "LOGS", "--manifest", "none.json"], "none.json: cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str, root: Path) -> None:
    logs = str(root / "tests/net/logs/infer")
    done = CliRunner().invoke(main, [word.replace("LOGS", logs) for word in arguments])
    assert done.exit_code == 1
    assert sentence in done.output
    assert "Traceback" not in done.output


def test_a_file_in_the_place_of_a_name_is_refused_as_none(
    data: Path, tmp_path: Path, write: Callable[..., Path]
) -> None:
    file = write(b"{}", name="mini.json")
    done = CliRunner().invoke(main, ["subset", str(data), str(file)])
    assert done.exit_code == 1
    assert done.output == (f"Error: subset {file}: there is no such subset; choose from full-v1, mini-v1.\n")


def test_check_names_every_point_that_older_logs_do_not_follow(root: Path) -> None:
    logs = [str(root / "tests/net/logs" / folder) for folder in ("infer", "panel")]
    done = CliRunner().invoke(main, ["check", *logs], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    told = re.findall(r"openai/gpt-5\.4 \((.*)\) does not follow ThoughtTrace-Infer v1: .*task version", done.output)
    # One line for each, of which no two read the same.
    one = "judges anthropic/claude-opus-4-6"
    assert f"context history and lookahead; {one}" in told
    assert f"context history and lookahead; {one}, google/gemini-2.5-pro, openai/gpt-5.4-mini" in told
    assert len(set(told)) == len(told) == 4
    assert re.search("Not compared, for controls stand beside models: .*control parrot", done.output)
    assert "superseded by the newer run" in done.output
    assert "✓" in done.output
    assert "✗" in done.output


def test_the_figures_in_the_documentation_are_those_of_the_planner(root: Path) -> None:
    page = (root / "docs/protocol.md").read_text(encoding="utf-8")
    for samples, per_user, users in ((500, 1, 500), (4498, 4.25, 1058), (5676, 5.36, 1058)):
        sizes = even_sizes(per_user)
        assumed = RatingStatistics(SD, ICC, sizes, CORRELATION)
        assert assumed.for_mean().samples(users) == pytest.approx(samples, rel=0.002)
        assert f"± {half_width(assumed.for_mean(), users):.3f}" in page
        assert f"{detectable(assumed.for_difference(), users, 0.8):.3f}" in page
