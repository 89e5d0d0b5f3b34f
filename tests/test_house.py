"""The house: rooms that are one concept each, imports that go one way, one log contract, a package that installs."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import grimp
import pytest

from thoughttrace.core.record import TASKS, Unscored

ROOMS = ("protocols", "datasets", "tasks", "scorers", "models", "analysis", "src/thoughttrace/core",
         "src/thoughttrace/costing", "src/thoughttrace/cli")  # fmt: skip

ONE_IMPORTER = {
    "cli.rating_screen": "imported once `rate` starts to ask: it needs a POSIX terminal and packages that load slowly",
    "analysis.profile.stages": "one concept of the profile: its rows, columns, words and figure",
    "cli.report": "a command of its own, which `demo` ends with",
    "tasks._arena": "a task's file says dataset, solver and scorer; the rest is under an underscore",
    "tasks._next_message": "a task's file says dataset, solver and scorer; the rest is under an underscore",
    "tasks._type_baseline": "a task's file says dataset, solver and scorer; the rest is under an underscore",
}
"""Modules that only one module of their folder imports and that are nevertheless files of their own, with the reason.

What only another folder imports is what the folder is for: a task that the registry names, a chapter of the report.
"""

LONG = {
    "src/thoughttrace/core/record.py": "the log contract, which has one place",
    "analysis/chapters/comparison.py": "pairs and ranks, and which runs compare by which judges",
    "analysis/chapters/headline.py": "the estimate of one run and of several models, its table and its plots",
    "analysis/chapters/next_message_gains.py": "gains, shares and their pooling over models",
    "analysis/chapters/thought_types.py": "accuracy, differences and confusions of the same labels",
    "analysis/read/task_log.py": "one reader for the logs of all tasks",
    "src/thoughttrace/costing/workload.py": "what every task asks, of whom, and how often",
    "analysis/chapters/judge_card.py": "the judge among trivial ones, what it gave for what is right, and its families",
    "analysis/chapters/recovered_share.py": "floors and ceilings, what lies between them, and what repeats the target",
    "benchmarks/coverage.py": "five parts, and the page that they are written to",
    "benchmarks/coverage_edges.py": "every interval of the report, each simulated in a few lines",
    "tests/net/collected.py": "every command whose numbers the net holds",
    "analysis/stats/intervals.py": "one error and its degrees of freedom, for means, differences, ratios and fits",
    "analysis/page/table.py": "a column is written once for HTML, CSV, Markdown, LaTeX and the terminal",
}
"""Files of more than 400 lines, with the reason."""


def modules(root: Path) -> list[Path]:
    return [file for room in ROOMS for file in (root / room).rglob("*.py")]


def test_a_module_with_one_importer_is_an_entry_point_or_has_a_reason() -> None:
    graph = grimp.build_graph("thoughttrace")
    lonely = set()
    for module in graph.modules:
        importers = graph.find_modules_that_directly_import(module)
        if len(importers) == 1 and not graph.find_children(module):
            (importer,) = importers
            if importer.rpartition(".")[0] == module.rpartition(".")[0]:
                lonely.add(module.removeprefix("thoughttrace."))
    assert ONE_IMPORTER.keys() <= lonely
    unexplained = sorted(lonely - ONE_IMPORTER.keys())
    assert unexplained == []


def test_no_file_is_over_400_lines_without_a_reason(root: Path) -> None:
    files = [*modules(root), *(root / "tests").rglob("*.py"), *(root / "benchmarks").rglob("*.py")]
    lengths = {str(file.relative_to(root)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > 400 and name not in LONG} == {}


def outside_contract(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each task name, reason, and metadata key that a module writes out itself."""
    names = {*TASKS, *(f"thoughttrace/{name}" for name in TASKS)}
    # Reasons that are also everyday words, such as "error", may be meant as such.
    names |= {reason.value for reason in Unscored if re.search("[_ ]", reason.value)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if text in names:
                yield node.lineno, repr(text)
            case (
                ast.Subscript(value=ast.Name(id="metadata") | ast.Attribute(attr="metadata"), slice=ast.Constant())
                | ast.Call(
                    func=ast.Attribute(attr="get", value=ast.Name(id="metadata") | ast.Attribute(attr="metadata")),
                    args=[ast.Constant(), *_],
                )
            ):
                yield node.lineno, ast.unparse(node)


def test_what_a_log_holds_is_written_in_the_contract_alone(root: Path) -> None:
    outside = [
        f"{file.relative_to(root)}:{line}: {text}"
        for file in modules(root)
        if file.name != "record.py"
        for line, text in outside_contract(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert outside == []


def test_the_log_contracts_grep_finds_what_it_looks_for() -> None:
    code = """
a = run.metadata["user"]
b = metadata.get("user", None)
c = "infer_reason"
d = "thoughttrace/infer_reason"
e = "judge_refused"
f = metadata
g = "error"
h = sample.metadata_as(InferenceMetadata).user
"""
    assert sorted(line for line, _ in outside_contract(ast.parse(code))) == [2, 3, 4, 5, 6]


def test_the_diagram_in_contributing_shows_the_layers(root: Path) -> None:
    diagram = re.search(r"```mermaid\n(.*?)```", (root / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    if not diagram:
        pytest.skip("CONTRIBUTING.md has no diagram yet")
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [
        {module.strip().removeprefix("thoughttrace.") for module in layer.split("|")}
        for layer in contracts[0]["layers"]
    ]
    floor = {module: number for number, layer in enumerate(layers) for module in layer}
    edges = {
        (above, below)
        for line in diagram[1].splitlines()
        for left, right in pairwise(nodes_of(line))
        for above in left
        for below in right
        if above in floor and below in floor
    }
    assert [edge for edge in edges if floor[edge[0]] >= floor[edge[1]]] == []
    for number, (upper, lower) in enumerate(pairwise(layers)):
        assert edges & {(above, below) for above in upper for below in lower}, f"no arrow from layer {number} down"
    assert {module for edge in edges for module in edge} == floor.keys()


def nodes_of(line: str) -> list[list[str]]:
    """The node ids of a line such as `a["A"] & b --> c`, one list for each end of an arrow."""
    bare = re.sub(r"\[.*?\]|\(.*?\)|\{.*?\}|\|.*?\|", "", line)
    return [[node.strip() for node in end.split("&")] for end in re.split(r"-{2,}>|={2,}>|-\.+->", bare)]


def test_every_import_is_declared(root: Path, tmp_path: Path) -> None:
    """`make lint` runs the check; here it must notice a dependency that is taken away."""
    without = (root / "pyproject.toml").read_text(encoding="utf-8").replace('    "numpy>=2.0",\n', "")
    (tmp_path / "pyproject.toml").write_text(without, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("deptry")), "--config", str(tmp_path / "pyproject.toml"), "--no-ansi"]
    done = subprocess.run([*command, "scorers", "models"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search("models/embedding.py.*DEP003 'numpy'", done.stderr)


def test_imports_go_one_way(root: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_what_inspect_loads_at_every_start_is_light() -> None:
    heavy = ("matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "umap")
    code = f"import sys, thoughttrace._registry; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_names_a_machine_or_an_index(root: Path) -> None:
    words = [f"/{name}/" for name in ("root", "work", "home")] + ["pypi" + ".org", "python" + "hosted"]
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout
    files = [root / name for name in tracked.split() if not (root / name).is_dir()]
    found = {
        f"{file.relative_to(root)}: {word}"
        for file in files
        if file.suffix != ".png"
        for word in words
        if word in file.read_text(encoding="utf-8", errors="replace")
    }
    assert found == set()


WRITES = re.compile(
    r"(?:-o|--page|--log-dir|--output_dir) ([a-z][\w./-]*)|(?:\bopen|to_parquet|to_json)\(\"([a-z][\w./-]*)\""
)
"""Where a command or a line of Python on a page writes."""

PUBLISHED = {"splits/v1.json"}
"""What the pages' commands write and a repository may hold: no texts."""


def test_what_the_pages_write_cannot_be_committed_by_accident(root: Path) -> None:
    pages = [root / "README.md", *(root / "docs").glob("*.md")]
    names = {a or b for page in pages for a, b in WRITES.findall(page.read_text(encoding="utf-8"))} - PUBLISHED
    names |= {"base", "trained.gguf"}  # by python training/….py
    assert {"pairs", "training/chats", "training/simulator.jsonl", "guess.html", "logs/first"} < names
    inside = [f"{name}/x" if "." not in name.rpartition("/")[2] else name for name in sorted(names)]
    ignored = subprocess.run(["git", "check-ignore", *inside], cwd=root, capture_output=True, text=True, check=False)
    assert sorted(set(inside) - set(ignored.stdout.splitlines())) == []
    kept = ["splits/v1.json", "results/x.json", "training/dpo.yaml", "training/to_gguf.py", "analysis/profile/x.py"]
    ignored = subprocess.run(["git", "check-ignore", *kept], cwd=root, capture_output=True, text=True, check=False)
    assert ignored.stdout == ""


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist, built from a copy: what a build leaves in src/ would hide the installed package's metadata."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if os.path.lexists(root / name):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, source / name, follow_symlinks=False)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_wheel_and_sdist_hold_the_same_package(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("thoughttrace/")}
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/src/")[2] for name in archive.getnames() if "/src/thoughttrace/" in name}
        packed = {name for name in packed if name.rpartition("/")[2].count(".")}
    assert inside == packed
    assert {
        "thoughttrace/protocols/infer-v1.yml",
        "thoughttrace/protocols/infer-v1-mini.yaml",
        "thoughttrace/datasets/sample.jsonl",
        "thoughttrace/tasks/infer.md",
        "thoughttrace/scorers/reason.md",
        "thoughttrace/analysis/page/page.html",
        "thoughttrace/analysis/page/page.css",
        "thoughttrace/analysis/page/page.js",
        "thoughttrace/cli/people/page.html",
        "thoughttrace/cli/people/page.css",
        "thoughttrace/cli/people/page.js",
        "thoughttrace/py.typed",
    } <= inside


def test_the_wheel_runs_in_a_clean_environment(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    (site,) = home.glob("lib/python*/site-packages")
    # The dependencies come from here; a line in a .pth file brings them in, but not this editable install.
    (here,) = {Path(p) for p in sys.path if p.endswith("site-packages")}
    (site / "dependencies.pth").write_text(f"{here}\n")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel], check=True)
    # One process: it is importing Inspect that takes the time.
    code = (
        "import thoughttrace.tasks;"
        "print(thoughttrace.tasks.__file__);"
        "from inspect_ai._util.registry import registry_lookup;"
        "import inspect_ai.model;"
        "assert registry_lookup('task', 'thoughttrace/infer_reason'), 'task';"
        "from thoughttrace.cli.main import main;"
        "main(['profile', 'sample'])"
    )
    command = [str(home / "bin/python"), "-c", code]
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_relative_to(site)
    assert "Thoughts by type" in done.stdout
