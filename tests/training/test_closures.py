"""Optimisers that ask for more than gradients are refused in words."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import UsageError
from ridgeline.training import Library


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torch.optim:LBFGS", r"torch\.optim:LBFGS, whose step evaluates the loss.*AdamW"),
        ("torch.optim:SparseAdam", r"SparseAdam, which raised RuntimeError.*dense gradients"),
    ],
)
def test_an_optimiser_that_is_not_given_what_it_asks_for(name, said):
    data = torch.randn(30, 4), torch.arange(30) % 3
    recipe = rl.Recipe(optimiser=Library(name=name, learning_rate=0.1), length="1ep")
    with pytest.raises(UsageError, match=said):
        rl.train(nn.Linear(4, 3), data, recipe)
