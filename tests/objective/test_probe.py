"""First looks at labels, shares, outputs and the size of activations."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import DataError, NotDeterministic
from ridgeline.graph import Network
from ridgeline.objective.forms import Labels
from ridgeline.objective.probe import activation_bytes, check_labels, check_shares, unpicked
from ridgeline.objective.samples import Samples

LOGITS = torch.zeros(3, 4)


def size(net, count=2, inside=8):
    network = Network(net)
    return activation_bytes(network, network.tensors, Samples(torch.zeros(count, inside), None))


def test_the_largest_activation_is_told_for_one_sample():
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    assert size(net, count=64) == size(net, count=100) == 32 * 4


def test_a_network_without_tensors_has_activations_too():
    assert size(nn.Softplus()) == 8 * 4
    assert rl.Objective(nn.Softplus(), (torch.zeros(3, 8), torch.zeros(3).long())).rows >= 16


def test_what_is_made_of_a_weight_is_no_activation():
    class Normed(nn.Linear):
        def forward(self, x):
            return nn.functional.linear(x, self.weight / self.weight.norm(), self.bias)

    assert size(Normed(8, 100), count=64) == 100 * 4
    assert size(Normed(800, 9), inside=800) <= 800 * 4


@pytest.mark.parametrize(
    ("labels", "at", "bad", "count"),
    [([0, 4, 7], 1, 4, 2), ([0, 1, -1], 2, -1, 1), ([-100, 3, 9], 2, 9, 1)],
)
def test_the_first_label_outside_is_named_with_its_sample(labels, at, bad, count):
    said = rf"4 outputs are 0 to 3.*label {bad} at sample {at} \({count} in all\).*count from 0"
    with pytest.raises(DataError, match=said):
        check_labels(LOGITS, torch.tensor(labels))


def test_labels_inside_and_those_that_do_not_count_pass():
    check_labels(LOGITS, torch.tensor([0, 3, -100]))
    check_labels(LOGITS, torch.tensor([0, 3, 9]), Labels(ignored=9))
    check_labels(torch.zeros(3, 4, 2), torch.tensor([[0, 3], [1, 2], [0, 0]]), Labels(dim=1))


def test_positions_are_looked_at_too():
    with pytest.raises(DataError, match=r"0 to 3.*label 5 at sample 1 \(2 in all\)"):
        check_labels(torch.zeros(2, 2, 4), torch.tensor([[0, 1], [5, 6]]))


def test_what_is_no_classification_is_left_to_the_loss():
    check_labels(torch.zeros(3, 1), torch.tensor([5, 6, 7]))
    check_labels(LOGITS, torch.tensor([5.0, 6.0, 7.0]))
    check_labels(LOGITS, torch.full((3, 4), 9))
    check_labels(torch.zeros(3), torch.tensor([5, 6, 7]))
    check_labels({"logits": LOGITS}, torch.tensor([5, 6, 7]))


def test_shares_lie_in_the_unit_interval():
    check_shares(torch.tensor([0.0, 1.0, 0.5]))
    said = r"lie in \[0, 1\].*-1 at sample 1 \(2 in all\).*Make 0 and 1 of -1 and 1"
    with pytest.raises(DataError, match=said):
        check_shares(torch.tensor([[0.5, 1.0], [1.0, -1.0], [2.0, 0.0]]))
    with pytest.raises(DataError, match=r"nan at sample 0 \(1 in all\)"):
        check_shares(torch.tensor([float("nan"), 1.0]))


def test_outputs_that_are_no_tensor_are_told_with_their_keys():
    assert unpicked(LOGITS) == ""
    assert "a dict of logits, pooled" in unpicked({"logits": 1, "pooled": 2})
    assert unpicked((1, 2)).startswith("The outputs are a tuple, and losses take a tensor")


def test_a_layer_that_normalises_by_its_batch_is_named_and_others_are_not():
    x, y = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 2
    net = nn.Sequential(
        nn.BatchNorm1d(3), nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 2)
    )
    with pytest.raises(
        NotDeterministic, match=r"BatchNorm1d at '1', which normalises by its batch"
    ):
        rl.Objective(net, (x, y))

    class Centred(nn.Linear):
        def forward(self, x):
            return super().forward(x - x.mean(0))

    with pytest.raises(NotDeterministic, match=r"Centred.forward, in which a sample's output"):
        rl.Objective(Centred(3, 2), (x, y))
