"""Coverage of discovered symmetries: families of networks, without weights, each one proved.

Then an element is planted in each: its weights are permuted at random, and weight matching has to
bring the permutation back.

    pip install -c benchmarks/symmetries-constraints.txt --no-deps torchvision timm
    python -m benchmarks.symmetries                            # everything, some minutes
    python -m benchmarks.symmetries --only swin --describe     # one family, with all groups
    python -m benchmarks.symmetries --table docs/symmetries-coverage.md

Our own networks always; torchvision's, timm's and transformers' where they are installed
(`symmetries-constraints.txt`). Images have 64 pixels a side unless the network wants more.
"""

import argparse
import contextlib
import importlib
import logging
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.harness import machine
from benchmarks.orders import MISSED, known
from ridgeline import nets
from ridgeline.graph import Forward, Network
from ridgeline.matching import align
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, discover, prove
from ridgeline.symmetry.proof import random_state

Case = tuple[nn.Module, Any, Forward | None]


@dataclass(frozen=True)
class Row:
    """What was measured of one network."""

    name: str
    symmetry: Symmetry
    parameters: int
    residual: float
    seconds: float
    proof: float
    back: float
    """The distance that is left after matching, as a share of that before."""
    matching: float

    @property
    def units(self) -> int:
        return sum(g.fibres * g.size for g in self.symmetry.groups)

    @property
    def order(self) -> float:
        """The log10 of the number of elements."""
        return self.symmetry.elements / log(10)


def shim() -> None:
    """Let torchvision's wheel, which is built for GPUs, be imported with the CPU build of torch."""
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    globals()["_library"] = library  # its definitions go when it goes


def image(size: int = 64) -> torch.Tensor:
    return torch.randn(1, 3, size, size)


# --- families --------------------------------------------------------------------------------


def own() -> dict[str, Callable[[], Case]]:
    return {
        "fcn 20-32-32-5": lambda: (nets.fcn(20, 32, 32, 5), torch.randn(2, 20), None),
        "resnet20": lambda: (nets.resnet20(), image(32), None),
        "resnet18": lambda: (nets.resnet18(), image(32), None),
        "vgg11": lambda: (nets.vgg(11), image(32), None),
        "nn.TransformerEncoder": lambda: (encoder(), torch.randn(2, 7, 32), None),
        "nn.LSTM, two layers": lambda: (Last(nn.LSTM), torch.randn(2, 6, 8), None),
        "nn.GRU, two layers": lambda: (Last(nn.GRU), torch.randn(2, 6, 8), None),
    }


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class Last(nn.Module):
    """Both directions of a recurrent layer, and a head on its last step."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.recurrent = kind(8, 12, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(24, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


VISION = {
    "torchvision": {
        **dict.fromkeys(("alexnet", "vgg11_bn", "resnet18", "resnet50"), 64),
        **dict.fromkeys(("resnext50_32x4d", "wide_resnet50_2", "densenet121"), 64),
        **dict.fromkeys(("mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5"), 64),
        **dict.fromkeys(("squeezenet1_0", "efficientnet_b0", "efficientnet_v2_s"), 64),
        **dict.fromkeys(("regnet_y_400mf", "mnasnet0_5", "convnext_tiny", "googlenet"), 64),
        "inception_v3": 96,
        "vit_b_16": 64,
        "swin_t": 64,
        "swin_v2_t": 64,
        "maxvit_t": 224,
    },
    "timm": {
        **dict.fromkeys(("deit_tiny_patch16_224", "mixer_s32_224", "resmlp_12_224"), 224),
        **dict.fromkeys(("eva02_tiny_patch14_224", "xcit_nano_12_p16_224", "levit_128s"), 224),
        **dict.fromkeys(("gmlp_s16_224", "cait_xxs24_224"), 224),
        **dict.fromkeys(("convmixer_768_32", "legacy_seresnet18", "ghostnet_050"), 64),
        **dict.fromkeys(("efficientvit_b0", "nfnet_l0", "dpn48b", "res2net50_26w_4s"), 64),
        **dict.fromkeys(("repvgg_a0", "poolformer_s12", "skresnet18", "hrnet_w18_small"), 64),
        **dict.fromkeys(("eca_resnet33ts", "xception41", "fastvit_t8", "mobileone_s0"), 64),
    },
}
OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"init_weights": False, "aux_logits": False},
    "inception_v3": {"init_weights": False, "aux_logits": False},
    "vit_b_16": {"image_size": 64},
}


def vision() -> dict[str, Callable[[], Case]]:
    shim()
    found: dict[str, Callable[[], Case]] = {}
    with contextlib.suppress(ImportError):
        models = importlib.import_module("torchvision").models

        for name, size in VISION["torchvision"].items():
            make = getattr(models, name)
            found[f"torchvision {name}"] = lambda name=name, size=size, make=make: (
                make(weights=None, **OPTIONS.get(name, {})),
                image(size),
                None,
            )
    with contextlib.suppress(ImportError):
        timm = importlib.import_module("timm")

        for name, size in VISION["timm"].items():
            found[f"timm {name}"] = lambda name=name, size=size: (
                timm.create_model(name, pretrained=False),
                image(size),
                None,
            )
    return found


TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 60,
    "max_position_embeddings": 32,
}
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
FEW = {**TEXT, "num_key_value_heads": 2}
SPEECH = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "vocab_size": 60,
    "max_source_positions": 20,
    "max_target_positions": 32,
    "num_mel_bins": 8,
    "decoder_start_token_id": 1,
}
EIGHT = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 60}
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "BERT": ("BertForSequenceClassification", "BertConfig", TEXT),
    "DistilBERT": (
        "DistilBertForSequenceClassification",
        "DistilBertConfig",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "vocab_size": 60},
    ),
    "GPT-2": (
        "GPT2LMHeadModel",
        "GPT2Config",
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 60, "n_positions": 32},
    ),
    "GPT-NeoX": ("GPTNeoXForCausalLM", "GPTNeoXConfig", TEXT),
    "Llama": ("LlamaForCausalLM", "LlamaConfig", FEW),
    "Mistral": ("MistralForCausalLM", "MistralConfig", FEW),
    "Mixtral": (
        "MixtralForCausalLM",
        "MixtralConfig",
        {**FEW, "num_local_experts": 4},
    ),
    "Qwen3": ("Qwen3ForCausalLM", "Qwen3Config", {**FEW, "head_dim": 8}),
    "Gemma 2": ("Gemma2ForCausalLM", "Gemma2Config", {**FEW, "head_dim": 8}),
    "T5": ("T5ForConditionalGeneration", "T5Config", EIGHT),
    "Whisper": ("WhisperForConditionalGeneration", "WhisperConfig", SPEECH),
    "Mamba": (
        "MambaForCausalLM",
        "MambaConfig",
        {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 60, "state_size": 4},
    ),
    "ViT": (
        "ViTForImageClassification",
        "ViTConfig",
        {**{k: v for k, v in TEXT.items() if "vocab" not in k and "max" not in k}}
        | {"image_size": 32, "patch_size": 8},
    ),
    "ResNet": (
        "ResNetForImageClassification",
        "ResNetConfig",
        {"embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 2]},
    ),
}


def text() -> dict[str, Callable[[], Case]]:
    try:
        transformers = importlib.import_module("transformers")
    except ImportError:
        return {}
    transformers.logging.set_verbosity_error()

    def make(kind: str, config: str, given: dict[str, Any]) -> Case:
        ends = ENDS if "vocab_size" in given and "T5" not in kind else {}
        built = getattr(transformers, config)(**{**ends, **given})
        model = getattr(transformers, kind)(built)
        ids = torch.randint(3, 50, (1, 9))
        if "Image" in kind:
            return model, {"pixel_values": image(32)}, logits
        if kind.startswith("Whisper"):
            return model, {"input_features": torch.randn(1, 8, 40), "decoder_input_ids": ids}, once
        if kind.startswith("T5"):
            return model, {"input_ids": ids, "decoder_input_ids": ids}, once
        return model, {"input_ids": ids}, once if "LM" in kind else logits

    return {
        f"transformers {name}": lambda parts=parts: make(*parts) for name, parts in MODELS.items()
    }


def logits(model: nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
    return model(**inputs).logits


def once(model: nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
    """Without the cache of keys and values, which is for the next token."""
    return model(**inputs, use_cache=False).logits


# --- measuring -------------------------------------------------------------------------------


def measure(name: str, make: Callable[[], Case]) -> Row:
    torch.manual_seed(0)
    model, example, forward = make()
    model.eval()
    network = Network(model, forward)
    start = time.perf_counter()
    symmetry = discover(network, example)
    middle = time.perf_counter()
    proof = prove(symmetry, network, example)
    end = time.perf_counter()
    back, matching = planted(symmetry, random_state(network.tensors, 1))
    held = sum(x.numel() for x in network.tensors.values())
    times = middle - start, end - middle
    return Row(name, symmetry, held, proof.residual, *times, back, matching)


def planted(symmetry: Symmetry, state: State) -> tuple[float, float]:
    """What share of the distance of a random element is left when it was matched; seconds."""
    if not symmetry.groups:
        return 0.0, 0.0
    state = {n: x.float() if x.is_floating_point() else x for n, x in state.items()}
    moved = symmetry.random(2)(state)
    start = time.perf_counter()
    found = align(state, moved, symmetry)
    return found.after / found.before, time.perf_counter() - start


def line(row: Row) -> str:
    return (
        f"| {row.name} | {row.parameters:,} | {len(row.symmetry.groups)} | {row.units:,} "
        f"| {row.order:,.1f} | {counted(row.name)} | {share(row.symmetry.covered())} "
        f"| {row.residual:.0e} | {row.seconds:.1f} "
        f"| {row.proof:.1f} | {'yes' if row.back == 0 else f'{row.back:.1%} left'} "
        f"| {row.matching:.1f} |"
    )


def counted(name: str) -> str:
    """The log10 of the order that is known."""
    order = known(name)
    return "not counted" if order is None else f"{order:,.1f}"


def share(part: float) -> str:
    """In percent, rounded down."""
    return f"{int(1000 * part) / 10:.1f}%"


def missed(row: Row) -> str:
    """What of the known is not found; empty if nothing is."""
    order = known(row.name)
    if order is None or abs(order - row.order) < 1e-6 * max(order, 1.0):
        return ""
    more = MISSED.get(row.name, "not explained")
    return f"- **{row.name}** 10^{row.order:,.1f} of 10^{order:,.1f}: {more}"


def left(row: Row) -> str:
    """What stands in no group, by reason, with its share of the state's numbers."""
    touched = {name for g in row.symmetry.groups for name in g.tensors()}
    sizes = {n: torch.Size(s).numel() for n, s in row.symmetry.shapes.items()}
    why: dict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    for fixed in row.symmetry.fixed:
        first.setdefault(fixed.tensor, fixed.why)
    for name in sizes:
        if name not in touched and name not in row.symmetry.ties:
            why[plain(first.get(name, "a single number, or one of its kind"))].append(name)
    total = max(sum(sizes.values()), 1)
    parts = [
        f"{sum(sizes[n] for n in names) / total:.1%} {reason} "
        f"(`{max(names, key=lambda n: sizes[n])}`" + (", ...)" if len(names) > 1 else ")")
        for reason, names in sorted(why.items(), key=lambda i: -sum(sizes[n] for n in i[1]))
    ]
    parts = [part for part in parts if not part.startswith("0.0%")]
    return f"- **{row.name}** {'; '.join(parts[:3])}"


def plain(reason: str) -> str:
    """A reason without the number of the operation in the trace."""
    return reason.rstrip("0123456789").rstrip("_")


HEAD = """# Coverage of discovered symmetries

Every network is built without weights, traced once, and its symmetry proved: elements that move
every unit are applied to random weights and change no output by more than the residual, relative
to the output, in float64. *Found* is the log10 of the number of elements of the group; *known* is
that of the group counted by hand for the architecture (`benchmarks/orders.py` has a formula for
each family), or says that nobody has counted. *Touched* is the share of the state's numbers in
tensors of which something moves; it says nothing of what is missed. Seconds are of discovery,
tracing included, of the proof, and of matching. *Back*: random weights in float32 are carried by a
random element, and weight matching, as it is by default, brings every tensor back to the last bit;
else the share of the distance that is left.

"""

COLUMNS = (
    *("network", "numbers", "groups", "units", "found", "known", "touched", "residual"),
    *("found in s", "proved", "back", "matched"),
)
RULED = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"

UNCOUNTED = """Exchanges of whole modules (experts, branches in a `ModuleList`) are counted where
there are any.
"""


def page(rows: Iterable[Row], failed: dict[str, str]) -> str:
    rows = list(rows)
    odd = [left(r) for r in rows if r.symmetry.covered() < 0.995]
    lost = [r.name for r in rows if r.back]
    short = [told for r in rows if (told := missed(r))]
    return (
        HEAD
        + RULED
        + "\n".join(map(line, rows))
        + f"\n\n{len(rows)} networks, {len(failed)} not proved, {len(lost)} not brought back. "
        f"Measured on {machine()} by "
        "`python -m benchmarks.symmetries`, one thread.\n\n"
        + "".join(f"- {name}: {why}\n" for name, why in failed.items())
        + "## What is known and not found\n\n"
        + ("\n".join(short) or "Nothing of what was counted.")
        + f"\n\n{UNCOUNTED}\n## What is left fixed, and why\n\n"
        + "Where more than half a percent is in tensors that no group touches:\n\n"
        + "\n".join(odd)
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="networks whose name contains this")
    parser.add_argument("--describe", action="store_true", help="print all groups")
    parser.add_argument("--table", type=Path, help="where to write the table")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    rows: list[Row] = []
    failed: dict[str, str] = {}
    for name, make in {**own(), **vision(), **text()}.items():
        if chosen.only.lower() not in name.lower():
            continue
        try:
            rows.append(measure(name, make))
            print(line(rows[-1]), flush=True)
            if chosen.describe:
                print(rows[-1].symmetry)
        except Exception as error:  # a row that fails is a row of the table
            failed[name] = f"{type(error).__name__}: {error}"
            print(f"{name}: {failed[name][:300]}", flush=True)
    if chosen.table:
        chosen.table.write_text(page(rows, failed))
    raise SystemExit(len(failed))


if __name__ == "__main__":
    main()
