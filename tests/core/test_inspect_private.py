"""The private names of Inspect: in one module only, and checked with the version that is installed."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import inspect_ai
import pytest
from packaging.requirements import Requirement

from thoughttrace.core import inspect_private

_PRIVATE = re.compile(
    r"^\s*(?:from|import)\s+inspect_ai(?:\.\w+)*\._\w+|^\s*from inspect_ai(?:\.\w+)* import .*\b_\w", re.M
)


@pytest.mark.parametrize("folder", ["analysis", "datasets", "models", "scorers", "tasks", "src/thoughttrace"])
def test_no_other_module_imports_a_private_name(root: Path, folder: str) -> None:
    files = [file for file in (root / folder).rglob("*.py") if file.name != "inspect_private.py"]
    assert files
    assert {str(file.relative_to(root)) for file in files if _PRIVATE.search(file.read_text(encoding="utf-8"))} == set()


def test_all_names_are_there() -> None:
    for name in inspect_private.__all__:
        assert getattr(inspect_private, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'gone'"):
        _ = inspect_private.gone


def test_they_were_checked_with_a_version_that_the_package_allows(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (allowed,) = (
        requirement.specifier
        for requirement in map(Requirement, project["dependencies"])
        if requirement.name == "inspect-ai"
    )
    assert allowed.contains(inspect_private.CHECKED_WITH)
    assert allowed.contains(version("inspect_ai")), f"inspect_ai {inspect_ai.__version__} is not one of {allowed}"


def test_importing_them_does_not_load_the_openai_package() -> None:
    code = "import sys, thoughttrace.core.inspect_private; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_breakpoints_are_known_by_the_model_s_name() -> None:
    assert inspect_private.supports_explicit_prompt_cache("gpt-5.6")
    assert not inspect_private.supports_explicit_prompt_cache("gpt-5.5")
