"""The plots: what stands where, and that no input breaks them."""

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from thoughttrace.analysis.page.plots import (
    SERIES,
    Bar,
    Dot,
    Matrix,
    Reference,
    confusion,
    dots,
    in_figures,
    stacked,
)
from thoughttrace.analysis.page.style import COLOURS, MARKERS, PUBLISHED, save, wrapped

NAN = math.nan


def words(figure: Figure, folder: Path) -> str:
    """All text in a figure; it is well-formed, and the same figure gives the same file."""
    save(figure, folder, "figure")
    svg = (folder / "figure.svg").read_bytes()
    assert (folder / "figure.png").stat().st_size > 1000
    assert b"<dc:date>" not in svg
    return "\n".join(
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    )


def test_a_forest_has_a_panel_each_with_its_numbers_and_references(tmp_path: Path) -> None:
    points = [
        Dot("model $a$", 2.5, 2.1, 2.9, "reasons", text=in_figures(2.5, 2.1, 2.9)),
        Dot("model b\nhistory", NAN, panel="reasons", text=in_figures(NAN, NAN, NAN)),
        Dot("<b>\u202e\x00\ud800", 3.5, NAN, NAN, "reactions", text=in_figures(3.5, NAN, NAN)),
    ]
    references = [
        Reference(2.93, "published 2.93", panel="reasons"),
        Reference(1.3, "someone else", "control"),
        Reference(0, kind="zero"),
    ]
    figure = dots(points, "mean agreement, 1–5", references, (1, 5))
    assert [axes.get_title("left") for axes in figure.axes] == ["reasons", "reactions"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["model $a$", "model b\nhistory"]
    assert [axes.get_xlim()[0] < 1 and axes.get_xlim()[1] > 5 for axes in figure.axes] == [True, True]
    assert figure.legends == []
    shown = words(figure, tmp_path)
    for word in ("model $a$", "2.50 [2.10, 2.90]", "none scored", "3.50 no interval", "<b>[U+202E][U+0000][U+D800]"):
        assert word in shown
    assert (shown.count("published 2.93"), shown.count("someone else")) == (1, 2)


def test_control_lines_that_are_close_share_a_name(tmp_path: Path) -> None:
    controls = [Reference(value, name, "control") for value, name in ((2.0, "floor"), (2.1, "parrot"), (4.0, "target"))]
    figure = dots([Dot("model", 2.5, 2.1, 2.9)], "mean agreement, 1–5", controls, (1, 5))
    assert [text.get_text() for text in figure.axes[0].texts if text.get_rotation()] == ["floor\nparrot", "target"]
    assert len({line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == ":"}) == 3


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("joined", [True, False])
def test_series_share_places_and_one_legend(upright: bool, joined: bool, tmp_path: Path) -> None:
    points = [
        Dot(label, 2.0 + number, 1.5, 4.5, panel, series)
        for panel in ("reasons", "reactions")
        for series in ("a", "b")
        for number, label in enumerate(("Early", "Late"))
    ]
    references = [Reference(2, "published", at="Early"), Reference(3, "published", at="Late"), Reference(9, at="none")]
    figure = dots(points, "mean", references, (0, None), upright=upright, joined=joined, legend="arm")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "published"]
    assert (figure.axes[0].get_ylim() if upright else figure.axes[0].get_xlim())[0] == 0
    assert "arm" in words(figure, tmp_path)


def test_of_too_many_series_those_with_the_highest_means_are_drawn() -> None:
    points = [Dot("x", float(number), series=f"s{number}") for number in range(SERIES + 3)] + [
        Dot("x", NAN, series="none")
    ]
    figure = dots(points, "mean", upright=True)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"s{n}" for n in range(3, SERIES + 3)]


def test_a_line_follows_the_labels_and_names_its_series_in_every_panel(tmp_path: Path) -> None:
    points = [Dot("Early", 1.0, series="a"), Dot("Late", 2.0, series="a"), Dot("Late", 4.0, series="b")]
    points += [Dot("Early", 3.0, series="b"), Dot("Early", 3.0, panel="other", series="a")]
    figure = dots(points, "mean", [Reference(2.5, "floor", "control")], upright=True, joined=True)
    lines = {line.get_label(): list(np.asarray(line.get_ydata())) for line in figure.axes[0].lines}
    assert (lines["a"], lines["b"]) == ([1, 2], [3, 4])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert words(figure, tmp_path).count("floor") == 2


def test_a_published_line_is_named_upright_too(tmp_path: Path) -> None:
    figure = dots([Dot("Early", 1.0), Dot("Late", 2.0)], "mean", [Reference(3, "published")], (1, 5), upright=True)
    assert figure.axes[0].get_ylim() == (0.9, 5.1)
    assert "published" in words(figure, tmp_path)


def test_rows_of_the_same_label_do_not_hide_each_other() -> None:
    figure = dots([Dot("same", 1.0), Dot("same", 2.0), Dot("other", 3.0)], "mean")
    (line,) = (line for line in figure.axes[0].lines if line.get_marker() == "o")
    rows = zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True)
    assert {*rows} == {(1, 2), (2, 1), (3, 0)}
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["same", "same", "other"]


def test_many_panels_stand_in_lines(tmp_path: Path) -> None:
    points = [Dot(stage, 1.0, panel=f"type {number}") for number in range(6) for stage in ("Early", "Late")]
    figure = dots(points, "share, %", upright=True, joined=True, columns=4)
    assert [axes.get_visible() for axes in figure.axes] == [True] * 6 + [False] * 2
    assert [axes.get_ylabel() for axes in figure.axes[:6]] == ["share, %", "", "", "", "share, %", ""]
    assert "type 5" in words(figure, tmp_path)


def test_ratings_are_shares_of_their_bar(tmp_path: Path) -> None:
    figure = stacked([Bar("a", [1, 0, 0, 0, 3], "reasons"), Bar("b", [0, 0, 0, 0, 0], "reactions")], "share, %")
    shown = words(figure, tmp_path).splitlines()
    assert {"25", "75", "rating", "reasons", "reactions"} <= {*shown}


def test_a_confusion_matrix_shows_its_counts(tmp_path: Path) -> None:
    matrix = Matrix(
        "model\nshown: thought", ["a type", "another"], ["a type", "another", "no type"], [[7, 0, 1], [0, 0, 0]]
    )
    shown = words(confusion([matrix] * 3, "the dataset's type", "named by the model"), tmp_path).splitlines()
    assert (shown.count("7"), shown.count("1"), shown.count("·")) == (3, 3, 12)
    assert (shown.count("a type"), shown.count("the dataset's type")) == (4, 1)


def test_the_palette_tells_apart() -> None:
    assert len({*COLOURS}) == len({*MARKERS}) == len(COLOURS) == len(MARKERS) == 8
    assert PUBLISHED not in COLOURS[:SERIES]


def test_labels_take_two_lines_for_each_of_theirs() -> None:
    assert wrapped("one two three four five", 9) == "one two\nthree …"
    assert wrapped("a\nb c", 9) == "a\nb c"
