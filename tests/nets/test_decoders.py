import math

import pytest
import torch

from ridgeline import state
from ridgeline.errors import UsageError
from ridgeline.nets import transformer

TOKENS = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])


def test_the_class_axis_is_last():
    assert transformer(11, 8)(TOKENS).shape == (2, 5, 11)


def test_the_future_is_not_seen():
    net = transformer(11, 8).double().eval()
    changed = TOKENS.clone()
    changed[:, 3] = 7
    before, after = net(TOKENS), net(changed)
    torch.testing.assert_close(before[:, :3], after[:, :3], atol=1e-14, rtol=0)
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_attention_is_the_formula():
    layer = transformer(11, 8, width=6, heads=2).double().blocks[0].attention
    x = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0)).double()
    heads = []
    for h in (slice(0, 3), slice(3, 6)):
        q, k, v = (m(x)[..., h] for m in (layer.query, layer.key, layer.value))
        scores = q @ k.mT / 3**0.5
        scores = scores.masked_fill(torch.ones(4, 4).triu(1).bool(), -torch.inf)
        heads.append(scores.softmax(-1) @ v)
    torch.testing.assert_close(layer(x), layer.out(torch.cat(heads, -1)))


@pytest.mark.parametrize("tied", [True, False])
def test_ties_are_ties(tied):
    net = transformer(11, 8, tied=tied)
    assert (net.head.weight is net.token.weight) == tied
    assert state.ties(state.capture(net)) == ([("token.weight", "head.weight")] if tied else [])


def test_the_same_seed_is_the_same_network_and_draws_nothing_else():
    before = torch.get_rng_state()
    first, second = (transformer(11, 8, seed=3, tied=False).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_at_first_every_token_is_about_as_likely():
    loss = torch.nn.functional.cross_entropy(transformer(50, 8, tied=False)(TOKENS).mT, TOKENS)
    assert float(loss.detach()) == pytest.approx(math.log(50), abs=0.1)


def test_bad_sizes_are_refused():
    with pytest.raises(UsageError, match=r"`heads` must divide `width`.*heads=4, width=10"):
        transformer(11, 8, width=10, heads=4)
    with pytest.raises(UsageError, match="`depth`"):
        transformer(11, 8, depth=0)
    with pytest.raises(UsageError, match="at most 4 tokens"):
        transformer(11, 4)(TOKENS)
