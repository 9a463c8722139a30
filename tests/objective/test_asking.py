"""What an objective finds out of its first samples."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import DataError, ForwardFailed
from ridgeline.objective import asking

X, Y = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3


def net(out=3, inside=4):
    return nn.Sequential(nn.Linear(inside, 8), nn.ReLU(), nn.Linear(8, out))


def test_classes_are_those_of_the_outputs():
    assert rl.Objective(net(5), (X, Y)).classes == 5
    assert rl.Objective(net(2), (X, X[:, :2]), loss="mse").classes == 2
    images = nn.Conv2d(1, 6, 1), (torch.randn(3, 1, 2, 2), torch.zeros(3, 2, 2).long())
    assert rl.Objective(*images, loss=nn.CrossEntropyLoss()).classes == 6


def test_samples_without_a_label_that_counts_are_counted():
    y = Y.clone()
    y[:7] = -100
    objective = rl.Objective(net(), (X, y))
    assert objective.left_out == 7 and rl.Objective(net(), (X, Y)).left_out == 0


def test_a_sequence_counts_if_one_of_its_positions_does():
    model = nn.Sequential(nn.Embedding(5, 3))
    tokens, labels = (
        torch.zeros(4, 2).long(),
        torch.tensor([[0, 1], [-100, 1], [-100, -100], [2, 2]]),
    )
    assert rl.Objective(model, (tokens, labels)).left_out == 1


def test_labels_outside_of_the_classes_are_refused_by_a_metric_too():
    y = Y.clone()
    y[11] = 3
    with pytest.raises(DataError, match="sample 11"):
        rl.Objective(net(), (X, y))


def test_shares_outside_of_the_unit_interval_are_refused():
    with pytest.raises(DataError):
        rl.Objective(net(1), (X, torch.full((40, 1), 1.5)), loss="bce")


def test_samples_asked_about_are_spread_over_the_data(monkeypatch):
    seen = []
    first = asking.check_batches
    monkeypatch.setattr(asking, "check_batches", lambda *a: (seen.append(a[2]), first(*a)))
    rl.Objective(net(1), (X, torch.arange(40.0)[:, None]), loss="mse")
    (targets,) = seen
    assert len(targets) == asking.PROBED == 32
    assert float(targets[0]) == 0 and float(targets[-1]) == 39


@pytest.mark.parametrize(("width", "rows"), [(8, 2048), (2**13, 64), (2**20, 16)])
def test_a_chunk_is_as_large_as_its_largest_activation_allows(width, rows, monkeypatch):
    monkeypatch.setattr(asking, "activation_bytes", lambda *_: 4 * width)
    assert rl.Objective(net(), (X, Y)).rows == rows


def test_a_network_that_raises_is_named_with_its_cause():
    class Raising(nn.Linear):
        def forward(self, x):
            raise KeyError("lost")

    with pytest.raises(ForwardFailed, match="probing the first samples") as caught:
        rl.Objective(Raising(4, 3), (X, Y))
    assert "The model, its loss or a metric" in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)


def test_inputs_as_a_tuple_are_told_to_be_unpacked_only_if_the_network_failed():
    def loss(outputs, targets):
        raise TypeError("mine")

    with pytest.raises(ForwardFailed, match="mine") as caught:
        rl.Objective(net(), (X, Y), loss=loss, metrics={})
    assert caught.value.remedy == "" or "forward=" not in caught.value.remedy


def test_no_number_is_measured_where_it_was_only_asked():
    objective = rl.Objective(net(), (X, Y))
    assert objective.kept_statistics == {} and objective.taken_on_trust == ()
