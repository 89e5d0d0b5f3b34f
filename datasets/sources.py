"""Open conversations: the bundled sample, the Hub, or a path."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import SAMPLE
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.hub import REVISION, download
from thoughttrace.datasets.load import first_few, load_conversations

_SAMPLE = Path(__file__).resolve().parent / "sample.jsonl"

# Inspect runs a task file from the file's own folder, but a user's relative path means the folder
# they typed it in. The package's entry point is loaded before Inspect moves, so this is that folder.
_STARTED_IN = Path.cwd()

_CHECKSUM = "sha256:"


@dataclass(frozen=True)
class Source:
    """Conversations and where they are from."""

    conversations: list[Conversation]
    skipped: list[str]
    """One sentence for each line that could not be used."""
    name: str
    """`sample`, `hub`, or the file's or folder's name (never its whole path: logs are shared)."""
    revision: str
    """The Hub commit, or `sha256:` and the first 12 digits of the content's checksum."""

    @property
    def content(self) -> str:
        """`sha256:` and the first 12 digits of the content's checksum: a commit is only the server's word for it."""
        return self.revision if self.revision.startswith(_CHECKSUM) else _checksum(self.conversations)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each thing that a run on this data must know: skipped lines, times that are not known."""
        sentences = []
        if self.skipped:
            lines = "line" if len(self.skipped) == 1 else "lines"
            sentences.append(f"{self.name}: skipped {len(self.skipped):,} {lines}. {' '.join(first_few(self.skipped))}")
        unknown, thoughts = _unknown_times(self.conversations)
        if unknown:
            sentences.append(
                f"{self.name}: on {unknown:,} of {thoughts:,} messages it is unknown whether the thought was written "
                "after the next user message (hindsight), because a time is missing or is no ISO 8601 text such as "
                "2026-01-01T00:00:00Z."
            )
        return sentences


def open_source(data: str, skip_bad: bool = False) -> Source:
    """Open the conversations that a user named.

    Args:
        data: `sample` (bundled), `hub` or `hub@REVISION` (downloaded once), or the path of a file (JSONL, a JSON
            array, Parquet) or folder, relative to the folder the command was started in.
        skip_bad: Leave out lines that cannot be used instead of stopping.

    Raises:
        UserError: The data cannot be found, downloaded, or read.
    """
    if not data.strip():
        raise UserError("No data is named; give `sample`, `hub`, or the path of a file or folder.")
    if data == SAMPLE:
        return _from_path(_SAMPLE, SAMPLE, skip_bad)
    origin, _, revision = data.partition("@")
    if origin == "hub":
        file = download(revision or REVISION)
        loaded = load_conversations(file, skip_bad)
        # A branch moves; the folder that the file is cached in is named by the commit.
        return Source(loaded.conversations, loaded.skipped, "hub", file.parent.name)
    if data == "-":
        return _from_path(data, "standard input", skip_bad)
    path = from_where_started(data)
    return _from_path(path, path.name, skip_bad)


def _unknown_times(conversations: Sequence[Conversation]) -> tuple[int, int]:
    """Count messages with thoughts and a user message after them: those whose hindsight is unknown, and all."""
    unknown = total = 0
    for conversation in conversations:
        last = max((i for i, message in enumerate(conversation.messages) if message.role == "user"), default=0)
        for index, message in enumerate(conversation.messages[:last]):
            if message.thoughts:
                total += 1
                unknown += conversation.hindsight(index) is None
    return unknown, total


def from_where_started(name: str) -> Path:
    """Return a path that a user typed, relative to the folder they typed it in.

    Args:
        name: The path; `~` is the home folder.

    Raises:
        UserError: The path begins with `~` and the name of nobody here.
    """
    try:
        path = Path(name).expanduser()
    except RuntimeError as error:
        raise UserError(f"{name}: there is no such user here; write the path of the folder itself.") from error
    # The task file may be in another checkout than this package, so its folder is recognised by what is in it.
    in_tasks = (Path.cwd() / "infer_reason.py").exists()
    base = _STARTED_IN if in_tasks else Path.cwd()
    return base / path


def _from_path(path: str | Path, name: str, skip_bad: bool) -> Source:
    loaded = load_conversations(path, skip_bad)
    return Source(loaded.conversations, loaded.skipped, name, _checksum(loaded.conversations))


def _checksum(conversations: Sequence[Conversation]) -> str:
    digest = hashlib.sha256()
    for conversation in conversations:
        digest.update(conversation.model_dump_json().encode())
    return f"{_CHECKSUM}{digest.hexdigest()[:12]}"
