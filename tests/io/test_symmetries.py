"""Symmetries in files: exact, small, whole or not at all, and never half understood."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ridgeline import nets
from ridgeline.errors import CheckpointError, OutputError, UsageError
from ridgeline.io import load_symmetry, save_symmetry
from ridgeline.io.indices import pack, unpack
from ridgeline.symmetry import Fixed, Group, Place, Sighting, Symmetry, symmetries
from ridgeline.symmetry.scaling import Rescalable

NUMBERS = st.integers(0, 50)
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)


@given(arrays.arrays(np.int64, SHAPES, elements=NUMBERS))
def test_any_array_comes_back(index):
    again = unpack(json.loads(json.dumps(pack(index))))
    assert again.dtype == np.int64
    assert np.array_equal(again, index)


@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=3), NUMBERS,
    st.lists(st.integers(-9, 9), min_size=3, max_size=3),
)  # fmt: skip
def test_affine_arrays_take_a_handful_of_numbers(shape, start, strides):
    i, j, k = np.indices(shape)
    index = start + i * strides[0] + j * strides[1] + k * strides[2]
    packed = pack(index)
    assert "strides" in packed
    assert np.array_equal(unpack(packed), index)


def test_stretches_are_runs():
    index = np.concatenate([np.arange(64), 768 + np.arange(63)]).reshape(1, 1, 127)
    assert pack(index) == {"shape": [1, 1, 127], "runs": [[0, 1, 64], [768, 1, 63]]}


@st.composite
def made(draw):
    """A symmetry of random groups, positions in any order."""
    tensors, groups = {}, []
    for g in range(draw(st.integers(0, 3))):
        fibres, size, width = (draw(st.integers(1, 4)) for _ in range(3))
        places = []
        for p in range(draw(st.integers(1, 3))):
            count = fibres * size * width
            index = np.array(draw(st.permutations(range(count)))).reshape(fibres, size, width)
            tensors[f"t{g}.{p}"] = (3, count)
            within = None
            if draw(st.booleans()):
                within = (0, np.array([[draw(st.integers(0, 2))] for _ in range(fibres)]))
            places.append(Place(f"t{g}.{p}", 1, index, within))
        seen = (Sighting(f"v{g}", 1, places[0].index),) if draw(st.booleans()) else ()
        inside = f"g{g - 1}" if g and draw(st.booleans()) else None
        groups.append(Group(f"g{g}", tuple(places), inside, seen))
    fixed = (Fixed("t", 0, 3, "because"),) if draw(st.booleans()) else ()
    scalings = ()
    if groups and draw(st.booleans()):
        powers = tuple(draw(st.sampled_from([-1, 1])) for _ in groups[0].places)
        scalings = (Rescalable("s", "g0", powers, draw(st.booleans())),)
    return Symmetry(tuple(groups), tensors, fixed, {"x": "y"}, scalings)


def same(a, b):
    assert a.shapes == b.shapes
    assert a.fixed == b.fixed
    assert a.ties == b.ties
    assert [vars(m) for m in a.scalings] == [vars(m) for m in b.scalings]
    assert [(g.name, g.inside) for g in a.groups] == [(g.name, g.inside) for g in b.groups]
    for g, h in zip(a.groups, b.groups, strict=True):
        for p, q in zip(g.places, h.places, strict=True):
            assert (p.tensor, p.axis) == (q.tensor, q.axis)
            assert np.array_equal(p.index, q.index)
            assert (p.within is None) == (q.within is None)
            if p.within is not None:
                assert p.within[0] == q.within[0]
                assert np.array_equal(p.within[1], q.within[1])
        for s, r in zip(g.sightings, h.sightings, strict=True):
            assert (s.value, s.axis) == (r.value, r.axis)
            assert np.array_equal(s.index, r.index)


@settings(max_examples=50)
@given(symmetry=made())
def test_a_symmetry_comes_back(symmetry, tmp_path_factory):
    path = tmp_path_factory.mktemp("s") / "symmetry.json"
    save_symmetry(symmetry, path)
    again = load_symmetry(path)
    same(symmetry, again)
    other = path.with_name("again.json")
    save_symmetry(again, other)
    assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("width", [16, 256])
def test_the_file_does_not_grow_with_the_network(width, tmp_path):
    net = nets.fcn(16, width, width, 4)
    path = save_symmetry(symmetries(net, torch.randn(2, 16)), tmp_path / "s.json")
    assert path.stat().st_size < 2500
    same(symmetries(net, torch.randn(2, 16)), load_symmetry(path))


def test_what_was_loaded_acts_alike(tmp_path):
    net = nets.fcn(8, 6, 5, 3)
    symmetry = symmetries(net, torch.randn(2, 8))
    again = load_symmetry(save_symmetry(symmetry, tmp_path / "s.json"))
    one, other = symmetry.random(3)(net.state_dict()), again.random(3)(net.state_dict())
    assert all(torch.equal(one[n], other[n]) for n in one)


@pytest.fixture
def saved(tmp_path):
    symmetry = symmetries(nets.fcn(8, 6, 3), torch.randn(2, 8))
    return save_symmetry(symmetry, tmp_path / "s.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t | {"version": 2}, "version 2"),
        (lambda t: t | {"format": "other"}, "format"),
        (lambda t: {k: v for k, v in t.items() if k != "groups"}, "groups"),
        (lambda t: t | {"shapes": {}}, "fc1"),
        (lambda t: t | {"groups": [{**t["groups"][0], "places": []}]}, "no place"),
        (lambda t: [t], "format"),
    ],
)
def test_what_is_not_understood_is_refused(saved, change, said):
    saved.write_text(json.dumps(change(json.loads(saved.read_text()))))
    with pytest.raises(CheckpointError, match=said):
        load_symmetry(saved)


@pytest.mark.parametrize(
    "packed",
    [
        {"shape": [10**9, 10**9], "start": 0, "strides": [0, 0]},
        {"shape": [2], "start": 0, "strides": []},
        {"shape": [2], "runs": [[0, 1, 10**15], [0, 1, -(10**15)], [0, 1, 2]]},
        {"shape": [-1], "start": 0, "strides": [1]},
        {"shape": [2], "start": 0.5, "strides": [1]},
        {"shape": [2]},
        {"shape": [1, 6, 1], "start": 0, "strides": [0, 1, 0, 0]},
    ],
)
def test_hostile_positions_are_refused(saved, packed):
    tree = json.loads(saved.read_text())
    tree["groups"][0]["places"][0]["index"] = packed
    saved.write_text(json.dumps(tree))
    with pytest.raises(CheckpointError):
        load_symmetry(saved)


def test_torn_and_missing_files_are_refused(saved):
    saved.write_text(saved.read_text()[:100])
    with pytest.raises(CheckpointError, match="JSON"):
        load_symmetry(saved)
    with pytest.raises(CheckpointError, match="there"):
        load_symmetry(saved.with_name("none.json"))


def test_nothing_is_replaced_unasked(saved):
    symmetry = load_symmetry(saved)
    with pytest.raises(OutputError):
        save_symmetry(symmetry, saved)
    save_symmetry(symmetry, saved, overwrite=True)
    with pytest.raises(UsageError, match="json"):
        save_symmetry(symmetry, saved.with_suffix(".txt"))
