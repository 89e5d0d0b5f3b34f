"""The mistakes that several places check for."""

import subprocess
import sys

import pytest
from inspect_ai._util.error import PrerequisiteError

from thoughttrace.core.errors import UserError, check_choice, check_positive, missing_extra
from thoughttrace.core.record import AFTERS, ARMS, CONTEXTS, CONTROLS, KINDS, THOUGHT_CONTEXTS
from thoughttrace.datasets.probes import FAMILIES


def test_inspect_prints_the_message_of_a_user_error() -> None:
    error = UserError("What is wrong.")
    assert isinstance(error, PrerequisiteError)
    assert str(error) == "What is wrong."


@pytest.mark.parametrize(
    ("packages", "sentence"),
    [
        (
            ["umap"],
            'The page needs umap: install it with pip install "thoughttrace[shift]" '
            '(from a clone: pip install -e ".[shift]").',
        ),
        (
            ["umap", "sklearn"],
            'The page needs umap and sklearn: install them with pip install "thoughttrace[shift]" '
            '(from a clone: pip install -e ".[shift]").',
        ),
    ],
)
def test_a_missing_extra_names_what_to_install(packages: list[str], sentence: str) -> None:
    assert str(missing_extra("The page", packages, "shift")) == sentence


@pytest.mark.parametrize(
    ("parameter", "choices", "wrong", "sentence"),
    [
        ("context", CONTEXTS, "all", "context=all: must be one of message, history, lookahead, profile."),
        ("context", THOUGHT_CONTEXTS, "lookahead", "context=lookahead: must be one of thought, message, history."),
        ("kind", KINDS, "thought", "kind=thought: must be one of reason, reaction."),
        ("after", AFTERS, "noon", "after=noon: must be one of thought, reaction."),
        ("thoughts", ARMS, "all", "thoughts=all: must be one of none, reasons, reactions, both, shuffled, inferred."),
        (
            "control",
            CONTROLS,
            "floor",
            "control=floor: must be one of someone_else, anyone, typical, parrot, constant, target, reworded.",
        ),
        (
            "families",
            FAMILIES,
            "quarter",
            f"families=quarter: must be one of {', '.join(FAMILIES)}.",
        ),
    ],
)
def test_a_choice_is_one_of_its_values(parameter: str, choices: tuple[str, ...], wrong: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        check_choice(parameter, wrong, choices)
    assert str(raised.value) == sentence
    assert tuple(check_choice(parameter, choice, choices) for choice in choices) == choices


@pytest.mark.parametrize("value", [0, -1])
def test_a_number_must_be_positive(value: int) -> None:
    with pytest.raises(UserError, match=rf"^users={value}: must be 1 or more\.$"):
        check_positive("users", value)


@pytest.mark.parametrize("value", ["abc", "3", 2.5, 2.0, True, [3]])
def test_a_number_must_be_whole(value: object) -> None:
    with pytest.raises(UserError) as raised:
        check_positive("users", value)
    assert str(raised.value) == f"users={value}: must be a whole number, 1 or more."


@pytest.mark.parametrize("value", [1, 7, None])
def test_a_positive_number_or_none_passes(value: int | None) -> None:
    check_positive("users", value)


def test_user_errors_load_no_provider() -> None:
    code = "import sys, thoughttrace.core.errors; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
