"""What can go wrong with the download: each fault is one sentence with its remedy, and leaves nothing bad behind."""

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.hub import REVISION, download

WITHOUT = "data=sample and data=PATH of a JSONL file work without the Hub"

# Nothing listens on the discard port, and nothing lies below a device.
NOBODY = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
# Never asked: the name is reserved to lead nowhere.
PLAIN = "http://hub.invalid/{repo_id}/resolve/{revision}/{filename}"
FAULTS: list[tuple[str, dict[str, Any], str, list[str]]] = [
    (
        "refused",
        {"HUGGINGFACE_CO_URL_TEMPLATE": NOBODY},
        REVISION,
        ["The Hub cannot be reached ([Errno", "] Connection refused): check the network and try again", WITHOUT],
    ),
    (
        "plain HTTP",
        {"HUGGINGFACE_CO_URL_TEMPLATE": PLAIN},
        REVISION,
        ["HF_ENDPOINT leads to hub.invalid by plain HTTP, where anybody on the way can alter", "https", WITHOUT],
    ),
    (
        "no folder",
        {"HF_HUB_CACHE": "/dev/null/hub"},
        REVISION,
        ["cannot be stored in /dev/null/hub (Not a directory): set HF_HOME to a folder that can be written"],
    ),
    (
        "500",
        {"always": (500, "")},
        REVISION,
        ["The Hub answers 500, a failure on its side: try again later", WITHOUT],
    ),
    ("429", {"always": (429, "")}, REVISION, ["429, too many requests: try again later, or log in", WITHOUT]),
    ("offline", {"HF_HUB_OFFLINE": True}, REVISION, ["not asked in offline mode: unset HF_HUB_OFFLINE", WITHOUT]),
    ("gated", {"always": (401, "GatedRepo")}, REVISION, ["refuses access to SCAI-JHU/ThoughtTrace (401)"]),
    ("forbidden", {"always": (403, "")}, REVISION, ["refuses access", "(403)", "`hf auth login`", "HF_TOKEN"]),
    ("no repository", {"always": (404, "RepoNotFound")}, REVISION, ["The Hub shows no dataset", "HF_ENDPOINT"]),
    ("private", {"always": (401, "RepoNotFound")}, REVISION, ["The Hub shows no dataset", "private"]),
    ("no revision", {}, "nope", ["There is no revision 'nope' of SCAI-JHU/ThoughtTrace: name a commit"]),
    ("no file", {"name": "other"}, "v0", ["Revision 'v0' of SCAI-JHU/ThoughtTrace has no file ThoughtTrace"]),
    ("elsewhere", {"always": (404, "")}, REVISION, ["answers 404 for ThoughtTrace.jsonl: check HF_ENDPOINT"]),
    ("not the Hub", {"always": (200, "")}, REVISION, ["states no commit and checksum", "sign-in page"]),
    ("short", {"short": 7}, REVISION, ["in another size than it states, and it was discarded: try again"]),
    (
        "cut",
        {"always_cut": True},
        REVISION,
        ["The connection to the Hub broke off (peer closed connection", "try again"],
    ),
    ("checksum", {"checksum": "a" * 64}, REVISION, ["has the checksum", "Hub states aaaa", "it was removed"]),
    ("git checksum", {"checksum": "a" * 40}, REVISION, ["has the checksum", "Hub states aaaa"]),
    ("disk full", {"disk": errno.ENOSPC}, REVISION, ["not enough space for ThoughtTrace.jsonl in", "HF_HOME"]),
    ("read-only", {"disk": errno.EROFS}, REVISION, ["cannot be stored in", "(Read-only file system): set HF_HOME"]),
]


@pytest.mark.parametrize(("fault", "revision", "told"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_each_fault_is_told_and_the_next_try_succeeds(
    client: Any,
    waits: list[float],
    broken: Callable[[dict[str, Any]], AbstractContextManager[None]],
    tmp_path: Path,
    fault: dict[str, Any],
    revision: str,
    told: list[str],
) -> None:
    with broken(fault), pytest.raises(UserError) as raised:
        download(revision)
    text = str(raised.value)
    assert all(words in text for words in told), text
    assert text.endswith(".")
    assert "\n" not in text
    assert "://" not in text
    assert "secret" not in text
    assert sum(waits) <= 7
    assert list(tmp_path.glob("hub/datasets--*/blobs/*")) == []
    assert download().read_bytes() == client.content
