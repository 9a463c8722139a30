"""What moves elements: borders, shuffles and slopes of channels."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetric import Run, seeded
from symmetry.derived import derive

C, C1, L, R = nn.Conv2d, nn.Conv1d, nn.Linear, nn.ReLU
VECTOR, TOKENS, IMAGE = torch.randn(2, 5), torch.randn(2, 4, 6), torch.randn(2, 3, 8, 8)
SIGNAL = torch.randn(2, 3, 9)


def head(*parts, width):
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), L(width, 2))


def padded(m, x):
    """A U-Net whose sizes are odd: what comes up is padded to the size of what is beside it."""
    h = m.d(x).relu()
    u = F.pad(m.up(F.max_pool2d(h, 2)), (0, 1, 0, 1))
    return m.o(m.u(torch.cat([h, u], 1)).relu())


def causal(m, x):
    return m.o(m.b(F.pad(m.a(F.pad(x, (2, 0))).relu(), (2, 0))).relu().mean(-1))


def shortcut(m, x):
    """Of the first residual networks: zeros beside the channels, no weights."""
    h = m.a(x).relu()
    wide = F.pad(h[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))
    return m.o((m.c(m.b(h).relu()) + wide).relu().mean((2, 3)))


def both_sides(m, x):
    """Half of the channels are padded on the one side, half on the other."""
    h = m.a(x).relu()
    return m.c(torch.cat([F.pad(h[:, :3], (1, 0)), F.pad(h[:, 3:], (0, 1))], 1))


def behind_zeros(m, x):
    h = torch.cat([torch.zeros(x.shape[0], 6, 1, dtype=x.dtype), m.a(x)], -1)
    return m.o(m.c(h).relu().mean(-1))


def in_a_row(m, x):
    return m.o(m.c(torch.cat([m.a(x), m.b(x)], -1)).relu().mean(-1))


def space_to_depth(m, x):
    h = m.a(x)
    b, c, n, _ = h.shape
    h = h.reshape(b, c, n // 2, 2, n // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return m.o(h.reshape(b, 4 * c, n // 2, n // 2))


ODD, LARGER = torch.randn(2, 3, 9, 9), torch.randn(1, 3, 12, 12)
FOLLOWED = {
    "slopes of channels": (
        lambda: head(C(3, 6, 3), nn.PReLU(6), C(6, 4, 3), nn.PReLU(4), width=4),
        IMAGE,
        [4, 6],
        [LARGER],
    ),
    "slopes of channels, as many as pixels in a row": (
        lambda: nn.Sequential(C1(3, 6, 1), nn.PReLU(6), C1(6, 2, 1)),
        torch.randn(6, 3, 6),
        [6],
        [SIGNAL],
    ),
    "one slope": (lambda: nn.Sequential(L(5, 6), nn.PReLU(), L(6, 2)), VECTOR, [6], []),
    "slopes after a linear layer": (
        lambda: nn.Sequential(L(5, 6), nn.PReLU(6), L(6, 2)),
        VECTOR,
        [6],
        [],
    ),
    "slopes of tokens": (  # the second axis, whatever it is
        lambda: Run(lambda m, x: m.o(m.p(m.a(x))).mean(1), a=L(6, 8), p=nn.PReLU(4), o=L(8, 2)),
        TOKENS,
        [8],
        [],
    ),
    "U-Net of odd sizes": (
        lambda: Run(
            padded,
            d=C(3, 4, 3, padding=1),
            up=nn.ConvTranspose2d(4, 5, 2, 2),
            u=C(9, 6, 3, padding=1),
            o=C(6, 2, 1),
        ),
        ODD,
        [4, 5, 6],
        [torch.randn(1, 3, 11, 11)],
    ),
    "causal convolutions": (
        lambda: Run(causal, a=C1(3, 6, 3), b=C1(6, 5, 3), o=L(5, 2)),
        SIGNAL,
        [5, 6],
        [torch.randn(1, 3, 14)],
    ),
    "a border before pooling": (
        lambda: head(C(3, 6, 3), R(), nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, 2), width=6),
        IMAGE,
        [6],
        [],
    ),
    "a border of ones": (
        lambda: nn.Sequential(C1(3, 6, 1), nn.ConstantPad1d(1, 1.0), C1(6, 2, 2)),
        SIGNAL,
        [6],
        [],
    ),
    "a border without an end": (
        lambda: nn.Sequential(
            C1(3, 6, 1), nn.ConstantPad1d(1, -float("inf")), nn.MaxPool1d(2), C1(6, 2, 2)
        ),
        SIGNAL,
        [6],
        [],
    ),
    "a border cut off": (
        lambda: nn.Sequential(C1(3, 6, 1), nn.ConstantPad1d((2, -1), 0.0), C1(6, 2, 2)),
        SIGNAL,
        [6],
        [],
    ),
    "a frame of zeros": (
        lambda: Run(behind_zeros, a=C1(3, 6, 1), c=C1(6, 4, 2), o=L(4, 2)),
        SIGNAL,
        [4, 6],
        [torch.randn(1, 3, 12)],
    ),
    "channels of zeros": (
        lambda: Run(
            shortcut, a=C(3, 4, 3, 1, 1), b=C(4, 6, 3, 2, 1), c=C(6, 6, 3, 1, 1), o=L(6, 2)
        ),
        IMAGE,
        [2, 4, 6],
        [LARGER],
    ),
    "borders on two sides": (
        lambda: Run(both_sides, a=C1(3, 6, 1), c=C1(6, 2, 2)),
        SIGNAL,
        [3, 3],
        [torch.randn(1, 3, 12)],
    ),
    "two sequences in a row": (
        lambda: Run(in_a_row, a=C1(3, 6, 1), b=C1(3, 6, 1), c=C1(6, 4, 2), o=L(4, 2)),
        SIGNAL,
        [4, 6],
        [torch.randn(1, 3, 12)],
    ),
    "a picture out of a vector": (
        lambda: head(
            L(5, 54),
            nn.Unflatten(1, (6, 3, 3)),
            R(),
            nn.ConvTranspose2d(6, 4, 2),
            R(),
            width=4,
        ),
        VECTOR,
        [4, 6],
        [],
    ),
    "channels to places": (
        lambda: nn.Sequential(C(3, 5, 3), R(), C(5, 16, 1), nn.PixelShuffle(2), R(), C(4, 2, 2)),
        IMAGE,
        [4, 5],
        [LARGER],
    ),
    "places to channels": (
        lambda: nn.Sequential(C(3, 5, 3), nn.PixelUnshuffle(2), C(20, 3, 2)),
        IMAGE,
        [5],
        [LARGER],
    ),
    "places to channels by hand": (
        lambda: Run(space_to_depth, a=C(3, 5, 1), o=C(20, 3, 1)),
        IMAGE,
        [5],
        [LARGER],
    ),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_groups_are_those_that_a_hand_derives(name):
    make, example, expected, more = FOLLOWED[name]
    derive(seeded(make)(), example, expected, torch.cat([example, example[:1]]), *more)


@pytest.mark.parametrize(
    ("mode", "dims"),
    [
        *(("nearest-exact", k) for k in (1, 2, 3)),
        *(("nearest", 3), ("trilinear", 3), ("bilinear", 2), ("bicubic", 2)),
    ],
)
def test_pictures_of_another_size_keep_their_channels(mode, dims):
    conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
    smooth = mode in ("bilinear", "bicubic")  # with antialias, operations of their own

    def run(m, x):
        size = [6] * dims if not smooth else [3] * dims
        return m.b(F.interpolate(m.a(x).relu(), size=size, mode=mode, antialias=smooth))

    model = seeded(lambda: Run(run, a=conv(3, 5, 1), b=conv(5, 2, 1)))()
    derive(model, torch.randn(1, 3, *[4] * dims), [5], torch.randn(2, 3, *[5] * dims))


def test_a_type_that_is_taken_of_a_tensor_of_another_shape():
    def run(m, x):
        best = m.g(x).topk(2, -1).values.softmax(-1).type_as(x)
        return m.o(m.e(x).to(best) * best.sum(-1, keepdim=True)).mean(1)

    model = seeded(lambda: Run(run, g=L(6, 5), e=L(6, 4), o=L(4, 2)))()
    derive(model, TOKENS, [4, 5])
