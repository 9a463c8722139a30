"""Discovery on networks with buffers, shared tensors and kinds of one's own."""

import copy

import pytest
import torch
from torch import nn

import zoo
from ridgeline import state as states
from ridgeline.errors import NotASymmetry, NotTraceable
from ridgeline.graph import Network
from ridgeline.symmetry import Group, discover, prove, symmetries
from symmetric import IMAGE, VECTOR, batchnormed, seeded
from symmetry.blocks import BLOCKS, answer, lively, sample


@pytest.mark.parametrize("name", BLOCKS)
def test_no_channel_of_a_real_block_is_left_behind(name):
    """All that is fixed meets inputs or outputs; statistics move with their channels."""
    make, shape, expected = BLOCKS[name]
    model, x = seeded(make)().double(), sample(shape)
    symmetry = symmetries(model, x)
    if expected is not None:
        assert {g.name: (g.fibres, g.size) for g in symmetry.groups} == expected
    ends = {
        "outputs of the network",
        "inputs of the network",
        "meets coordinates that never move",
    }
    assert {f.why for f in symmetry.fixed} <= ends
    moved = {t for g in symmetry.groups for t in g.tensors()}
    state = states.capture(model)
    assert {n for n in state if states.is_statistic(n) and state[n].ndim} <= moved
    assert {"cls_token", "pos_embed", "gamma", "layer_scale"} & set(state) <= moved


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("seed", range(3))
def test_buffers_move_with_their_channels_and_outputs_stay(name, seed):
    make, shape, _ = BLOCKS[name]
    model, x = seeded(make)().double(), sample(shape, 5)
    element = symmetries(model, x[:2]).random(seed)
    state = lively(model, seed, counts=7)
    moved = element(state)
    assert torch.allclose(answer(model, moved, x), answer(model, state, x), rtol=0, atol=1e-12)
    back = element.inverse()(moved)
    assert all(torch.equal(back[n], state[n]) for n in state)
    assert states.ties(moved) == states.ties(state)
    # The buffers are not idle: left behind, they change the answer.
    buffers = {n: x for n, x in state.items() if states.is_statistic(n) and x.ndim}
    if buffers:
        assert not torch.allclose(answer(model, moved | buffers, x), answer(model, state, x))


NORMS = {
    "1d": (nn.Conv1d, nn.BatchNorm1d, (4,), {}),
    "2d": (nn.Conv2d, nn.BatchNorm2d, (2, 2), {}),
    "3d": (nn.Conv3d, nn.BatchNorm3d, (2, 2, 1), {}),
    "synchronised": (nn.Conv2d, nn.SyncBatchNorm, (2, 2), {}),
    "cumulative": (nn.Conv2d, nn.BatchNorm2d, (2, 2), {"momentum": None}),
    "without affine": (nn.Conv2d, nn.BatchNorm2d, (2, 2), {"affine": False}),
    "instances": (nn.Conv2d, nn.InstanceNorm2d, (2, 2), {"track_running_stats": True}),
}


@pytest.mark.parametrize("name", NORMS)
def test_all_normalisations_carry_their_buffers_alike(name):
    conv, norm, shape, options = NORMS[name]
    make = lambda: nn.Sequential(conv(2, 6, 1), norm(6, **options), nn.Flatten(), nn.Linear(24, 3))  # noqa: E731 (a name for a short function that is read in place)
    model, x = seeded(make)().double(), sample((2, *shape), 5)
    symmetry = symmetries(model, x[:2])
    assert {"1.running_mean", "1.running_var"} < set(symmetry.group("0").tensors())
    state = lively(model, 1, counts=3)
    moved = symmetry.random(0)(state)
    assert torch.allclose(answer(model, moved, x), answer(model, state, x), rtol=0, atol=1e-12)
    assert moved["1.num_batches_tracked"] == 3


class Masked(nn.Module):
    """A buffer with one entry for each hidden unit."""

    def __init__(self, mask, persistent=True):
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)
        self.register_buffer("mask", mask, persistent=persistent)

    def forward(self, x):
        return self.b(self.a(x).relu() * self.mask)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_a_buffer_of_channels_moves_with_them_whatever_its_type(dtype):
    mask = torch.tensor([1, 0, 1, 1, 0, 1]).to(dtype)
    model = Masked(mask).double()
    symmetry = symmetries(model, VECTOR.double())
    assert "mask" in symmetry.group("a").tensors()
    state = states.capture(model)
    moved = symmetry.random(1)(state)
    assert not torch.equal(moved["mask"], mask) and moved["mask"].dtype == model.mask.dtype
    x = VECTOR.double()
    assert torch.allclose(answer(model, moved, x), answer(model, state, x), rtol=0, atol=1e-12)
    # What no state holds cannot move, and holds the channels in place.
    assert not symmetries(Masked(mask, persistent=False), VECTOR).groups


@pytest.mark.parametrize("persistent", [True, False])
def test_channels_that_a_table_of_indices_chooses_stay(persistent):
    class Chosen(Masked):
        def forward(self, x):
            h = self.a(x).relu()
            return self.b(h[:, self.mask] + h)

    symmetry = symmetries(Chosen(torch.tensor([3, 1, 0, 2, 5, 4]), persistent), VECTOR)
    assert not symmetry.groups
    assert ("a.weight", 0, 6) in {(f.tensor, f.axis, f.count) for f in symmetry.fixed}


def kept(model):
    """All that a caller can see of a module."""
    return (
        copy.deepcopy(model.state_dict()),
        [(id(x), x.requires_grad, x.grad is None) for x in model.parameters()],
        [m.training for m in model.modules()],
        torch.get_rng_state(),
    )


def same(one, other):
    values = all(torch.equal(x, other[0][n]) for n, x in one[0].items())
    return values and one[1:3] == other[1:3] and torch.equal(one[3], other[3])


def test_the_callers_model_is_left_as_it_is_also_after_a_refusal():
    model = seeded(batchnormed)().train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[0].bias.grad = torch.ones(6)
    before = kept(model)
    found = symmetries(model, IMAGE)
    assert same(before, kept(model))
    wrong = Group("wrong", tuple(p for p in found.groups[0].places if p.tensor == "4.weight"))
    with pytest.raises(NotASymmetry, match="'wrong'"):
        prove(discover(Network(model), IMAGE).adding(wrong), Network(model), IMAGE)
    assert same(before, kept(model))
    branching = zoo.Branching().train()
    before = kept(branching)
    with pytest.raises(NotTraceable, match=r"a branch.*`forward=`.*torch\.where"):
        symmetries(branching, torch.zeros(2, 5))
    assert same(before, kept(branching))


def test_what_meets_the_example_alone_is_said_to_be_inputs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 2)
            self.place = nn.Parameter(torch.randn(4, 5))

        def forward(self, x):
            return self.second(torch.relu(self.first(x.flatten(2)) + self.place))

    found = symmetries(Net(), torch.randn(2, 4, 2, 3))
    why = {(f.tensor, f.axis): f.why for f in found.fixed}
    assert why["first.weight", 1] == "inputs of the network"
    assert why["second.weight", 0] == "outputs of the network"
    assert why["place", 0] == "inputs of the network"  # their places
    assert "inputs of the network: place[0], first.weight[1]" in str(found)
    assert repr(found) == "Symmetry(of first)"
