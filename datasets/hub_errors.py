"""What went wrong between us and the Hub, in one sentence.

The client's own texts are not repeated where they may hold an address: addresses of files are signed.
"""

import errno

from thoughttrace.datasets.errors import UserError

WITHOUT = "without the Hub, data=sample and data=PATH of a JSONL file work"


def out_of_reach(error: Exception) -> tuple[str, str] | None:
    """Why the Hub cannot be asked now and how to mend that, or None if the error is of another kind."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415

    error = _cause(error)
    if isinstance(error, OfflineModeIsEnabled):
        return "The Hub is not asked in offline mode", "unset HF_HUB_OFFLINE"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status == 429:
            return "The Hub answers 429, too many requests", "try again later, or log in with `hf auth login`"
        return (f"The Hub answers {status}, a failure on its side", "try again later") if status >= 500 else None
    # The client's HTTP library has changed before and is not part of its interface; its module's name tells it.
    if type(error).__module__.partition(".")[0] not in {"httpx", "httpx2"}:
        return None
    text = str(error).partition("\n")[0]
    reason = text if text and "://" not in text else type(error).__name__
    broke = type(error).__name__ in {"RemoteProtocolError", "ReadError", "ReadTimeout"}
    why = "The connection to the Hub broke off" if broke else "The Hub cannot be reached"
    return f"{why} ({reason})", "check the network and try again"


def told(error: Exception, repository: str, file: str, revision: str) -> UserError | None:
    """The user's sentence for an error of the download, or None for one that is a fault of ours."""
    error = _cause(error)
    if isinstance(error, UserError):
        return error
    if (reach := out_of_reach(error)) is not None:
        why, mend = reach
        return UserError(f"{why}: {mend}; {WITHOUT}.")
    text = _refused(error, repository, file, revision) or _not_kept(error, file)
    return UserError(text) if text else None


def _refused(error: Exception, repository: str, file: str, revision: str) -> str | None:
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
    if isinstance(error, RevisionNotFoundError):
        return f"There is no revision '{revision}' of {repository}: name a commit, a branch or a tag, or none."
    if isinstance(error, RemoteEntryNotFoundError):
        return f"Revision '{revision}' of {repository} has no file {file}: name another one, or none; {WITHOUT}."
    if isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError):
        return (
            f"The Hub shows no dataset {repository}: check HF_ENDPOINT and, should the dataset be private now, "
            f"log in with `hf auth login`; {WITHOUT}."
        )
    if status in {401, 403}:
        return (
            f"The Hub refuses access to {repository} ({status}): accept its terms on the dataset's page and log "
            f"in with `hf auth login`, or set HF_TOKEN; {WITHOUT}."
        )
    return f"The Hub answers {status} for {file}: check HF_ENDPOINT, or try again later; {WITHOUT}."


def _not_kept(error: Exception, file: str) -> str | None:
    from huggingface_hub import constants  # noqa: PLC0415

    folder = constants.HF_HUB_CACHE
    code = error.errno if isinstance(error, OSError) else None
    if code in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error):
        return f"There is too little room for {file} in {folder}: make room, or set HF_HOME to a folder elsewhere."
    if isinstance(error, OSError) and code is not None:
        return f"{file} cannot be kept in {folder} ({error.strerror}): set HF_HOME to a folder that can be written."
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return f"The Hub sent {file} in another size than it states, and it was not kept: try again; {WITHOUT}."
    # hf_xet, the client's other way to download, raises nothing more particular.
    if type(error) is RuntimeError or type(error).__name__ == "XetDownloadError":
        return (
            f"{file} could not be downloaded from the Hub's Xet storage: try again, or set HF_HUB_DISABLE_XET=1 "
            f"to download it over plain HTTP; {WITHOUT}."
        )
    return None


def _cause(error: Exception) -> Exception:
    """The error itself, where the client only says that neither the Hub nor its cache has the file."""
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error
