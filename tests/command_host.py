"""A process that has imported Inspect and this package, and forks for each command.

Starting one anew takes seconds: a fork has done nothing yet but import, and read what Inspect knows of packages and
models. Everything else is as in a process of its own. It serves on a Unix socket, whose path is its only argument,
until its input ends:

    python tests/command_host.py SOCKET

A client sends an order as one line of JSON (`Order`), with three open files beside it, the command's input, output and
errors, and reads two lines: the command's process id and, once it has ended, its exit status, or minus the signal that
killed it.
"""

import contextlib
import gc
import importlib
import json
import os
import pty
import re
import runpy
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import packages_distributions
from typing import Any, TypedDict

STOP = "\x03"
"""Ctrl-C."""
HASTE = 0.2
"""Seconds between a prompt and the answer: a terminal forgets what was typed before a program reads single keys."""


class Order(TypedDict):
    """One command."""

    arguments: list[str]
    """`inspect` or `thoughttrace`, and what follows."""
    cwd: str
    environment: dict[str, str]
    path: list[str]
    """Folders that go before the others of the import path."""
    setup: str
    """A Python file that is run in the command's process first; empty for none."""
    dialogue: list[tuple[str, str]]
    """What is typed in answer to what: regular expressions of the output, and keys. The command then has a terminal."""


def preload() -> None:
    for name in (
        "fastapi", "rich.markdown", "matplotlib.pyplot",
        "inspect_ai._control.server", "inspect_ai._eval.evalset", "inspect_ai._util.package",
        "inspect_ai.agent._acp.server", "inspect_ai.model._providers.anthropic",
        "inspect_ai.model._providers.openai_compatible", "inspect_ai._cli.main",
        "thoughttrace._registry", "thoughttrace.cli.main", "thoughttrace.cli.report",
    ):  # fmt: skip
        importlib.import_module(name)
    from inspect_ai._util import package
    from inspect_ai.model import get_model_info

    installed = cache(packages_distributions)
    installed()
    vars(package).update(packages_distributions=installed)
    get_model_info("openai/gpt-5.4")


def main(path: str) -> Callable[[], Any] | None:
    """Serve; return, in the process of a command, what it is to run."""
    preload()
    gc.freeze()
    # A command's end is waited for by the process between; nobody waits for that one.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return None
            client, _ = listener.accept()
            if not os.fork():
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return serve(client)
            client.close()


def serve(client: socket.socket) -> Callable[[], Any]:
    """Start one command in a process of its own, and return there; the process that this is called in ends with it."""
    said, files, _, _ = socket.recv_fds(client, 65536, 3)
    while not said.endswith(b"\n"):
        said += client.recv(65536)
    order: Order = json.loads(said)
    if order["dialogue"]:
        pid, terminal = pty.fork()
    else:
        pid, terminal = os.fork(), -1
    if not pid:
        client.close()
        if not order["dialogue"]:
            for descriptor, file in enumerate(files):
                os.dup2(file, descriptor)
        for file in files:
            os.close(file)
        return become(order)
    client.sendall(b"%d\n" % pid)
    threading.Thread(target=end_with, args=(client, pid), daemon=True).start()
    untyped = talk(terminal, files[1], order["dialogue"]) if order["dialogue"] else []
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if untyped:
        os.write(files[2], f"It ended before it wrote {untyped[0][0]!r}.\n".encode())
        status = status or 1
    elif order["dialogue"] and order["dialogue"][-1][1] == STOP:
        status = 0  # what a command that serves says where it is stopped is its own affair
    with contextlib.suppress(BrokenPipeError):
        client.sendall(b"%d\n" % status)
    os._exit(0)


def end_with(client: socket.socket, pid: int) -> None:
    """Kill a command whose client is gone: a server would go on for ever."""
    if not client.recv(1):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def become(order: Order) -> Callable[[], Any]:
    """Set this process up as the command's, and return what it is to run."""
    # A shell without job control, which may have started the tests, lets its background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[1:1] = order["path"]
    sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, open(descriptor, "w", buffering=1, encoding="utf-8", closefd=False))  # noqa: SIM115
    sys.argv = order["arguments"]
    if order["setup"]:
        runpy.run_path(order["setup"])
    module = {"inspect": "inspect_ai._cli.main", "thoughttrace": "thoughttrace.cli.main"}[sys.argv[0]]
    command: Callable[[], Any] = importlib.import_module(module).main
    return command


def talk(terminal: int, output: int, dialogue: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Copy what a command writes to its terminal, and type the answers; return those that it did not ask for."""
    unanswered, waiting = "", list(dialogue)
    while True:
        try:
            said = os.read(terminal, 65536)
        except OSError:  # so says Linux where the other end is closed
            return waiting
        if not said:
            return waiting
        os.write(output, said)
        unanswered += said.decode(errors="replace")
        if waiting and re.search(waiting[0][0], unanswered):
            time.sleep(HASTE)
            os.write(terminal, waiting.pop(0)[1].encode())
            unanswered = ""


if __name__ == "__main__" and (command := main(sys.argv[1])):
    command()
