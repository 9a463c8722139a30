"""The names in a checkpoint and a model's: wrappers, and prefixes of any name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

__all__ = ["AVERAGES", "Matched", "is_beside", "match"]

ANYWHERE = (
    "_orig_mod",
    "_forward_module",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
)
"""Names that `torch.compile`, Fabric, FSDP and activation checkpointing put wherever they were
applied. No network uses them; they are removed everywhere."""

BEFORE = ("module.", "model.", "net.")
"""Words that DataParallel and Lightning put before every name; a file may have others."""

AVERAGES = re.compile(r"(^|[._])(ema|swa|averaged|shadow)|(ema|averaged)([._]|$)", re.IGNORECASE)
"""Names of copies that average the network while it is trained."""

BESIDE = re.compile(
    r"(criterion|criteria|loss\w*|\w+_loss(es)?|\w*metrics?|\w*acc(uracy)?|\w*(f1|auroc|iou)\w*"
    r"|\w*(precision|recall|confusion|perplexity)\w*|(train|val|valid|validation|test)_\w+"
    r"|optimi[sz]er\w*|\w*scheduler|\w*scaler|ema\w*|\w+_ema|swa\w*|averaged\w*|n_averaged)",
    re.IGNORECASE,
)
"""Names that trainers give to what they keep beside a network."""

PART = re.compile(
    r"(?!(ema|swa|averaged)_)\w+_(heads?|proj\w*|embed\w*|tokens?|encoders?|decoders?|layers?"
    r"|blocks?|mlp|net\w*|fc\d*|conv\w*)",
    re.IGNORECASE,
)
"""Names of parts of a network, such as `loss_head` and `test_proj`; `ema_encoder` is an average."""


@dataclass(frozen=True)
class Matched:
    """The model's names of the tensors of a state."""

    names: dict[str, str]
    """Name in the state to the model's, of those that the model has."""
    inside: dict[str, str]
    """Name in the state to what it would be called in the model, which has no such tensor."""
    outside: tuple[str, ...]
    """Names in the state that do not begin with the prefix."""
    prefix: str
    """Prefix of the model's names in the state, wrappers' removed."""
    others: tuple[str, ...]
    """Further prefixes under which the model's tensors are, all of them too."""


def match(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Matched:
    """The prefix under which most of a model's tensors are; the shortest wins a draw.

    Args:
        state: As read.
        own: The model's.
    """
    best: tuple[tuple[int, ...], Matched] | None = None
    theirs = _without_wrappers(state)
    for depth, ours in enumerate(_strips(own)):
        back = {short: name for name, short in ours.items()}
        counts: dict[str, list[int]] = {"": [0, 0]}
        for old, name in theirs.items():
            for prefix, rest in _splits(name):
                if rest in back:
                    found = counts.setdefault(prefix, [0, 0])
                    found[0] += state[old].shape == own[back[rest]].shape
                    found[1] += 1
        scores = {p: (*n, -depth - p.count(".")) for p, n in counts.items()}
        prefix = max(scores, key=lambda p: (scores[p][:2], not AVERAGES.search(p), scores[p][2]))
        if best is None or scores[prefix] > best[0]:
            same = [p for p in counts if p != prefix and counts[p] == counts[prefix] and p]
            others = tuple(p for p in same if prefix and not AVERAGES.search(p))
            best = scores[prefix], _matched(theirs, back, prefix, others)
    assert best is not None
    return best[1]


def _matched(
    theirs: Mapping[str, str], back: Mapping[str, str], prefix: str, others: tuple[str, ...]
) -> Matched:
    names: dict[str, str] = {}
    inside: dict[str, str] = {}
    outside: list[str] = []
    for old, name in theirs.items():
        short = name.removeprefix(prefix)
        if not name.startswith(prefix):
            outside.append(old)
        elif short in back:
            names[old] = back[short]
        else:
            inside[old] = short
    return Matched(names, inside, tuple(outside), prefix, others)


def is_beside(name: str, own: Mapping[str, Tensor]) -> bool:
    """True if a tensor that a model lacks is of the training, by its name, not of a network.

    Args:
        name: As it would be called in the model.
        own: The model's.
    """
    first = name.partition(".")[0]
    children = {other.partition(".")[0] for other in own}
    if first in children or PART.fullmatch(first):
        return False
    return BESIDE.fullmatch(first) is not None


def _splits(name: str) -> list[tuple[str, str]]:
    """A name in two: nothing and the whole, then with one part more before."""
    parts = name.split(".")
    return [("".join(f"{p}." for p in parts[:k]), ".".join(parts[k:])) for k in range(len(parts))]


def _without_wrappers(names: Mapping[str, Tensor]) -> dict[str, str]:
    """Names without the parts that wrappers put into them, unless two would become one."""
    short = {n: ".".join(p for p in n.split(".") if p not in ANYWHERE) for n in names}
    return short if len(set(short.values())) == len(short) else {n: n for n in names}


def _strips(names: Mapping[str, Tensor]) -> list[dict[str, str]]:
    """A model's names, then with one wrapper's word more removed each time."""
    current = _without_wrappers(names)
    steps = [current]
    while True:
        counts = {w: sum(n.startswith(w) for n in current.values()) for w in BEFORE}
        word = max(counts, key=lambda w: counts[w])
        shorter = {old: new.removeprefix(word) for old, new in current.items()}
        if not counts[word] or len(set(shorter.values())) < len(names):
            return steps
        steps.append(current := shorter)
