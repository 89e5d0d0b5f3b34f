"""The report in a real browser: nothing loaded, nothing broken, everything reachable by keyboard."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ChatMessage
from loopback import verdict
from playwright.sync_api import Page

from thoughttrace.cli.main import main
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

MODELS = ("plain", "<script>alert(1)</script>", "turned\u202eround" + "x" * 100)
EXAMPLES = Path(__file__).resolve().parents[3] / "shared/data/ThoughtTrace_examples.jsonl"


def judge(messages: list[ChatMessage]) -> str:
    """A rating by the target, the same for all models, and a little of its own."""
    _, _, guess = messages[1].text.rpartition(" note")
    draw = hashlib.sha256(messages[1].text.encode()).digest()
    same = hashlib.sha256(guess.partition("guess]")[0].encode()).digest()
    rating = 1 + (same[0] % 4 + draw[0] % 2)
    return "?" if draw[1] < 6 else verdict(rating, f"It is a {rating}.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of three models on both kinds: all real examples where they are here, else the sample.

    The first has all samples. The others have enough of them for every table; more would only take longer.
    """
    from inspect_ai.model import get_model

    made = tmp_path_factory.mktemp("browser")
    data = Path(os.environ.get("THOUGHTTRACE_EXAMPLES", EXAMPLES))
    for task in (infer_reason, infer_reaction):
        for name in MODELS:
            (log,) = inspect_eval(
                task(data=str(data) if data.exists() else "sample"),
                model=get_model(f"scripted/{name}", script=lambda _: f"</style> {'y' * 100_000}", memoize=False),
                model_roles={"grader": get_model("scripted/j", script=judge, memoize=False)},
                log_dir=str(made / "logs"),
                display="none",
                limit=None if name == MODELS[0] else 40,
            )
            assert log.status == "success"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTTRACE_CACHE", str(made / "cache"))
        done = CliRunner().invoke(main, ["report", str(made / "logs"), "-o", str(made / "report")])
    assert done.exit_code == 0, done.output
    return made / "report"


def test_it_loads_nothing_and_shows_everything(opened: Callable[[str], Page], folder: Path) -> None:
    page = opened("light")
    for name in ("headline", "variance", "ranking", "comparisons", "breakdown", "example_samples", "runs"):
        assert page.locator(f"#{name}-table tbody tr").count() > 0, name
    figures = page.locator("figure svg").all()
    assert [figure.get_attribute("aria-label") for figure in figures] == ["forest", "ratings", "types", "stages"]
    for figure in figures:
        box = figure.bounding_box()
        assert box
        assert min(box["width"], box["height"]) > 150
    assert page.evaluate("document.documentElement.scrollWidth") <= 1300
    assert page.locator("#headline-table").get_by_text("<script>alert(1)</script>").count() == 2
    assert (folder / "index.html").stat().st_size < 5_000_000


def test_search_and_sort_work_by_keyboard(opened: Callable[[str], Page]) -> None:
    page = opened("light")
    rows = page.locator("#example_samples-table tbody tr")
    told = page.locator(".search:has(#example_samples-search) output")
    total = rows.count()
    assert told.inner_text() == f"{total} of {total} rows"
    page.locator("#example_samples-search").focus()
    page.keyboard.type("worst plain")
    shown = rows.locator("visible=true")
    assert 0 < shown.count() < total
    assert told.inner_text() == f"{shown.count()} of {total} rows"
    assert all("worst" in text and "plain" in text for text in shown.all_inner_texts())
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    for _ in range(5):  # the scrolling region, then the names of four columns
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Agreement"
    for key, order in (("Enter", "ascending"), ("Space", "descending")):
        page.keyboard.press(key)
        head = page.locator("#example_samples-table th[aria-sort]")
        assert (head.count(), head.get_attribute("aria-sort")) == (1, order)
        ratings = [float(text) for text in page.locator("#example_samples-table td:nth-child(4)").all_inner_texts()]
        assert ratings == sorted(ratings, reverse=order == "descending")
        assert ratings[0] != ratings[-1]


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_both_colour_schemes_have_contrast(
    opened: Callable[[str], Page], tmp_path: Path, scheme: str, dark: bool
) -> None:
    page = opened(scheme)

    def lightness(selector: str, what: str) -> float:
        colour = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{what}")
        red, green, blue = (int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3])
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    paper = lightness("body", "backgroundColor")
    assert (paper < 0.5) == dark
    for selector, what in (("body", "color"), ("figure svg text", "fill"), ("nav a", "color"), ("thead th", "color")):
        lighter, darker = sorted((paper, lightness(selector, what)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, selector  # WCAG 2.2, 1.4.3
    page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
