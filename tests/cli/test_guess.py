"""`thoughttrace guess`: a person sees what a model sees, and never the note."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai.dataset import Sample

from thoughttrace.cli.guess import _samples
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
    assert [file.read_bytes() for file in tmp_path.glob("guesses*")] == [b""]


def asked(output: str) -> list[str]:
    return re.findall(r"(?:Message|Reply) (m\d+) is the one in question", output)


def test_what_was_shown_and_skipped_is_remembered(guess: Guess, tmp_path: Path) -> None:
    # Skips m00 to m02 of one user, and stops at m03, which shows all of these and what follows them.
    first = guess("y\ns\ns\ns\nq\n")
    assert asked(first.output) == ["m00", "m01", "m02", "m03"]
    assert lines(tmp_path) == []
    with (tmp_path / "guesses.shown.jsonl").open("a") as opened:
        opened.write('{"id": "user1_task1_conv')  # cut off by a kill
    second = guess("y\n" + "so\n" * 9)
    assert second.exit_code == 0, second.output
    assert asked(second.output) == ["m03", "m04", "m05", "m00", "m01", "m02", "m03", "m04", "m05"]
    assert "9 guessed now; 9 of 12 in" in second.output
    assert "3 are not asked: you have read what comes after them." in second.output
    assert len(lines(tmp_path)) == 9
    assert (tmp_path / "guesses.shown.jsonl").stat().st_mode & 0o077 == 0
    assert len(asked(guess("y\n" + "so\n" * 12, name="bob").output)) == 12  # another person was shown nothing
    # What scores them reads the guesses alone, and files without the other as before.
    (tmp_path / "guesses.shown.jsonl").unlink()
    assert asked(guess("").output) == []


def test_of_a_single_message_one_of_each_conversation_is_asked(guess: Guess, tmp_path: Path, data: Path) -> None:
    # A model is shown one message; a person would bring along those before it.
    done = guess("y\nso\ns\n", "--context", "message")
    assert done.exit_code == 0, done.output
    drawn = [str(sample.id) for sample in _samples(str(data), None, "message", None, 0)]
    assert len({name.partition("_")[0] for name in drawn}) == len(drawn) == 2
    assert asked(done.output) == [name.partition("/")[2][:3] for name in drawn]
    assert [line["id"] for line in lines(tmp_path)] == drawn[:1]
    other = next(
        seed
        for seed in range(1, 99)
        if not {str(s.id) for s in _samples(str(data), None, "message", None, seed)} & {*drawn}
    )
    again = guess("", "--context", "message", "--seed", str(other))
    assert asked(again.output) == []
    assert "2 are not asked: you have read others of their conversations." in again.output


def test_data_with_notes_of_one_kind_are_asked_about_and_imported(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    record = make_conversation("user1")
    for message in record["messages"]:
        message.pop("reactions", None)
    data, file = str(write(record)), str(tmp_path / "guesses.jsonl")
    done = CliRunner().invoke(main, ["guess", data, "-o", file, "--name", "ann"], input="y\nso\nso\nso\n")
    assert "3 guessed now; 3 of 3 in" in done.output
    for options in ([], ["--kind", "reason"]):
        output = str(tmp_path / f"others{len(options)}.jsonl")
        done = CliRunner().invoke(main, ["guess", data, "-o", output, "--import", file, *options])
        assert done.output == f"3 guesses imported into {output}\n"
    none = CliRunner().invoke(main, ["guess", data, "-o", file, "--name", "ann", "--kind", "reaction"])
    assert "No message in this data has a reaction." in none.output


def test_a_file_that_cannot_be_written_is_named_before_the_first_question(guess: Guess, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = guess("y\nso\n", "-o", str(tmp_path / "file/guesses.jsonl"))
    assert done.exit_code == 1
    assert "guesses.jsonl: cannot be written" in done.output
    assert "Go on?" not in done.output


def test_a_line_about_no_message_is_named(guess: Guess, tmp_path: Path) -> None:
    line = {"id": "foo", "text": "so", "person": "ann", "context": "history", "time": "2026-01-01T00:00:00+00:00"}
    (tmp_path / "guesses.jsonl").write_text(json.dumps(line) + "\n")
    done = guess("")
    assert isinstance(done.exception, SystemExit)
    assert "guesses.jsonl, line 1: 'foo' names no message; correct its id, or remove the line." in done.output


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
    second = guess("so\n" * 4, "--kind", "reason", "--context", "lookahead")
    assert second.exit_code == 0, second.output
    assert "4 guessed now; 4 of 6 in" in second.output
    assert "2 are not asked: you have guessed them in another context." in second.output
    assert "what comes after them" not in second.output
    assert [line["context"] for line in lines(tmp_path)] == ["history"] * 2 + ["lookahead"] * 4


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
