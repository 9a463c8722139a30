"""Running averages against the mean and the written-out sum."""

import gc
import weakref

import numpy as np
import pytest
import torch

import zoo
from ridgeline.errors import NonFinite, StateMismatch, UsageError
from ridgeline.merging import merge, running_average
from ridgeline.state import ties


def stream(count, dtype=torch.float32):
    draw = torch.Generator().manual_seed(0)
    for i in range(count):
        yield {"w": torch.randn(7, generator=draw).to(dtype), "steps": torch.tensor(i)}


def test_the_uniform_average_is_the_mean_of_an_iterator_read_once():
    found = running_average(stream(9))
    torch.testing.assert_close(found.state["w"], merge(list(stream(9))).state["w"])
    assert found.count == 9 and int(found.state["steps"]) == 8
    assert found.state["w"].dtype == torch.float32
    assert "uniform average of 9" in str(found)


def test_the_exponential_average():
    decay, points = 0.8, [x["w"].double().numpy() for x in stream(6)]
    wanted = points[0]
    for x in points[1:]:
        wanted = decay * wanted + (1 - decay) * x
    found = running_average(stream(6), decay=decay)
    np.testing.assert_allclose(found.state["w"], wanted, rtol=1e-6)
    assert "exponential (0.8)" in str(found)


@pytest.mark.parametrize("decay", [None, 0.9])
def test_equal_states_stay_and_none_is_written_to(decay):
    points = [{"w": torch.tensor([0.1, 1 / 3], dtype=torch.float64)} for _ in range(5)]
    points[2]["w"] = points[0]["w"]
    found = running_average(points, decay=decay)
    assert torch.equal(found.state["w"], points[1]["w"])
    running_average([points[0], {"w": torch.ones(2, dtype=torch.float64)}])
    assert torch.equal(points[0]["w"], points[1]["w"])


def test_ties_and_statistics():
    _, _, a, b = zoo.build("transformer-tied")
    assert ties(running_average([a, b]).state) == ties(a)
    loose = {n: x.clone() for n, x in b.items()}
    assert not ties(running_average([a, loose]).state)
    _, _, a, b = zoo.build("cnn-batchnorm")
    assert "recompute" in running_average([a, b]).notes[0]


def test_refusals():
    with pytest.raises(UsageError, match="one state"):
        running_average([])
    with pytest.raises(UsageError, match="decay"):
        running_average(stream(2), decay=1.0)
    with pytest.raises(StateMismatch, match="state 1"):
        running_average([{"w": torch.zeros(2)}, {"w": torch.zeros(3)}])
    with pytest.raises(NonFinite, match="state 1"):
        running_average([{"w": torch.zeros(2)}, {"w": torch.full((2,), float("nan"))}])


def test_parameters_are_averaged_as_values_and_none_is_held():
    held = []

    def parameters():
        for x in stream(6):
            grown = x["w"].requires_grad_()
            held.append(weakref.ref(grown))
            yield {"w": grown}
            del grown, x

    found = running_average(parameters())
    assert not found.state["w"].requires_grad
    gc.collect()
    assert not any(x() is not None for x in held)
