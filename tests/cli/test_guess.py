"""`thoughttrace guess`: a person sees what a model sees, and never the note."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai.dataset import Sample

from thoughttrace.cli.main import main
from thoughttrace.cli.people.guesses import in_reading_order, instructions, shown_parts
from thoughttrace.core.errors import UserError
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

Guess = Callable[..., Result]


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> Path:
    """Two users with three reasons and three reactions each."""
    return write(make_conversation("user1"), make_conversation("user2"))


@pytest.fixture
def guess(data: Path, tmp_path: Path) -> Guess:
    def run(typed: str, *options: str, name: str = "ann") -> Result:
        command = ["guess", str(data), "-o", str(tmp_path / "guesses.jsonl"), "--name", name, *options]
        return CliRunner().invoke(main, command, input=typed)

    return run


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "guesses.jsonl").read_text(encoding="utf-8").splitlines()]


def test_nothing_is_asked_or_stored_before_a_person_agrees(guess: Guess, tmp_path: Path) -> None:
    done = guess("n\n")
    assert done.exit_code == 1
    assert "the name you gave (ann)" in done.output
    assert "question" not in done.output
    assert not (tmp_path / "guesses.jsonl").exists()


def test_a_person_skips_stops_and_goes_on_where_nothing_later_was_read(guess: Guess, tmp_path: Path) -> None:
    first = guess("y\n" "I was  bored\n" "\n" "s\n" "It was\t fine\n" "q\n", "--kind", "reason")  # fmt: skip
    assert first.exit_code == 0, first.output
    assert "Nothing was written" in first.output
    assert "2 guessed now; 2 of 6 in" in first.output
    users = [line["id"].partition("_")[0] for line in lines(tmp_path)]
    assert users[0] == users[1]
    assert [(line["id"].partition("/")[2], line["text"]) for line in lines(tmp_path)] == [
        ("m00/reason", "I was bored"),
        ("m04/reason", "It was fine"),
    ]
    assert {key for line in lines(tmp_path) for key in line} == {"id", "text", "person", "context", "time"}
    assert (tmp_path / "guesses.jsonl").stat().st_mode & 0o077 == 0

    # Cut off while a line was written; the sample that was skipped is not asked again, for m04 showed what came after.
    with (tmp_path / "guesses.jsonl").open("a") as opened:
        opened.write('{"id": "user1_task1_conv')
    second = guess("so\n" * 9, "--kind", "reason")
    assert second.exit_code == 0, second.output
    assert "Go on?" not in second.output
    assert "3 guessed now; 5 of 6 in" in second.output
    assert "1 are not asked: you have read what comes after them." in second.output
    assert len(lines(tmp_path)) == 5


def test_no_screen_shows_a_note_or_what_the_model_is_not_shown(guess: Guess, data: Path) -> None:
    done = guess("y\n" + "?\n" + "so\n" * 12)
    assert done.exit_code == 0, done.output
    assert "12 guessed now; 12 of 12" in done.output
    assert "secret" not in done.output  # every note says it
    for task in (infer_reason, infer_reaction):
        for sample in task(data=str(data)).dataset:
            screen = "\n".join(text for _, text in shown_parts(sample))
            assert not isinstance(sample.input, str)
            prompt = sample.input[-1].text
            said = [f"{what} {turn} " for what in ("question", "answer") for turn in range(3)]
            assert [words in screen for words in said] == [words in prompt for words in said]
            assert "[" not in screen
            assert "square brackets" not in instructions(sample)
            assert "Answer with the note alone" in instructions(sample)


def test_parts_are_headed_in_plain_words(data: Path) -> None:
    sample, with_survey = (
        next(iter(infer_reaction(data=str(data), context=context).dataset)) for context in ("lookahead", "profile")
    )
    *messages, (no_heading, asked) = shown_parts(sample)
    assert [heading for heading, _ in messages] == [
        "m00, the person", "m01, the assistant", "m02, the person"
    ]  # fmt: skip
    assert messages[1][1].startswith("answer 0 to user")
    assert not no_heading
    assert asked.startswith("Reply m01 is the one in question.")
    assert next(shown_parts(with_survey))[0] == "survey"


def test_both_kinds_come_in_the_order_of_the_messages(data: Path) -> None:
    samples: list[Sample] = [*infer_reason(data=str(data)).dataset, *infer_reaction(data=str(data)).dataset]
    ids = [str(sample.id).partition("/")[2] for sample in in_reading_order(samples)]
    assert ids == ["m00/reason", "m01/reaction", "m02/reason", "m03/reaction", "m04/reason", "m05/reaction"] * 2


def test_each_persons_guesses_are_a_system_of_their_own(guess: Guess, data: Path, tmp_path: Path) -> None:
    for name, said in (("ann", "of ann"), ("bob", "of bob")):
        done = guess("y\n" + f"{said}\n" * 12, name=name)
        assert done.exit_code == 0, done.output
    path = str(tmp_path / "guesses.jsonl")
    for task in (infer_reason, infer_reaction):
        made = task(data=str(data), answers=path, system="bob")
        assert len(made.dataset) == 6
    with pytest.raises(UserError, match="several persons; pass one of them as -T system=: ann, bob"):
        infer_reason(data=str(data), answers=path, system="people")
    with pytest.raises(UserError, match="of context history"):
        infer_reason(data=str(data), answers=path, system="bob", context="message")


def test_what_was_guessed_in_another_context_is_passed_over_and_not_done(guess: Guess, tmp_path: Path) -> None:
    first = guess("y\n" + "so\n" * 2 + "q\n", "--kind", "reason")
    assert "2 guessed now; 2 of 6 in" in first.output
    second = guess("so\n" * 4, "--kind", "reason", "--context", "message")
    assert second.exit_code == 0, second.output
    assert "4 guessed now; 4 of 6 in" in second.output
    assert "2 are not asked: you have guessed them in another context." in second.output
    assert "what comes after them" not in second.output
    assert [line["context"] for line in lines(tmp_path)] == ["history"] * 2 + ["message"] * 4


@pytest.mark.parametrize("file", ["mine.csv", "mine.jsonl.gz", "mine"])
def test_a_file_that_nothing_would_read_as_json_lines_is_refused_first(file: str, guess: Guess, tmp_path: Path) -> None:
    done = guess("y\nso\nq\n", "-o", str(tmp_path / file))
    assert done.exit_code == 1
    assert "guesses are JSON Lines; name a file that ends in .jsonl." in done.output
    assert "Go on?" not in done.output
    assert not (tmp_path / file).exists()


@pytest.mark.parametrize("name", [" ", "control target", "none/none"])
def test_a_name_that_no_report_can_show_is_refused(name: str, guess: Guess) -> None:
    done = guess("", name=name)
    assert done.exit_code == 1
    assert "is no name of what gives answers" in done.output
