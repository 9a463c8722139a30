"""Other starts: what they keep, what they change, and that permuting is a symmetry."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.func import functional_call

from ridgeline import state as states
from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import fcn
from ridgeline.paths import Line, noise, permuted, scaled, zeros

law = settings(deadline=None, max_examples=15, derandomize=True)


def lively(net, seed=0):
    """A random state of a network, statistics and all, in float64."""
    rng = torch.Generator().manual_seed(seed)
    found = {}
    for name, x in net.state_dict().items():
        if not x.is_floating_point():
            found[name] = x.clone()
            continue
        value = torch.randn(x.shape, generator=rng, dtype=torch.float64) * 0.7
        found[name] = value.abs() + 0.2 if name.endswith("running_var") else value
    return found


def batch_net():
    return fcn(6, 20, 15, 4, norm="batch").double().eval()


def equal(a, b):
    return all(torch.equal(a[n], b[n]) for n in a)


STATISTICS = ("norm1.running_mean", "norm1.running_var", "norm1.num_batches_tracked")


@pytest.mark.parametrize("make", [zeros, lambda s: noise(s, seed=3), lambda s: scaled(s, 2.0)])
def test_statistics_labels_types_and_ties_are_kept(make):
    state = lively(batch_net())
    state["tied"] = state["fc1.weight"].detach()
    before = {n: x.clone() for n, x in state.items()}
    made = make(state)
    assert list(made) == list(state)
    assert all(made[n] is state[n] for n in STATISTICS)
    assert all(made[n].dtype == x.dtype and made[n].shape == x.shape for n, x in state.items())
    assert made["tied"] is made["fc1.weight"] and not equal(made, state)
    assert equal(state, before)


def test_zeros_are_zeros_and_scaled_is_scaled():
    state = lively(batch_net())
    assert states.norm(zeros(state)) == 0
    assert states.norm(scaled(state, -1.5)) == pytest.approx(1.5 * states.norm(state))
    half = states.cast(state, torch.bfloat16)
    assert torch.equal(scaled(half, 3.0)["fc1.weight"], (half["fc1.weight"].float() * 3).bfloat16())
    for factor in (float("nan"), float("inf")):
        with pytest.raises(UsageError, match="finite"):
            scaled(state, factor)


def test_noise_has_each_tensors_own_spread():
    rng = torch.Generator().manual_seed(0)
    draw = lambda c: torch.randn(200, 300, generator=rng) * c + 5  # noqa: E731 (a name for a short function that is read in place)
    state = {"small": draw(0.01), "large": draw(4), "same": torch.full((50,), 2.0)}
    made = noise(state, 0.5, seed=1)
    assert made["small"].std() == pytest.approx(0.005, rel=0.02)
    assert made["large"].std() == pytest.approx(2, rel=0.02)
    assert abs(float(made["large"].mean())) < 0.05 and (made["same"] == 0).all()
    unit = made["small"] / made["small"].std(), made["large"] / made["large"].std()
    assert abs(float((unit[0] * unit[1]).mean())) < 0.02  # independent


def test_noise_is_named_by_seed_and_tensor():
    state = lively(batch_net())
    assert equal(noise(state, seed=1), noise(state, seed=1))
    assert not torch.equal(noise(state, seed=1)["fc1.weight"], noise(state, seed=2)["fc1.weight"])
    alone = noise({"fc2.weight": state["fc2.weight"]}, seed=1)
    assert torch.equal(alone["fc2.weight"], noise(state, seed=1)["fc2.weight"])
    with pytest.raises(UsageError, match="not negative"):
        noise(state, -1.0)


@law
@given(
    seed=st.integers(0, 2**16),
    norm=st.sampled_from([None, "batch"]),
    activation=st.sampled_from(["relu", "tanh", "linear"]),
)
def test_permuting_hidden_units_keeps_the_function_and_changes_the_line(seed, norm, activation):
    net = fcn(6, 20, 15, 4, norm=norm, activation=activation).double().eval()
    state, other = lively(net, seed), lively(net, seed + 1)
    chain = ["fc1", "norm1", "fc2", "norm2", "fc3"] if norm else ["fc1", "fc2", "fc3"]
    made = permuted(state, chain, seed)
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    run = lambda s: functional_call(net, s, (x,))  # noqa: E731 (a name for a short function that is read in place)
    assert torch.allclose(run(made), run(state), rtol=1e-12, atol=1e-12)
    gap = (run(Line(made, other)(0.5)) - run(Line(state, other)(0.5))).abs().max()
    assert gap > 1e-3
    # a permutation moves values and makes none
    assert all(
        torch.equal(made[n].flatten().sort()[0], x.flatten().sort()[0]) for n, x in state.items()
    )
    assert states.norm(made) == pytest.approx(states.norm(state))
    assert states.distance(made, state) > 1


def test_only_the_named_part_of_a_chain_is_permuted():
    net = fcn(6, 20, 15, 4).double()
    state = lively(net)
    made = permuted(state, ["fc2", "fc3"], 5)
    assert made["fc1.weight"] is state["fc1.weight"] and made["fc3.bias"] is state["fc3.bias"]
    x = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(functional_call(net, made, (x,)), functional_call(net, state, (x,)))
    assert equal(permuted(state, ["fc2", "fc3"], 5), made)
    assert not equal(permuted(state, ["fc2", "fc3"], 6), made)


def test_a_norm_that_is_left_out_breaks_the_function():
    """What the chain is for: without naming it the answer would be wrong, and is not refused."""
    net = batch_net()
    state, x = lively(net), torch.ones(2, 6, dtype=torch.float64)
    made = permuted(state, ["fc1", "fc2", "fc3"])
    assert not torch.allclose(functional_call(net, made, (x,)), functional_call(net, state, (x,)))


def test_what_is_no_chain_is_refused():
    state = lively(batch_net())
    for wrong, why in [
        (["fc1", "fc3"], "20 units before 'fc3', with weight"),
        (["fc1"], "fc1"),
        (["norm1", "fc2"], "'norm1' at an end"),
        (["fc1", "norm2", "fc2"], "'norm2' after 20 units"),
        (["fc1", "fc2", "fc1"], "fc1"),
    ]:
        with pytest.raises(UsageError, match=f"a chain of linear layers.*{why}"):
            permuted(state, wrong)
    with pytest.raises(UnknownName, match="Did you mean 'fc1'"):
        permuted(state, ["fc11", "fc2"])
    conv = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 3)).state_dict()
    with pytest.raises(UsageError, match=r"'0' at an end of it, with weight \(4, 1, 3, 3\)"):
        permuted(conv, ["0", "1"])
    mixed = {**state, "fc2.weight": torch.ones(15, 20, 1)}
    with pytest.raises(UsageError, match="'fc2' after 20 units"):
        permuted(mixed, ["fc1", "fc2", "fc3"])
    square = torch.ones(3, 3)
    with pytest.raises(UsageError, match="one tensor under the names"):
        permuted({"a.weight": square, "b.weight": square.detach()}, ["a", "b"])
