import pytest
import torch

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import lenet, vgg, vgg11, vgg16


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_parameters_are_those_of_the_usual_networks():
    assert count(vgg16(norm="batch")) == 14_728_266
    assert count(vgg11(norm="batch")) == 9_231_114
    assert count(lenet()) == 61_706


def test_convolutions_are_numbered_as_torchvision_numbers_them():
    weights = [n for n, p in vgg16().named_parameters() if p.ndim == 4]
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    assert weights == [f"features.{i}.weight" for i in numbers]
    weights = [n for n, p in vgg16(norm="batch").named_parameters() if p.ndim == 4]
    numbers = (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40)
    assert weights == [f"features.{i}.weight" for i in numbers]


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
@pytest.mark.parametrize("size", [28, 32, 64])
def test_depths_and_sizes(depth, size):
    net = vgg(depth, classes=7, width=0.1, channels=1)
    assert net(torch.zeros(2, 1, size, size)).shape == (2, 7)
    layers = [p for p in net.parameters() if p.ndim > 1]
    assert len(layers) == depth - 2  # three linear layers of the paper are one here


def test_width_norm_and_biases():
    assert vgg11(width=0.25).features[0].weight.shape == (16, 3, 3, 3)
    assert not any(n.endswith("bias") for n, _ in vgg11(bias=False).named_parameters())
    layered = vgg11(norm="layer", width=0.1).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    maps = layered.features[1](layered.features[0](x))
    torch.testing.assert_close(maps.mean(1), torch.zeros(2, 32, 32), atol=1e-5, rtol=0)


def test_lenet_names_and_sizes():
    names = [n for n, p in lenet().named_parameters() if p.ndim > 1]
    assert names == [f"{n}.weight" for n in ("conv1", "conv2", "fc1", "fc2", "fc3")]
    assert lenet(channels=3, size=32, classes=4)(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
    assert lenet(size=28).fc1.in_features == lenet(size=32).fc1.in_features == 400


def test_what_cannot_be_is_refused():
    with pytest.raises(UnknownName, match="depth of a VGG"):
        vgg(12)
    with pytest.raises(UnknownName, match="norm"):
        vgg11(norm="group")
    with pytest.raises(UsageError, match="`width`"):
        vgg11(width=0.0)
    with pytest.raises(UsageError, match="at least 12"):
        lenet(size=8)
    with pytest.raises(UnknownName, match="activation"):
        lenet(activation="rele")
