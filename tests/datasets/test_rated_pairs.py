"""The public sets of rated pairs, as the Hub holds them: made-up files in their form, fetched by the real client."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from thoughttrace.core.record import PairMetadata
from thoughttrace.tasks.calibrate_judge import RATED_PAIRS, calibrate_judge

COLUMNS = ("context", "question", "reference", "candidate", "score")
PAIRS: list[dict[str, Any]] = [
    dict(zip(COLUMNS, values, strict=True))
    for values in (
        ("Ann ran.", "Why did Ann run?", "It rained.", "Rain.", 4.5),
        ("Ann ran.", "What may be the reason?", "It rained.", "Fun.", 1),
        ("Bob sat.", "Where did Bob sit?", "Here.", "There.", 2),
    )
]


def serve(hub: Any, name: str, content: bytes) -> None:
    """Let the Hub serve a set's file where the set is looked for."""
    pairs = RATED_PAIRS[name]
    hub.repository, hub.name, hub.content = pairs.file.repository, pairs.file.name, content
    hub.commits = {pairs.revision: "2" * 40 if "/" in pairs.revision else pairs.revision}


def people(task: Any) -> dict[str, float]:
    """People's rating beside the judge's prompt, without its markers."""
    return {
        sample.input[1].text.replace(sample.input[1].text[1:9], ""): PairMetadata.model_validate(sample.metadata).people
        for sample in task.dataset
    }


def test_stsb_is_fetched_at_its_commit_and_stretched_to_the_judges_scale(client: Any) -> None:
    lines = [{"sentence1": "A dog.", "sentence2": f"Dog {score}.", "score": score} for score in (0.0, 2.5, 5.0)]
    serve(client, "stsb", gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    task = calibrate_judge("stsb")
    assert sorted(people(task).values()) == [1, 3, 5]
    assert task.metadata is not None
    assert task.metadata["data_revision"] == RATED_PAIRS["stsb"].revision
    client.requests.clear()
    calibrate_judge("stsb")
    assert client.requests == []


def test_of_mocha_the_questions_for_a_reason_are_used_and_shown(client: Any) -> None:
    packed = io.BytesIO()
    pd.DataFrame(PAIRS).to_parquet(packed)
    serve(client, "mocha", packed.getvalue())
    task = calibrate_judge("mocha")
    assert task.metadata is not None
    assert task.metadata["data_revision"] == "2" * 40
    found = people(task)
    assert sorted(found.values()) == [1, 4.5]
    first = next(text for text in found if "Why did Ann run?" in text)
    assert first.index("Why did Ann run?") < first.index("It rained.") < first.index("Rain.")
    assert "Ann ran." not in first
    assert len({PairMetadata.model_validate(sample.metadata).cluster for sample in task.dataset}) == 1
    assert not any("Ann run?" in text for text in people(calibrate_judge("mocha", judge_message=False)))


def test_the_authors_own_file_of_mocha_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"a": {"1": PAIRS[0]}, "b": {"2": PAIRS[1], "3": PAIRS[2]}}, indent=1), encoding="utf-8")
    assert sorted(people(calibrate_judge("mocha", file=str(path))).values()) == [1, 4.5]


def test_the_order_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{"sentence1": "s", "sentence2": "t", "score": n % 6} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    orders = [[sample.id for sample in calibrate_judge("stsb", str(path), seed=seed).dataset] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(map(str, orders[0])) == sorted(map(str, orders[2]))


@pytest.mark.parametrize("name", RATED_PAIRS)
def test_without_the_hub_a_copy_is_named_as_the_way_out(name: str, client: Any, waits: list[float]) -> None:
    serve(client, name, b"")
    client.always = (503, "")
    with pytest.raises(Exception, match="a copy of the file is read without the Hub"):
        calibrate_judge(name)
