"""A prompt and a rubric that a user gives in place of ours: what is refused, and what they change."""

from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.core.prices import our_prices
from thoughttrace.costing.cache_bill import count_tokens
from thoughttrace.costing.workload import workloads
from thoughttrace.scorers.agreement import agreement, read_rubric, rubric, rubric_hash
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


def test_the_text_of_ours_in_a_file_is_the_same_measurement(tmp_path: Path) -> None:
    for kind, task in (("reason", infer_reason), ("reaction", infer_reaction)):
        prompt, judged = tmp_path / "p.md", tmp_path / f"{kind}.md"
        prompt.write_text(f"{read_prompt('infer')}\n---\n{read_prompt(f'infer_{kind}')}\n", newline="\r\n")
        judged.write_text(rubric(kind), encoding="utf-8-sig")
        ours, theirs = task(), task(prompt=str(prompt), rubric=str(judged))
        assert texts(ours) == texts(theirs)
        assert (ours.metadata or {})["prompt_hash"] == (theirs.metadata or {})["prompt_hash"]
        text = read_rubric(str(judged)).text
        assert rubric_hash(kind, True, text) == rubric_hash(kind, True)


def test_an_estimate_counts_what_is_given(root: Path) -> None:
    def tokens(**given: str) -> list[int]:
        works = workloads("infer_reason", given, ["openai/gpt-5.4"], ["openai/gpt-4.1"], our_prices(), limit=5)
        return [work.plain.input_tokens for work in works]

    file = root / "examples/rubric_reason.md"
    model, judge = tokens()
    assert tokens(prompt=str(root / "examples/prompt_reason.md"))[0] < model
    longer = count_tokens(file.read_text(), "openai/gpt-4.1") - count_tokens(rubric("reason"), "openai/gpt-4.1")
    assert tokens(rubric=str(file))[1] - judge == pytest.approx(5 * longer, abs=5)
