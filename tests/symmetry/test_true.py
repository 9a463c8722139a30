"""What discovery derives is true before any proof, and ordinary networks are taken."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.symmetry import Group, Place, discover, prove, symmetries
from symmetric import Run, heads, joined, p
from symmetry.derived import sizes
from symmetry.turned import false_groups

L = nn.Linear
VECTOR, TOKENS, PICTURE = torch.randn(2, 5), torch.randn(2, 4, 6), torch.randn(2, 3, 8, 8)
TWO = (torch.randn(2, 5), torch.randn(2, 6))


def grouped(m, x):
    return m.b(m.a(x).relu())


def attended(m, x):
    return joined(F.scaled_dot_product_attention(*(heads(f(x), 2) for f in (m.q, m.k, m.v))))


def towers(m, x, y):
    return torch.stack([m.a(x), m.b(y)], 1)


def two(**parts):
    return {"a": L(5, 8), "b": L(6, 8), **parts}


def by_heads(g, count=3):
    return lambda m, x: (m.a(x).unflatten(-1, (count, -1)) * g(m)).flatten(1)


def outer(m, x):
    a, b = m.a(x).relu().chunk(2, -1)
    return m.o((a[:, :, None] * b[:, None]).flatten(1))


def outer_of_gains(m, x):
    a, b = (m.a(x).unflatten(-1, (2, 2)) * m.g).flatten(1).chunk(2, -1)
    return m.o((a[:, :, None] * b[:, None]).flatten(1))


def experts(m, x):
    return torch.einsum("bi,eio->beo", x, m.w).relu().flatten(1)


def experts_that_meet(m, x):
    h = torch.bmm(m.a(x).expand(2, -1, -1), m.w).relu().transpose(0, 1).flatten(1)
    return m.o(h * h.flip(1))


def columns(m, x):
    """A table of columns, each embedded by a row, beside a token of its class."""
    return torch.cat([m.c.expand(len(x), 1, 8), x[..., None] * m.w + m.g], 1)


NETWORKS = {
    # name: (run, parts, example, groups)
    "grouped convolution as output": (
        grouped,
        {"a": nn.Conv2d(3, 12, 3), "b": nn.Conv2d(12, 12, 3, groups=2)},
        PICTURE,
        [6, 6],
    ),
    "grouped convolution of one step as output": (
        grouped,
        {"a": nn.Conv1d(4, 6, 3), "b": nn.Conv1d(6, 6, 3, groups=3)},
        torch.randn(2, 4, 9),
        [2, 2, 2],
    ),
    "grouped transposed convolution as output": (
        grouped,
        {"a": nn.Conv2d(3, 8, 3), "b": nn.ConvTranspose2d(8, 4, 3, groups=2)},
        PICTURE,
        [4, 4],
    ),
    "heads as output": (attended, {n: L(6, 8) for n in "qkv"}, TOKENS, [4, 4]),
    "experts as output": (experts, {"w": p(3, 5, 4)}, VECTOR, []),
    "experts that meet each other": (
        experts_that_meet,
        {"a": L(5, 3), "w": p(2, 3, 4), "o": L(8, 3)},
        VECTOR,
        None,
    ),
    "two tokens and their positions": (
        lambda m, x, y: m.o((towers(m, x, y) + m.p).relu().mean(1)),
        two(p=p(1, 2, 8), o=L(8, 3)),
        TWO,
        [8],
    ),
    "two tokens and their positions in an encoder": (
        lambda m, x, y: m.o(m.e(towers(m, x, y) + m.p).mean(1)),
        two(p=p(1, 2, 8), e=nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), o=L(8, 3)),
        TWO,
        [(2, 4), (2, 4), 12, 2, 8],
    ),
    "two tokens that are mixed": (
        lambda m, x, y: m.o(m.t(towers(m, x, y).transpose(1, 2)).relu().flatten(1)),
        two(t=L(2, 4), o=L(32, 3)),
        TWO,
        [4, 8],
    ),
    "two tokens times a table": (
        lambda m, x, y: m.o((torch.cat([m.a(x)[:, None], m.b(y)[:, None]], 1) * m.p).mean(1)),
        two(p=p(2, 8), o=L(8, 3)),
        TWO,
        [8],
    ),
    "two towers, normalised and flattened": (
        lambda m, x, y: m.o(m.n(towers(m, x, y)).flatten(1)),
        two(n=nn.LayerNorm(8), o=L(16, 3)),
        TWO,
        [8],
    ),
    "two towers, by their root mean square": (
        lambda m, x, y: m.o(m.n(towers(m, x, y)).flatten(1)),
        two(n=nn.RMSNorm(8), o=L(16, 3)),
        TWO,
        [8],
    ),
    "two towers that are compared": (
        lambda m, x, y: F.normalize(m.a(x), dim=-1) @ F.normalize(m.b(y), dim=-1).T,
        two(),
        TWO,
        [8],
    ),
    "columns of a table": (
        lambda m, x: m.o(m.n(columns(m, x)).flatten(1)),
        {"w": p(5, 8), "g": p(5, 8), "c": p(1, 1, 8), "n": nn.LayerNorm(8), "o": L(48, 3)},
        VECTOR,
        [8],
    ),
    "gains of heads as output": (
        by_heads(lambda m: m.g),
        {"a": L(5, 12), "g": p(3, 4)},
        VECTOR,
        [],
    ),
    "gains of heads": (
        lambda m, x: m.o(by_heads(lambda m: m.g)(m, x)),
        {"a": L(5, 12), "g": p(3, 4), "o": L(12, 3)},
        VECTOR,
        [(3, 4), 3],
    ),
    "a gain for each head": (
        lambda m, x: m.o(by_heads(lambda m: m.g[:, None])(m, x)),
        {"a": L(5, 12), "g": p(3), "o": L(12, 3)},
        VECTOR,
        [(3, 4), 3],
    ),
    "gains, then an outer product": (
        outer_of_gains,
        {"a": L(5, 4), "g": p(2, 2), "o": L(4, 3)},
        VECTOR,
        [],
    ),
    "an outer product": (outer, {"a": L(5, 8), "o": L(16, 3)}, VECTOR, [4, 4]),
    "an empty part": (
        lambda m, x: m.o(torch.cat([m.a(x)[:, :6].relu(), m.a(x)[:, 6:]], -1)),
        {"a": L(5, 6), "o": L(6, 3)},
        VECTOR,
        [6],
    ),
    "an empty part of a cache": (
        lambda m, x: m.o(torch.cat([torch.tensor([]), m.a(x).relu()], -2)),
        {"a": L(6, 8), "o": L(8, 3)},
        TOKENS,
        [8],
    ),
    "nothing but empty parts": (
        lambda m, x: m.o(m.a(x).relu() + torch.cat([x[:, :0], x[:, 5:]], -1).sum()),
        {"a": L(5, 8), "o": L(8, 3)},
        VECTOR,
        [8],
    ),
}


def made(name):
    run, parts, example, expected = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Run(run, **parts)
    doubles = tuple(x.double() for x in example) if isinstance(example, tuple) else example.double()
    return model, example, doubles, expected


@pytest.mark.parametrize("name", NETWORKS)
def test_every_group_that_is_derived_is_true(name):
    model, example, doubles, expected = made(name)
    found = discover(Network(model), example)
    assert false_groups(model, found, [doubles]) == {}
    if expected is not None:
        assert sizes(found) == sorted(expected, key=str), str(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_every_kind_are_taken_and_proved(name):
    model, example, doubles, expected = made(name)
    found = symmetries(model, example)
    assert false_groups(model, found, [doubles]) == {}
    assert "dropped" not in str(found)
    if expected is not None:
        assert sizes(found) == sorted(expected, key=str), str(found)


def test_units_that_would_have_to_move_twice_are_named():
    model, example, _, _ = made("gains, then an outer product")
    assert "could move only along with parts of others: " in str(symmetries(model, example))


# --- groups that are false -----------------------------------------------------------------------


def planted(name, model, example, *places):
    found = discover(Network(model), example)
    return found.adding(Group(name, tuple(Place(t, axis, np.array(i)) for t, axis, i in places)))


def halves(m, x):
    h = m.a(x)
    return m.o(torch.stack([h[:, 0].tanh(), h[:, 1].sin()], -1))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["pair", "a", "units", "pos_embedding", "qkv blocks"])
def test_a_false_group_of_two_is_refused_under_any_name_and_seed(name, seed):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Run(halves, a=L(5, 2), o=L(2, 3))
    one = [[[0], [1]]]
    given = planted(
        name, model, VECTOR, ("a.weight", 0, one), ("a.bias", 0, one), ("o.weight", 1, one)
    )
    with pytest.raises(NotASymmetry, match=f"'{name}'"):
        prove(given, Network(model), VECTOR, seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_fibres_of_two_that_move_only_together_are_refused(seed):
    """All at once they are a symmetry: a proof that turned them so would take them."""
    run = lambda m, x: m.o((m.a(x).unflatten(-1, (3, 2)) * m.g).flatten(1))  # noqa: E731
    model = Run(run, a=L(5, 6), g=p(2), o=L(6, 3))
    at = [[[0], [1]], [[2], [3]], [[4], [5]]]
    given = planted(
        "own", model, VECTOR, ("a.weight", 0, at), ("a.bias", 0, at), ("o.weight", 1, at)
    )
    given = given.only("own")
    with pytest.raises(NotASymmetry, match="'own'"):
        prove(given, Network(model), VECTOR, seed=seed)


def test_two_groups_that_move_only_together_are_both_refused():
    model = Run(lambda m, x: m.o(m.a(x).relu()), a=L(5, 2), o=L(2, 3))
    one = [[[0], [1]]]
    given = planted("made", model, VECTOR, ("a.weight", 0, one), ("a.bias", 0, one))
    given = given.adding(Group("read", (Place("o.weight", 1, np.array(one)),)))
    with pytest.raises(NotASymmetry) as told:
        prove(given.only("made", "read"), Network(model), VECTOR)
    assert told.value.groups == ("made", "read")


def test_a_cycle_that_is_true_does_not_prove_every_permutation():
    """A circular convolution over channels lets them turn round, and nothing else."""
    run = lambda m, x: m.o(m.a(x) * m.a(x).roll(1, -1) * m.a(x).roll(2, -1).exp())  # noqa: E731
    model = Run(run, a=L(5, 3), o=L(3, 3))
    one = [[[0], [1], [2]]]
    given = planted(
        "ring", model, VECTOR, ("a.weight", 0, one), ("a.bias", 0, one), ("o.weight", 1, one)
    )
    for seed in range(4):
        with pytest.raises(NotASymmetry, match="'ring'"):
            prove(given.only("ring"), Network(model), VECTOR, seed=seed)


def test_a_derived_group_that_fails_is_dropped_and_named(monkeypatch):
    """What is true is given out all the same."""
    from ridgeline.symmetry import finding

    model = Run(lambda m, x: m.o(m.b(m.a(x).relu()).relu()), a=L(5, 8), b=L(8, 7), o=L(7, 3))
    wrong = Group("wrong", (Place("b.weight", 0, np.arange(7).reshape(1, 7, 1)),))
    monkeypatch.setattr(finding, "discover", lambda n, x: discover(n, x).adding(wrong))
    found = symmetries(model, VECTOR)
    assert {g.name for g in found.groups} == {"a", "b"}
    assert "derived, but dropped because outputs change: 'wrong' (" in str(found)
    assert ("b.weight", 0) in {(f.tensor, f.axis) for f in found.fixed}
