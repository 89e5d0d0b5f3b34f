"""The house: small rooms, imports that go one way, a package that installs."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOMS = ("datasets", "tasks", "scorers", "models", "analysis", "src/thoughttrace", "tests", "benchmarks")


def test_no_file_is_over_200_lines(root: Path) -> None:
    files = [file for room in ROOMS for file in (root / room).rglob("*.py")]
    lengths = {str(file.relative_to(root)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert len(lengths) > 20
    assert {name: length for name, length in lengths.items() if length > 200} == {}


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


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(root)]
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
        "thoughttrace/datasets/sample.jsonl",
        "thoughttrace/tasks/infer.md",
        "thoughttrace/scorers/reason.md",
        "thoughttrace/analysis/report.html",
        "thoughttrace/analysis/report.css",
        "thoughttrace/analysis/report.js",
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
    python = home / "bin/python"
    where = "import thoughttrace.tasks as t; print(t.__file__)"
    told = subprocess.run([python, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(told.stdout.strip()).is_relative_to(site)
    command = [python, "-m", "thoughttrace", "profile", "sample"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Thoughts by type" in done.stdout
    code = (
        "from inspect_ai._util.registry import registry_lookup as find;"
        "import inspect_ai.model as m;"
        "assert find('task', 'thoughttrace/infer_reason'), 'task'"
    )
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
