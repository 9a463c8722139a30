import pytest
import torch

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import resnet18, resnet20


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
    for scale in (float("inf"), float("nan")):
        with pytest.raises(UsageError, match="scale"):
            resnet20(width=1, scale=scale)


def test_resnet18_is_the_usual_one():
    net = resnet18(norm="batch")
    assert sum(p.numel() for p in net.parameters()) == 11_173_962
    names = [n for n, p in net.named_parameters() if p.ndim == 4]
    expected = ["conv1.weight"]
    for i in range(1, 5):
        for j in (0, 1):
            expected += [f"layer{i}.{j}.conv{k}.weight" for k in (1, 2)]
            expected += [f"layer{i}.0.downsample.0.weight"] if i > 1 and j == 0 else []
    assert names == expected


@pytest.mark.parametrize("make", [resnet18, resnet20])
def test_fixup_begins_as_the_identity_with_nothing_to_say(make):
    net = make(width=4, norm="fixup")
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(net(x), torch.zeros(3, 10))
    block = net.layer1[0]
    maps = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(block(maps), maps)
    plain = make(width=4, norm="batch")
    shrunk = net.layer1[0].conv1.weight / plain.layer1[0].conv1.weight
    torch.testing.assert_close(shrunk, torch.full_like(shrunk, net.branches**-0.5))


def test_layer_norm_is_over_channels():
    net = resnet20(width=4, norm="layer").eval()
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2)
    torch.testing.assert_close(net.layer1[0].bn1(x), expected)
