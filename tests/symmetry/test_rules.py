"""Each rule of discovery on a network whose groups are known by hand."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline import nets
from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.symmetry import Group, Place, discover, prove, symmetries
from symmetric import IMAGE, NETWORKS, STEPS, TOKENS, VECTOR, Run, conv, seeded


def found(name):
    make, example, _ = NETWORKS[name]
    return symmetries(seeded(make)(), example)


def sizes(symmetry):
    return {g.name: (g.fibres, g.size) for g in symmetry.groups}


def places(symmetry, name):
    return {(p.tensor, p.axis, p.width) for p in symmetry.group(name).places}


def fixed(symmetry):
    return {(f.tensor, f.axis): f.why for f in symmetry.fixed}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_groups_are_those_that_a_hand_derives(name):
    make, example, expected = NETWORKS[name]
    assert sizes(symmetries(seeded(make)(), example)) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_of_samples_does_not_matter(name):
    make, example, _ = NETWORKS[name]
    network = Network(seeded(make)())
    groups = {
        count: sizes(discover(network, example[:1].expand(count, *example.shape[1:]).clone()))
        for count in (1, 2, 5)
    }
    assert groups[1] == groups[2] == groups[5]
    by_two = discover(network, example)
    prove(by_two, network, torch.cat([example, example, example[:1]]))  # holds for other batches


def test_where_units_stand():
    mlp, norm = found("mlp"), found("batch norm, flattened")
    assert places(mlp, "0") == {("0.weight", 0, 1), ("0.bias", 0, 1), ("2.weight", 1, 1)}
    moved = {"1.weight", "1.bias", "1.running_mean", "1.running_var", "0.weight", "0.bias"}
    # a channel is flattened to the 3 x 3 places that it has
    assert places(norm, "0") == {(n, 0, 1) for n in moved} | {("4.weight", 1, 9)}
    head = found("nn.MultiheadAttention")
    assert places(head, "a") == {("a.in_proj_weight", 0, 2), ("a.in_proj_bias", 0, 2)}
    assert ("a.out_proj.weight", 1, 1) in places(head, "a 2")


def test_what_is_left_fixed_is_named_with_the_reason():
    mlp = fixed(found("mlp"))
    assert mlp["0.weight", 1] == "inputs of the network"
    assert mlp["4.weight", 0] == mlp["4.bias", 0] == "outputs of the network"
    assert fixed(found("embedding"))["embed.weight", 0] == "rows chosen by data"
    assert ("gate.weight", 0) not in fixed(found("experts in a list"))


def test_heads_move_as_blocks_and_their_channels_within():
    """peers.md 9, 11: git-re-basin's issue 11."""
    s = found("attention")
    inner = {g.name for g in s.groups if g.inside == "q blocks"}
    assert inner == {"q", "v"}
    assert places(s, "q") == {(f"{n}.{x}", 0, 1) for n in "qk" for x in ("weight", "bias")}
    assert places(s, "v") == {("v.weight", 0, 1), ("v.bias", 0, 1), ("o.weight", 1, 1)}
    assert {p.width for p in s.group("q blocks").places} == {4}
    assert places(found("attention by hand"), "q blocks") == places(s, "q blocks")


def test_rotary_pairs_stay_where_they_are():
    """peers.md 9, 11: no two channels of a head change places, but heads do."""
    s = found("rotary")
    assert not any(p.tensor.startswith(("q", "k")) for p in s.group("v").places)
    assert {p.tensor for p in s.group("q blocks").places} > {"q.weight", "k.weight"}


def test_a_shared_tensor_moves_once():
    for name, first, other in (
        ("tied embedding, first", "embed.weight", "head.weight"),
        ("tied head, first", "head.weight", "embed.weight"),
    ):
        model = seeded(NETWORKS[name][0])()
        s = symmetries(model, NETWORKS[name][1])
        assert s.ties == {other: first}
        state = {k: x.detach() for k, x in model.state_dict().items()}
        after = s.random(0)(state)
        assert after[first] is after[other]
        order = s.random(0).orders()[s.groups[0].name][0]
        assert torch.equal(after[first], state[first][:, torch.from_numpy(order)])


def test_normalisation_buffers_move_and_integers_do_not():
    """peers.md 9, 6: outputs in evaluation mode stay, and the inverse gives all buffers back."""
    make, example, _ = NETWORKS["batch norm, flattened"]
    model = seeded(make)().double().eval()
    s = symmetries(model, example.double())
    state = {k: x.detach().clone() for k, x in model.state_dict().items()}
    element = s.random(3)
    after = element(state)
    assert after["1.num_batches_tracked"] is state["1.num_batches_tracked"]
    for name in ("1.running_mean", "1.running_var"):
        assert not torch.equal(after[name], state[name])
        assert torch.equal(after[name].sort()[0], state[name].sort()[0])
    x = example.double()
    before = model(x)
    model.load_state_dict(after)
    assert torch.allclose(model(x), before, rtol=0, atol=1e-12)
    back = element.inverse()(after)
    assert all(torch.equal(back[k], state[k]) for k in state)


class Swapped(nn.Module):
    """The halves of a concatenation are told apart by what comes before it."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(10, 3)

    def forward(self, x):
        h = self.a(x)
        return self.b(torch.cat([h, (-h).relu()], 1))


def test_halves_of_a_concatenation_are_not_exchanged():
    s = symmetries(Swapped(), VECTOR)
    assert sizes(s) == {"a": (1, 5)}
    assert places(s, "a") == {("a.weight", 0, 1), ("a.bias", 0, 1), ("b.weight", 1, 2)}
    assert {tuple(unit) for unit in s.group("a").places[-1].index[0].tolist()} == {
        (k, k + 5) for k in range(5)
    }


def after(run, width=6, head=6):
    return Run(lambda m, x: m.b(run(m.a(x))), a=nn.Linear(4, width), b=nn.Linear(head, 3))


TRAPS = {
    # name: (model, groups)
    "cumsum": (after(lambda h: h.cumsum(1)), {}),
    "flip": (after(lambda h: h * h.flip(1)), None),
    "position": (after(lambda h: h * torch.arange(6.0)), {}),
    "differences": (after(lambda h: h.diff(dim=1), head=5), {}),
    "neighbours": (after(lambda h: nn.functional.avg_pool1d(h[:, None], 3, 1, 1)[:, 0]), {}),
    "recurrent gates": (after(lambda h: h[:, :3].sigmoid() * h[:, 3:], head=3), None),
}


@pytest.mark.parametrize("name", TRAPS)
def test_what_tells_positions_apart_leaves_them_fixed(name):
    model, expected = TRAPS[name]
    s = symmetries(model, VECTOR)
    if expected is not None:
        assert sizes(s) == expected
        assert ("a.weight", 0) in fixed(s)
    elif name == "flip":  # pairs (k, 5 - k) may change places as pairs
        assert all(p.width == 2 for g in s.groups for p in g.places if g.name == "a blocks")


def test_channels_that_meet_each_other_in_a_ring_stay():
    """All become one unit, and what reads them is still told apart."""
    s = symmetries(after(lambda h: h + h.roll(1, 1)), VECTOR)
    assert ("a.weight", 0) in fixed(s)
    assert not s.groups


def test_a_group_that_is_none_is_refused_and_named():
    model = after(lambda h: h)
    network = Network(model)
    found = discover(network, VECTOR)
    reads = next(g for g in found.groups if "b.weight" in set(g.tensors()))
    wrong = Group("wrong", tuple(p for p in reads.places if p.tensor == "b.weight"))
    with pytest.raises(NotASymmetry, match=r"'wrong'.*Forbid them with"):
        prove(found.adding(wrong), network, VECTOR)
    assert prove(found.adding(wrong).without("wrong"), network, VECTOR).residual < 1e-12


def test_inputs_that_are_all_alike_prove_nothing_false():
    model = after(lambda h: h)
    pixels = Group("pixels", (Place("a.weight", 1, np.arange(VECTOR.shape[1])[None, :, None]),))
    network, blank = Network(model), torch.zeros_like(VECTOR)
    with pytest.raises(NotASymmetry, match="'pixels'"):
        prove(discover(network, blank).adding(pixels), network, blank)


def test_channels_that_are_selected_stay_apart_from_those_that_are_not():
    s = symmetries(after(lambda h: torch.cat([h[:, :3].relu(), h[:, 3:]], 1)), VECTOR)
    assert sorted(g.size for g in s.groups) == [3, 3]
    dropped = symmetries(after(lambda h: h[:, :3], head=3), VECTOR)
    read = next(g for g in dropped.groups if "b.weight" in set(g.tensors()))
    assert sizes(dropped)[read.name] == (1, 3)


def test_groups_that_do_not_nest_are_not_permuted_across():
    """GroupNorm of 3 groups over a convolution of 2: no channel has another like it in both."""
    model = conv(
        nn.Conv2d(2, 6, 1), nn.GroupNorm(3, 6), nn.Conv2d(6, 6, 1, groups=2), nn.ReLU(), width=6
    )
    s = symmetries(model, IMAGE)
    for g in s.groups:
        for p in g.places:
            if p.tensor == "0.weight" and p.axis == 0:
                for fibre in p.index:
                    for unit in fibre:
                        assert len({int(k) // 2 for k in unit}) == len({int(k) // 3 for k in unit})


def test_inputs_without_a_batch_axis():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    assert sizes(symmetries(model, torch.randn(4))) == {"0": (1, 6)}
    image = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(0), nn.Linear(54, 3))
    assert sizes(symmetries(image, IMAGE[0])) == {"0": (1, 6)}


def test_a_batch_that_is_moved_into_another_axis():
    def run(m, x):  # (batch, steps, 3) -> (batch * steps, 3) -> back, twice over
        h = m.a(x.flatten(0, 1)).relu()
        h = h.reshape(*x.shape[:2], 6).transpose(0, 1).reshape(-1, 6)
        return m.b(m.c(h).relu()).reshape(x.shape[1], x.shape[0], 2)

    model = Run(run, a=nn.Linear(3, 6), c=nn.Linear(6, 5), b=nn.Linear(5, 2))
    for count in (1, 2, 5):
        assert sizes(symmetries(model, STEPS[:1].repeat(count, 1, 1))) == {"a": (1, 6), "c": (1, 5)}


def test_tokens_that_a_table_tells_apart_stay_but_channels_move():
    model = Run(
        lambda m, x: m.o((m.i(x) + m.place).relu().mean(1)),
        i=nn.Linear(6, 5),
        o=nn.Linear(5, 3),
        place=nn.Parameter(torch.randn(4, 5)),
    )
    s = symmetries(model, TOKENS)
    assert sizes(s) == {"i": (1, 5)}
    assert ("place", 1, 1) in places(s, "i")
    assert ("place", 0) in fixed(s)


def test_unused_tensors_are_named_not_counted():
    model = Run(lambda m, x: m.b(m.a(x).relu()), a=nn.Linear(4, 6), b=nn.Linear(6, 3))
    model.left = nn.Linear(7, 7)
    s = symmetries(model, VECTOR)
    assert fixed(s)["left.weight", 0] == "not used by the network"
    assert not any(t.startswith("left") for g in s.groups for t in g.tensors())


def test_names_that_torch_does_not_know_and_kinds_of_ones_own():
    """peers.md 9, 7 and 8: parameters by any name, and subclasses of known modules."""

    class Channels(nn.LayerNorm):
        def forward(self, x):
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(2, 6, 1), Channels(6), nn.Linear(6, 3)
            self.gamma = nn.Parameter(torch.randn(6, 1, 1))

        def forward(self, x):
            return self.head((self.norm(self.conv(x)) * self.gamma).mean((2, 3)))

    s = symmetries(Scaled(), IMAGE)
    assert sizes(s) == {"gamma": (1, 6)}
    assert {"conv.weight", "norm.weight", "norm.bias"} < set(s.group("gamma").tensors())


def test_deep_networks_take_seconds():
    """peers.md 9, 9: no path is counted twice, however many ways lead through a network."""

    class Dense(nn.Module):
        def __init__(self, depth):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4 + 3 * k, 3) for k in range(depth))
            self.head = nn.Linear(4 + 3 * depth, 2)

        def forward(self, x):
            for layer in self.layers:
                x = torch.cat([x, layer(x).relu()], 1)
            return self.head(x)

    start = time.perf_counter()
    s = discover(Network(Dense(40)), VECTOR)
    assert time.perf_counter() - start < 60  # 2**40 paths
    assert len(s.groups) == 40
    assert len(discover(Network(nets.vgg11()), torch.randn(1, 3, 32, 32)).groups) == 8
