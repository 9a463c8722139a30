"""Checkpoints with running statistics and counts through ``align`` and ``merge``."""

import pytest
import torch

from ridgeline import io, nets
from ridgeline import state as states
from ridgeline.symmetry import symmetries

MODEL = ("--model", "ridgeline.nets:resnet20(width=2)")
EXAMPLE = ("--example", "torch:zeros(2,3,8,8)")


@pytest.fixture
def trained(here):
    """Two files of other wrappers; b is a with its channels in another order and more batches."""
    model = nets.resnet20(width=2, seed=0)
    draw = torch.Generator().manual_seed(0)
    a = {}
    for n, x in states.capture(model).items():
        if n.endswith("num_batches_tracked"):
            a[n] = torch.tensor(5)
        else:
            noise = torch.randn(x.shape, generator=draw)
            a[n] = noise.exp() if n.endswith("running_var") else x + 0.1 * noise
    b = symmetries(model, torch.zeros(2, 3, 8, 8)).random(1)(a)
    b |= {n: torch.tensor(7) for n in b if n.endswith("num_batches_tracked")}
    torch.save({f"module.{n}": x for n, x in a.items()}, "a.pt")
    torch.save({"state_dict": {f"_orig_mod.{n}": x for n, x in b.items()}, "epoch": 3}, "b.pt")
    return model.eval(), a, b


def answer(model, state):
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return torch.func.functional_call(model, state, (x,))


def test_aligned_files_keep_the_function_and_their_own_counts(trained, ridgeline):
    model, a, b = trained
    code, _, err = ridgeline(
        "align", "a.pt", "b.pt", *MODEL, *EXAMPLE, "--out", "aligned.safetensors"
    )
    assert code == 0, err
    found = io.load("aligned.safetensors", model=model)
    assert torch.allclose(answer(model, found), answer(model, b), rtol=1e-4, atol=1e-4)
    for n, x in found.items():
        assert torch.equal(x, b[n] if n.endswith("num_batches_tracked") else a[n]), n


def test_counts_that_differ_do_not_stop_a_merge(trained, ridgeline):
    model, a, b = trained
    code, out, err = ridgeline("merge", "a.pt", "b.pt", *MODEL, "--out", "m.safetensors")
    assert code == 0, err
    assert "num_batches_tracked" in out + err
    found = io.load("m.safetensors", model=model)
    for n, x in found.items():
        if n.endswith("num_batches_tracked"):
            assert x.dtype == torch.int64 and int(x) == 5, n
        else:
            torch.testing.assert_close(x, (a[n] + b[n]) / 2)
