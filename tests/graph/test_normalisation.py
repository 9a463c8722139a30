"""Normalisation of weights by their own statistics, spelt out in plain arithmetic."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.errors import NotTraceable
from ridgeline.graph import Network, flatten
from ridgeline.graph.values import values_of


class Standardised(nn.Module):
    """A linear layer whose rows are standardised, as scaled weight standardisation does it."""

    def __init__(self, affine):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 5))
        self.gain = nn.Parameter(torch.rand(4)) if affine else None
        self.shift = nn.Parameter(torch.rand(4)) if affine else None

    def forward(self, x):
        rows = self.weight.reshape(1, 4, 5)
        made = F.batch_norm(rows, None, None, self.gain, self.shift, training=True, eps=0.1)
        return x @ made.reshape(4, 5).T


@pytest.mark.parametrize("affine", [False, True])
def test_standardisation_divides_by_the_biased_deviation(affine):
    torch.manual_seed(0)
    model = Standardised(affine).double()
    x = torch.randn(3, 5).double()
    trace = Network(model).trace(x)
    values = values_of(trace, [*Network(model).tensors.values(), *flatten(x)])
    (end,) = next(n for n in trace.graph.nodes if n.op == "output").all_input_nodes
    w = model.weight.detach()
    rows = torch.stack([(r - r.mean()) / ((r - r.mean()).pow(2).sum() / 5 + 0.1).sqrt() for r in w])
    if affine:
        rows = rows * model.gain.detach()[:, None] + model.shift.detach()[:, None]
    torch.testing.assert_close(values[end].detach(), x @ rows.T, rtol=1e-12, atol=1e-12)


def test_normalisation_of_data_by_their_batch_is_refused():
    class OfData(nn.Module):
        def forward(self, x):
            return F.batch_norm(x, None, None, training=True)

    with pytest.raises(NotTraceable, match="in training mode"):
        Network(OfData()).trace(torch.randn(3, 5))
