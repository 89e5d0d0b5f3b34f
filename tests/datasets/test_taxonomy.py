"""The list of topics."""

from thoughttrace.datasets.taxonomy import DOMAINS, SUBTOPICS, listed


def test_the_published_domains_hold_36_subtopics() -> None:
    assert DOMAINS == (
        "Culture & Lifestyle", "Education & Knowledge", "Business & Society", "Health & Relationships", "Technology",
        "Arts & Entertainment", "Other",
    )  # fmt: skip
    assert len(SUBTOPICS) == 36
    assert set(SUBTOPICS.values()) == set(DOMAINS)
    assert SUBTOPICS["other"] == "Other"


def test_every_subtopic_is_defined_below_its_domain() -> None:
    domain, found = "", {}
    for line in filter(None, listed().splitlines()):
        name, _, definition = line.removeprefix("- ").partition(": ")
        if line in DOMAINS:
            domain = line
        else:
            assert definition
            found[name] = domain
    assert found == SUBTOPICS
