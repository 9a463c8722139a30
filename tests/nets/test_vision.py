import pytest
import torch

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import vit


def images(count=2, size=8):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def small(**options):
    return vit(size=8, width=8, heads=2, depth=2, **options).eval()


@pytest.mark.parametrize("pooled", ["class", "mean"])
def test_without_positions_the_order_of_patches_does_not_matter(pooled):
    net = small(pooled=pooled)
    x = images()
    turned = torch.cat([x[..., 4:], x[..., :4]], -1)
    assert not torch.allclose(net(x), net(turned), rtol=1e-3)
    net.position.weight.data.zero_()
    torch.testing.assert_close(net(x), net(turned))


def test_names():
    names = {n for n, _ in small().named_parameters()}
    assert {"token", "patch.weight", "position.weight", "head.bias", "norm.weight"} < names
    assert "blocks.1.attention.query.weight" in names
    assert "token" not in {n for n, _ in small(pooled="mean").named_parameters()}


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="divide `size`"):
        vit(size=30)
    with pytest.raises(UsageError, match="divide `width`"):
        vit(width=10, heads=4)
    with pytest.raises(UnknownName, match="pooling"):
        vit(pooled="max")
