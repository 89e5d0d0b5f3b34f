"""People guess and rate in a real browser, on the served page and on one of its own, and stand in the report."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.model import Model
from loopback import verdict
from playwright.sync_api import Browser, Page, Request

from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.cli.guess import _samples
from thoughttrace.cli.main import main
from thoughttrace.cli.people.guesses import GuessQuestions, shown_parts
from thoughttrace.cli.people.page import Questions
from thoughttrace.cli.people.ratings import RatingQuestions, questions_for
from thoughttrace.cli.people.server import PageServer
from thoughttrace.tasks.infer_reason import infer_reason

INTRUDER = (
    "</script><script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    "<style>body { display: none }</style> & \u202e"
)
RIGHT_TO_LEFT = "שלום עולם"
Script = Callable[[list[Any]], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_conversation: Callable[..., dict[str, Any]]) -> Path:
    """Two users' conversations with three reasons and three reactions each; a message is an attack on the page."""
    folder = tmp_path_factory.mktemp("people")
    records = [make_conversation(user) for user in ("user1", "user2")]
    for record in records:
        record["messages"][0]["content"] += INTRUDER
        record["messages"][1]["content"] = RIGHT_TO_LEFT
    (folder / "data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return folder


class Visit:
    """A person's window: what the server sent to it, and what went wrong in it."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.sent: list[str] = []
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfinished", self.keep)
        self.page.goto(address)

    def keep(self, request: Request) -> None:
        if response := request.response():
            self.sent.append(response.text())

    def begin(self, name: str) -> None:
        self.page.get_by_label("Your name or a pseudonym").fill(name)
        self.page.get_by_role("button", name="I agree: begin").click()

    def wait(self, progress: str) -> None:
        self.page.locator("#progress", has_text=progress).wait_for()
        self.page.wait_for_timeout(300)  # what comes at once still belongs to the question before

    def guess(self, words: str, then: str) -> None:
        self.page.get_by_label("Your guess, in one sentence").fill(words)
        self.page.keyboard.press("Control+Enter")
        self.wait(then)

    def done(self) -> str:
        self.page.get_by_role("heading", name="Done").wait_for()
        return self.page.locator("#done-text").inner_text()

    def download(self, file: Path) -> Path:
        with self.page.expect_download() as waited:
            self.page.get_by_role("button", name="Download my answers").click()
        waited.value.save_as(file)
        return file

    def close(self) -> None:
        assert self.page.title() in {"What were they thinking?", "How near is the guess?"}
        assert self.page.locator("body").is_visible()
        assert self.faults == []
        self.context.close()


@contextmanager
def served(questions: Questions, file: Path, name: str | None = None) -> Iterator[PageServer]:
    """Serve a page as the command does."""
    with PageServer(questions, file, name) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def thoughttrace(*words: object) -> str:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def browser(folder: Path, chromium: Callable[[], AbstractContextManager[Browser]]) -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def questions(folder: Path) -> GuessQuestions:
    samples = _samples(str(folder / "data.jsonl"), "reason", None, None, 0)
    return GuessQuestions(samples, folder / "guesses.jsonl")


@pytest.fixture(scope="module")
def guessed_on_the_served_page(folder: Path, browser: Browser, questions: GuessQuestions) -> Visit:
    """Ann guesses five of six reasons, and loads the page again after the second."""
    with served(questions, questions.file) as server:
        visit = Visit(browser, server.address)
        visit.begin("ann")
        visit.wait("0 of 6 guessed")
        visit.guess("because of turn 0", "1 of 6")
        visit.guess("of  turn\n1", "2 of 6")
        visit.page.reload()
        visit.wait("2 of 6")
        for turn, then in ((2, "3 of 6"), (0, "4 of 6"), (1, "5 of 6")):
            visit.guess(f"of turn {turn}", then)
        visit.page.get_by_role("button", name="Skip").click()
        where = f"Everything is stored in {questions.file} on this computer."
        assert visit.done() == f"5 of 6 guessed. 1 skipped. {where} You can close this page."
        visit.close()
    assert all(url.startswith(server.address) or url == "data:," for url in visit.requests)
    return visit


@pytest.fixture(scope="module")
def guessed_on_a_page_of_its_own(folder: Path, browser: Browser) -> Path:
    """Bob guesses five of six reasons on a page in a file, loads it again, and hands over what he downloads."""
    page = folder / "guess.html"
    said = thoughttrace("guess", folder / "data.jsonl", "--kind", "reason", "--page", page)
    assert said.startswith(f"6 notes to guess in {page}")
    visit = Visit(browser, page.as_uri(), viewport={"width": 360, "height": 640})
    visit.begin("bob")
    for turn, then in enumerate(("1 of 6", "2 of 6", "3 of 6")):
        visit.guess(f"of turn {turn}", then)
    shown = visit.page.locator(".part .text")
    assert INTRUDER in shown.nth(0).inner_text()
    assert visit.page.locator(".part.about h3").inner_text() == "m00, the person"
    visit.page.reload()
    visit.wait("3 of 6")
    for then in ("4 of 6", "5 of 6"):
        visit.guess("of turn 0", then)
    assert shown.nth(1).inner_text() == RIGHT_TO_LEFT
    assert shown.nth(1).evaluate("element => getComputedStyle(element).direction") == "rtl"
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    file = visit.download(folder / "bob.jsonl")
    visit.close()
    assert visit.requests[0] == page.as_uri()
    assert {url.partition(":")[0] for url in visit.requests[1:]} <= {"file", "data", "blob"}
    return file


def test_a_person_guesses_on_the_served_page_and_goes_on_after_a_reload(
    guessed_on_the_served_page: Visit, questions: GuessQuestions
) -> None:
    kept = [line for line in lines(questions.file) if line["person"] == "ann"]
    assert [(line["id"].partition("/")[2], line["text"]) for line in kept] == [
        ("m00/reason", "because of turn 0"), ("m02/reason", "of turn 1"), ("m04/reason", "of turn 2"),
        ("m00/reason", "of turn 0"), ("m02/reason", "of turn 1"),
    ]  # fmt: skip
    assert [*kept[0]] == ["id", "text", "person", "context", "time"]  # as in the terminal
    assert kept[0]["context"] == "history"


def test_the_page_shows_what_a_model_is_shown_and_never_a_note(
    guessed_on_the_served_page: Visit, guessed_on_a_page_of_its_own: Path, questions: GuessQuestions, folder: Path
) -> None:
    sent, page = "\n".join(guessed_on_the_served_page.sent), (folder / "guess.html").read_text(encoding="utf-8")
    assert "question 1 of user1" in sent
    assert "question 1 of user1" in page
    for text in (sent, page):
        assert "secret" not in text  # every note says it
        assert "task_motivation" not in text
        assert "Some Model" not in text
    for number, sample in enumerate(questions.samples):
        parts = [(part["heading"], part["text"]) for part in questions.content(number)["parts"]]
        assert parts == list(shown_parts(sample))


def test_what_a_person_downloads_is_what_the_command_would_have_stored(guessed_on_a_page_of_its_own: Path) -> None:
    given = lines(guessed_on_a_page_of_its_own)
    assert [line["text"] for line in given] == ["of turn 0", "of turn 1", "of turn 2", "of turn 0", "of turn 0"]
    assert {frozenset(line) for line in given} == {frozenset({"id", "text", "person", "context", "time"})}
    assert {(line["person"], line["context"]) for line in given} == {("bob", "history")}


def test_nothing_is_asked_before_a_person_agrees_and_a_name_can_be_shown(
    browser: Browser, questions: GuessQuestions, tmp_path: Path
) -> None:
    own = GuessQuestions(questions.samples, tmp_path / "own.jsonl")
    with served(own, own.file) as server:
        visit = Visit(browser, server.address)
        assert "What is stored" in visit.page.locator("#consent").inner_text()
        assert not visit.page.locator("#asking").is_visible()
        assert "of user1" not in "".join(visit.sent)
        for name in (" ", "none/none", "control x", "a\u202eb"):
            visit.begin(name)
            visit.page.get_by_role("alert").get_by_text("Write a name that a report can show").wait_for()
        visit.begin("__proto__")
        visit.wait("0 of 6")
        visit.guess("so", "1 of 6")
        visit.close()
        # Another person at another browser, who takes the same name by chance, is told.
        other = Visit(browser, server.address)
        other.begin("__proto__")
        other.page.get_by_role("alert").get_by_text("__proto__ has guessed 1 already").wait_for()
        other.begin("cyd")
        other.wait("0 of 6")
        other.close()
    assert [line["person"] for line in lines(own.file)] == ["__proto__"]


def test_what_comes_before_a_message_that_was_shown_is_not_asked_after_a_reload(
    browser: Browser, guessed_on_a_page_of_its_own: Path, folder: Path
) -> None:
    visit = Visit(browser, (folder / "guess.html").as_uri())
    visit.begin("dee")
    about = visit.page.locator(".part.about h3")
    visit.wait("0 of 6")
    visit.page.get_by_role("button", name="Skip").click()
    about.get_by_text("m02, the person").wait_for()
    visit.page.reload()
    about.get_by_text("m02, the person").wait_for()
    visit.guess("so", "1 of 6")
    assert about.inner_text() == "m04, the person"
    visit.close()


def test_without_storage_the_page_still_works_and_says_what_to_do(
    browser: Browser, guessed_on_a_page_of_its_own: Path, folder: Path, tmp_path: Path
) -> None:
    visit = Visit(browser, "about:blank")
    visit.page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('none') } })")
    visit.page.goto((folder / "guess.html").as_uri())
    visit.begin("cyd")
    visit.wait("0 of 6")
    visit.guess("so", "1 of 6")
    assert "does not keep your answers" in visit.page.locator("#keep-text").inner_text()
    assert [line["text"] for line in lines(visit.download(tmp_path / "cyd.jsonl"))] == ["so"]
    visit.close()


# ---- the guesses are scored, rated by people, and stand in the report


def by_turn(messages: list[Any]) -> str:
    """Rate by what is guessed: 2 and the number of the turn that the guess names."""
    turn = messages[1].text.partition(" guess]\n")[2].partition("turn ")[2]
    return verdict(2 + int(turn[0]), "a veiled rationale")


@pytest.fixture(scope="module")
def logs(
    folder: Path, guessed_on_the_served_page: Visit, guessed_on_a_page_of_its_own: Path, questions: GuessQuestions,
    scripted: Callable[[str, Script], Model],
) -> Path:  # fmt: skip
    """Ann and bob as one judge rated them."""
    thoughttrace("guess", folder / "data.jsonl", "-o", questions.file, "--import", guessed_on_a_page_of_its_own)

    def score(name: str) -> None:
        task = infer_reason(
            data=str(folder / "data.jsonl"), answers=str(questions.file), system=name, partial_answers=True
        )
        (log,) = inspect_eval(
            task, model="none/none", model_roles={"grader": scripted("veiled_judge", by_turn)},
            log_dir=str(folder / "logs"), display="none",
        )  # fmt: skip
        assert log.status == "success", log.error

    with ThreadPoolExecutor(1) as thread:  # the browser's event loop is in this one
        for name in ("ann", "bob"):
            thread.submit(score, name).result()
    return folder / "logs"


@pytest.fixture(scope="module")
def rated(logs: Path, folder: Path, browser: Browser) -> Visit:
    """Rae rates on the served page by key, skips, undoes, loads it again; sam on a page of its own."""
    file = folder / "ratings.jsonl"
    questions = RatingQuestions(questions_for(read_runs([str(logs)]).models, "", 0, None), file)
    total = len(questions.places)
    with served(questions, file) as server:
        visit = Visit(browser, server.address)
        visit.begin("rae")
        visit.wait(f"0 of {total} rated")
        visit.page.keyboard.press("x")
        visit.page.keyboard.press("4")
        visit.wait(f"1 of {total}")
        visit.page.keyboard.press("u")
        visit.wait(f"0 of {total}")
        visit.page.keyboard.type("23")  # at once: the second is of no question yet
        visit.wait(f"1 of {total}")
        visit.page.reload()
        visit.wait(f"1 of {total}")
        visit.page.keyboard.press("s")
        visit.page.wait_for_timeout(300)
        visit.page.get_by_role("button", name="5").click()
        visit.wait(f"2 of {total}")
        for number in range(3, total - 1):
            visit.page.keyboard.press("3")
            visit.wait(f"{number} of {total}")
        visit.page.keyboard.press("3")
        assert visit.done().startswith(f"{total - 1} of {total} rated. 1 skipped.")
        visit.page.get_by_role("button", name="Go through the skipped ones").click()
        visit.wait(f"{total - 1} of {total}")
        visit.page.keyboard.press("3")
        assert visit.done().startswith(f"{total} of {total} rated.")
        visit.close()
    page = folder / "rate.html"
    said = thoughttrace("rate", logs, "--page", page, "--rater", "sam")
    assert f"{total} inferences to rate in {page}" in said
    other = Visit(browser, page.as_uri(), color_scheme="dark")
    other.page.get_by_role("button", name="I agree: begin").click()
    for number in range(total):
        other.wait(f"{number} of {total}")
        other.page.keyboard.press("3")
    other.done()
    thoughttrace("rate", logs, "-o", file, "--import", other.download(folder / "sam.jsonl"))
    other.close()
    visit.sent.append(page.read_text(encoding="utf-8"))
    return visit


def test_ratings_are_kept_as_the_terminal_keeps_them(rated: Visit, folder: Path) -> None:
    kept = lines(folder / "ratings.jsonl")
    rae = [line["rating"] for line in kept if line["rater"] == "rae"]
    assert rae[:4] == [4, None, 2, 5]
    assert {*rae[4:]} == {3}
    assert kept[0]["id"] == kept[1]["id"] == kept[2]["id"] != kept[3]["id"]
    assert [*kept[0]] == ["rater", "kind", "id", "model", "epoch", "inference", "rating", "time"]
    sam = [line for line in kept if line["rater"] == "sam"]
    assert {(line["id"], line["inference"], line["model"]) for line in sam} == {
        (line["id"], line["inference"], line["model"]) for line in kept if line["rater"] == "rae"
    }


def test_a_page_of_its_own_holds_no_path(rated: Visit, guessed_on_a_page_of_its_own: Path, folder: Path) -> None:
    for page in ("guess.html", "rate.html"):
        assert folder.name not in (folder / page).read_text(encoding="utf-8")  # a folder can be named after a model


def test_a_rater_is_shown_the_texts_and_not_who_wrote_or_judged_them(rated: Visit) -> None:
    for text in (" ".join(rated.sent[:-1]), rated.sent[-1]):
        assert "reason  secret user1 1 0" in text
        assert "question 1 of user1" in text
        assert "of turn 1" in text
        assert "take the one that the guess matches best" in text  # of the rubric
        assert not [word for word in ("veiled", "(person)", "scripted", "Some Model", '"ann"') if word in text]


def test_people_who_guessed_and_rated_stand_in_the_report(
    rated: Visit, logs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thoughttrace.analysis.chapters import headline, people, raters

    monkeypatch.setattr("thoughttrace.analysis.report.CHAPTERS", (headline.chapter, people.chapter, raters.chapter))
    thoughttrace("report", logs, "-o", folder / "report", "--ratings", folder / "ratings.jsonl")
    (run, _) = read_runs([str(logs)]).models
    assert (run.name, run.evaluated, run.person) == ("ann (person)", "ann", True)
    headlines = (folder / "report/headline.csv").read_text(encoding="utf-8")
    assert "ann (person),reason,history,scripted/veiled_judge,2.8" in headlines  # 2, 3, 4, 2, 3
    assert "bob (person),reason,history,scripted/veiled_judge,2.6" in headlines  # 2, 3, 4, 2, 2
    assert "mean of 2 people,reason,history,scripted/veiled_judge,2.7" in headlines
    assert "reason,rae" in (folder / "report/raters.csv").read_text(encoding="utf-8")
    assert "reason,sam" in (folder / "report/raters.csv").read_text(encoding="utf-8")
    shared = pd.read_csv(folder / "report/raters_shared.csv").iloc[0]
    assert (shared["raters"], shared["inferences"], shared["n"]) == (2, 7, 7)
    alike = pd.read_csv(folder / "report/people_agreement.csv").iloc[0]
    assert (alike["people"], alike["n"], alike["best"]) == (2, 5, pytest.approx(14 / 5))
