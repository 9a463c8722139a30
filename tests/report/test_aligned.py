"""What a page says of an alignment."""

import torch
from torch import nn

from ridgeline import state as states
from ridgeline.matching import Rescaling, WeightMatching, align
from ridgeline.report.aligned import (
    aligned_sentences,
    alignment_tables,
    barrier_table,
    summarise_alignment,
)
from ridgeline.symmetry import rescalable, symmetries


def carried():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    x = torch.randn(2, 4)
    symmetry = rescalable(symmetries(model, x), model, x)
    a = states.capture(model)
    b = symmetry.random(1, scalings=True)(a)
    return align(a, b, symmetry, by=Rescaling(by=WeightMatching()))


def test_it_says_how_many_groups_were_acted_on_and_how():
    said = aligned_sentences(carried(), {})
    assert said[2] == "Of 2 groups of units 2 permuted, 2 scaled; the function of b stays."


def test_the_table_of_units_has_numbers_and_what_else_acted():
    found = carried()
    (table,) = alignment_tables(found, {})
    first = table.records()[0]
    assert list(first) == ["group", "moved", "besides"]
    assert first["moved"] == found.moved["0"].share > 0 and first["besides"] == "scaled"
    assert summarise_alignment(found, {})["moved"]["0"]["how"] == ["scaled"]


def test_the_table_of_barriers_has_numbers_in_files(hill):
    table = barrier_table({"hill": hill})
    row, shown = table.records()[0], table.rows[0]
    barrier = hill.barrier()
    assert (row["barrier"], row["low"], row["high"]) == (barrier.height, *barrier.interval())
    assert all(isinstance(v, float) for v in list(row.values())[3:])
    assert "±" in shown[6]
