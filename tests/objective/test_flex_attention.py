"""FlexAttention, which is compiled when it is called: evaluated as it is, and not traced."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.flex_attention import flex_attention

import ridgeline as rl
from ridgeline.errors import NotTraceable
from symmetric import Run, heads, joined, seeded

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without:UserWarning")

X = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(1))
Y = torch.randint(0, 3, (6,), generator=torch.Generator().manual_seed(2))


def run(m, x):
    q, k, v = (heads(part(x), 2) for part in (m.q, m.k, m.v))
    return m.h(joined(flex_attention(q, k, v)).mean(1))


@pytest.fixture
def model():
    return seeded(lambda: Run(run, h=nn.Linear(8, 3), **{n: nn.Linear(8, 8) for n in "qkv"}))()


def test_the_loss_is_that_of_softmax_attention(model):
    state = {n: x.clone() for n, x in model.state_dict().items()}
    with torch.no_grad():
        q, k, v = (heads(part(X), 2) for part in (model.q, model.k, model.v))
        z = (q @ k.transpose(-1, -2) / math.sqrt(4)).softmax(-1) @ v
        expected = F.cross_entropy(model.h(joined(z).mean(1)), Y)
    found = rl.profile(rl.Polygon(state, state), rl.Objective(model, (X, Y)), points=2)
    assert found.curve().mean[0] == pytest.approx(float(expected), abs=1e-6)


def test_symmetries_are_refused_by_name_and_the_model_can_still_be_called(model):
    with pytest.raises(NotTraceable, match=r"FlexAttention.*scaled_dot_product_attention"):
        rl.symmetries(model, X)
    with torch.no_grad():
        assert model(X).shape == (6, 3)
