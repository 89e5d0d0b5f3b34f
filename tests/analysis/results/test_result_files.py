"""A result: one JSON file, whose schema is written down, and whose faults are named by file and field."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError
from thoughttrace.core.result import Estimate, Result
from thoughttrace.core.result_files import read_results, result_schema, write_result

Make = Callable[..., Result]


def test_the_schema_beside_the_results_is_that_of_the_type(root: Path, make_result: Make) -> None:
    """Write it anew: `python -c "from thoughttrace.core.result_files import *; print(result_schema(), end='')"`."""
    written = (root / "results/schema.json").read_text(encoding="utf-8")
    assert written == result_schema()
    validator = jsonschema.Draft202012Validator(json.loads(written))
    document = json.loads(make_result(kinds=("reason", "reaction")).to_json())
    assert [error.message for error in validator.iter_errors(document)] == []
    assert list(validator.iter_errors(document | {"date": None}))
    described = json.loads(written)["$defs"]["KindResult"]["properties"]
    assert described["coverage"]["description"] == "replies_rated / replies."


def test_the_results_in_the_repository_are_results(root: Path) -> None:
    found = read_results(root / "results")
    for result in found:
        assert (root / "results" / f"{result.stem}.json").read_text(encoding="utf-8") == result.to_json()


def test_it_is_read_as_it_was_written_and_not_known_is_null(tmp_path: Path, make_result: Make) -> None:
    result = make_result(mean=(5.0, 4.2, 5.0), error=None, df=None)
    file = write_result(result, tmp_path)
    assert file.stat().st_mode & 0o777 == 0o644
    assert json.loads(file.read_text(encoding="utf-8"))["reason"]["mean"]["standard_error"] is None
    assert read_results(tmp_path) == [result]
    assert Estimate(value=math.nan, lower=math.nan, upper=math.nan).value is None


def test_the_same_logs_give_the_same_file_and_others_another(make_result: Make) -> None:
    stem = make_result().stem
    assert stem.startswith("2026-11-29_openai-gpt-5.4_")
    assert make_result(mean=(2.0, 1.9, 2.1)).stem == stem  # a later version may count otherwise
    assert make_result(submitted_by="another").stem != stem  # or one sender's file would take another's place
    assert make_result(part={"logs": ["other.eval"]}).stem != stem
    assert make_result(judges=["google/j2"]).stem != stem
    assert make_result(system={"effort": "high"}).stem != stem
    assert make_result(data={"revision": "other"}).stem != stem
    assert "/" not in make_result("../../a/../b").stem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "is no result"),
        (lambda text: text.replace('"coverage": 1.0', '"coverage": 1.5'), "reason.coverage: "),
        (lambda text: text.replace('"users": 45', '"users": "45"'), "reason.users: "),
        (lambda text: text.replace('"users": 45', '"people": 45'), "reason.users: Field required"),
        (lambda text: text.replace('"lower": 2.8', '"lower": 3.1'), "must rise"),
        (lambda text: text.replace('"followed": true', '"followed": false'), "protocol: followed must be true without"),
        (lambda text: text.replace('"record_version": 1', '"record_version": 2'), "record_version: "),
        (lambda text: text.replace('"2026-11-29T10:00:00+00:00"', '"yesterday"'), "yesterday"),
        (lambda text: text.replace('"task": "infer_reason"', '"task": "two\\nlines"'), "reason.task: "),
    ],
)
def test_a_wrong_file_is_named_with_its_field(
    change: Callable[[str], str], said: str, tmp_path: Path, make_result: Make
) -> None:
    text = make_result().to_json()
    assert change(text) != text
    (tmp_path / "wrong.json").write_text(change(text), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_results(tmp_path)
    assert str(tmp_path / "wrong.json") in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_results_says_how_to_get_some(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("{}", encoding="utf-8")
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="thoughttrace submit LOGS --by NAME"):
            read_results(folder)


def test_a_wrong_file_among_results_writes_nothing(
    make_result: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_result(make_result(), Path("results"))
    Path("results/wrong.json").write_text("{}", encoding="utf-8")
    done = CliRunner().invoke(main, ["leaderboard", "results"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: results/wrong.json: is no result: system: Field required")
    assert not Path("leaderboard").exists()
