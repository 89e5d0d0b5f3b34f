"""List the labels that models give to messages and conversations: relations, domains, subtopics."""

from pathlib import Path

import yaml

FIRST = "first"
"""The user's first message of a conversation, by definition."""

RELATIONS = (FIRST, "extend", "re_attempt", "variation", "new_request")
"""All relations, as published."""

_TOPICS: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).resolve().parent / "topics.yml").read_text(encoding="utf-8")
)

DOMAINS: tuple[str, ...] = tuple(_TOPICS)
"""The seven domains, as published."""

SUBTOPICS: dict[str, str] = {subtopic: domain for domain, subtopics in _TOPICS.items() for subtopic in subtopics}
"""The domain of each subtopic."""


def listed() -> str:
    """Return the list that a model reads: each domain, and below it its subtopics with their definitions."""
    return "\n\n".join(
        "\n".join([domain, *(f"- {name}: {definition}" for name, definition in subtopics.items())])
        for domain, subtopics in _TOPICS.items()
    )
