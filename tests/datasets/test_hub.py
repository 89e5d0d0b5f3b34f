"""The download, by the real client from a Hub on this machine: what succeeds, and what the cache is for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.core.published import totals
from thoughttrace.datasets.hub import (
    REVISION,
    _refuse_plain_http,
    _remove,
    download,
    published_differences,
    state_checks,
)
from thoughttrace.datasets.sources import open_source

OLDER = "1" * 40


def test_the_second_time_no_request_is_made(client: Any) -> None:
    path = download()
    assert path.read_bytes() == client.content
    assert path.parent.name == REVISION
    client.requests.clear()
    assert download() == path
    assert client.requests == []


def test_a_branch_is_looked_up_each_time(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert download("main").parent.name == REVISION
    client.commits["main"] = OLDER
    assert download("main").parent.name == OLDER
    assert capsys.readouterr().err == ""
    assert client.count("GET") == 1  # the content is the same


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"always": (503, "")}, "The Hub answers 503, a failure on its side; using 'v0' as it was"),
        ({"HF_HUB_OFFLINE": True}, "The Hub is not asked in offline mode; using 'v0' as it was"),
    ],
)
def test_a_branch_without_the_hub_is_taken_from_the_cache_and_that_is_said(
    client: Any,
    waits: list[float],
    capsys: pytest.CaptureFixture[str],
    broken: Callable[[dict[str, Any]], AbstractContextManager[None]],
    fault: dict[str, Any],
    why: str,
) -> None:
    path = download("v0")
    with broken(fault):
        assert download("v0") == path
    told = capsys.readouterr().err
    assert f"{why} when last fetched, commit {OLDER}." in told


def test_the_clients_own_silent_fallback_is_an_error(client: Any) -> None:
    download("v0")
    client.commits["v0"] = REVISION
    client.statuses = [302, 503]
    with pytest.raises(UserError, match="'v0' of SCAI-JHU/ThoughtTrace changed during the download: try again"):
        download("v0")
    assert download("v0").parent.name == REVISION


def test_a_download_that_breaks_off_goes_on_where_it_was(
    client: Any, waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50)
    client.cuts = [100]
    assert download().read_bytes() == client.content
    assert [r.partition(" bytes=")[2] for r in client.requests if r.startswith("GET")] == ["", "100-"]
    assert len(list(tmp_path.glob("hub/datasets--*/blobs/*"))) == 1


@pytest.mark.parametrize("where", ["statuses", "cdn_statuses"])
def test_a_failing_hub_is_asked_again(
    client: Any, waits: list[float], capsys: pytest.CaptureFixture[str], where: str
) -> None:
    setattr(client, where, [503, 500])
    assert download().read_bytes() == client.content
    assert waits == [1, 2]
    assert "The Hub answered 503; asking again in 1 s." in capsys.readouterr().err


def test_a_file_damaged_in_the_cache_is_fetched_anew(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    download().write_bytes(b"something else")
    assert download().read_bytes() == client.content
    assert "damaged and was removed" in capsys.readouterr().err
    assert client.count("GET") == 2


def test_without_links_the_hub_is_asked_for_the_checksum(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    path = download()
    assert not path.is_symlink()
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match="removed, so try again"):
        download()
    assert download().read_bytes() == client.content


def test_a_file_that_a_user_linked_into_the_cache_is_never_removed(client: Any, tmp_path: Path) -> None:
    path = download()
    mine = tmp_path / "mine.jsonl"
    mine.write_bytes(b"my own")
    path.unlink()
    path.symlink_to(mine)
    with pytest.raises(UserError, match="has 6 bytes where the Hub states"):
        download()
    assert mine.read_bytes() == b"my own"


def test_an_altered_file_of_the_published_size_is_not_used_silently(
    client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    original = open_source("hub")
    assert original.revision == REVISION
    assert original.content == f"sha256:{original.content[-12:]}"
    assert state_checks(download()) == [
        "Its checksum is the one that the server it came from stated for it.",
        f"Its size is the one that is published for this revision, {len(client.content):,} bytes.",
        "Its checksum is also the one that was noted second-hand for this revision.",
    ]
    assert capsys.readouterr().err == ""
    _remove(download())
    client.content = client.content.replace(b"question", b"quastion")
    altered = open_source("hub")
    # The server's word for the commit is the same; the content is not, and a log has both.
    assert altered.revision == original.revision
    assert altered.content != original.content
    assert "is not " in capsys.readouterr().err
    open_source("hub")
    assert "or the file was altered" in capsys.readouterr().err
    assert "or the file was altered" in state_checks(download())[-1]


def test_an_altered_file_in_the_cache_is_removed_and_the_next_try_has_the_release(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = client.content
    client.content = release + b'{"id": "user3_task1_conversation1"}\n'
    with pytest.raises(UserError, match=r"bytes where .* are published: it is another file than the release"):
        download()
    client.content = release
    assert download().read_bytes() == release


def test_of_another_revision_nothing_is_known(client: Any) -> None:
    assert state_checks(download(OLDER))[-1].startswith("Nothing else is known of this revision here")


@pytest.mark.parametrize(
    "url", ["https://hub.invalid/x", "http://localhost:1/x", "http://127.0.0.2/x", "http://[::1]:1/"]
)
def test_https_and_this_machine_are_asked(url: str) -> None:
    _refuse_plain_http(url, "there is another way")


@pytest.mark.parametrize("url", ["http://hub.invalid/x", "http://192.168.1.2/x", "http://localhost.invalid", "http://"])
def test_plain_http_to_other_machines_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="by plain HTTP"):
        _refuse_plain_http(url, "there is another way")


def test_published_totals() -> None:
    assert published_differences(totals()) == []
    found = {**totals(), "messages": 17056, "users": 2}
    assert published_differences(found) == [
        "users: 2 here, 1,058 published",
        "messages: 17,056 here, 17,058 published",
    ]
