"""Sections as files and on a page: what the report and the pages of the data share."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from thoughttrace.analysis.drawing import INK, save
from thoughttrace.analysis.files import write_tables
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import numeric, visible, without_empty
from thoughttrace.core.errors import UserError

_HERE = Path(__file__).resolve().parent
_KEPT = "sections.json"
"""What is on a page, for a report that shows it too."""


@dataclass(frozen=True)
class Chapter:
    """Sections under one heading."""

    name: str
    """Of its place in the page; the names of its sections begin with it."""
    title: str
    intro: str
    sections: list[Section]


Shown = dict[str, Any]
"""A chapter whose files are written, as the page shows it: plain values that JSON can hold."""


def write_pages(folder: Path, chapters: Sequence[Chapter], title: str, intro: str) -> None:
    """Write a page of chapters: `index.html`, the tables and figures as files, and what a report needs to show them.

    Args:
        folder: Made if absent; files of an earlier page in it are overwritten.
        chapters: What is on it; those without sections are left out.
        title: Of the page.
        intro: Stands under the title.

    Raises:
        UserError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shown = [write_chapter(folder, chapter) for chapter in chapters if chapter.sections]
        page = (
            environment()
            .get_template("pages.html")
            .render(**looks(), title=title, intro=intro, chapters=[inlined(folder, chapter) for chapter in shown])
        )
        (folder / "index.html").write_text(page, encoding="utf-8", errors="replace")
        (folder / _KEPT).write_text(json.dumps(shown, ensure_ascii=False), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another folder with -o."
        ) from error


def write_chapter(folder: Path, chapter: Chapter) -> Shown:
    """Write a chapter's tables and figures.

    Args:
        folder: Where to.
        chapter: What is written.
    """
    sections = []
    for section in chapter.sections:
        write_tables(folder, section.name, section.table, section.rows, section.note)
        if section.figure:
            save(section.figure, folder, section.name)
        said = {"name": section.name, "title": section.title, "rows": without_empty(section.rows), "note": section.note}
        sections.append(said | {"figure": section.figure is not None})
    return {"name": chapter.name, "title": chapter.title, "intro": chapter.intro, "sections": sections}


def copy_chapters(page: Path, folder: Path) -> list[Shown]:
    """Take over the chapters of a page that `profile` or `shift` wrote, with their files.

    Args:
        page: The page's folder.
        folder: Where its files are copied to.

    Raises:
        UserError: There is no such page.
    """
    try:
        chapters: list[Shown] = json.loads((page / _KEPT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{page}: holds no page to add ({_KEPT} cannot be read); write one with "
            "thoughttrace profile DATA -o FOLDER or thoughttrace shift DATA -o FOLDER."
        ) from error
    for chapter in chapters:
        for section in chapter["sections"]:
            for file in page.glob(f"{section['name']}.*"):
                if page.resolve() != folder.resolve():
                    shutil.copyfile(file, folder / file.name)
    return chapters


def inlined(folder: Path, chapter: Shown) -> Shown:
    """A chapter with its figures in it.

    Args:
        folder: Where its files are.
        chapter: What `write_chapter` or `copy_chapters` returned.
    """
    sections = [
        section | {"svg": inline(folder, section["name"]) if section["figure"] else ""}
        for section in chapter["sections"]
    ]
    return chapter | {"sections": sections}


def inline(folder: Path, name: str) -> Markup:
    """A figure's SVG element, in the page's own ink and with ids of its own."""
    text = (folder / f"{name}.svg").read_text(encoding="utf-8")
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{name}"', 1))


def environment() -> Environment:
    """The templates; what stands in them is escaped, and no character in it turns the text after it."""
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    made.globals["numeric"] = numeric
    return made


def looks() -> dict[str, Markup]:
    """The style and the script that stand in a page."""
    return {
        "css": Markup((_HERE / "report.css").read_text(encoding="utf-8")),
        "script": Markup((_HERE / "report.js").read_text(encoding="utf-8")),
    }
