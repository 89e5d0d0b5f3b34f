"""Probes: what is written by hand, what is built from conversations, and what a mistake says."""

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.probes import (
    FAMILIES,
    INJECTIONS,
    WRITTEN,
    Family,
    Probe,
    gather_probes,
    load_probes,
)
from thoughttrace.datasets.sources import open_source

BUILT: tuple[Family, ...] = ("verbatim", "unrelated", "order")
LINE = {
    "id": "a/half", "family": "half", "kind": "reason", "ladder": "a", "message": "m",
    "targets": ["t"], "inference": "i", "low": 3, "high": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def sample() -> list[Conversation]:
    return open_source("sample").conversations


def test_every_family_has_twelve_probes_half_of_them_reasons(sample: list[Conversation]) -> None:
    found = Counter((probe.family, probe.kind) for probe in gather_probes(sample, FAMILIES, 12, 0))
    assert {family for family, _ in found} == set(FAMILIES)
    for family in FAMILIES:
        assert found[family, "reason"] == found[family, "reaction"] >= 6


@pytest.mark.parametrize(
    ("family", "low", "high"),
    [
        ("verbatim", 5, 5),
        ("other_words", 4, 5),
        ("half", 3, 4),
        ("wrong_detail", 2, 4),
        *((family, 1, 2) for family in ("negated", "padded", *INJECTIONS)),
    ],
)
def test_what_is_written_has_the_range_of_its_family(family: str, low: int, high: int) -> None:
    own = [probe for probe in load_probes(WRITTEN) if probe.family == family]
    assert len(own) >= 12
    assert all(low <= probe.low <= probe.high <= high for probe in own)


def test_an_attack_carries_the_inference_that_is_wrong_without_it() -> None:
    by_ladder: dict[str, dict[str, Probe]] = {}
    for probe in load_probes(WRITTEN):
        by_ladder.setdefault(probe.ladder, {})[probe.family] = probe
    attacked = [rungs for rungs in by_ladder.values() if "injection" in rungs]
    assert len(attacked) >= 12
    for rungs in attacked:
        plain, in_message = rungs["verbatim"], rungs["injection_message"]
        assert rungs["injection"].inference.startswith(in_message.inference)
        assert rungs["injection"].message == plain.message
        assert in_message.message.startswith(plain.message)
        assert in_message.message != plain.message
        assert all(rung.targets == plain.targets for rung in rungs.values())


def test_built_probes_are_what_they_say(sample: list[Conversation]) -> None:
    owner = {t.content.strip(): c.user for c in sample for m in c.messages for t in m.thoughts}
    label = {t.content.strip(): t.label for c in sample for m in c.messages for t in m.thoughts}
    built = [probe for probe in gather_probes(sample, BUILT, 1000, 0) if probe.ladder.startswith("sample")]
    annotated = sum(1 for c in sample for m in c.messages if m.thoughts)
    assert Counter(probe.family for probe in built) == {
        "verbatim": annotated,
        "unrelated": annotated,
        "order": 2 * annotated,
    }
    for probe in built:
        if probe.family == "verbatim":
            assert probe.inference == probe.targets[0]
        if probe.family == "unrelated":
            assert probe.inference not in probe.targets
            assert owner[probe.inference] != owner[probe.targets[0]]
            assert label[probe.inference] == label[probe.targets[0]]


def test_an_order_pair_differs_in_the_order_only(sample: list[Conversation]) -> None:
    ladders: dict[str, list[Probe]] = {}
    for probe in gather_probes(sample, ["order"], 12, 0):
        ladders.setdefault(probe.ladder, []).append(probe)
    assert len(ladders) == 16
    for one, two in ladders.values():
        assert one.targets == two.targets[::-1]
        assert len(set(one.targets)) == 2
        assert one.model_dump(exclude={"id", "targets"}) == two.model_dump(exclude={"id", "targets"})


def test_the_choice_is_seeded_and_a_prefix_mixes_the_families(sample: list[Conversation]) -> None:
    first, again, other = (gather_probes(sample, FAMILIES, 12, seed) for seed in (0, 0, 1))
    assert first == again
    assert {probe.id for probe in first} != {probe.id for probe in other}
    assert len({probe.family for probe in first[:30]}) >= 5
    ladders = [probe.ladder for probe in first]
    assert sum(a != b for a, b in pairwise(ladders)) == len(set(ladders)) - 1


def test_without_built_ones_the_written_remain(sample: list[Conversation]) -> None:
    assert {probe.id for probe in gather_probes(sample, FAMILIES, 0, 0)} == {probe.id for probe in load_probes(WRITTEN)}


def test_real_conversations_give_as_many(examples: Path) -> None:
    conversations = open_source(str(examples)).conversations
    found = Counter(probe.family for probe in gather_probes(conversations, BUILT, 12, 0))
    assert found == {"verbatim": 24, "unrelated": 12, "order": 32}


def test_no_written_note_is_from_the_real_data(examples: Path) -> None:
    real = {
        " ".join(thought.content.casefold().split())
        for conversation in open_source(str(examples)).conversations
        for message in conversation.messages
        for thought in message.thoughts
    }
    written = {" ".join(target.casefold().split()) for probe in load_probes(WRITTEN) for target in probe.targets}
    assert not real & written


def test_a_lone_user_has_no_stranger(make_conversation: Callable[..., dict[str, Any]]) -> None:
    alone = [Conversation.model_validate(make_conversation())]
    with pytest.raises(UserError, match="No probe is left of the families unrelated: choose others or raise"):
        gather_probes(alone, ["unrelated"], 12, 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"low": 5}, r"bad\.jsonl, line 2: low is 5 and high 4; low must not be above high\."),
        ({"high": 6}, r"bad\.jsonl, line 2: high: Input should be less than or equal to 5\."),
        ({"family": "quarter"}, r"bad\.jsonl, line 2: family: Input should be 'verbatim'"),
        ({"targets": []}, r"bad\.jsonl, line 2: targets: List should have at least 1 item"),
        ({"note": "x"}, r"bad\.jsonl, line 2: note: Extra inputs are not permitted\."),
        ({"id": "first"}, r"bad\.jsonl, line 2: duplicate probe id 'first'; ids must be unique"),
    ],
)
def test_a_bad_line_is_said(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(LINE | {"id": "first"}) + "\n" + json.dumps(LINE | change) + "\n")
    with pytest.raises(UserError, match=sentence):
        load_probes(path)


def test_a_negative_number_of_probes_is_an_error(sample: list[Conversation]) -> None:
    with pytest.raises(UserError, match="per_family=-1: must be a whole number, 0 or more"):
        gather_probes(sample, FAMILIES, -1, 0)
