"""The documentation as a site: built without a warning, its links whole, and nothing loaded from elsewhere."""

import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from thoughttrace.analysis.results.card import card
from thoughttrace.cli.main import COMMANDS
from thoughttrace.core.record import TASKS
from thoughttrace.core.result_files import read_results

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
"""What a browser fetches by itself."""


class Page(HTMLParser):
    """The ids of a page, its text, what it links to, and what it loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif (tag, name) in LOADED and value:
                self.loads.add(value)
            elif name == "href" and value:
                self.links.add(value)


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    if not find_spec("sphinx"):
        pytest.skip('the site needs the extra docs: pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(root / "docs"), str(folder / "site")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {file.resolve(): Page(file) for file in (folder / "site").rglob("*.html")}


def test_every_link_leads_somewhere(site: dict[Path, Page]) -> None:
    lost = []
    for file, page in site.items():
        for link in page.links | page.loads:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https", "data", "mailto"}:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            there = target.exists() and (
                not parts.fragment or target not in site or unquote(parts.fragment) in site[target].ids | {"top"}
            )
            lost += [] if there else [f"{file.name}: {link}"]
    assert not lost


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, Page]) -> None:
    found = {load for page in site.values() for load in page.loads if urlsplit(load).scheme in {"http", "https"}}
    assert not found
    assert all(not load.startswith("//") for page in site.values() for load in page.loads)


def test_reference_pages_name_every_command_and_task(site: dict[Path, Page]) -> None:
    ids = {file.stem: page.ids for file, page in site.items() if file.parent.name == "generated"}
    assert {f"thoughttrace-{name}" for name in COMMANDS} <= ids["commands"]
    assert {name.replace("_", "-") for name in [*TASKS, "calibrate_judge"]} <= ids["tasks"]


def test_card_and_leaderboard_are_of_the_results_as_they_are(site: dict[Path, Page], root: Path) -> None:
    pages = {
        f"{file.parent.name}/{file.name}": " ".join(page.text.replace("’", "'").split()) for file, page in site.items()
    }
    results = read_results(root / "results")
    leaderboard, shown = pages["leaderboard/index.html"], pages["generated/example_card.html"]
    assert all(result.system.name in leaderboard and f"{result.stem}.json" in leaderboard for result in results)
    (result,) = (result for result in results if f"{result.stem}.json" in shown)
    lines = [line for line in card(result).replace("’", "'").splitlines() if "| --- |" not in line]
    parts = [part.strip() for line in lines for part in (line.split("|") if "|" in line else [line.lstrip("#- ")])]
    assert [part for part in parts if part not in shown] == []


def test_a_readme_is_short(root: Path) -> None:
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 140
    assert "not by the authors of ThoughtTrace" in " ".join(lines)
