"""One page of chapters: a file that opens from disk and loads nothing, with its tables and figures beside it."""

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import ConfigDict, Field, TypeAdapter

from thoughttrace.analysis.page.style import INK, save
from thoughttrace.analysis.page.table import Cell, Chapter, Column, Nature, Section
from thoughttrace.core.cache_dir import work_folder
from thoughttrace.core.errors import UserError
from thoughttrace.core.terminal import visible

_HERE = Path(__file__).resolve().parent

_PAGE = "index.html"

CONTENT = "page.json"
"""What is on a page, for another page that shows it too."""

_SCRIPT = (_HERE / "page.js").read_text(encoding="utf-8")

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    f"script-src 'sha256-{base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()}'"
)
"""What a browser may do with a page: run our script and no other, and load nothing, whatever gets into the page."""

_SEARCHED = 20
"""A table of more rows can be searched."""

_NARROW = 30
"""Names of at most so many characters are not wrapped."""


_Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
"""Of a place in a page, and of files."""

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class ShownSection:
    """A section as the page shows it: plain values that JSON can hold, and that are checked where it is read again."""

    __pydantic_config__: ClassVar = _STRICT

    name: _Name
    title: str
    note: str
    titles: list[str]
    natures: list[Nature]
    rows: list[list[Cell]]
    row_classes: list[Annotated[str, Field(pattern="^(published|control|clear|)$")]]
    pictures: list[tuple[_Name, str]]
    """Names and captions."""
    files: list[Annotated[str, Field(pattern="^(csv|parquet|md|tex)$")]]
    """The endings of the files that hold the table."""


@dataclass(frozen=True)
class ShownChapter:
    """A chapter whose files are written."""

    __pydantic_config__: ClassVar = _STRICT

    folder: Path
    """Where its files are."""
    name: _Name
    title: str
    intro: str
    sections: list[ShownSection]
    warnings: list[str]
    help: list[tuple[str, str]]


CHAPTERS = TypeAdapter(list[ShownChapter])
"""Reads what a page's `page.json` holds, and nothing else."""


def write_page(
    folder: Path, title: str, intro: str, chapters: Sequence[Chapter], added: Sequence[ShownChapter] = ()
) -> None:
    """Write `index.html`, all tables and figures as files, and `page.json`.

    They are written to a folder inside first, and take the place of an earlier page only once all of them are whole: a
    full disk or a kill leaves the earlier page as it was.

    Args:
        folder: Made if absent. Files of an earlier page in it are replaced or removed; other files stay.
        title: Of the page.
        intro: Stands under the title.
        chapters: What is on it; those that have nothing to show are left out, and sections without an estimate named.
        added: Chapters of other pages, from `read_page`, shown after these; their files are copied.

    Raises:
        UserError: The folder cannot be written, or an added chapter is on the page already.
        ValueError: Two chapters or sections have the same name.
    """
    too_small = [f"{section.title} ({chapter.title})" for chapter in chapters for section in chapter.too_small]
    chapters = [chapter for chapter in chapters if chapter.shown]
    _check_names(chapters, added, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Not beside the folder: that may be another file system, or not writable.
        with work_folder(folder, ".new-page-") as new:
            shown = [_write(new, chapter) for chapter in chapters] + [_copy(chapter, new) for chapter in added]
            page = _template().render(
                title=title, intro=intro, chapters=shown, links=_links(shown),
                warnings=dict.fromkeys(sentence for chapter in shown for sentence in chapter.warnings),
                too_small=too_small,
            )  # fmt: skip
            (new / _PAGE).write_text(page, encoding="utf-8", errors="replace")
            content = [dataclasses.asdict(dataclasses.replace(chapter, folder=Path())) for chapter in shown]
            # A half of a surrogate pair is no JSON that others read.
            words = visible(json.dumps(content, ensure_ascii=False, default=str))
            (new / CONTENT).write_text(words, encoding="utf-8")
            _replace(folder, new)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot write here ({error.strerror or error}). Choose another folder with -o."
        ) from error


def _replace(folder: Path, new: Path) -> None:
    """Put a new page's files into a folder, and remove those of the earlier page that the new one does not have."""
    earlier: set[str] = set()
    with contextlib.suppress(OSError, ValueError):  # there was none, or we cannot tell which files are its own
        chapters = CHAPTERS.validate_json((folder / CONTENT).read_bytes())
        earlier = {name for chapter in chapters for section in chapter.sections for name in files_of(section)}
    files = [file for file in new.iterdir() if file.name not in {_PAGE, CONTENT}]
    # The page after the files that it links to, and last of all the list of what is ours: cut short by a kill, the next
    # page still finds every file of this and of the earlier one.
    for file in (*files, new / _PAGE):
        file.replace(folder / file.name)
    for name in earlier - {file.name for file in files}:
        (folder / name).unlink(missing_ok=True)
    (new / CONTENT).replace(folder / CONTENT)


def _check_names(chapters: Sequence[Chapter], added: Sequence[ShownChapter], folder: Path) -> None:
    places, pictures = Counter[str](), Counter[str]()
    for chapter in chapters:
        places.update([f"chapter_{chapter.name}", *(section.name for section in chapter.filled)])
        pictures.update(picture.name for section in chapter.filled for picture in section.pictures)
    for name, number in [*places.items(), *pictures.items()]:
        if number > 1:
            raise ValueError(f"two parts of the page have the name {name!r}")
    for chapter_added in added:
        names = {f"chapter_{chapter_added.name}", *(section.name for section in chapter_added.sections)}
        shown_pictures = {name for section in chapter_added.sections for name, _ in section.pictures}
        if names & {*places} or shown_pictures & {*pictures}:
            raise UserError(
                f"{chapter_added.folder}: the page in {folder} has “{chapter_added.title}” already. Add it only once."
            )
        places.update(names)
        pictures.update(shown_pictures)


def _write(folder: Path, chapter: Chapter) -> ShownChapter:
    """Write a chapter's tables and figures."""
    sections = [_write_section(folder, section) for section in chapter.filled]
    warnings, terms = list(chapter.warnings), list(chapter.help)
    return ShownChapter(folder, chapter.name, chapter.title, chapter.intro, sections, warnings, terms)


def _write_section(folder: Path, section: Section) -> ShownSection:
    table, files = section.table, ["csv"]
    table.to_csv(folder / f"{section.name}.csv")
    if section.parquet:
        files.append("parquet")
        table.to_parquet(folder / f"{section.name}.parquet")
    if section.paper:
        files += ["md", "tex"]
        for ending, words in (("md", table.to_markdown(section.note)), ("tex", table.to_latex(section.note))):
            (folder / f"{section.name}.{ending}").write_text(words, encoding="utf-8", errors="replace")
    for picture in section.pictures:
        save(picture.figure, folder, picture.name)
    return ShownSection(
        section.name,
        section.title,
        section.note,
        [column.title for column in table.filled_columns],
        [
            _nature(column, [row[place] for row in table.filled_cells])
            for place, column in enumerate(table.filled_columns)
        ],
        table.filled_cells,
        table.classes,
        [(picture.name, picture.caption) for picture in section.pictures],
        files,
    )


def _nature(column: Column, cells: list[Cell]) -> Nature:
    """Give the column's nature; names that are all brief are as good as short words, and keep less room."""
    return "short" if column.nature == "name" and max(map(len, cells)) <= _NARROW else column.nature


def _copy(chapter: ShownChapter, folder: Path) -> ShownChapter:
    """Take over a chapter's files."""
    for section in chapter.sections:
        for file in (chapter.folder / name for name in files_of(section)):
            if file.exists():
                shutil.copyfile(file, folder / file.name)
    return dataclasses.replace(chapter, folder=folder)


def files_of(section: ShownSection) -> list[str]:
    """Name the files of a section: of its table, and of its figures."""
    figures = [f"{name}.{ending}" for name, _ in section.pictures for ending in ("svg", "png")]
    return [*(f"{section.name}.{ending}" for ending in section.files), *figures]


def _links(chapters: Sequence[ShownChapter]) -> list[tuple[str, str]]:
    """List the places that the page's head links to: its chapters, or the sections of the only one."""
    if len(chapters) == 1:
        return [(section.name, section.title) for section in chapters[0].sections]
    return [(f"chapter_{chapter.name}", chapter.title) for chapter in chapters]


def _inline(folder: Path, name: str) -> Markup:
    """Give a figure's SVG element, in the page's own ink and with ids of its own."""
    svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{name}"', 1))


def _template() -> Any:
    """Load the template; what stands in it is escaped, and no character in it turns the text after it."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    looks = {
        "css": Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        "script": Markup(_SCRIPT),
    }
    globals_ = {**looks, "policy": Markup(_POLICY), "inline": _inline, "searched": _SEARCHED}
    return environment.get_template("page.html", globals=globals_)
