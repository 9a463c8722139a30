"""Tensors that act through a product with others: quantised weights, and factors of low rank.

On a straight line each tensor moves by itself. Where what acts is a product of two that both move,
the product does not move straight, and the mean of products is not the product of means.
"""

import re
import warnings
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from ridgeline.errors import LowRankFactors, QuantisedWeights, RidgelineWarning
from ridgeline.state.kinds import equal

__all__ = ["check_dequantised", "check_no_factors", "factors", "quantised", "warn_of_factors"]

State = Mapping[str, Tensor]

SCALE = re.compile(
    r"(^|[._])(\w*scales?(_inv)?|\w*zeros?|zero_points?|scb|\w*absmax|quant\w*|qparams?|amax|alpha)$",
    re.IGNORECASE,
)
"""Ends of the names of what quantised weights are multiplied by, or shifted."""

CODES = (torch.int8, torch.uint8, torch.int16, torch.int32)
"""Types of codes; counts and positions are int64, masks are bool."""

LABELS = re.compile(
    r"(^|[._])\w*(ind(ex|ices)|ids?|idx|mask|edges?|perm\w*|positions?)$", re.IGNORECASE
)
"""Ends of the names of integers that say which, and not how much."""

FACTOR = re.compile(
    r"^(?P<module>.*)(?:^|(?<=[._]))"
    r"(?P<kind>lora(?=[._](linear_layer[._]|\w+_)?"
    r"(a|b|e|up|down|mid|left|right|magnitude\w*)([._]|$))|lora(?=[ab]([._]|$))|glora(?=_[a-e])"
    r"|hada(?=_[wt]\d)|lokr(?=_[wt]\d)|vera(?=_lambda)|randlora(?=_(lambda|gamma))"
    r"|b?oft(?=_(r|s|blocks|diag)([._]|$))|vblora(?=_logits)|hra(?=_u([._]|$)))",
    re.IGNORECASE,
)
"""Where the name of a factor begins, in the adapters that libraries write."""

NONLINEAR = ("oft", "boft", "vblora", "hra")
"""Adapters of which already one tensor acts otherwise than in proportion."""

PAIRED = {"A": "B", "a": "b", "U": "V", "u": "v"}
"""Names that two factors of one matrix have where nothing else is told of them."""


def quantised(states: Sequence[State], names: Collection[str] | None = None) -> tuple[str, ...]:
    """Names of quantised weights that are not the same in all states.

    They are tensors of codes with two axes or more: integers beside floating tensors of the same
    module, or 8-bit floats beside a scale that differs too. Beside a scale, also where that is in
    the module around or in one inside, narrow integers on one axis are codes as well.

    Args:
        states: Of one network.
        names: Those that are looked at; all by default.
    """
    first = states[0]
    by_module: dict[str, list[str]] = {}
    for name in first:
        by_module.setdefault(name.rpartition(".")[0], []).append(name)
    found = []
    for name in first if names is None else names:
        x = first[name]
        small = x.is_floating_point() and x.itemsize == 1
        if x.numel() < 2 or not (small or _is_code(x)) or not _differs(states, name):
            continue
        packed = _is_packed(x, [s[name] for s in states])
        if not small and LABELS.search(name) and not (packed and x.ndim > 1):
            continue
        module = name.rpartition(".")[0]
        beside = [n for n in by_module[module] if n != name]
        beside += by_module.get(name, [])  # bitsandbytes: weight, weight.absmax
        floats = [n for n in beside if first[n].is_floating_point()]
        if not floats and x.dtype in CODES:
            beside += _near(module, by_module)
        scales = [n for n in beside if SCALE.search(n) and (not small or _differs(states, n))]
        if x.ndim < 2:
            scales = [n for n in scales if x.itemsize == 1 and first[n].is_floating_point()]
            floats = []
        if scales or (floats and packed):
            found.append(name)
    return tuple(found)


def _near(module: str, by_module: Mapping[str, Sequence[str]]) -> list[str]:
    """Names in the module around one, and in those right inside it and beside it."""
    around = module.rpartition(".")[0]
    inside = [
        m for m in by_module if m and m.rpartition(".")[0] in (module, around) and m != module
    ]
    near = [around, *inside] if module else inside
    return [n for m in near for n in by_module.get(m, ())]


def _is_packed(x: Tensor, values: Sequence[Tensor]) -> bool:
    """True if integers are narrow and more than a mask has."""
    return x.dtype in CODES and any(map(_is_many, values))


def _is_code(x: Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)


def _is_many(x: Tensor) -> bool:
    """True if there are more values than a mask has."""
    return bool(((x != 0) & (x != 1)).any())


def check_dequantised(states: Sequence[State], names: Collection[str] | None = None) -> None:
    """Refuse states between which quantised weights would jump while their scales move.

    Args:
        states: Of one network.
        names: Those that move; all by default.

    Raises:
        QuantisedWeights: Naming them.
    """
    if len(states) > 1 and (found := quantised(states, names)):
        raise QuantisedWeights({n: (states[0][n].dtype, tuple(states[0][n].shape)) for n in found})


def factors(
    states: Sequence[State], names: Collection[str] | None = None
) -> tuple[tuple[str, ...], ...]:
    """Groups of factors of low rank that multiply each other and all differ between states.

    Args:
        states: Of one network.
        names: Those that are looked at; all by default.
    """
    first = states[0]
    looked = [n for n in (first if names is None else names) if first[n].is_floating_point()]
    groups: dict[tuple[str, str], list[str]] = {}
    for name in looked:
        if first[name].ndim and (at := FACTOR.match(name)):
            groups.setdefault((at["module"], at["kind"].lower()), []).append(name)
    groups |= {(name, ""): [name, other] for name, other in _plain_pairs(first, looked)}
    found: list[tuple[str, ...]] = []
    for (_, kind), members in groups.items():
        moving = [n for n in members if _differs(states, n)]
        if len(moving) > 1 or (moving and kind in NONLINEAR):
            found.append(tuple(moving))
    return tuple(found)


def _plain_pairs(state: State, names: Sequence[str]) -> list[tuple[str, str]]:
    """Matrices of one module called A and B, or U and V, of which the product has a lower rank."""
    found = []
    for name in names:
        head, dot, last = name.rpartition(".")
        other = f"{head}{dot}{PAIRED.get(last)}"
        if last in PAIRED and other in names:
            x, y = state[name], state[other]
            if x.ndim == y.ndim == 2 and _low_rank(x.shape, y.shape, turned=last in "UV"):
                found.append((name, other))
    return found


def _low_rank(a: Sequence[int], b: Sequence[int], *, turned: bool) -> bool:
    """True if a product of two matrices, one of them perhaps transposed, has a lower rank."""
    pairs = [(a[::-1], b), (a, b[::-1])]  # what meets comes first: the rows of one, or its columns
    pairs += [(a, b), (a[::-1], b[::-1])] if turned else []
    return any(x[0] == y[0] and x[0] < min(x[1], y[1]) for x, y in pairs)


def check_no_factors(states: Sequence[State], names: Collection[str] | None = None) -> None:
    """Refuse to merge adapters factor by factor.

    Args:
        states: Of one network.
        names: Those that are merged; all by default.

    Raises:
        LowRankFactors: Naming them.
    """
    if len(states) > 1 and (found := factors(states, names)):
        raise LowRankFactors(found)


def warn_of_factors(
    states: Sequence[State], names: Collection[str] | None = None, *, stacklevel: int = 1
) -> None:
    """Tell that a path moves factors, and not their product.

    Args:
        states: Of one network.
        names: Those that move; all by default.
        stacklevel: As in `warnings.warn`, counted from the caller.
    """
    found = list(factors(states, names)) if len(states) > 1 else []
    if found:
        more = f" and {len(found) - 1} groups more" if len(found) > 1 else ""
        warnings.warn(
            f"{' and '.join(found[0])}{more} act through their product. The path moves each of "
            "them straight, so that what the network adds by them does not go straight from one "
            "end's to the other's. For the line between the networks, merge each adapter into its "
            "base first.",
            RidgelineWarning,
            stacklevel=stacklevel + 1,
        )


def _differs(states: Sequence[State], name: str) -> bool:
    first = states[0][name]
    return not all(equal(first, state[name]) for state in states[1:] if name in state)
