"""Networks that take their data, and those that do not."""

import pytest
import torch
from torch import nn

from ridgeline.data import Split
from ridgeline.errors import DataError
from ridgeline.nets import fcn
from ridgeline.study import fitting
from ridgeline.study.fitting import check_fit, check_runs, misfit
from ridgeline.study.store import Store
from study import tiny


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


def test_runs_are_tried_once_for_each_network_with_its_data_and_those_in_the_store_not_at_all(
    tmp_path, monkeypatch
):
    runs = [tiny.config(seed) for seed in range(3)] + [tiny.config(0, widths=(64, 4, 10))]
    tried, check = [], fitting.check_fit
    monkeypatch.setattr(
        fitting,
        "check_fit",
        lambda *x, **named: tried.append(named["network"]) or check(*x, **named),
    )
    store = Store(tmp_path)
    check_runs(runs, store)
    assert tried == ["fcn 64-8-10", "fcn 64-4-10"]
    monkeypatch.setattr(Store, "find_all", lambda self, hashes: dict.fromkeys(hashes, "there"))
    check_runs([tiny.config(0, widths=(13, 8, 10))], store)
    assert len(tried) == 2


def test_data_that_do_not_fit_are_told_once_for_all_runs(tmp_path):
    wrong = [tiny.config(seed, widths=(13, 8, 10)) for seed in range(2)]
    with pytest.raises(DataError) as refused:
        check_runs(wrong, Store(tmp_path))
    assert str(refused.value).count("64 features") == 1
    assert "fcn 13-8-10" in str(refused.value)
    with pytest.raises(DataError) as refused:
        check_runs([*wrong, tiny.config(widths=(12, 8, 10))], Store(tmp_path))
    assert refused.value.got.count("\n") == 1
    assert "fcn 13-8-10" in refused.value.got and "fcn 12-8-10" in refused.value.got
