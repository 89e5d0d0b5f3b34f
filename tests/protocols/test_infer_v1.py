"""The protocol says what the code does: a changed prompt or rubric fails here until there is a new protocol."""

import re
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
        re.sub(r"    - \[(anthropic|google).*\n", "", text): "no judge is left for a model of the only judge's family",
        re.sub(r"tasks:\n(?s:.*?)\n\n", "tasks: {}\n\n", text): "is no protocol; tasks: ",
        "a: [": "is no YAML file",
    }.items():
        path = tmp_path / "mine.yml"
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(UserError, match=sentence):
            read_protocol(path)


def test_a_file_may_not_go_by_the_name_of_ours_and_ask_something_else(root: Path, tmp_path: Path) -> None:
    text, path = (root / "protocols/infer-v1.yml").read_text(encoding="utf-8"), tmp_path / "mine.yml"
    asked = text.replace("coverage: 0.95", "coverage: 0.5")
    half = asked.replace("name: infer-v1", "name: mine")
    for wrong in (asked, half, asked.replace("title: ThoughtTrace-Infer v1", "title: Mine")):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(UserError, match=r"mine\.yml: has the name or title of infer-v1 .*a title of its own"):
            read_protocol(path)
    path.write_text(half.replace("title: ThoughtTrace-Infer v1", "title: Mine"), encoding="utf-8")
    assert read_protocol(path).coverage == 0.5
    path.write_text(f"# a copy\n{text}", encoding="utf-8")
    assert read_protocol(path) == read_protocol("infer-v1")


def test_a_file_that_is_no_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: cannot be read .*make it with `thoughttrace subset"):
        read_manifest(tmp_path / "none.json")
    (tmp_path / "some.json").write_text("{}")
    with pytest.raises(UserError, match=r"some\.json: is no manifest"):
        read_manifest(tmp_path / "some.json")
