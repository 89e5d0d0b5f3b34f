"""The page: what is written, how it is escaped, and how another page shows it."""

import math
import os
import re
import resource
import signal
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from thoughttrace.analysis.page import page as page_module
from thoughttrace.analysis.page.added import read_page
from thoughttrace.analysis.page.page import write_page
from thoughttrace.analysis.page.style import INK, wrapped
from thoughttrace.analysis.page.table import Chapter, Picture, Section, limits, name, note, number, quotes, text
from thoughttrace.core.errors import UserError

HOSTILE = "<script>alert(1)</script>\u202e\ud800"


@dataclass(frozen=True)
class Row:
    model: str
    mean: float
    lower: float = math.nan
    upper: float = math.nan
    said: tuple[tuple[str, str], ...] = ()
    note: str = ""


COLUMNS = [name("Model", "model"), number("Mean", "mean"), limits("95 % interval"), quotes("Said", "said"), note()]
ROWS = [
    Row(HOSTILE, 2.5, 2.0, 3.0, (("user", HOSTILE), ("assistant", "two\n\nlines"))),
    Row("published", 2.93, note="not published: by others"),
]


def chapter(key: str, paper: bool = False) -> Chapter:
    figure = Figure(figsize=(2, 1))
    figure.text(0, 0, wrapped(HOSTILE), color=INK)
    picture = Picture(f"{key}_forest", figure, f"Caption {HOSTILE}")
    sections = [
        Section(f"{key}_means", "Means", ROWS, COLUMNS, f"Note {HOSTILE}", [picture],
                lambda row: row.model if row.model == "published" else "", paper),
        Section(f"{key}_nothing", "Nothing", [], COLUMNS, "Never seen."),
        Section(f"{key}_models", "Models", ROWS, COLUMNS[:1]),
    ]  # fmt: skip
    return Chapter(key, f"The {key}", f"Intro {HOSTILE}", sections, [f"Warning {HOSTILE}"], [("Term", "Explained")])


def test_a_page_holds_its_chapters_and_files(tmp_path: Path) -> None:
    methods, empty = Chapter("methods", "Methods", "How it was done."), Chapter("empty", "Empty", "")
    write_page(tmp_path, f"Title {HOSTILE}", "Intro", [chapter("data", paper=True), empty, methods])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert {file.name for file in tmp_path.iterdir()} == {
        "index.html", "page.json", "data_forest.svg", "data_forest.png", "data_means.csv", "data_means.md",
        "data_means.tex", "data_models.csv",
    }  # fmt: skip
    assert "<script>alert" not in page
    assert not {"\u202e", "\ud800"} & {*page}
    for part in ("Title", "Intro", "Note", "Caption", "Warning"):
        assert f"{part} &lt;script&gt;alert(1)&lt;/script&gt;[U+202E][U+D800]" in page
    assert re.findall(r'<li><a href="#(\w+)">', page) == ["chapter_data", "chapter_methods"]
    assert re.findall(r'<h[23] id="(\w+)">', page) == [
        "chapter_data", "data_means", "data_models", "chapter_methods",
    ]  # fmt: skip
    assert '<p class="methods">How it was done.</p>' in page
    assert '<tr class="published"><th scope="row" class="name">published</th><td class="number">2.93</td>' in page
    assert '<th scope="col" class="number">95 % interval</th>' in page
    assert '<span class="who">assistant</span><span class="said">two\n\nlines</span>' in page
    assert re.findall(r'href="(data_[\w.]+)"', page) == [
        "data_forest.svg", "data_forest.png", "data_means.csv", "data_means.md", "data_means.tex", "data_models.csv",
    ]  # fmt: skip
    assert (page.count("<details>"), page.count("<svg"), page.count('class="warning"')) == (1, 1, 1)
    assert page.index("Warning") < page.index("data_means") < page.index("<details>") < page.index("data_models")
    assert not re.search(r'(?:src|href)="(?:http|//)', page)
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "#1b1b1b" not in page[page.index("<svg") : page.index("</svg>")]
    assert 'type="search"' not in page  # two rows are found without


def test_a_page_of_one_chapter_links_to_its_sections(tmp_path: Path) -> None:
    write_page(tmp_path, "Title", "Intro", [chapter("data")])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<li><a href="#(\w+)">', page) == ["data_means", "data_models"]


def test_a_page_of_nothing(tmp_path: Path) -> None:
    write_page(tmp_path, "Title", "Intro", [])
    assert "Title" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert read_page(tmp_path) == []


def test_a_page_shows_another_and_can_be_shown_itself(tmp_path: Path) -> None:
    for folder, key in (("a", "one"), ("b", "two")):
        write_page(tmp_path / folder, "Part", "", [chapter(key)])
    added = [*read_page(tmp_path / "a"), *read_page(tmp_path / "b")]
    write_page(tmp_path / "c", "Whole", "", [chapter("own")], added)
    write_page(tmp_path / "d", "Copy", "", [], read_page(tmp_path / "c"))
    page = (tmp_path / "d/index.html").read_text(encoding="utf-8")
    assert re.findall(r'<h2 id="(\w+)">', page) == ["chapter_own", "chapter_one", "chapter_two"]
    parts = (tmp_path / "a/index.html").read_text(encoding="utf-8").partition("<h2")[2].partition("</main>")[0]
    assert parts in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len({*ids})
    names = {file.name for file in (tmp_path / "d").iterdir()}
    assert names == {file.name for file in (tmp_path / "c").iterdir()}
    assert {"one_means.csv", "two_forest.png", "own_forest.svg"} <= names


def test_a_page_is_added_to_its_own_folder(tmp_path: Path) -> None:
    write_page(tmp_path, "Part", "", [chapter("one")])
    write_page(tmp_path, "Whole", "", [chapter("own")], read_page(tmp_path))
    assert [shown.name for shown in read_page(tmp_path)] == ["own", "one"]


def test_the_same_numbers_give_the_same_page(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_page(tmp_path / folder, "Title", "", [chapter("data")])
    for file in ("index.html", "page.json", "data_forest.svg"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def files_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_files_of_an_earlier_page_go_and_those_of_others_stay(tmp_path: Path) -> None:
    write_page(tmp_path, "Earlier", "", [chapter("old", paper=True), chapter("data")])
    others = {"notes.txt": b"mine", "old.csv": b"mine", "old_means.txt": b"mine", ".hidden": b"mine"}
    for name_, content in others.items():
        (tmp_path / name_).write_bytes(content)
    write_page(tmp_path / "only_new", "Later", "", [chapter("data")])
    write_page(tmp_path, "Later", "", [chapter("data")])
    assert files_in(tmp_path) == files_in(tmp_path / "only_new") | others


@pytest.mark.parametrize("listed", [None, b"{", b'[{"sections": [{"name": "mine", "files": ["csv"]}]}]'])
def test_nothing_is_removed_where_no_page_says_what_is_its_own(listed: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    if listed is not None:
        (tmp_path / "page.json").write_bytes(listed)
    write_page(tmp_path, "Title", "", [chapter("data")])
    assert (tmp_path / "mine.csv").read_text() == "mine"


@pytest.mark.parametrize("room", [100, 5_000, 20_000])
def test_a_full_disk_leaves_the_earlier_page_as_it_was(room: int, tmp_path: Path) -> None:
    write_page(tmp_path, "Earlier", "", [chapter("data")])
    earlier = files_in(tmp_path)
    sizes = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, sizes[1]))  # as on a full disk, writing stops within a file
    try:
        with pytest.raises(UserError, match=r"cannot write here \(File too large\)"):
            write_page(tmp_path, "Later", "x" * 30_000, [chapter("data"), chapter("other")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, sizes)
    assert files_in(tmp_path) == earlier
    assert {file.name for file in tmp_path.iterdir()} == earlier.keys()


def test_a_kill_leaves_the_earlier_page_and_the_next_one_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_page(tmp_path, "Earlier", "", [chapter("data")])
    earlier = files_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(page_module, "save", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        arguments = (tmp_path, "Later", "", [chapter("other")])
        process = get_context("fork").Process(target=write_page, args=arguments)
        process.start()
        process.join()
    assert process.exitcode == -signal.SIGKILL
    assert files_in(tmp_path) == earlier
    assert len(list(tmp_path.iterdir())) == len(earlier) + 1
    write_page(tmp_path, "Earlier", "", [chapter("data")])
    assert {file.name for file in tmp_path.iterdir()} == earlier.keys()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        write_page(tmp_path / "file/folder", "Title", "", [])
    assert str(caught.value) == (
        f"{tmp_path / 'file/folder'}: cannot write here (Not a directory). Choose another folder with -o."
    )


def test_a_page_added_twice_is_named_before_anything_is_written(tmp_path: Path) -> None:
    write_page(tmp_path / "part", "Part", "", [chapter("data")])
    added = read_page(tmp_path / "part")
    for chapters, pages in (([], [*added, *added]), ([chapter("data")], added)):
        with pytest.raises(UserError, match="has “The data” already"):
            write_page(tmp_path / "whole", "Whole", "", chapters, pages)
    assert not (tmp_path / "whole").exists()


@pytest.mark.parametrize(
    "chapters",
    [
        [chapter("data"), chapter("data")],
        [
            chapter("data"),
            Chapter("other", "Other", "", [Section("data_means", "Same", ROWS, [text("Model", "model")])]),
        ],
    ],
)
def test_two_parts_with_one_name_are_a_mistake_of_the_program(chapters: list[Chapter], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two parts of the page have the name"):
        write_page(tmp_path, "Title", "", chapters)
