"""Which names are one model, and of which family it is."""

import pytest

from thoughttrace.core.model_names import family, same_model


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("anthropic/claude-opus-4-6", "anthropic/claude-opus-4-6-20260201", True),
        ("openai/gpt-5.4", "openrouter/openai/gpt-5.4:free", True),
        ("openai/gpt-5.4", "azure/gpt-5-4-2026-01-15", True),
        ("google/gemini-3.1-pro", "google/gemini-3.1-pro-preview", True),
        ("openai/gpt-5.4", "openai/gpt-5.4-mini", False),
        ("local/qwen2.5-coder-0.5b", "local/qwen2.5-coder-1.5b", False),
        ("anthropic/claude-opus-4-6", "anthropic/claude-sonnet-4-6", False),
    ],
)
def test_two_names_of_one_model_are_the_same(a: str, b: str, same: bool) -> None:
    assert same_model(a, b) == same


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic/claude-opus-4-6", "claude"), ("openrouter/anthropic/claude-haiku-4.5", "claude"),
        ("openai/gpt-5.4", "gpt"), ("openai/o3-mini", "gpt"), ("google/gemini-3-flash", "gemini"),
        ("local/qwen2.5-coder-0.5b", "qwen"), ("together/meta-llama/Llama-3.3-70B-Instruct", "llama"),
    ],
)  # fmt: skip
def test_the_family_is_the_first_word(name: str, expected: str) -> None:
    assert family(name) == expected


def test_paths_are_names_too() -> None:
    assert same_model("local/./models/My.gguf", "local/other/My.gguf")
