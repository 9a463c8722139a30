"""Orders of groups counted by hand: what is known of an architecture, whatever is discovered.

For each family, the permutations of units that its papers and its code allow, as a sum of log10 of
factorials. Counted are exchanges of positions on axes and of whole blocks of one tensor; neither
rotations nor exchanges of modules that are kept in tensors of their own.
"""

from collections.abc import Callable
from math import lgamma, log

__all__ = ["known"]


def perms(*sizes: int) -> float:
    """The log10 of the number of permutations of sets of units."""
    return sum(lgamma(n + 1) for n in sizes) / log(10)


def attention(heads: int, size: int, *, few: int = 0, keys: int | None = None) -> float:
    """Heads, key-value heads with their query heads, channels of values and of keys.

    Args:
        heads: Of queries.
        size: Channels of a head.
        few: Key-value heads; as many as heads by default.
        keys: Channels of queries and keys that may change places; none where all are rotated by
            position, all by default.
    """
    few = few or heads
    inside = few * (perms(size) + perms(size if keys is None else keys))
    return perms(few) + few * perms(heads // few) + inside


def transformer(width: int, layers: int, layer: float) -> float:
    """A residual stream and layers."""
    return perms(width) + layers * layer


def residual(stem: int, stages: list[tuple[int, int, float]]) -> float:
    """A stem of its own (0 if it is of the first stream), and stages: width, blocks, a block."""
    return perms(stem) + sum(perms(width) + n * block for width, n, block in stages)


def bottlenecks(stem: int, inner: list[int], outer: list[int], depths: list[int]) -> float:
    """ResNets whose blocks have two layers of one width inside."""
    rows = zip(outer, depths, inner, strict=True)
    return residual(stem, [(w, n, perms(i, i)) for w, n, i in rows])


def basic(widths: list[int], blocks: int) -> float:
    """ResNets whose blocks have one layer inside."""
    return residual(0, [(w, blocks, perms(w)) for w in widths])


def resnext() -> float:
    """Paths of grouped convolutions change places; inside each, channels before and after."""
    widths = [128, 256, 512, 1024]
    blocks = [perms(32) + 32 * perms(w // 32, w // 32) for w in widths]
    return residual(64, list(zip([256, 512, 1024, 2048], [3, 4, 6, 3], blocks, strict=True)))


def densenet() -> float:
    """New channels of each of 58 layers, 128 inside of it, and three transitions."""
    return perms(64, 128, 256, 512) + 58 * perms(128, 32)


def mobilenet() -> float:
    """Streams, and six times as many channels inside of each block; 32 are stem and first block."""
    settings = [(16, 24, 2), (24, 32, 3), (32, 64, 4), (64, 96, 3), (96, 160, 3), (160, 320, 1)]
    inside = [6 * n for a, b, k in settings for n in [a, *[b] * (k - 1)]]
    return perms(32, 16, *(b for _, b, _ in settings), 1280, *inside)


def fire() -> float:
    """SqueezeNet: squeezed channels, and those of two kernels side by side."""
    sizes = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
    return perms(96, *(n for s, e in sizes for n in (s, e, e)))


def pyramid(widths: list[int], depths: list[int], layer: Callable[[int], float]) -> float:
    """Streams of stages, with layers that depend on the width."""
    return residual(0, [(w, n, layer(w)) for w, n in zip(widths, depths, strict=True)])


def t5() -> float:
    """One table of words makes both streams; a table of positions ties the heads of a stack."""
    inside = 4 * perms(8, 8)
    return perms(32) + 6 * inside + (1 + 1 + 2) * perms(4) + 4 * perms(48)


def speech() -> float:
    """Whisper: a convolution before the encoder's stream, and the decoder's."""
    heads = attention(4, 8)
    return perms(32, 32, 32) + 2 * (heads + perms(48)) + 2 * (2 * heads + perms(48))


EIGHT = attention(4, 8) + perms(48)
GROUPED = attention(4, 8, few=2, keys=0)

KNOWN: dict[str, Callable[[], float]] = {
    "fcn 20-32-32-5": lambda: perms(32, 32),
    "resnet20": lambda: basic([16, 32, 64], 3),
    "resnet18": lambda: basic([64, 128, 256, 512], 2),
    "vgg11": lambda: perms(64, 128, 256, 256, 512, 512, 512, 512),
    "nn.TransformerEncoder": lambda: 2 * (attention(4, 8) + perms(64)),
    "nn.LSTM, two layers": lambda: perms(12, 12, 12, 12),
    "nn.GRU, two layers": lambda: perms(12, 12, 12, 12),
    "torchvision alexnet": lambda: perms(64, 192, 384, 256, 256, 4096, 4096),
    "torchvision vgg11_bn": lambda: perms(64, 128, 256, 256, 512, 512, 512, 512, 4096, 4096),
    "torchvision resnet18": lambda: basic([64, 128, 256, 512], 2),
    "torchvision resnet50": lambda: bottlenecks(
        64, [64, 128, 256, 512], [256, 512, 1024, 2048], [3, 4, 6, 3]
    ),
    "torchvision wide_resnet50_2": lambda: bottlenecks(
        64, [128, 256, 512, 1024], [256, 512, 1024, 2048], [3, 4, 6, 3]
    ),
    "torchvision resnext50_32x4d": resnext,
    "torchvision densenet121": densenet,
    "torchvision mobilenet_v2": mobilenet,
    "torchvision squeezenet1_0": fire,
    "torchvision convnext_tiny": lambda: pyramid(
        [96, 192, 384, 768], [3, 3, 9, 3], lambda w: perms(4 * w)
    ),
    "torchvision vit_b_16": lambda: transformer(768, 12, attention(12, 64) + perms(3072)),
    "torchvision swin_t": lambda: pyramid(
        [96, 192, 384, 768], [2, 2, 6, 2], lambda w: attention(w // 32, 32) + perms(4 * w)
    ),
    "timm deit_tiny_patch16_224": lambda: transformer(192, 12, attention(3, 64) + perms(768)),
    "timm mixer_s32_224": lambda: transformer(512, 8, perms(256, 2048)),
    "timm resmlp_12_224": lambda: transformer(384, 12, perms(1536)),
    "timm convmixer_768_32": lambda: 33 * perms(768),
    "timm poolformer_s12": lambda: pyramid(
        [64, 128, 320, 512], [2, 2, 6, 2], lambda w: perms(4 * w)
    ),
    "timm legacy_seresnet18": lambda: residual(
        0, [(w, 2, perms(w, w // 16)) for w in (64, 128, 256, 512)]
    ),
    "timm repvgg_a0": lambda: perms(48, 48, 96, 192, 1280),
    "transformers BERT": lambda: transformer(32, 2, EIGHT) + perms(32),
    "transformers DistilBERT": lambda: transformer(32, 2, EIGHT) + perms(32),
    "transformers GPT-2": lambda: transformer(32, 2, attention(4, 8) + perms(128)),
    "transformers GPT-NeoX": lambda: transformer(32, 2, attention(4, 8, keys=6) + perms(48)),
    "transformers Llama": lambda: transformer(32, 2, GROUPED + perms(48)),
    "transformers Mistral": lambda: transformer(32, 2, GROUPED + perms(48)),
    "transformers Mixtral": lambda: transformer(32, 2, GROUPED + perms(4) + 4 * perms(48)),
    "transformers Qwen3": lambda: transformer(32, 2, GROUPED + perms(48)),
    "transformers Gemma 2": lambda: transformer(32, 2, GROUPED + perms(48)),
    "transformers T5": t5,
    "transformers Whisper": speech,
    "transformers Mamba": lambda: transformer(32, 2, perms(64, 2, 4)),
    "transformers ViT": lambda: transformer(32, 2, EIGHT),
    "transformers ResNet": lambda: bottlenecks(8, [4, 6], [16, 24], [1, 2]),
}

MISSED: dict[str, str] = {}
"""What of the known is not found, by network."""


def known(name: str) -> float | None:
    """The log10 of the order of the group that is known for a network of the table.

    Args:
        name: Of the network in the table.

    Returns:
        None where nobody has counted.
    """
    return KNOWN[name]() if name in KNOWN else None
