"""Networks that take their data, and those that do not."""

import pytest
import torch
from torch import nn

from ridgeline.data import Split
from ridgeline.errors import DataError
from ridgeline.nets import fcn
from ridgeline.study.fitting import check_fit, misfit


def split(*shape, classes=3):
    return Split(torch.zeros(6, *shape), torch.arange(6) % classes)


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        (fcn(64, 8, 3), split(64), ""),
        (fcn(13, 8, 3), split(64), "the data have 64 features (a sample is 64), the network takes"),
        (fcn(64, 8, 2), split(64), "the data have 3 classes, the network has 2 outputs"),
        (nn.Conv2d(3, 4, 3), split(1, 8, 8), "the data have 1 channels (a sample is 1 x 8 x 8)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 3)), split(2, 4), "the data have 8 features"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(9, 3)),
            split(1, 8, 8),
            "a sample is 1 x 8 x 8; a layer of the network gets 72 features of it and takes 9",
        ),
        (nn.Bilinear(2, 2, 3), split(2), "TypeError"),
    ],
)
def test_a_misfit_is_told_in_the_datas_terms(model, data, said):
    model.train()
    why = misfit(model, data)
    assert why.startswith(said) if said else not why
    assert model.training


def test_a_regression_has_no_classes():
    assert not misfit(fcn(64, 8, 1), split(64), loss="squared_error")


def test_refusal_names_both():
    with pytest.raises(DataError, match="digits with fcn 13-3: the data have 64 features"):
        check_fit(fcn(13, 3), split(64), network="fcn 13-3", name="digits")
