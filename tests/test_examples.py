"""Examples run as they are, and show what they say that they show."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_alignment_and_repair_lower_the_barrier(capsys):
    found = loaded("align_digits").main()
    naive, aligned, repaired = (found[n].barrier().height for n in found)
    assert naive > 2 * aligned > 2 * repaired > 0
    out = capsys.readouterr().out
    assert "fc1: 128" in out
    assert "merged: test error" in out


@pytest.mark.slow
def test_an_ensemble_merged_of_two_halves_of_a_table_beats_both(capsys):
    first, second, plain, merged = loaded("merge_trees").main().values()
    assert merged > max(first, second) + 0.01
    assert merged > plain
    assert "aligned, then merged" in capsys.readouterr().out


def test_no_layer_is_curved_more_than_the_whole_network(capsys):
    found = loaded("curvature").main()
    assert set(found) == {"all", "fc1", "fc2"}
    for k, whole in enumerate(found["all"]):
        assert whole >= max(found[layer][k] for layer in ("fc1", "fc2")) * (1 - 1e-2)
    assert "top eigenvalue" in capsys.readouterr().out
