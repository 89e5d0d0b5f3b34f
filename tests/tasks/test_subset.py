"""`-T subset=`: a run takes exactly the samples of a manifest, and its log says which manifest that was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import run_metadata
from thoughttrace.protocols.manifest import read_manifest
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason


@pytest.fixture
def data(tmp_path: Path, write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]],
         monkeypatch: pytest.MonkeyPatch) -> Path:  # fmt: skip
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    return write(*(make_conversation(f"user{n}", turns=3) for n in range(4)))


def test_a_run_takes_exactly_the_manifests_samples_and_records_it(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "mini.json"
    for output in (["-o", str(path)], []):
        assert CliRunner().invoke(main, ["subset", str(data), "mini-v1", *output]).exit_code == 0
    manifest = read_manifest(path)
    for kind, task in (("reason", infer_reason), ("reaction", infer_reaction)):
        # By name, from the cache; and by the file's path.
        for named in ("mini-v1", str(path)):
            made = task(data=str(data), subset=named)
            assert {sample.id for sample in made.dataset} == set(manifest.samples[kind])
            recorded = run_metadata(made.metadata)
            assert (recorded.subset, recorded.subset_sha256, recorded.subset_samples) == ("mini-v1", manifest.sha256, 4)
    plain = run_metadata(infer_reason(data=str(data)).metadata)
    assert (plain.subset, plain.subset_sha256, plain.subset_samples) == (None, None, None)


def test_a_subset_and_another_choice_of_samples_do_not_go_together(data: Path) -> None:
    for other in ({"users": 2}, {"per_user": 1}, {"types": "task_motivation"}):
        (name,) = other
        with pytest.raises(UserError, match=f"^subset=mini-v1: says which samples are taken; leave out {name}.$"):
            infer_reason(data=str(data), subset="mini-v1", **other)


def test_without_its_manifest_a_subset_is_refused_in_one_sentence(data: Path) -> None:
    with pytest.raises(UserError, match=r"make it with `thoughttrace subset .*data\.jsonl mini-v1`, or name"):
        infer_reason(data=str(data), subset="mini-v1")
