"""A page folder of somebody else: what is added to a report, and what is refused with a sentence."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from thoughttrace.analysis.page.added import read_page
from thoughttrace.analysis.page.page import write_page
from thoughttrace.analysis.page.table import Chapter, Picture, Section, name, number, quotes
from thoughttrace.core.errors import UserError


@dataclass(frozen=True)
class Row:
    what: str = "a"
    words: float = 1.0
    said: tuple[tuple[str, str], ...] = (("user", "hello"),)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a page."""
    figure = Figure(figsize=(2, 1))
    axes = figure.subplots()
    axes.plot([0, 1], "--", label="<b>&")
    axes.imshow([[0, 1], [1, 0]])
    axes.legend()
    columns = [name("What", "what"), number("Words", "words"), quotes("Said", "said")]
    section = Section(
        "words", "Words", [Row(), Row()], columns, "Note", [Picture("plot", figure, "Caption")], paper=True
    )
    folder = tmp_path_factory.mktemp("written")
    write_page(folder, "Title", "", [Chapter("data", "Data", "Intro", [section], help=[("Term", "Words")])])
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "page"))


def test_what_was_written_is_read(folder: Path) -> None:
    (chapter,) = read_page(folder)
    assert (chapter.folder, chapter.name, chapter.help) == (folder, "data", [("Term", "Words")])
    (section,) = chapter.sections
    assert section.rows == [["a", "1.00", [("user", "hello")]]] * 2
    assert (section.pictures, section.files) == ([("plot", "Caption")], ["csv", "md", "tex"])


def test_where_the_folder_is_does_not_matter(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    content = json.loads((folder / "page.json").read_text())
    content[0]["folder"] = "/somewhere/else"
    (folder / "page.json").write_text(json.dumps(content))
    assert read_page(tmp_path / "link")[0].folder == tmp_path / "link"


def changed(where: str, value: object) -> Callable[[Any], object]:
    """A change of one part of `page.json`: of the chapter, or of its section if the name begins with a dot."""

    def change(content: Any) -> object:
        part = content[0]["sections"][0] if where.startswith(".") else content[0]
        part[where.removeprefix(".")] = value
        return content

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _: 3, "its beginning: Input should be a valid array"),
        (lambda _: {"a": 1}, "its beginning: Input should be a valid array"),
        (lambda _: [[]], "0: Input should be an object"),
        (changed("name", "javascript:alert(1)//"), "0.name: String should match pattern"),
        (changed("name", "data\n"), "0.name: String should match pattern"),
        (changed("help", 5), "0.help: Input should be a valid array"),
        (changed("warnings", [1]), "0.warnings.0: Input should be a valid string"),
        (changed("more", ""), "0.more: Unexpected keyword argument"),
        (changed(".name", "../secret"), "0.sections.0.name: String should match pattern"),
        (changed(".pictures", [["../plot", ""]]), "0.sections.0.pictures.0.0: String should match pattern"),
        (changed(".files", ["x/../../secret.txt"]), "0.sections.0.files.0: String should match pattern"),
        (changed(".files", ["html"]), "0.sections.0.files.0: String should match pattern"),
        (changed(".row_classes", ['" onclick="alert(1)', ""]), "0.sections.0.row_classes.0: String should match"),
        (changed(".natures", ["script"] * 3), "0.sections.0.natures.0: Input should be 'name', 'short'"),
        (changed(".rows", [[1, 2, 3]]), "0.sections.0.rows.0.0.str: Input should be a valid string"),
        (changed(".rows", [["a", "1.00", []]]), "the rows of words differ in length"),
        (changed(".rows", [["a"], ["a"]]), "the rows of words differ in length"),
        (changed(".titles", ["Only one"]), "the rows of words differ in length"),
        (changed(".natures", ["quotes"] * 3), "words: a cell does not fit its column"),
        (changed(".natures", ["name"] * 3), "words: a cell does not fit its column"),
    ],
)
def test_content_that_is_not_that_of_a_page_is_refused(
    change: Callable[[Any], object], fault: str, folder: Path
) -> None:
    content = json.loads((folder / "page.json").read_text(encoding="utf-8"))
    (folder / "page.json").write_text(json.dumps(change(content)), encoding="utf-8")
    with pytest.raises(UserError, match=r"page\.json is not that of a page \(.*" + re.escape(fault)):
        read_page(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_content_that_is_no_json_is_refused(content: bytes, folder: Path) -> None:
    (folder / "page.json").write_bytes(content)
    with pytest.raises(UserError, match=r"page\.json is not that of a page"):
        read_page(folder)


def elsewhere(file: Path) -> None:
    secret = file.parent.parent / "secret.txt"
    secret.write_text("secret")
    file.unlink()
    file.symlink_to(secret)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [elsewhere, a_folder])
@pytest.mark.parametrize("file", ["words.csv", "words.tex", "plot.svg", "plot.png"])
def test_a_file_from_outside_the_folder_is_refused(damage: Callable[[Path], None], file: str, folder: Path) -> None:
    """A link would put a file of the reader's into a report that is shared."""
    damage(folder / file)
    with pytest.raises(UserError, match=f"{file} is not a file of this folder"):
        read_page(folder)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("<defs>", "<script>alert(1)</script><defs>", "holds the element script"),
        ("<defs>", "<foreignObject/><defs>", "holds the element foreignObject"),
        ("<defs>", '<a xlink:href="javascript:alert(1)"/><defs>', "holds the element a,"),
        ("<defs>", '<animate attributeName="href"/><defs>', "holds the element animate"),
        ("<defs>", '<h:img xmlns:h="http://www.w3.org/1999/xhtml"/><defs>', "holds the element img"),
        ("<defs>", "<style>@import url(http://x)</style><defs>", "holds the element style"),
        ("<defs>", "<style><g/></style><defs>", "holds the element style"),
        ("<defs>", "<!--><img src=x onerror=alert(1)>--><defs>", "is not a figure as"),
        ("<defs>", "<![CDATA[<script>alert(1)</script>]]><defs>", "is not a figure as"),
        ("<defs>", "<?xml-stylesheet href='x'?><defs>", "is not a figure as"),
        ("<defs>", "<defs", "is no SVG"),
        ("<!DOCTYPE svg PUBLIC", '<!DOCTYPE svg [<!ENTITY a "b">] PUBLIC', "is not a figure as"),
        ('encoding="utf-8"', 'encoding="utf-16"', "is not a figure as"),
        ('<g id="', '<g onload="alert(1)" id="', "holds the attribute onload"),
        ('<g id="', '<g style="fill: url(http://x)" id="', "holds the attribute style"),
        ('<g id="', '<g style="position: fixed" id="', "holds the attribute style"),
        ('<g id="', '<g style="fill: \\75rl(x)" id="', "holds the attribute style"),
        ('<g id="', '<g class="search" id="', "holds the attribute class"),
        (
            '<g id="',
            '<g xlink:href="javascript:alert(1)" id="',
            "holds the attribute {http://www.w3.org/1999/xlink}href",
        ),
        ('<g id="', '<g xlink:href="http://x/y.svg#a" id="', "holds the attribute {http://www.w3.org/1999/xlink}href"),
        (
            "data:image/png;base64,",
            "data:image/svg+xml;base64,",
            "holds the attribute {http://www.w3.org/1999/xlink}href",
        ),
    ],
)
def test_a_figure_that_is_more_than_a_drawing_is_refused(old: str, new: str, fault: str, folder: Path) -> None:
    drawing = (folder / "plot.svg").read_text(encoding="utf-8")
    assert old in drawing
    (folder / "plot.svg").write_text(drawing.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(f"{folder}: plot.svg {fault}")):
        read_page(folder)


@pytest.mark.parametrize(
    ("missing", "fault"),
    [("page.json", "no page here (page.json is missing or unreadable)"), ("plot.svg", "plot.svg is missing")],
)
def test_a_missing_file_is_named(missing: str, fault: str, folder: Path) -> None:
    (folder / missing).unlink()
    with pytest.raises(UserError) as caught:
        read_page(folder)
    assert str(caught.value) == (
        f"{folder}: {fault}. Write one with thoughttrace profile DATA -o FOLDER or thoughttrace shift DATA -o FOLDER."
    )
