"""The cutoffs, and whether a model can have read the data set."""

import datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from thoughttrace.cli.main import main
from thoughttrace.core.cutoffs import FILE, Cutoff, Cutoffs, our_cutoffs, read_cutoffs
from thoughttrace.core.errors import UserError


def test_every_cutoff_of_ours_says_where_it_is_from() -> None:
    names = list(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    assert len(names) > 10
    for name in names:
        cutoff = our_cutoffs().find(name)
        assert cutoff, name
        assert cutoff.source.startswith("https://"), name
        assert cutoff.date, name
        assert cutoff.cutoff, name
        assert cutoff.cutoff < cutoff.date, name
        assert not cutoff.trained, name


@pytest.mark.parametrize(
    ("stated", "where"),
    [
        ("2026-05-18", "before"),
        ("2026-05-19", "after"),  # the day of the release
        ("2026-04", "before"),
        ("2026-05", "after"),  # a month can be its last day
        (datetime.date(2026, 5, 18), "before"),
    ],
)
def test_a_cutoff_on_the_day_of_the_release_or_in_its_month_is_after_it(stated: str, where: str) -> None:
    table = Cutoffs({"a/m": Cutoff.model_validate({"cutoff": stated, "source": "https://a"})})
    assert table.contamination("a/m") == where
    assert ("on or after the release" in table.describe("a/m")) is (where == "after")


@pytest.mark.parametrize(
    ("of", "published", "where"),
    [
        ("training", None, "before"),
        ("training", "2026-09-01", "before"),
        ("knowledge", None, "unknown"),  # training data can be later than what a model knows well
        ("knowledge", "2026-05-19", "unknown"),
        ("knowledge", "2026-05-18", "before"),  # it stood before the data did
    ],
)
def test_knowledge_that_ends_before_the_release_is_not_training_that_does(
    of: str, published: str | None, where: str
) -> None:
    fields = {"cutoff": "2026-01", "of": of, "published": published, "source": "https://a"}
    assert Cutoffs({"a/m": Cutoff.model_validate(fields)}).contamination("a/m") == where


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("anthropic/claude-opus-4-6", "2025-08-31 (training)"),
        ("openrouter/anthropic/claude-opus-4.6", "2025-08-31 (training)"),  # who serves it changes nothing
        ("openai/gpt-5.4-2026-03-05", "2025-08-31 (knowledge)"),
        ("openai/gpt-5.4-mini", "unknown"),
        ("openai/gpt-6-luna", "2026-05-18 (knowledge), its training can end later"),
        ("anthropic/claude-opus-5-5", "2026-06-30 (knowledge), on or after the release"),
        ("local/smollm2-135m", "unknown"),
    ],
)
def test_a_model_has_its_cutoff_under_every_name(name: str, shown: str) -> None:
    assert our_cutoffs().describe(name) == shown


def test_a_file_adds_models_and_goes_before_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(
        "mine/tuned: {trained: true, source: us}\nopenrouter/anthropic/claude-opus-4.6: {cutoff: 2026-07, source: us}\n"
    )
    table = read_cutoffs(path)
    assert (table.contamination("mine/tuned"), table.describe("mine/tuned")) == (
        "trained on it", "trained on ThoughtTrace",
    )  # fmt: skip
    assert table.contamination("anthropic/claude-opus-4-6-20260205") == "after"
    assert table.contamination("openai/gpt-5.4") == "before"
    assert table.contamination("some/model") == "unknown"
    assert read_cutoffs(None) is our_cutoffs()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a/m: {cutoff: 2026-13, source: us}", "a/m, cutoff: "),
        ("a/m: {cutoff: soon, source: us}", "a/m, cutoff: "),
        ("a/m: {cutoff: 2026-05}", "a/m, source: field required"),
        ("a/m: {source: us}", "a/m: value error, needs a cutoff, such as 2026-05, or trained: true"),
        ("a/m: {cutoff: 2026-05, source: us, of: all}", "a/m, of: "),
        ("a/m: {cutof: 2026-05, source: us, trained: true}", "a/m, cutof: extra inputs"),
        ("- a/m", "must name models, each with its cutoffs"),
        ("a: [", "is neither YAML nor JSON"),
    ],
)
def test_a_malformed_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"mine\.yml") as error:
        read_cutoffs(path)
    assert sentence in str(error.value)
    with pytest.raises(UserError, match="the cutoffs cannot be read"):
        read_cutoffs(tmp_path / "gone.yml")


def test_the_report_says_at_once_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["report", str(tmp_path), "--cutoffs", str(tmp_path / "gone.yml")])
    assert done.exit_code == 1
    assert "the cutoffs cannot be read" in " ".join(done.output.split())
