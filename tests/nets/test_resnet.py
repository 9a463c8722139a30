import pytest
import torch

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import resnet20


def test_it_has_the_parameters_of_the_paper():
    # He et al. table 6: 0.27 million; projections (option B) add two 1x1 convolutions.
    shortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert sum(p.numel() for p in resnet20().parameters()) - shortcuts == 269_722


def test_it_has_twenty_layers_besides_projections():
    names = [n for n, x in resnet20().named_parameters() if x.ndim > 1 and "downsample" not in n]
    assert len(names) == 20
    assert {"conv1.weight", "layer2.0.conv1.weight", "layer3.2.conv2.weight", "fc.weight"} < {
        *names
    }


@pytest.mark.parametrize("norm", ["batch", None])
def test_signals_neither_vanish_nor_explode(norm):
    net = resnet20(classes=7, width=8, norm=norm, channels=1).train()
    x = torch.randn(16, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    outputs = net(x)
    assert outputs.shape == (16, 7)
    assert 0.1 < float(outputs.detach().std()) < 10


def test_a_block_is_a_branch_and_a_shortcut():
    net = resnet20(width=4).eval()
    block = net.layer2[0]
    with torch.no_grad():
        block.bn2.weight.zero_()
        x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        assert torch.equal(block(x), torch.relu(block.downsample(x)))


@pytest.mark.parametrize("norm", ["batch", None])
def test_the_same_seed_is_the_same_network_and_draws_nothing_else(norm):
    before = torch.get_rng_state()
    first, second = (resnet20(width=4, norm=norm, seed=3).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert ("conv1.bias" in first) == (norm is None)


def test_bad_options_are_refused():
    with pytest.raises(UnknownName, match="norm"):
        resnet20(norm="bacth")
    with pytest.raises(UsageError, match="`width`"):
        resnet20(width=0)
