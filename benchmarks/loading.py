"""How long conversations take to become samples and how much memory, against plain `json.loads` of the same file.

    python benchmarks/loading.py [--share 1.0] [--file FILE]

Writes a file of the release's size (2,155 conversations of 1,058 users, 17,058 messages, 10,174 thoughts, 30 MB), or
takes FILE, and measures, each in a process of its own and after its imports: `json.loads` of every line; what the tasks
`infer_reason` and `infer_reaction` do before anything is generated; and both tasks in one process, all samples kept, as
one command does it. Memory is the process' peak less that after the imports. The goals: a task under 2 s and under 10
times the file's size. It exits with 1 where one is missed.
"""

import json
import random
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from rich.table import Table

CONVERSATIONS, USERS, MESSAGES = 2_155, 1_058, 17_058
THOUGHTS = {"reasons": 4_498, "reactions": 5_676}
SECONDS, TIMES_THE_FILE = 2.0, 10.0

# Lengths make up the release's 30 MB. A character outside Latin-1 doubles what Python takes for a whole string, an
# emoji takes four times as much; the shares are those of the release's 20 examples.
_CHARACTERS = {"user": 110, "assistant": 3_000}
_DASHES, _EMOJI_TALKS, _EMOJI = {"user": 0.05, "assistant": 0.87}, 0.6, {"user": 0.0, "assistant": 0.61}

_SURVEY = {"age": "31", "gender": "Male", "education": "Undergraduate", "occupation": "Interpreter", "frequency": "5"}


def write_conversations(path: Path, share: float, seed: int = 0) -> None:
    """Write invented conversations in the release's form.

    Args:
        path: Where to.
        share: Of the release's size.
        seed: Of lengths, words, and who has a thought.
    """
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 9))) for _ in range(3_000)]
    users = max(1, int(USERS * share))

    def message(number: int, emoji: bool) -> dict[str, Any]:
        role, kind = [("user", "reasons"), ("assistant", "reactions")][number % 2]
        written = f"2026-04-12T01:{number % 60:02}:08.518Z"
        text = " ".join(rng.choices(words, k=max(1, int(rng.gammavariate(2, _CHARACTERS[role] / 12)))))
        text += " —" * (rng.random() < _DASHES[role]) + " ✅🎯" * (emoji and rng.random() < _EMOJI[role])
        thought = {"content": " ".join(rng.choices(words, k=20)), "timestamp": written, "label": "task_motivation"}
        carries = rng.random() < THOUGHTS[kind] / (MESSAGES / 2)
        return {"content": text, "timestamp": written, "type": role, "id": number, kind: [thought] * carries}

    with path.open("w", encoding="utf-8") as file:
        for number in range(max(1, int(CONVERSATIONS * share))):
            turns = max(1, round(rng.gammavariate(3, MESSAGES / CONVERSATIONS / 6)))
            emoji = rng.random() < _EMOJI_TALKS
            record = {
                "id": f"user{number % users}_task{number // users}_conversation1",
                "messages": [message(index, emoji) for index in range(2 * turns)],
                "model_name": "Some Model",
                "task_summary": "",
                "survey_answers": [_SURVEY],
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def plain(file: str) -> object:
    """Read the file with nothing but `json.loads`."""
    with Path(file).open("rb") as lines:
        return [json.loads(line) for line in lines]


def cut(file: str, *kinds: str) -> object:
    """Make the samples that a command with these tasks makes."""
    from thoughttrace.tasks.infer_reaction import infer_reaction  # noqa: PLC0415
    from thoughttrace.tasks.infer_reason import infer_reason  # noqa: PLC0415

    return [{"reason": infer_reason, "reaction": infer_reaction}[kind](data=file).dataset for kind in kinds]


PROGRAMS = {
    "json.loads of every line": "loading.plain(file)",
    "infer_reason": "loading.cut(file, 'reason')",
    "infer_reaction": "loading.cut(file, 'reaction')",
    "both, in one process": "loading.cut(file, 'reason', 'reaction')",
}

_MEASURED = """
import sys, time, thoughttrace.tasks.infer_reaction, thoughttrace.tasks.infer_reason, resource, loading
from loading import peak
file, before, started = sys.argv[1], peak(), time.perf_counter()
kept = {program}
print(time.perf_counter() - started, peak() - before)
"""


def peak() -> int:
    """The most memory this process has held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(program: str, file: Path, repeats: int = 3) -> tuple[float, float]:
    """Run a program in processes of its own.

    Args:
        program: An expression.
        file: What it reads.
        repeats: How often.

    Returns:
        Seconds (the least of all repeats, as another process can only slow it down), and bytes of memory (the most).
    """
    found = []
    for _ in range(repeats):
        command = [sys.executable, "-c", _MEASURED.format(program=program), str(file)]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        found.append([float(number) for number in done.stdout.split()])
    return min(seconds for seconds, _ in found), max(size for _, size in found)


@click.command()
@click.option("--share", default=1.0, show_default=True, help="Of the release's size.")
@click.option("--file", type=click.Path(exists=True, path_type=Path), help="Conversations to read instead.")
def main(share: float, file: Path | None) -> None:
    """Measure, and print what was found."""
    console = Console()
    with TemporaryDirectory() as folder:
        if file is None:
            file = Path(folder) / "conversations.jsonl"
            write_conversations(file, share)
        size = file.stat().st_size
        table = Table("", "seconds", "× json.loads", "memory, MB", "× the file", title=f"{size / 1e6:.1f} MB")
        found = {name: measure(program, file.resolve()) for name, program in PROGRAMS.items()}
    baseline = found["json.loads of every line"][0]
    for name, (seconds, memory) in found.items():
        ratios = f"{seconds / baseline:.1f}", f"{memory / 1e6:.0f}", f"{memory / size:.1f}"
        table.add_row(name, f"{seconds:.2f}", *ratios)
    console.print(table)
    missed = [name for name, (s, m) in found.items() if s > SECONDS or m > TIMES_THE_FILE * size]
    sys.exit(any(name.startswith("infer") for name in missed))


if __name__ == "__main__":
    main()
