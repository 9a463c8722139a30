"""Products with named axes, and attention that looks back only."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.symmetry.rules.contractions import spelt
from symmetric import Run, p, seeded
from symmetry.derived import derive, fixed

X = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1))
OVER: Any = ([2], [1])  # whose type torch states as that of a number
ROWS: Any = ([2], [0])
LONG = torch.randn(3, 7, 6, generator=torch.Generator().manual_seed(2))


def attended(m, h, causal):
    for _ in range(2):
        h = h + F.scaled_dot_product_attention(m.q(h), m.k(h), m.v(h), is_causal=causal)
    return h


def latents(causal):
    return seeded(
        lambda: Run(
            lambda m, x: m.o(attended(m, m.t + x.mean(1, keepdim=True), causal).mean(1)),
            t=p(5, 6),
            **{name: nn.Linear(6, 6) for name in "qkvo"},
        )
    )()


def test_learned_vectors_that_look_back_only_stay_in_order():
    s = derive(latents(True), X, [6], LONG)
    assert fixed(s)["t", 0] == "meets coordinates that never move"


def test_without_a_mask_they_change_places():
    s = derive(latents(False), X, [5, 6], LONG)
    assert ("t", 0) in {(q.tensor, q.axis) for g in s.groups for q in g.places}


def test_prompts_before_the_inputs():
    """Every prompt is told apart by the layers in which others look back at it."""

    def run(m, x):
        h = torch.cat([m.p.expand(x.shape[0], -1, -1), x], 1)
        return m.o(attended(m, h, True)[:, -1])

    model = seeded(lambda: Run(run, p=p(3, 6), **{n: nn.Linear(6, 6) for n in "qkvo"}))()
    s = derive(model, X, [6], LONG)
    assert ("p", 0) in fixed(s)
    assert ("p", 1) in fixed(s)  # added to the inputs' coordinates


EQUATIONS = {
    "explicit": ("btd,hd->bth", "bth,oh->bto"),
    "ellipsis": ("...d,hd->...h", "...h,oh->...o"),
    "ellipsis on both sides": ("...d,...hd->...h", "...h,...oh->...o"),
    "implicit": ("btd,dh", "bnt,na"),
    "implicit, with ellipsis": ("...d,dh", "...n,na"),
    "spaces": ("... d, h d -> ... h", "... h, o h -> ... o"),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_an_einsum_is_a_product_however_it_is_spelt(name):
    one, other = EQUATIONS[name]
    turned = ",dh" in one

    def run(m, x):
        h = torch.einsum(one, x, m.w.t() if turned else m.w).relu()
        return torch.einsum(other, h, m.v.t() if turned else m.v)

    derive(seeded(lambda: Run(run, w=p(8, 6), v=p(3, 8)))(), X, [8], LONG)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...ij,...jk", [(2, 3, 4), (4, 5)]),
        ("ij,jk", [(3, 4), (4, 5)]),
        ("bA,bc", [(3, 4), (3, 5)]),
        ("...,...", [(3, 1), (2, 1, 4)]),
        ("i...,i...->...i", [(3, 2, 4), (3, 4)]),
        ("...a,ab->b...", [(2, 3, 4), (4, 5)]),
        (" a ... b , c b -> ... a c ", [(2, 3, 4), (5, 4)]),
        ("ba", [(2, 3)]),
    ],
)
def test_a_spelt_equation_means_the_same(equation, shapes):
    given = [torch.randn(s, dtype=torch.float64) for s in shapes]
    parts, right = spelt(equation, [len(s) for s in shapes])
    assert "." not in "".join(parts) + right
    # Written out, an axis that is broadcast must be there with size one, which einsum also takes.
    assert torch.equal(
        torch.einsum(f"{','.join(parts)}->{right}", *given), torch.einsum(equation, *given)
    )


def test_a_diagonal_is_not_followed():
    model = Run(
        lambda m, x: m.o(torch.einsum("bii->bi", m.a(x))),
        a=nn.Linear(6, 4),
        o=nn.Linear(4, 2),
    )
    s = derive(model, X, [])
    assert "a.weight" in {f.tensor for f in s.fixed}


def test_heads_with_an_ellipsis():
    def run(m, x):
        q, k, v = m.qkv(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        a = torch.einsum("... i d, ... j d -> ... i j", q, k).softmax(-1)
        return m.o(torch.einsum("... i j, ... j d -> ... i d", a, v).transpose(1, 2).flatten(2))

    model = seeded(lambda: Run(run, qkv=nn.Linear(6, 24), o=nn.Linear(8, 3)))()
    derive(model, X, [2, (2, 4), (2, 4)], LONG)


def test_a_bilinear_form_has_units_on_three_axes():
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.b(m.l(x), m.r(x)).relu()),
            l=nn.Linear(6, 4),
            r=nn.Linear(6, 5),
            b=nn.Bilinear(4, 5, 7),
            o=nn.Linear(7, 3),
        )
    )()
    derive(model, X, [4, 5, 7], LONG)


def test_products_that_are_summed_over_named_axes():
    model = seeded(
        lambda: Run(
            lambda m, x: torch.tensordot(torch.tensordot(x, m.w, OVER).relu(), m.v, ROWS),
            w=p(8, 6),
            v=p(8, 3),
        )
    )()
    derive(model, X, [8], LONG)
    grams = seeded(
        lambda: Run(lambda m, x: torch.inner(m.a(x), m.c), a=nn.Linear(6, 8), c=p(5, 8))
    )()
    derive(grams, X, [8], LONG)
    outer = seeded(
        lambda: Run(
            lambda m, x: F.linear(F.linear(x, torch.outer(m.u, m.v)).relu(), m.w),
            u=p(8),
            v=p(6),
            w=p(3, 8),
        )
    )()
    derive(outer, X, [8], LONG)


def test_distances_to_centres():
    """A radial network: centres change places, and so do what they are centres of."""
    model = seeded(
        lambda: Run(
            lambda m, x: m.o((-torch.cdist(m.a(x), m.c)).exp()),
            a=nn.Linear(6, 4),
            c=p(7, 4),
            o=nn.Linear(7, 2),
        )
    )()
    derive(model, X, [4, 7], LONG)


def test_what_is_compared_with_the_inputs_stays():
    model = Run(lambda m, x: F.cosine_similarity(m.a(x), x[..., :6], -1), a=nn.Linear(6, 6))
    s = derive(model, X, [], LONG)
    assert fixed(s)["a.weight", 0] == "inputs of the network"
