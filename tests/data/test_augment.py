import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.data.augment import random_crop, random_flip
from ridgeline.data.images import normalise, to_unit
from ridgeline.errors import DataError, UsageError


def slow_crop(images, padding, generator, mode):
    """Image by image, with the draws in the same order."""
    n, _, h, w = images.shape
    top = torch.randint(2 * padding + 1, (n,), generator=generator)
    left = torch.randint(2 * padding + 1, (n,), generator=generator)
    result = torch.zeros_like(images)
    for i in range(n):
        for y in range(h):
            for x in range(w):
                sy, sx = y + int(top[i]) - padding, x + int(left[i]) - padding
                if mode == "reflect":
                    sy = abs(sy) if sy < h else 2 * (h - 1) - sy
                    sx = abs(sx) if sx < w else 2 * (w - 1) - sx
                if 0 <= sy < h and 0 <= sx < w:
                    result[i, :, y, x] = images[i, :, sy, sx]
    return result


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(*[st.integers(1, 4)] * 2, *[st.integers(3, 6)] * 2),
    padding=st.integers(0, 2),
    mode=st.sampled_from(["zero", "reflect"]),
    seed=st.integers(0, 99),
)
def test_crops_equal_the_slow_reference(shape, padding, mode, seed):
    images = torch.randn(shape, generator=torch.Generator().manual_seed(seed + 1))
    fast = random_crop(images, padding, generator=torch.Generator().manual_seed(seed), mode=mode)
    slow = slow_crop(images, padding, torch.Generator().manual_seed(seed), mode)
    assert torch.equal(fast, slow)
    assert fast.is_contiguous()


def test_every_shift_occurs():
    images = F.pad(torch.ones(500, 1, 1, 1), (2, 2, 2, 2))
    moved = random_crop(images, 2, generator=torch.Generator().manual_seed(0))
    assert (moved.sum((0, 1)) > 0).all()
    assert int(moved.sum()) == 500


def test_flips_equal_the_slow_reference():
    images = torch.randn(50, 3, 4, 5)
    fast = random_flip(images, generator=torch.Generator().manual_seed(3))
    drawn = torch.rand(50, generator=torch.Generator().manual_seed(3))
    for image, result, u in zip(images, fast, drawn, strict=True):
        assert torch.equal(result, image.flip(-1) if u < 0.5 else image)
    assert torch.equal(random_flip(images, generator=torch.Generator(), probability=0), images)


def test_augmentation_leaves_its_input_and_the_global_generator_alone():
    images, state = torch.randn(4, 1, 3, 3), torch.get_rng_state()
    before = images.clone()
    random_crop(images, 1, generator=torch.Generator()).zero_()
    random_crop(images, 0, generator=torch.Generator()).zero_()
    random_flip(images, generator=torch.Generator()).zero_()
    assert torch.equal(images, before)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("padding", [-1, 3])
def test_impossible_paddings_are_refused(padding):
    with pytest.raises(UsageError, match=rf"padding {padding} of 3 x 3 images, mode 'reflect'"):
        random_crop(torch.ones(1, 1, 3, 3), padding, generator=torch.Generator(), mode="reflect")


@pytest.mark.parametrize("images", [torch.ones(1, 3, 3), torch.ones(1, 1, 3, 3).byte()])
def test_what_are_no_images_are_refused(images):
    with pytest.raises(UsageError, match=r"floating, of shape \(N, C, H, W\)"):
        random_crop(images, 1, generator=torch.Generator())
    with pytest.raises(UsageError, match=r"floating, of shape \(N, C, H, W\)"):
        random_flip(images, generator=torch.Generator())


def test_normalising_is_by_channel():
    pixels = torch.tensor([0, 255], dtype=torch.uint8).repeat(2, 2, 3, 1)
    images = normalise(to_unit(pixels), (0.5, 0.25), (0.5, 0.25))
    assert images[0, 0, 0].tolist() == [-1, 1]
    assert images[1, 1, 0].tolist() == [-1, 3]
    with pytest.raises(DataError, match="1 means and 1 deviations"):
        normalise(to_unit(pixels), (0.5,), (0.5,))
