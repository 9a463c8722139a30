"""The page on gradients and curvature: its blocks run, and give what autograd gives."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

PAGE = Path(__file__).parents[1] / "docs" / "gradients.md"


@pytest.fixture(scope="module")
def page():
    """What stands after all blocks of the page, in their order."""
    held = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(compile(block, str(PAGE), "exec"), held)
    return held


def test_the_slope_and_the_curvature_along_the_line_are_the_losses_own(page):
    a, b, samples = page["a"], page["b"], page["objective"].samples
    t = torch.tensor(0.5, requires_grad=True)
    at = {n: (1 - t) * x + t * b[n] for n, x in a.items()}
    outputs = torch.func.functional_call(page["model"], at, (samples.inputs,))
    loss = F.cross_entropy(outputs, samples.targets)
    (slope,) = torch.autograd.grad(loss, t, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, t)
    along, hessian = page["along"], page["hessian"]
    assert page["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert hessian.flatten(page["slope"]) @ along == pytest.approx(float(slope.detach()), rel=1e-3)
    assert along @ (hessian @ along) == pytest.approx(float(curvature), rel=1e-3)
    assert page["top"][0] * (along @ along) > float(curvature)


def test_single_samples(page):
    rows, gram = page["rows"], page["rows"].gram()
    shape = tuple(page["gradients"]["fc1.weight"].shape)
    assert shape == (len(page["weights"]), 16, 64)
    assert gram.shape == (rows.shape[0],) * 2
    norms = np.square(rows.T @ np.eye(rows.shape[0], 3, dtype=np.float32)).sum(0)
    np.testing.assert_allclose(np.diag(gram)[:3], norms, rtol=1e-4)


def test_the_input_of_the_last_block_moves(page):
    net, point = page["net"], page["point"]
    found = page["rl"].gradient(point, net.state_dict(), names="input")["input"]
    x = net.input.detach().clone().requires_grad_()
    F.cross_entropy(net.net(x), point.samples.targets).backward()
    torch.testing.assert_close(found, x.grad)
