"""Serve until the input ends: `python tests/loopback --latency 0.5 --reply PATH.py:FUNCTION`."""

import argparse
import json
import runpy
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="loopback")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--reply", help="PATH.py:FUNCTION, a function of a Request that returns a Reply")
    arguments = parser.parse_args()
    # The folder itself must not be on the path: its modules are named like the SDKs.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != HERE]
    spec = PathFinder.find_spec("loopback", [str(HERE.parent)])
    assert spec
    assert spec.loader
    sys.modules["loopback"] = loopback = module_from_spec(spec)
    spec.loader.exec_module(loopback)
    path, _, name = (arguments.reply or "").rpartition(":")
    scripted = runpy.run_path(path)[name] if path else lambda request: loopback.Reply()

    def reply(request: object) -> object:
        answer = scripted(request)
        answer.latency += arguments.latency
        return answer

    with loopback.Loopback(reply) as server:
        print(json.dumps({"url": server.url, "environment": server.environment}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
