"""What a repair does at one position, tensor by tensor."""

import pytest
import torch

import ridgeline as rl
from ridgeline.repairs.corrections import Correction, Factors
from ridgeline.repairs.sites import Site

SITE = Site(value="z", weight="w", bias="b", axis=-1, rows=0, channels=2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tensors_keep_their_type(dtype):
    statistics = {"n.running_mean": torch.tensor([1.5, 2.0], dtype=torch.float64)}
    scale, shift = torch.tensor([2.0, 3.0]).double(), torch.tensor([0.5, -0.5]).double()
    correction = Correction((Factors(SITE, scale, shift),), statistics)
    before = {
        "w": torch.ones(2, 3, dtype=dtype),
        "b": torch.ones(2, dtype=dtype),
        "n.running_mean": torch.zeros(2, dtype=dtype),
        "other": torch.zeros(2, dtype=dtype),
    }
    after = correction(before)
    assert {x.dtype for x in after.values()} == {dtype}
    assert after["w"].tolist() == [[2.0] * 3, [3.0] * 3] and after["b"].tolist() == [2.5, 2.5]
    assert after["n.running_mean"].tolist() == [1.5, 2.0]
    assert after["other"] is before["other"]
    assert before["w"].eq(1).all() and before["n.running_mean"].eq(0).all()


def test_statistics_that_a_repair_sets_win_over_the_policys():
    """The policy's are of other data: a repair names its own."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3))
    x, y, other = torch.randn(20, 4), torch.arange(20) % 3, torch.randn(20, 4) * 3 + 1
    a = rl.state.capture(net)
    b = {n: p + 0.1 if p.is_floating_point() else p for n, p in a.items()}
    goal = rl.Objective(net, (x, y), dtype=torch.float64)
    made = rl.Repair(data=other, kind="statistics").between(a, b, goal)
    middle = rl.state.lerp(a, b, 0.5)
    with torch.no_grad():
        seen = other.double() @ middle["0.weight"].double().T + middle["0.bias"].double()
    for found in (made.tensors(middle, 0.5), made(middle, 0.5)):
        assert torch.allclose(found["1.running_mean"].double(), seen.mean(0), atol=1e-6)
        assert torch.allclose(found["1.running_var"].double(), seen.var(0), atol=1e-5)
