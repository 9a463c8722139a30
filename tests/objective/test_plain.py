"""Plain arithmetic in the place of fused kernels gives what they give."""

import pytest
import torch
import torch.nn.functional as F

from ridgeline.objective.plain import Plain

X = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0)).double() * 2 + 1
GAIN, SHIFT = torch.rand(6).double() + 0.5, torch.rand(6).double()
MEAN, VAR = torch.rand(6).double(), torch.rand(6).double() + 0.5

CALLS = {
    "batch, of the batch": lambda: F.batch_norm(X, None, None, GAIN, SHIFT, training=True),
    "batch, of a weight": lambda: F.batch_norm(X[:1], None, None, training=True, eps=0.1),
    "batch, running": lambda: F.batch_norm(X, MEAN, VAR, GAIN, SHIFT),
    "instance": lambda: F.instance_norm(X, None, None, GAIN, SHIFT),
    "instance, running": lambda: F.instance_norm(X, MEAN, VAR, GAIN, SHIFT, False),
    "group": lambda: F.group_norm(X, 3, GAIN, SHIFT),
    "layer": lambda: F.layer_norm(X, (6, 5)),
    "root mean square": lambda: F.rms_norm(X, (5,)),
    "silu": lambda: F.silu(X),
}


@pytest.mark.parametrize("name", list(CALLS))
def test_it_is_the_kernels_number(name):
    want = CALLS[name]()
    with Plain():
        found = CALLS[name]()
    torch.testing.assert_close(found, want, rtol=1e-12, atol=1e-12)
