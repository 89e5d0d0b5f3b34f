"""Download the released conversations from the Hugging Face Hub: one file, one revision, checked against what is known.

A file of any revision must have the checksum that its server stated. So an altered file is noticed on the way and in
the cache, but not at a server that states the checksum of its own file: therefore plain HTTP is refused, and a file of
the pinned revision must have the size that is published for it.
"""

import errno
import hashlib
import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urlsplit

import click

from thoughttrace.core.cache_dir import sha256
from thoughttrace.core.errors import UserError
from thoughttrace.core.published import totals

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

REPOSITORY = "SCAI-JHU/ThoughtTrace"
FILE = "ThoughtTrace.jsonl"
REVISION = "0420f3d8499e477098aac7771fe9c066f2340fb3"

SIZE = 29_915_720
"""Bytes of the file at `REVISION`, as its authors publish it: a file of another size is refused."""

NOTED_SHA256 = "43ed4584661dc78ccd43dceeb84f88ac9780744997e32c5d329bf05292e95d25"
"""What a second hand noted as the checksum of the file at `REVISION`, perhaps of another copy: a difference is reported
and refuses nothing."""


class HubFile(NamedTuple):
    """A file of a dataset on the Hub."""

    repository: str
    name: str
    without_hub: str
    """What works without the Hub, for messages: a clause."""


_RELEASE = HubFile(REPOSITORY, FILE, "data=sample and data=PATH of a JSONL file work without the Hub")

_WAITS = (1, 2, 4)
"""Seconds before asking a failing server again; the client's own retries would take 23."""

_TIMEOUT = 10.0
_COMMIT = re.compile("[0-9a-f]{40}")
_CHECKSUM = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")

_T = TypeVar("_T")


def download(revision: str = REVISION) -> Path:
    """Download the released file once, and compare it with the checksum that the Hub states.

    The file is kept in huggingface_hub's cache, whose entries are named by the Hub's checksum. So a commit that
    is in the cache is compared again at each use, and no request is made.

    Args:
        revision: A commit, branch or tag. A branch or tag is looked up each time; where the Hub is out of
            reach, what the cache has for it is used, and a line on the standard error says so.

    Returns:
        The file's path; its folder is named by the commit.

    Raises:
        UserError: The file cannot be downloaded, is not the one that the Hub states, or does not have the size that is
            published for the pinned revision.
    """
    path = download_file(_RELEASE, revision)
    if commit_of(_RELEASE, path) != REVISION:
        return path
    if (size := path.stat().st_size) != SIZE:
        # The entry only: another revision in the cache may have the same file.
        path.unlink()
        raise UserError(
            f"{FILE} of the pinned revision has {size:,} bytes where {SIZE:,} are published: it is another file than "
            "the release and was removed from the cache. Check HF_ENDPOINT; the server's newest file is hub@main, "
            "and any file on the disk is data=PATH."
        )
    if (checksum := sha256(path)) != NOTED_SHA256:
        _print(_noted(checksum))
    return path


def state_checks(path: Path) -> list[str]:
    """Say what a downloaded file was compared with, one sentence for each.

    Args:
        path: What `download` returned.
    """
    sentences = ["Its checksum is the one that the server it came from stated for it."]
    if path.parent.name != REVISION:
        return [
            *sentences,
            "Nothing else is known of this revision here: whether it is the release is the server's word.",
        ]
    sentences.append(f"Its size is the one that is published for this revision, {SIZE:,} bytes.")
    return [*sentences, _noted(sha256(path))]


def _noted(checksum: str) -> str:
    if checksum == NOTED_SHA256:
        return "Its checksum is also the one that was noted second-hand for this revision."
    return (
        f"The checksum of {FILE}, {checksum}, is not {NOTED_SHA256}, which was noted second-hand for this revision: "
        "either the note is of another copy, or the file was altered. Compare it with the one on the dataset's page."
    )


def download_file(file: HubFile, revision: str) -> Path:
    """Download a file once, and compare it with the checksum that the Hub states, as `download` does.

    Args:
        file: The file.
        revision: A commit, branch or tag of its dataset.

    Raises:
        UserError: The file cannot be downloaded, or is not the one that the Hub states.
    """
    # Imported here: half a second that those who use another source need not wait for.
    from huggingface_hub import hf_hub_download  # noqa: PLC0415

    try:
        cached = _cached(file, revision)
        if cached is not None and _COMMIT.fullmatch(revision):
            return cached
        try:
            stated = _retried(lambda: _ask(file, revision))
        except Exception as error:
            if cached is None or (outage := _outage(error)) is None:
                raise
            _print(f"{outage.cause}; using '{revision}' as it was when last fetched, commit {commit_of(file, cached)}.")
            return cached
        path = Path(
            _retried(lambda: hf_hub_download(file.repository, file.name, repo_type="dataset", revision=revision))
        )
        # huggingface_hub takes an older file from its cache, without a word, when its own request fails.
        if commit_of(file, path) != stated.commit_hash:
            raise UserError(f"'{revision}' of {file.repository} changed during the download: try again.")
        return _verified(file, path, stated)
    except UserError:
        raise
    except Exception as error:
        if (explained := _user_error_for(error, file, revision)) is None:
            raise
        raise explained from error


def commit_of(file: HubFile, path: Path) -> str:
    """Return the commit that a downloaded file is of: the name of the folder that the cache keeps its dataset in.

    Args:
        file: The file.
        path: What `download_file` returned.
    """
    return path.parents[file.name.count("/")].name


def published_differences(counted: Mapping[str, int]) -> list[str]:
    """Return one sentence for each total that differs from the published one.

    Args:
        counted: Totals by name: `users`, `conversations`, `messages`, `reasons`, `reactions`.
    """
    return [
        f"{name}: {counted[name]:,} here, {published:,} published"
        for name, published in totals().items()
        if name in counted and counted[name] != published
    ]


def _cached(file: HubFile, revision: str) -> Path | None:
    """Return the cached file if it is what the Hub stated for it; remove a damaged one."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

    entry = try_to_load_from_cache(file.repository, file.name, revision=revision, repo_type="dataset")
    if not isinstance(entry, str):
        return None
    path = Path(entry)
    stated = path.readlink().name if path.is_symlink() else ""
    # On a file system without links nothing shows what the Hub stated: it is asked again.
    if not _CHECKSUM.fullmatch(stated):
        return None
    if _checksum(path, stated) == stated:
        return path
    _print(f"{file.name} in the cache is damaged and was removed; it is downloaded again.")
    _remove(path)
    return None


def _ask(file: HubFile, revision: str) -> "HfFileMetadata":
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415

    # Asked before the download, which alone would keep a user without a network waiting for half a minute.
    url = hf_hub_url(file.repository, file.name, repo_type="dataset", revision=revision)
    _refuse_plain_http(url, file.without_hub)
    stated = get_hf_file_metadata(url, timeout=_TIMEOUT)
    if not (stated.commit_hash and _CHECKSUM.fullmatch(stated.etag or "")):
        raise UserError(
            f"The server that answered for the Hub states no commit and checksum of {file.name}: check HF_ENDPOINT and "
            f"the network's proxy or sign-in page; {file.without_hub}."
        )
    return stated


def _refuse_plain_http(url: str, without_hub: str) -> None:
    """Refuse an address whose answers anybody on the way can alter, file and checksum together.

    Raises:
        UserError: It is plain HTTP, and of another machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    if parts.scheme == "http" and not here:
        raise UserError(
            f"HF_ENDPOINT leads to {host} by plain HTTP, where anybody on the way can alter the file and its checksum: "
            f"use an address with https; {without_hub}."
        )


def _retried(call: Callable[[], _T]) -> _T:
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    for wait in _WAITS:
        try:
            return call()
        except HfHubHTTPError as error:
            if (status := error.response.status_code) < 500:
                raise
            _print(f"The Hub answered {status}; asking again in {wait} s.")
            time.sleep(wait)
    return call()


def _verified(file: HubFile, path: Path, stated: "HfFileMetadata") -> Path:
    size, checksum = path.stat().st_size, _checksum(path, stated.etag or "")
    if stated.size is not None and size != stated.size:
        fault = f"has {size:,} bytes where the Hub states {stated.size:,}"
    elif checksum != stated.etag:
        fault = f"has the checksum {checksum} where the Hub states {stated.etag}"
    else:
        return path
    _remove(path)
    raise UserError(f"The downloaded {file.name} {fault}; it was removed, so try again.")


def _checksum(path: Path, like: str) -> str:
    """Return the file's checksum of the kind the Hub states: SHA-256 of a large file, git's SHA-1 of a small one."""
    if len(like) == 64:
        return sha256(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _remove(path: Path) -> None:
    """Remove a cached file and the links to it, but nothing that a user's own link may name elsewhere."""
    from huggingface_hub import constants  # noqa: PLC0415

    inside = path.resolve().is_relative_to(Path(constants.HF_HUB_CACHE).expanduser().resolve())
    while path.is_symlink():
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    if inside:
        path.unlink(missing_ok=True)


def _print(text: str) -> None:
    click.echo(text, err=True)


# ---- what an error of the client means


class _Outage(NamedTuple):
    """The Hub cannot be asked now."""

    cause: str
    remedy: str


def _outage(error: Exception) -> _Outage | None:
    """Return why the Hub cannot be asked now, or None if the error is of another kind."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415

    error = _cause(error)
    if isinstance(error, OfflineModeIsEnabled):
        return _Outage("The Hub is not asked in offline mode", "unset HF_HUB_OFFLINE")
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status == 429:
            return _Outage("The Hub answers 429, too many requests", "try again later, or log in with `hf auth login`")
        return _Outage(f"The Hub answers {status}, a failure on its side", "try again later") if status >= 500 else None
    # The client's HTTP library has changed before and is not part of its interface; its module's name shows it.
    if type(error).__module__.partition(".")[0] not in {"httpx", "httpx2"}:
        return None
    text = str(error).partition("\n")[0]
    reason = text if text and "://" not in text else type(error).__name__
    broke = type(error).__name__ in {"RemoteProtocolError", "ReadError", "ReadTimeout"}
    cause = "The connection to the Hub broke off" if broke else "The Hub cannot be reached"
    return _Outage(f"{cause} ({reason})", "check the network and try again")


def _user_error_for(error: Exception, file: HubFile, revision: str) -> UserError | None:
    """Return what to tell the user about an error of the download, or None for one that is a fault of ours."""
    error = _cause(error)
    if (outage := _outage(error)) is not None:
        return UserError(f"{outage.cause}: {outage.remedy}; {file.without_hub}.")
    text = _refused(error, file, revision) or _not_stored(error, file)
    return UserError(text) if text else None


def _refused(error: Exception, file: HubFile, revision: str) -> str | None:
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        HfHubHTTPError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if not isinstance(error, HfHubHTTPError):
        return None
    status = error.response.status_code
    repository, name, without_hub = file
    if isinstance(error, RevisionNotFoundError):
        return f"There is no revision '{revision}' of {repository}: name a commit, a branch or a tag, or none."
    if isinstance(error, RemoteEntryNotFoundError):
        return f"Revision '{revision}' of {repository} has no file {name}: name another one, or none; {without_hub}."
    if isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError):
        return (
            f"The Hub shows no dataset {repository}: check HF_ENDPOINT; if the dataset is private now, "
            f"log in with `hf auth login`; {without_hub}."
        )
    if status in {401, 403}:
        return (
            f"The Hub refuses access to {repository} ({status}): accept its terms on the dataset's page and log "
            f"in with `hf auth login`, or set HF_TOKEN; {without_hub}."
        )
    return f"The Hub answers {status} for {name}: check HF_ENDPOINT, or try again later; {without_hub}."


def _not_stored(error: Exception, file: HubFile) -> str | None:
    from huggingface_hub import constants  # noqa: PLC0415

    folder = constants.HF_HUB_CACHE
    _, name, without_hub = file
    code = error.errno if isinstance(error, OSError) else None
    if code in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error):
        return f"There is not enough space for {name} in {folder}: free some, or set HF_HOME to a folder elsewhere."
    if isinstance(error, OSError) and code is not None:
        return f"{name} cannot be stored in {folder} ({error.strerror}): set HF_HOME to a folder that can be written."
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return f"The Hub sent {name} in another size than it states, and it was discarded: try again; {without_hub}."
    # hf_xet, the client's other way to download, raises nothing more particular.
    if type(error) is RuntimeError or type(error).__name__ == "XetDownloadError":
        return (
            f"{name} could not be downloaded from the Hub's Xet storage: try again, or set HF_HUB_DISABLE_XET=1 "
            f"to download it over plain HTTP; {without_hub}."
        )
    return None


def _cause(error: Exception) -> Exception:
    """Return the error itself, where the client only says that neither the Hub nor its cache has the file."""
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error
