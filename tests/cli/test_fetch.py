"""The command `thoughttrace fetch`, in a process of its own whose only tie to the test is HF_ENDPOINT."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from thoughttrace.datasets.hub import REVISION

OLDER = "1" * 40

# One process for all, since it is the start that takes the time.
COMMANDS = """
import sys
from thoughttrace.cli.main import main
from thoughttrace.datasets.hub import REVISION
for revision in ("v0", "v0", "nope", "1" * 40, REVISION):
    try:
        main(["fetch", "--revision", revision])
    except SystemExit as done:
        print("exit", revision, done.code)
"""


def test_the_command(hub: Any, tmp_path: Path) -> None:
    """Refused at first, then fetched, then asked for what there is not, then without a request, then pinned."""
    messages = sum(len(json.loads(line)["messages"]) for line in hub.content.splitlines())
    hub.content += b"no JSON\n"
    hub.statuses = [403]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", COMMANDS]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    exits = [line for line in done.stdout.splitlines() if line.startswith("exit")]
    assert exits == ["exit v0 1", "exit v0 0", "exit nope 1", f"exit {OLDER} 0", f"exit {REVISION} 1"]
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert [line[:35] for line in told] == [
        "Error: The Hub refuses access to SC",
        "Error: There is no revision 'nope' ",
        "Error: ThoughtTrace.jsonl of the pi",
    ]
    # This server's file passes for the release with its own checksum, but not with its size.
    assert re.search(
        r"has [\d,]+ bytes where 29,915,720 are published: it is another file than the release", done.stderr
    )
    assert not list(tmp_path.glob(f"hub/datasets--*/snapshots/{REVISION}/*"))
    assert "Traceback" not in done.stderr
    ask = f"HEAD /datasets/SCAI-JHU/ThoughtTrace/resolve/{{}}/{hub.name}"
    assert hub.requests == [ask.format("v0")] * 3 + [
        f"GET /cdn/{hub.stated}",
        ask.format("nope"),
        *[ask.format(REVISION)] * 2,
    ]

    (path,) = tmp_path.glob(f"hub/datasets--*/snapshots/{OLDER}/{hub.name}")
    for words in (str(path), f"{OLDER} ('v0')", f"{len(hub.content):,} bytes"):
        assert words in done.stdout
    assert f"sha256    {hub.stated}" in done.stdout
    assert "Nothing else is known of this revision here" in done.stdout
    assert "1 unusable lines of ThoughtTrace.jsonl are not counted:" in done.stdout
    assert "ThoughtTrace.jsonl, line 3: is not valid JSON" in done.stdout
    assert re.search(r"users +│ +2 │ +1,058 │ +-1,056", done.stdout)
    assert f"messages: {messages} here, 17,058 published" in done.stdout
