"""The other end of `command_host.py`: `inspect` and `thoughttrace` as commands that its process runs.

Imported, it starts one command; as a file named like a command, it is that command. It imports little, for it starts
once for each command of a page.
"""

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence

SOCKET, SETUP, DIALOGUES = "COMMAND_HOST", "COMMAND_SETUP", "COMMAND_DIALOGUES"
"""The environment variables that tell a command where its host is, what is run first, and what is typed into it."""


def start(
    host: str,
    arguments: Sequence[str],
    files: Sequence[int],
    cwd: str,
    environment: Mapping[str, str],
    *,
    path: Sequence[str] = (),
    setup: str = "",
    dialogue: Sequence[Sequence[str]] = (),
) -> tuple[int, socket.socket]:
    """Start a command; its process id, and what `end` takes.

    Args:
        host: The host's socket.
        arguments: `inspect` or `thoughttrace`, and what follows.
        files: Descriptors of its input, output and errors.
        cwd: The folder that it runs in.
        environment: All of its environment.
        path: Folders that go before the others of the import path.
        setup: A Python file that is run in its process first.
        dialogue: What is typed in answer to what: pairs of a regular expression and keys.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(host)
    order = {
        "arguments": list(arguments), "cwd": cwd, "environment": dict(environment), "path": list(path),
        "setup": setup, "dialogue": list(dialogue),
    }  # fmt: skip
    said = json.dumps(order).encode() + b"\n"
    sent = socket.send_fds(connection, [said], list(files))
    connection.sendall(said[sent:])
    return end(connection), connection


def end(connection: socket.socket) -> int:
    """Wait for the next number that the host says: at a command's end its exit status, or minus its signal."""
    said = b""
    while not said.endswith(b"\n"):
        if not (byte := connection.recv(1)):
            raise RuntimeError("the host of the commands has ended")
        said += byte
    return int(said)


def main() -> int:
    """Run the command that this file is named like, with this process's files, folder and environment."""
    arguments = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
    words = " ".join(arguments)
    dialogues: dict[str, list[list[str]]] = json.loads(os.environ[DIALOGUES])
    dialogue: list[list[str]] = next((said for command, said in dialogues.items() if command in words), [])
    _, connection = start(
        os.environ[SOCKET], arguments, (0, 1, 2), os.getcwd(), os.environ,
        setup=os.environ[SETUP], dialogue=dialogue,
    )  # fmt: skip
    status = end(connection)
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main())
