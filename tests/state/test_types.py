"""States that were kept in different types meet in the widest."""

import warnings

import pytest
import torch

from ridgeline import Bezier, Line, Plane, Polygon, merge
from ridgeline.errors import RidgelineWarning, StateMismatch
from ridgeline.merging import TaskArithmetic
from ridgeline.state import in_one_type

NARROW = [torch.bfloat16, torch.float16, torch.float8_e4m3fn]


def state(seed, dtype=torch.float32, *, count=0):
    drawn = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(shape, generator=drawn).to(dtype) for shape in ((4, 3), (3,)))
    return {"fc.weight": first, "fc.bias": second, "steps": torch.tensor(count)}


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("kind", [Line, Polygon, Bezier])
def test_a_path_moves_in_the_wider(kind, dtype):
    a, b = state(1, dtype), state(2)
    with pytest.warns(RidgelineWarning, match=r"different types \(.*float32\)") as told:
        path = kind(a, b)
    assert told[0].filename == __file__
    for name in ("fc.weight", "fc.bias"):
        want = (0.75 * a[name].double() + 0.25 * b[name].double()).float()
        torch.testing.assert_close(path(0.25)[name], want, rtol=1e-6, atol=1e-7)
        assert torch.equal(path(0)[name], a[name].float())
        assert torch.equal(path(1)[name], b[name])


@pytest.mark.parametrize("dtype", NARROW)
def test_a_merge_is_in_the_wider(dtype):
    given = [state(1, dtype), state(2), state(3)]
    with pytest.warns(RidgelineWarning, match="different types") as told:
        made = merge(given).state
    assert told[0].filename == __file__
    for name in ("fc.weight", "fc.bias"):
        want = sum(s[name].double() for s in given) / 3
        torch.testing.assert_close(made[name], want.float(), rtol=1e-6, atol=1e-7)


def test_a_base_in_another_type_loses_no_digit():
    base, a, b = state(1), state(2, torch.bfloat16), state(3, torch.bfloat16)
    with pytest.warns(RidgelineWarning, match="different types"):
        made = merge([a, b], by=TaskArithmetic(0.5), base=base).state
    for name in ("fc.weight", "fc.bias"):
        moved = sum(s[name].double() - base[name].double() for s in (a, b))
        want = (base[name].double() + 0.5 * moved).float()
        torch.testing.assert_close(made[name], want, rtol=1e-6, atol=1e-7)


def test_two_narrow_types_meet_in_one_that_holds_both():
    a, b = state(1, torch.bfloat16), state(2, torch.float16)
    with pytest.warns(RidgelineWarning, match=r"bfloat16, float16\).*\(float32\)"):
        found = in_one_type((a, b))
    assert {s["fc.weight"].dtype for s in found} == {torch.float32}


def test_each_name_has_its_own_widest():
    a, b = state(1, torch.bfloat16), state(2, torch.bfloat16)
    a["fc.bias"] = a["fc.bias"].float()
    with pytest.warns(RidgelineWarning):
        found = in_one_type((a, b))
    assert [s["fc.bias"].dtype for s in found] == [torch.float32] * 2
    assert all(s["fc.weight"] is given["fc.weight"] for s, given in zip(found, (a, b), strict=True))


def test_tied_names_stay_tied():
    a, b = ({"in": x, "out": x} for x in (torch.ones(3).half(), torch.zeros(3)))
    with pytest.warns(RidgelineWarning):
        found = in_one_type((a, b))
    assert found[0]["in"] is found[0]["out"]


def test_one_type_is_not_told_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = in_one_type((state(1), state(2)))
    assert torch.equal(found[1]["fc.weight"], state(2)["fc.weight"])


@pytest.mark.parametrize("other", [torch.int64, torch.complex64])
def test_another_kind_of_number_is_refused(other):
    a, b = state(1), state(2)
    b["fc.bias"] = b["fc.bias"].to(other)
    with pytest.raises(StateMismatch, match=r"fc\.bias"):
        Line(a, b)


def test_a_plane_of_three_types():
    a, b, c = state(1, torch.bfloat16), state(2, torch.float16), state(3)
    with pytest.warns(RidgelineWarning) as told:
        plane = Plane(a, b, c)
    assert told[0].filename == __file__
    assert plane.a["fc.weight"].dtype == torch.float32
