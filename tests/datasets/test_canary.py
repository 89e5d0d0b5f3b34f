"""The canaries, by which filters of training corpora find our data, and which the software passes over."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from thoughttrace.datasets.load import load_conversations
from thoughttrace.datasets.probes import WRITTEN, load_probes

GUID = re.compile(r"canary GUID ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


def test_every_record_of_the_sample_holds_the_canary_of_the_data_card(root: Path, write: Callable[..., Path]) -> None:
    records = [json.loads(line) for line in (root / "datasets/sample.jsonl").read_text(encoding="utf-8").splitlines()]
    (canary,) = {record["canary"] for record in records}
    (guid,) = GUID.findall(canary)
    assert guid in (root / "datasets/DATA_CARD.md").read_text(encoding="utf-8")
    bare = write(*({key: record[key] for key in record if key != "canary"} for record in records))
    assert load_conversations(bare).conversations == load_conversations(root / "datasets/sample.jsonl").conversations


def test_every_probe_holds_a_canary_of_the_data_card_that_their_hash_does_not_see(root: Path) -> None:
    (canary,) = {json.loads(line)["canary"] for line in WRITTEN.read_text(encoding="utf-8").splitlines()}
    (guid,) = GUID.findall(canary)
    assert guid in (root / "datasets/DATA_CARD.md").read_text(encoding="utf-8")
    assert "canary" not in load_probes(WRITTEN)[0].model_dump_json()
