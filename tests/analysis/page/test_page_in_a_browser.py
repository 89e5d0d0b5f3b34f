"""The page in a real browser: it sorts, searches, obeys no text, and requests nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from thoughttrace.analysis.page.page import write_page
from thoughttrace.analysis.page.plots import Dot, dots
from thoughttrace.analysis.page.table import Chapter, Picture, Section, name, number, quotes


@dataclass(frozen=True)
class Row:
    model: str
    mean: float | None
    said: tuple[tuple[str, str], ...] = (("user", "</style><script>alert(1)</script>" + "y" * 5000),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    rows = [Row(f"{'even' if place % 2 == 0 else 'odd'} {place}", (place * 7 % 24 - 9) * 60.5) for place in range(24)]
    rows.append(Row("x" * 300, None))
    picture = Picture("dots", dots([Dot("<script>alert(2)</script>\u202e", 1.0, 0.5, 2.0)], "mean"), "Caption")
    columns = [name("Model", "model"), number("Mean", "mean", ",.1f"), quotes("Said", "said")]
    chapters = [
        Chapter("many", "Many", "", [Section("many_rows", "Many rows", rows, columns, "A note.", [picture])]),
        Chapter("few", "Few", "Intro.", [Section("few_rows", "Few rows", rows[:2], columns)], help=[("Term", "Words")]),
    ]
    write_page(made, "Title", "Intro", chapters)
    return made


def test_search_and_sort_work_by_keyboard(opened: Callable[[str], Page]) -> None:
    page = opened("light")
    rows = page.locator("#many_rows-table tbody tr")
    output = page.locator(".search:has(#many_rows-search) output")
    assert output.inner_text() == "25 of 25 rows"
    page.locator("#many_rows-search").focus()
    page.keyboard.type("1 EVEN")
    assert output.inner_text() == f"{rows.locator('visible=true').count()} of 25 rows"
    assert all("even" in text and "1" in text for text in rows.locator("visible=true").all_inner_texts())
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    for _ in range(3):  # the scrolling region, then the titles of two columns
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Mean"
    for key, order in (("Enter", "ascending"), ("Space", "descending")):
        page.keyboard.press(key)
        head = page.locator("#many_rows-table th[aria-sort]")
        assert (head.count(), head.get_attribute("aria-sort")) == (1, order)
        *cells, last = page.locator("#many_rows-table td.number").all_inner_texts()
        means = [float(cell.replace("−", "-").replace(",", "")) for cell in cells]
        assert means == sorted(means, reverse=order == "descending")
        assert (len({*means}), last) == (24, "")


def test_only_long_tables_are_searched_and_nothing_is_wider_than_the_window(opened: Callable[[str], Page]) -> None:
    page = opened("light")
    assert page.locator("input[type=search]").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 1300
    box = page.locator("figure svg").bounding_box()
    assert box
    assert min(box["width"], box["height"]) > 100
    assert page.locator("figure svg").get_by_text("<script>alert(2)</script>[U+202E]").count() == 1


@pytest.mark.parametrize(
    "intruder",
    [
        "<script>document.title = 'ran'</script>",
        "<svg><script>document.title = 'ran'</script></svg>",
        "<img src='x' onerror='document.title = \"ran\"'>",
        "<svg onload='document.title = \"ran\"'></svg>",
        "<iframe srcdoc='<script>parent.document.title = 1</script>'></iframe>",
        "<style>@import url(other.css); body { background: url(other.png) }</style>",
        "<base href='http://127.0.0.1:9/'><form action='x'></form>",
        "<script src='page.js'></script><link rel='stylesheet' href='other.css'><object data='x.svg'></object>",
    ],
)
def test_the_page_runs_nothing_and_loads_nothing_that_gets_into_it(
    browser: Browser, folder: Path, tmp_path: Path, intruder: str
) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    (tmp_path / "index.html").write_text(text.replace("<main>", f"<main>{intruder}", 1), encoding="utf-8")
    page, said, loaded = browser.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("requestfinished", lambda request: loaded.append(request.url))
    page.goto((tmp_path / "index.html").as_uri(), wait_until="load")
    page.locator("#few_rows-table th button").first.click()  # our own script runs
    assert page.title() == "Title"
    assert any("Content Security Policy" in message for message in said)
    assert loaded == [(tmp_path / "index.html").as_uri()]
    page.close()


def test_help_unfolds(opened: Callable[[str], Page]) -> None:
    page = opened("light")
    assert not page.get_by_text("Words").is_visible()
    page.locator("summary").press("Enter")
    assert page.get_by_text("Words").is_visible()


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_both_colour_schemes_have_contrast(opened: Callable[[str], Page], scheme: str, dark: bool) -> None:
    page = opened(scheme)

    def lightness(selector: str, what: str) -> float:
        colour = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{what}")
        red, green, blue = (int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3])
        return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)

    paper = lightness("body", "backgroundColor")
    assert (paper < 0.5) == dark
    for selector, what in (("body", "color"), ("figure svg text", "fill"), ("nav a", "color"), ("thead th", "color")):
        lighter, darker = sorted((paper, lightness(selector, what)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, selector  # WCAG 2.2, 1.4.3
