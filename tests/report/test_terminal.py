import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

import ridgeline
from report.shapes import T, bump
from ridgeline.io import Inspection, TensorInfo
from ridgeline.report import render_inspection, render_layers, render_profile, text_plot


def printed(render, *args, fancy=False, width=100, **more):
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8" if fancy else "ascii")
    console = Console(file=file, width=width, force_terminal=fancy, color_system=None)
    render(*args, console, **more)
    file.flush()
    return file.buffer.getvalue().decode()


def test_a_profile_in_plain_ascii(hill):
    text = printed(render_profile, hill, width=80)
    assert text.isascii()
    assert "barrier of 2.00 +/- 0.02 (95 %, chord) at t = 0.5." in text
    assert "2.40 +/- 0.04" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("fancy", [False, True])
def test_no_number_is_broken_in_a_narrow_table(hill, fancy):
    text = printed(render_profile, hill, fancy=fancy, width=44)
    words = {word for line in text.splitlines() for word in line.split()}
    rises = [word for word in words if word.startswith("(+")]
    assert rises and all(word.endswith(")") for word in rises)
    assert {"monotone", "plateau", "barrier"} <= words


def test_a_profile_on_a_terminal(hill):
    text = printed(render_profile, hill, fancy=True, title="a to b")
    assert "2.00 ± 0.02" in text and "a to b" in text
    assert any(0x2800 < ord(c) < 0x2900 for c in text)


def test_a_metric_that_is_missing_falls_back_to_the_first(broken):
    text = printed(render_profile, broken, metric="error")
    assert "loss on data along the path" in text
    assert "not finite at 3 of 51" in text


def test_layers(layers, hill):
    text = printed(render_layers, layers, whole=hill, split="train")
    bars = {line.split("  ")[0]: line.count("#") for line in text.splitlines()}
    assert "barrier in loss on train" in text
    assert bars["all layers"] == 20 and bars["layer 1"] == 10 and bars["layer 4"] == 2
    assert text.isascii()


@pytest.mark.parametrize("ascii", [True, False])
def test_a_plot_keeps_to_its_columns(ascii):
    found = text_plot(T, bump(2.0), width=200, ascii=ascii)
    assert len(found) == 9
    assert max(map(len, found)) <= 60
    assert found[0].startswith("2.02 ") and found[7].startswith("0.02 ")
    assert "".join(found).isascii() == ascii


def test_a_plot_leaves_gaps_and_takes_a_flat_line():
    values = bump(2.0)
    values[20:31] = np.nan
    cells = [line[6:] for line in text_plot(T, values, ascii=True)[:8]]
    drawn = [any(len(c) > i and c[i] == "*" for c in cells) for i in range(54)]
    assert not any(drawn[23:31]) and drawn[2] and drawn[-3]
    assert text_plot(T, np.ones(51), ascii=True)[0].count("*") > 40
    assert "*" not in "".join(text_plot(T, np.full(51, np.nan), ascii=True))


def test_an_inspection(tmp_path):
    tensor = torch.ones(3, 4)
    state = {"fc[bold].weight": tensor, "bad": torch.tensor([1.0, float("nan")])}
    torch.save(state, tmp_path / "a.pt")
    text = printed(render_inspection, ridgeline.inspect(tmp_path / "a.pt"), width=120)
    assert "fc[bold].weight" in text and "3x4" in text
    assert "not finite: bad (1 NaN, 0 infinite)" in text
    assert "2 tensors" in text and text.isascii()


def test_an_inspection_of_many_tied_tensors_with_metadata():
    one = TensorInfo("w", (), "float32", 1.0, 1.0, 0.0, 1.0, 1.0, 0, 0)
    every = tuple(replace(one, name=f"w{i}") for i in range(250))
    found = Inspection(
        Path("a.safetensors"), "safetensors", 9, {"made": "x" * 300}, every, (("w0", "w1"),), 250
    )
    text = printed(render_inspection, found)
    assert "and 50 more tensors" in text and "w249" not in text and "scalar" in text
    assert "tied, one tensor: w0, w1" in text
    assert f"metadata made: {'x' * 200}...\n" in text
