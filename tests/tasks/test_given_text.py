"""A prompt and a rubric that a user gives in place of ours: what is refused, and what they change."""

from pathlib import Path
from typing import Any, get_args

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.core.prices import our_prices
from thoughttrace.core.record import Context
from thoughttrace.costing.cache_bill import count_tokens
from thoughttrace.costing.workload import workloads
from thoughttrace.scorers.agreement import (
    REACTION_VERDICT,
    VERDICT,
    agreement,
    read_rubric,
    rubric,
    rubric_hash,
    verdict_form,
)
from thoughttrace.tasks._options import read_prompt
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

QUESTION = "Why was [{marker} {message} user] sent?"
JUDGED = 'Rate from 1 to 5. Reply with "rationale", then "rating".'

PROMPTS: dict[str, tuple[bytes, str]] = {
    "empty": (b" \n", "is empty"),
    "Latin-1": ("Café\n---\n".encode("latin-1"), r"is not UTF-8 text \(byte 3\); save it as UTF-8"),
    "one part": (QUESTION.encode(), "must hold the instructions, one line ---, and the question .* has 0 such lines"),
    "three parts": (f"a\n---\nb\n---\n{QUESTION}".encode(), "has 2 such lines"),
    "no instructions": (f"---\n{QUESTION}".encode(), "must hold the instructions"),
    "no placeholder": (b"Guess.\n---\nWhy?", r"its question: lacks \{marker\} and \{message\}"),
    "one placeholder": (b"Guess.\n---\nWhy {message}?", r"its question: lacks \{marker\}; "),
    "another": (
        f"Guess.\n---\n{QUESTION} {{note}}".encode(),
        r"nothing is filled in for \{note\}; only \{marker\} and",
    ),
    "an attribute": (b"Guess.\n---\n{marker.x} {message}", r"nothing is filled in for \{marker\.x\}"),
    "a brace": (f"Guess.\n---\n{QUESTION} {{".encode(), "has a brace that is no placeholder"),
    "in the instructions": (
        f"{{conversation}}\n---\n{QUESTION}".encode(),
        r"its instructions: .* \{conversation\}; take",
    ),
}
RUBRICS: dict[str, tuple[bytes, str]] = {
    "no form": (b"Rate from 1 to 5.", "does not name the field rationale and rating"),
    "no rationale": (b'Reply with a "rating" from 1 to 5.', r"does not name the field rationale\."),
    "0 to 100": (b'Rate from 0 to 100: "rationale", then "rating". 1 5', "does not ask for a rating from 1 to 5"),
    "1-7": (b'On a scale of 1-7, "rationale" and "rating". 5', "does not ask for a rating from 1 to 5"),
    "no scale": (b'"rationale" and "rating"', "does not ask for a rating from 1 to 5"),
    "a template": (f"{JUDGED} Note: {{note}}".encode(), r"nothing is filled in for \{note\}; take it out"),
}


@pytest.mark.parametrize(("content", "sentence"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_that_cannot_be_used_is_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_bytes(content)
    with pytest.raises(UserError, match=rf"prompt=.*mine\.md.*{sentence}"):
        infer_reason(prompt=str(tmp_path / "mine.md"))


@pytest.mark.parametrize(("content", "sentence"), RUBRICS.values(), ids=RUBRICS)
def test_a_rubric_that_cannot_be_used_is_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_bytes(content)
    with pytest.raises(UserError, match=rf"rubric=.*mine\.md: {sentence}"):
        infer_reaction(rubric=str(tmp_path / "mine.md"))


@pytest.mark.parametrize("parameter", ["prompt", "rubric"])
@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nowhere.md", "no such file. Give the path of a text file"),
        (".", "is no file"),
        ("/dev/zero", "is no file"),
        ("x" * 5_000, "cannot be read (File name too long)"),
        ("a\0b", "cannot be read"),
        (5, "5: no such file"),
    ],
)
def test_a_path_that_leads_to_no_text_is_a_sentence(parameter: str, path: Any, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        infer_reason(**{parameter: path})
    assert sentence in str(refused.value)


def test_a_file_that_is_no_page_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.md").write_text("x" * 1_000_001)
    with pytest.raises(UserError, match="is larger than 1 MB"):
        agreement(rubric=str(tmp_path / "large.md"))


def texts(task: Any) -> list[list[str]]:
    return [[message.text for message in sample.input] for sample in task.dataset]


def test_the_text_of_ours_in_a_file_asks_the_same(tmp_path: Path) -> None:
    prompt, judged = tmp_path / "p.md", tmp_path / "reason.md"
    prompt.write_text(f"{read_prompt('infer')}\n---\n{read_prompt('infer_reason')}\n", newline="\r\n")
    judged.write_text(rubric("reason"), encoding="utf-8-sig")
    assert texts(infer_reason()) == texts(infer_reason(prompt=str(prompt), rubric=str(judged)))
    assert rubric_hash("reason", True, read_rubric(str(judged)).text) == rubric_hash("reason", True)


def test_a_given_rubric_of_reactions_asks_for_the_rating(tmp_path: Path) -> None:
    assert verdict_form("reaction") is REACTION_VERDICT
    assert verdict_form("reaction", JUDGED) is VERDICT
    assert rubric_hash("reaction", True, JUDGED) != rubric_hash("reaction", True)


def test_what_comes_next_is_spoken_of_only_where_it_is_shown() -> None:
    for task in (infer_reason, infer_reaction):
        for context in get_args(Context):
            samples = list(task(context=context).dataset)
            assert {sample.metadata["followed"] for sample in samples} == {True, False}
            for sample in samples:
                told = sample.input[1].text.endswith(read_prompt("infer_next"))
                assert told == (sample.metadata["followed"] and context in ("lookahead", "profile"))
        hashes = {(task(context=context).metadata or {})["prompt_hash"] for context in get_args(Context)}
        assert len(hashes) == 1  # contexts can be compared


def test_an_estimate_counts_what_is_given(root: Path) -> None:
    def tokens(**given: str) -> list[int]:
        works = workloads("infer_reason", given, ["openai/gpt-5.4"], ["openai/gpt-4.1"], our_prices(), limit=5)
        return [work.plain.input_tokens for work in works]

    file = root / "examples/rubric_reason.md"
    model, judge = tokens()
    assert tokens(prompt=str(root / "examples/prompt_reason.md"))[0] < model
    longer = count_tokens(file.read_text(), "openai/gpt-4.1") - count_tokens(rubric("reason"), "openai/gpt-4.1")
    assert tokens(rubric=str(file))[1] - judge == pytest.approx(5 * longer, abs=5)
