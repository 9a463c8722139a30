"""A number for each pair of two settings, as a heatmap."""

import numpy as np
import pytest

from ridgeline.charts import Grid
from ridgeline.report.contours import BLACK, WHITE
from ridgeline.report.heatmaps import (
    _contrast,
    _ready,
    _targets,
    draw_grid,
    grid_notes,
    grid_width,
    tidy_grid,
)
from ridgeline.report.style import COLUMN

NAN = np.nan


def grid(values=((1.0, 2.0), (NAN, 4.0)), log=False, columns=("a", "b"), rows=("p", "q")):
    array = np.array(values)
    return Grid(
        name="n", title="t", caption="c", rows=list(rows), columns=list(columns), values=array,
        counts=np.full(array.shape, 3), x="width", y="depth", unit="nats", log=log,
    )  # fmt: skip


def test_a_row_for_each_cell():
    found = tidy_grid(grid())
    assert len(found) == 4
    assert found[1] == {"depth": "p", "width": "b", "value": 2.0, "unit": "nats", "n": 3}


def test_blank_cells_and_those_off_the_scale_are_told():
    assert grid_notes(grid(((1.0, 2.0),), rows="p")) == []
    assert grid_notes(grid()) == ["Blank: not measured, or not finite."]
    found = grid_notes(grid(((0.0, 2.0),), log=True, rows="p"))
    assert found == ["Values at or below zero have the lowest colour."]
    assert grid_notes(grid(((NAN, 2.0),), log=True, rows="p")) == grid_notes(grid())


@pytest.mark.parametrize(
    ("values", "log", "shares"),
    [(((1.0, 2.0, 5.0),), False, [0, 0.25, 1]), (((1.0, 10.0, 100.0),), True, [0, 0.5, 1]),
     (((0.0, 10.0, 100.0),), True, [0, 0, 1]), (((2.0, 2.0, NAN),), False, [2 / 3, 2 / 3, NAN])],
)  # fmt: skip
def test_colours_are_by_share(values, log, shares):
    found = _ready(grid(values, log, columns="abc", rows="p"))
    assert found.shares[0] == pytest.approx(shares, nan_ok=True)
    assert all(0 <= place <= 1 for place in found.places) and len(found.places) == len(found.ticks)


def test_a_cell_has_its_number_and_its_count_where_there_is_room():
    assert _ready(grid()).text(0, 1) == ("2", "n = 3") and _ready(grid()).text(1, 0) == ("", "")
    for many, want in ((8, "1.23"), (9, "1.2"), (13, "1.2")):
        wide = grid(np.full((1, many), 1.234), columns=["c"] * many, rows="p")
        assert _ready(wide).text(0, 0) == (want, "n = 3")
    for many, want in ((14, "1.2"), (20, "1.2"), (21, "")):
        wide = grid(np.full((1, many), 1.234), columns=["c"] * many, rows="p")
        assert _ready(wide).text(0, 0) == (want, "")


def test_the_width_grows_with_columns_and_names_up_to_two_columns_of_a_page():
    narrow, wide = grid(), grid(np.ones((1, 40)), columns=["c"] * 40, rows="p")
    assert grid_width(narrow) == COLUMN and grid_width(wide) == 2 * COLUMN
    six = grid(np.ones((1, 6)), columns="abcdef", rows=["a long name"])
    assert grid_width(six) == pytest.approx(max(0.95 + 0.055 * 11 + 3.0, COLUMN))


@pytest.mark.parametrize(
    ("shade", "ink"),
    [("#ffffff", BLACK), ("#000000", WHITE), ("#ffff00", BLACK), ("#000080", WHITE)],
)
def test_numbers_stand_out_from_their_colour(shade, ink):
    assert _contrast(shade) == ink


def test_pointing_at_a_cell_says_all_of_it():
    (found,) = _targets(_ready(grid()))
    assert found.texts[0] == "depth p\nwidth a\nnats 1, n = 3" and len(found.texts) == 3
    assert found.x.tolist() == [0.25, 0.75, 0.75] and found.y.tolist() == [0.75, 0.75, 0.25]


def test_the_drawing_has_names_of_both_axes_from_above():
    drawn = draw_grid(grid(), 4.0)
    axes = drawn.panels[0][0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width", "depth")
    assert axes.get_ylim() == (2, 0) and axes.get_xlim() == (0, 2)
    assert [t.get_text() for t in axes.texts] == ["1", "n = 3", "2", "n = 3", "4", "n = 3"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b"]
    assert axes.figure.axes[1].get_ylabel() == "nats"
