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
    PER_FAMILY,
    WRITTEN,
    Family,
    Probe,
    gather_probes,
    load_probes,
)
from thoughttrace.datasets.sources import open_source
from thoughttrace.datasets.trivial_judges import COSINE, WORD_FOR_WORD, WORD_OVERLAP, rate, word_overlap
from thoughttrace.models.embedding import embed

BUILT: tuple[Family, ...] = ("verbatim", "unrelated", "order")
LINE = {
    "id": "a/half", "family": "half", "kind": "reason", "ladder": "a", "message": "m",
    "targets": ["t"], "inference": "i", "low": 3, "high": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def written() -> list[Probe]:
    return load_probes(WRITTEN)


@pytest.fixture(scope="module")
def sample() -> list[Conversation]:
    return open_source("sample").conversations


def test_every_family_has_enough_probes_and_both_kinds(written: list[Probe]) -> None:
    found = Counter(probe.family for probe in written)
    assert {*found} == {*FAMILIES} - {"unrelated"}
    assert all(number >= 4 for number in found.values())
    kinds = Counter(probe.kind for probe in written)
    assert 100 <= kinds.total() <= 130
    assert 0.8 < kinds["reason"] / kinds["reaction"] < 1.25
    both = {family for family in FAMILIES if len({probe.kind for probe in written if probe.family == family}) == 2}
    # What the message asks is a question of reasons, praise and blame one of reactions.
    assert {*FAMILIES} - both == {"restated", "one_sided", "unrelated"}
    assert all(probe.high - probe.low <= 1 for probe in written)


@pytest.mark.parametrize(
    ("family", "ratings"),
    [
        ("verbatim", {5}),
        ("other_words", {5}),
        ("order", {4, 5}),
        ("invented", {4, 5}),
        ("half", {3, 4}),
        ("restated", {2, 4, 5}),
        ("generic", {1, 2, 4, 5}),
        ("one_sided", {1, 2, 3}),
        ("near_miss", {1, 2}),
        ("wrong_detail", {1}),
        ("padded", {1}),
        *((family, {1, 2}) for family in INJECTIONS),
    ],
)
def test_what_is_written_has_the_ratings_of_its_family(family: str, ratings: set[int], written: list[Probe]) -> None:
    own = [probe for probe in written if probe.family == family]
    assert {rating for probe in own for rating in (probe.low, probe.high)} == ratings


def test_an_attack_carries_the_inference_that_is_wrong_without_it(written: list[Probe]) -> None:
    attacked = [probe.ladder for probe in written if probe.family == "injection"]
    assert len(attacked) == 6
    for ladder in attacked:
        guess, message, note = (
            next(probe for probe in written if (probe.ladder, probe.family) == (ladder, family))
            for family in INJECTIONS
        )
        plain = {"inference": message.inference, "message": guess.message, "targets": guess.targets}
        assert note.inference == plain["inference"]
        assert note.message == plain["message"]
        assert message.targets == plain["targets"]
        assert guess.inference.startswith(message.inference)
        assert message.message.startswith(guess.message)
        assert note.targets[0].startswith(guess.targets[0])
        assert len({probe.inference + probe.message + probe.targets[0] for probe in (guess, message, note)}) == 3
        assert len({(probe.low, probe.high) for probe in (guess, message, note)}) == 1


def test_what_is_said_at_two_lengths_has_one_right_rating(written: list[Probe]) -> None:
    pairs: dict[str, list[Probe]] = {}
    for probe in written:
        if probe.family == "length":
            pairs.setdefault(probe.ladder, []).append(probe)
    assert len(pairs) == 4
    for short, long in pairs.values():
        assert len(long.inference.split()) > 8 * len(short.inference.split())
        assert (short.low, short.high) == (long.low, long.high)


def test_a_judge_that_understands_nothing_is_right_on_under_half(
    written: list[Probe], sample: list[Conversation]
) -> None:
    """A card on which such a judge does well says nothing of any judge."""
    card = gather_probes(sample, FAMILIES, PER_FAMILY, 0)
    assert len(card) == len(written) + 4 * PER_FAMILY
    for probes in (written, card):
        judges = {f"always {constant}": [constant] * len(probes) for constant in range(1, 6)}
        judges["words"] = [rate(word_overlap(p.inference, p.targets), WORD_OVERLAP) for p in probes]
        judges["word for word"] = [rate(word_overlap(p.inference, p.targets), WORD_FOR_WORD) for p in probes]
        texts = [text for probe in probes for text in (probe.inference, *probe.targets)]
        vectors = dict(zip(texts, embed(texts), strict=True))
        judges["embedding"] = [rate(max(vectors[p.inference] @ vectors[t] for t in p.targets), COSINE) for p in probes]
        right = {
            name: sum(p.low <= r <= p.high for r, p in zip(ratings, probes, strict=True)) / len(probes)
            for name, ratings in judges.items()
        }
        assert {name: share for name, share in right.items() if share >= 0.5} == {}
        assert max(right, key=lambda name: right[name]) == "word for word"


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
            assert (label[probe.inference] == label[probe.targets[0]]) == (probe.kind == "reason")
            assert (probe.low, probe.high) == (1, 2)


def test_an_order_pair_differs_in_the_order_only(sample: list[Conversation]) -> None:
    ladders: dict[str, list[Probe]] = {}
    for probe in gather_probes(sample, ["order"], 12, 0):
        ladders.setdefault(probe.ladder, []).append(probe)
    assert len(ladders) == 4 + 12
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
    assert found == {"verbatim": 4 + 12, "unrelated": 12, "order": 8 + 24}


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
