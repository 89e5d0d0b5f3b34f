"""The protocol says what the code does: a changed prompt or rubric fails here until there is a new protocol."""

from pathlib import Path

import pytest
import yaml

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import KINDS, Kind, run_metadata
from thoughttrace.datasets.hub import REVISION
from thoughttrace.protocols.manifest import read_manifest
from thoughttrace.protocols.protocol import Protocol, find_subset, protocol_names, read_protocol
from thoughttrace.scorers.agreement import rubric_hash
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return read_protocol("infer-v1")


@pytest.mark.parametrize("kind", KINDS)
def test_versions_and_hashes_are_those_of_the_code(kind: Kind, protocol: Protocol) -> None:
    task = {"reason": infer_reason, "reaction": infer_reaction}[kind](context=protocol.context)
    asked = protocol.tasks[kind]
    assert str(task.version).partition("-")[0] == str(asked.version)
    assert run_metadata(task.metadata).prompt_hash == asked.prompt_hash
    assert rubric_hash(kind, True) == asked.rubric_hash
    assert rubric_hash(kind, False) == asked.rubric_hash_without_message


def test_the_data_are_the_pinned_release(protocol: Protocol) -> None:
    assert (protocol.data.name, protocol.data.revision) == ("hub", REVISION)


@pytest.mark.parametrize("size", ["mini", "full"])
def test_the_run_configs_ask_what_the_protocol_asks(size: str, protocol: Protocol, root: Path) -> None:
    config = yaml.safe_load((root / f"protocols/infer-v1-{size}.yaml").read_text(encoding="utf-8"))
    assert config["task"]["args"] == {
        "data": protocol.data.name,
        "subset": f"{size}-v1",
        "context": protocol.context,
        "exclude_family": protocol.judges.exclude_family,
    }
    assert config["model_roles"] == {"grader": [{"model": seat[0]} for seat in protocol.judges.panel]}
    assert config["eval_config"] == {"epochs": protocol.epochs}
    assert sorted(path.name for path in root.glob(config["task"]["task"])) == ["infer_reaction.py", "infer_reason.py"]
    assert find_subset(f"{size}-v1") == (protocol, protocol.subsets[f"{size}-v1"])


def test_names_and_files_of_protocols(protocol: Protocol, root: Path, tmp_path: Path) -> None:
    assert protocol_names() == ["infer-v1"]
    assert read_protocol(root / "protocols/infer-v1.yml") == protocol
    assert find_subset("nano-v1") is None
    with pytest.raises(UserError, match=r"protocol infer-v9: there is no such file .*; name infer-v1, or the path"):
        read_protocol("infer-v9")
    text = (root / "protocols/infer-v1.yml").read_text(encoding="utf-8")
    for wrong, sentence in {
        text.replace("epochs: 1", "epochs: 0"): "is no protocol; epochs: ",
        text.replace("title:", "titel:"): "is no protocol; ",
        text.replace("google/gemini-3.5-flash", "openai/gpt-5.5"): "no two judges of the same",
        text.replace("at_least: 2", "at_least: 3"): "too few judges are left",
        "a: [": "is no YAML file",
    }.items():
        path = tmp_path / "mine.yml"
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(UserError, match=sentence):
            read_protocol(path)


def test_a_file_that_is_no_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: cannot be read .*make it with `thoughttrace subset"):
        read_manifest(tmp_path / "none.json")
    (tmp_path / "some.json").write_text("{}")
    with pytest.raises(UserError, match=r"some\.json: is no manifest"):
        read_manifest(tmp_path / "some.json")
