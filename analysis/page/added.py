"""Read a page folder to add it to a report: somebody else may have made it, so nothing in it is taken on trust."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from pydantic import ValidationError

from thoughttrace.analysis.page.page import CHAPTERS, CONTENT, ShownChapter, ShownSection, files_of
from thoughttrace.core.errors import UserError


def read_page(folder: Path) -> list[ShownChapter]:
    """Read the chapters of a page that `write_page` wrote, to be added to another.

    Args:
        folder: The page's folder.

    Raises:
        UserError: There is no page, its `page.json` holds something else than a page does, a file is outside the
            folder, or a figure holds more than a drawing.
    """
    try:
        chapters = CHAPTERS.validate_json((folder / CONTENT).read_bytes())
    except OSError as error:
        raise _unusable(folder, f"no page here ({CONTENT} is missing or unreadable)") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its beginning"
        raise _unusable(folder, f"{CONTENT} is not that of a page ({place}: {first['msg']})") from error
    for fault in _faults(folder, [section for chapter in chapters for section in chapter.sections]):
        raise _unusable(folder, fault)
    return [dataclasses.replace(chapter, folder=folder) for chapter in chapters]


def _unusable(folder: Path, fault: str) -> UserError:
    return UserError(
        f"{folder}: {fault}. Write one with thoughttrace profile DATA -o FOLDER or thoughttrace shift DATA -o FOLDER."
    )


def _faults(folder: Path, sections: list[ShownSection]) -> Iterator[str]:
    """Yield what is wrong with the sections and their files."""
    home = folder.resolve()
    for section in sections:
        widths = {len(section.titles), len(section.natures), *map(len, section.rows)}
        if len(widths) > 1 or len(section.row_classes) != len(section.rows):
            yield f"{CONTENT} is not that of a page (the rows of {section.name} differ in length)"
        for row in section.rows:
            for nature, cell in zip(section.natures, row, strict=True):
                if isinstance(cell, str) == (nature == "quotes"):
                    yield f"{CONTENT} is not that of a page ({section.name}: a cell does not fit its column)"
        for name in files_of(section):
            file = folder / name
            # A link to a file elsewhere would put that file into a report that people share.
            if file.exists() and not (file.is_file() and file.resolve().parent == home):
                yield f"{name} is not a file of this folder"
            if file.suffix == ".svg" and (fault := _fault_of_figure(file)):
                yield f"{name} {fault}"


# ---- figures: they stand in the page as SVG, which could hold scripts and load files

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_ELEMENTS = {
    _SVG + name
    for name in ("svg", "metadata", "defs", "style", "g", "path", "rect", "clipPath", "use", "image", "text", "tspan")
}
_DESCRIPTIONS = (
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    "{http://creativecommons.org/ns#}",
    "{http://purl.org/dc/elements/1.1/}",
)
"""Namespaces of what stands in `metadata`."""

_ATTRIBUTES = {
    **dict.fromkeys(
        ("d", "height", "transform", "version", "viewBox", "width", "x", "y"), re.compile(r"[\w\s.,()+-]*", re.ASCII)
    ),
    "id": re.compile(r"[\w.-]+", re.ASCII),
    "type": re.compile("text/css"),
    "clip-path": re.compile(r"url\(#[\w.-]+\)", re.ASCII),
    # No value has brackets: nothing is loaded.
    "style": re.compile(r"(\s*(fill|stroke|opacity|font|text-anchor)[a-z-]*:[\w\s#.,%'\"+-]*(;|$))*\s*", re.ASCII),
    _HREF: re.compile(r"#[\w.-]+|data:image/png;base64,[\w+/=\s]*", re.ASCII),
}  # fmt: skip

_RULE = "*{stroke-linejoin: round; stroke-linecap: butt}"
"""The only style sheet that matplotlib writes."""

_PROLOGUE = re.compile(
    r'\s*(<\?xml version="1\.0" encoding="utf-8" standalone="no"\?>\s*)?'
    r'(<!DOCTYPE svg PUBLIC "[^"<>]*"\s+"[^"<>]*">\s*)?(?=<svg)'
)


def _fault_of_figure(file: Path) -> str:
    """Say what a figure holds that matplotlib does not draw; "" if nothing."""
    try:
        text = file.read_text(encoding="utf-8")
        prologue = _PROLOGUE.match(text)
        # XML and HTML read comments, CDATA and declarations differently: what is checked here would not be what stands
        # in the page. Without declarations there are no entities either.
        if not prologue or re.search("<[!?]", text[prologue.end() :]):
            return "is not a figure as thoughttrace draws it"
        elements = [*ElementTree.fromstring(text).iter()]
    except OSError:
        return "is missing"
    except (ValueError, ElementTree.ParseError):
        return "is no SVG"
    for element in elements:
        name = element.tag.rpartition("}")[2]
        if not element.tag.startswith(_DESCRIPTIONS):
            if element.tag not in _ELEMENTS or (name == "style" and element.text != _RULE):
                return f"holds the element {name}, which no figure of thoughttrace has"
            for attribute, value in element.attrib.items():
                if attribute not in _ATTRIBUTES or not _ATTRIBUTES[attribute].fullmatch(value):
                    return f"holds the attribute {attribute}, as no figure of thoughttrace has it"
    return ""
