"""Parameters that each head has for its own channels, and projections that read two streams."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.symmetry import symmetries
from symmetric import Run, heads, joined, p, seeded
from symmetry.derived import orders, planted, turned

COUNT, SIZE = 3, 4
WIDTH = COUNT * SIZE
X = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))
LONG = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(2))
attend = F.scaled_dot_product_attention


def by_position(m, q, k, v):
    """Slopes that are learned, as ALiBi's are given."""
    at = torch.arange(q.shape[2])
    far = (at[:, None] - at).abs().to(q.dtype)
    return attend(q, k, v, attn_mask=-m.g[:, None, None] * far)


def with_sinks(m, q, k, v):
    """A logit of each head's own that takes a share of the attention."""
    sink = m.g.view(1, -1, 1, 1).expand(q.shape[0], -1, q.shape[2], 1)
    return torch.cat([q @ k.transpose(-1, -2), sink], -1).softmax(-1)[..., :-1] @ v


def normalised(m, q, k, v):
    def norm(x):
        return F.rms_norm(x, (SIZE,))

    return attend(norm(q) * m.g[:, None], norm(k) * m.u[:, None], v)


PER_HEAD = {
    "a gain of what a head gives": (lambda m, q, k, v: m.g * attend(q, k, v), [(COUNT, 1, 1)]),
    "a temperature": (lambda m, q, k, v: attend(q * m.g.exp(), k, v), [(1, COUNT, 1, 1)]),
    "learned slopes": (by_position, [(COUNT,)]),
    "sinks": (with_sinks, [(COUNT,)]),
    "a gain of each channel": (lambda m, q, k, v: m.g * attend(q, k, v), [(COUNT, 1, SIZE)]),
    "channels before heads": (lambda m, q, k, v: m.g.T[:, None] * attend(q, k, v), [(SIZE, COUNT)]),
    "a bias of each channel": (lambda m, q, k, v: attend(q + m.g[:, None], k, v), [(COUNT, SIZE)]),
    "norms of queries and keys": (normalised, [(COUNT, SIZE), (COUNT, SIZE)]),
}


@pytest.mark.parametrize("name", PER_HEAD)
def test_parameters_of_each_head_move_with_it_and_with_its_channels(name):
    run, shapes = PER_HEAD[name]

    def forward(m, x):
        x = m.e(x)
        q, k, v = (heads(part(x), COUNT) for part in (m.q, m.k, m.v))
        return m.h((x + m.o(joined(run(m, q, k, v)))).mean(1))

    parts = {n: nn.Linear(WIDTH, WIDTH) for n in "qkvo"}
    own = {n: p(*shape) for n, shape in zip("gu", shapes, strict=False)}
    ends = {"e": nn.Linear(5, WIDTH), "h": nn.Linear(WIDTH, 3)}
    model = seeded(lambda: Run(forward, **parts, **own, **ends))()
    symmetry = symmetries(model, X)
    expected = orders(WIDTH, COUNT, *[SIZE] * COUNT, *[SIZE] * COUNT)
    assert symmetry.elements == pytest.approx(expected, abs=1e-9), str(symmetry)
    turned(model, symmetry, X, LONG)
    planted(model, symmetry)


class TwoStreams(nn.Module):
    """An encoder and a decoder, whose streams meet in cross attention only."""

    def __init__(self, **options):
        super().__init__()
        self.one, self.other = nn.Linear(5, 8), nn.Linear(6, 8)
        self.both = nn.Transformer(8, 2, 1, 1, 5, dropout=0.0, batch_first=True, **options)
        self.head = nn.Linear(8, 3)

    def forward(self, x, y):
        return self.head(self.both(self.one(x), self.other(y)))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_and_decoder_have_streams_of_their_own(norm_first):
    model = seeded(lambda: TwoStreams(norm_first=norm_first))()
    y, longer = torch.randn(2, 3, 6), torch.randn(3, 5, 6)
    symmetry = symmetries(model, (X, y))
    attention = [2, *[4] * 4]  # heads; channels of keys and of values inside each
    expected = orders(8, 8, 5, 5, *attention * 3)
    assert symmetry.elements == pytest.approx(expected, abs=1e-9), str(symmetry)
    turned(model, symmetry, (X, y), (LONG, longer))
    planted(model, symmetry)


def test_a_matrix_cut_in_two_reads_two_streams():
    """Rows that are cut apart read columns of their own; the cut is in the code of a forward."""

    def run(m, x, y):
        up, down = m.w.split([4, 8])
        return m.h(F.linear(m.a(x), up).relu().mean(1)) + m.g(F.linear(m.b(y), down).relu().mean(1))

    model = seeded(
        lambda: Run(
            run,
            w=p(12, 6),
            a=nn.Linear(5, 6),
            b=nn.Linear(5, 6),
            h=nn.Linear(4, 3),
            g=nn.Linear(8, 3),
        )
    )()
    symmetry = symmetries(model, (X, X + 1))
    assert symmetry.elements == pytest.approx(orders(6, 6, 4, 8), abs=1e-9), str(symmetry)
    turned(model, symmetry, (X, X + 1), (LONG, LONG[:, :3]))
    planted(model, symmetry)
