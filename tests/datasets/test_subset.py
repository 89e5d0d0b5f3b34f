"""Subsets: chosen by a rule that anyone can repeat, and taken whole and unchanged or not at all."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets import subset as subset_module
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.sources import Source, open_source
from thoughttrace.datasets.subset import find_manifest, make_manifest, take
from thoughttrace.protocols.manifest import Manifest, manifest_path
from thoughttrace.protocols.protocol import find_subset


@pytest.fixture(scope="module")
def records(make_conversation: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Two conversations each of 520 users; every fifth user has no reaction."""
    made = [make_conversation(f"user{n}", task, turns=2) for n in range(520) for task in (1, 2)]
    for record in made:
        if int(record["id"].partition("_")[0].removeprefix("user")) % 5 == 0:
            for message in record["messages"]:
                message.pop("reactions", None)
    return made


def source_of(records: list[dict[str, Any]]) -> Source:
    return Source([Conversation.model_validate(record) for record in records], [], "made up", "sha256:0")


@pytest.fixture(scope="module")
def source(records: list[dict[str, Any]]) -> Source:
    return source_of(records)


@pytest.fixture(scope="module")
def mini(source: Source) -> Manifest:
    return make_manifest(source, "mini-v1")


def lot(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_mini_is_one_message_a_kind_of_500_users_by_the_stated_rule(
    records: list[dict[str, Any]], mini: Manifest
) -> None:
    for kind, role in (("reason", "user"), ("reaction", "assistant")):
        messages: dict[str, list[tuple[str, int]]] = {}
        for record in records:
            for index, message in enumerate(record["messages"]):
                if message["type"] == role and message.get(f"{kind}s"):
                    messages.setdefault(record["id"].partition("_")[0], []).append((record["id"], index))
        chosen = sorted(messages, key=lambda user: lot(f"0:{user}"))[:500]
        best = [min(messages[user], key=lambda place: lot(f"0:{place[0]}:{place[1]}")) for user in chosen]
        assert set(mini.samples[kind]) == {f"{name}/m{index:02}/{kind}" for name, index in best}  # type: ignore[index]
    assert (len(mini.samples["reason"]), len(mini.samples["reaction"])) == (500, 416)
    assert "first 500 users" in mini.rule


def test_full_is_every_message_with_a_thought(source: Source) -> None:
    full = make_manifest(source, "full-v1")
    assert (len(full.samples["reason"]), len(full.samples["reaction"])) == (520 * 2 * 2, 416 * 2 * 2)


def test_the_checksum_depends_on_the_samples_alone(records: list[dict[str, Any]], mini: Manifest) -> None:
    shuffled = random.Random(0).sample(records, len(records))
    again = make_manifest(source_of(shuffled), "mini-v1")
    assert again.sha256 == mini.sha256
    text = json.dumps([mini.name, mini.samples], sort_keys=True)
    assert mini.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_manifest_holds_no_text(mini: Manifest) -> None:
    text = mini.model_dump_json()
    assert "secret" not in text
    assert "question" not in text


def test_exactly_its_messages_are_taken_in_the_order_of_users(source: Source, mini: Manifest) -> None:
    items = take(source, "reason", mini)
    assert {subset_module.sample_id(item) for item in items} == set(mini.samples["reason"])
    users = [item.conversation.user for item in items]
    assert users == sorted(users, key=lambda user: lot(f"0:{user}"))


@pytest.mark.parametrize("change", ["thought", "message before", "message after", "user"])
def test_what_a_sample_shows_and_asks_for_must_be_unchanged(
    change: str, make_conversation: Callable[..., dict[str, Any]]
) -> None:
    records = [make_conversation("user1", turns=3), make_conversation("user2")]
    original = source_of(records)
    full = make_manifest(original, "full-v1")
    only = full.model_copy(update={"samples": {"reason": {
        "user1_task1_conversation1/m02/reason": full.samples["reason"]["user1_task1_conversation1/m02/reason"]
    }}})  # fmt: skip
    messages = records[0]["messages"]
    if change == "thought":
        messages[2]["reasons"][0]["content"] += "!"
    elif change == "user":
        records[0]["user"] = "somebody"
    else:
        messages[0 if change == "message before" else 3]["content"] += "!"
    altered = source_of(records)
    if change == "message after":  # it is not shown
        assert len(take(altered, "reason", only)) == 1
        return
    with pytest.raises(UserError, match="1 of the 1 reason samples of full-v1"):
        take(altered, "reason", only)


def test_missing_samples_are_named(source: Source, mini: Manifest) -> None:
    fewer = Source(source.conversations[:1000], [], "fewer.jsonl", "sha256:1")
    with pytest.raises(
        UserError, match=r"\d+ of the 500 reason samples of mini-v1 are not in fewer\.jsonl: user.* And"
    ):
        take(fewer, "reason", mini)


def test_the_manifest_is_found_by_name_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Source, mini: Manifest
) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match=r"make it with `thoughttrace subset my\.jsonl mini-v1`"):
        find_manifest(source, "my.jsonl", "mini-v1")
    with pytest.raises(UserError, match="there is no such subset, and no such file; choose from full-v1, mini-v1"):
        find_manifest(source, "my.jsonl", "nano-v1")
    kept = manifest_path("mini-v1", source.revision)
    kept.parent.mkdir(parents=True)
    kept.write_text(mini.model_dump_json(), encoding="utf-8")
    assert find_manifest(source, "my.jsonl", "mini-v1") == mini
    assert find_manifest(source, "my.jsonl", str(kept)) == mini
    with pytest.raises(UserError, match=r"is not on this machine"):
        find_manifest(Source([], [], "other", "sha256:2"), "other", "mini-v1")


def test_the_release_takes_only_the_manifest_that_the_protocol_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mini: Manifest
) -> None:
    found = find_subset("mini-v1")
    assert found
    protocol, asked = found
    path = tmp_path / "mini.json"
    path.write_text(mini.model_dump_json(), encoding="utf-8")
    release = Source([], [], "hub", protocol.data.revision)
    for stated, accepted in ((None, True), (mini.sha256, True), ("f" * 64, False)):
        subset = asked.model_copy(update={"manifest_sha256": stated})
        monkeypatch.setattr(subset_module, "find_subset", lambda _, subset=subset: (protocol, subset))
        assert find_manifest(Source([], [], "mine", "sha256:1"), "mine", str(path)) == mini
        if accepted:
            assert find_manifest(release, "hub", str(path)) == mini
        else:
            with pytest.raises(UserError, match=r"infer-v1 states ffffffffffff: it was made from other data"):
                find_manifest(release, "hub", str(path))


def test_the_manifest_of_the_bundled_sample_is_the_one_that_is_kept() -> None:
    """Whoever changes the rule, or what is hashed, makes other manifests: that needs another subset's name."""
    assert make_manifest(open_source("sample"), "mini-v1").sha256[:16] == "aab2ae746849a835"
    assert make_manifest(open_source("sample"), "full-v1").sha256[:16] == "7c49770d09867bff"
