"""Networks by the names that specs use, and the user's own by ``module:function``."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ridgeline.errors import RidgelineError, UnknownName, UsageError
from ridgeline.io import resolve
from ridgeline.nets.decoders import transformer
from ridgeline.nets.fully_connected import autoencoder, fcn
from ridgeline.nets.masked import masked_fcn
from ridgeline.nets.recurrent import lstm
from ridgeline.nets.resnet import resnet18, resnet20
from ridgeline.nets.soft_trees import soft_trees
from ridgeline.nets.vgg import lenet, vgg, vgg11, vgg16
from ridgeline.nets.vision import vit
from ridgeline.rng import seed_of, untouched

__all__ = ["KINDS", "build", "options_of"]

KINDS: dict[str, Callable[..., nn.Module]] = {
    "fcn": fcn,
    "masked_fcn": masked_fcn,
    "autoencoder": autoencoder,
    "lenet": lenet,
    "vgg": vgg,
    "vgg11": vgg11,
    "vgg16": vgg16,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "vit": vit,
    "transformer": transformer,
    "lstm": lstm,
    "soft_trees": soft_trees,
}
"""By the name that a spec gives as `kind`."""


def build(kind: str, seed: int, **options: Any) -> nn.Module:
    """Build a network by the name of its kind.

    Args:
        kind: One of `KINDS`, or ``module:function`` for your own: it is given the options, and the
            seed if it takes one; otherwise torch's global generator is seeded around it.
        seed: Of the first weights.
        options: Of the network; `fcn` and `autoencoder` take ``widths`` as a list.

    Returns:
        The network.

    Raises:
        UnknownName: If there is no such kind, or it has no such option.
        UsageError: If an option is missing or out of range.
    """
    if ":" in kind:
        return _own(kind, seed, options)
    if kind not in KINDS:
        raise UnknownName("kind of network", kind, KINDS, "Or module:function for your own.")
    known = options_of(kind)
    for name in options:
        if name not in known:
            raise UnknownName(f"option of {kind}", name, known)
    missing = [n for n, default in known.items() if default is REQUIRED and n not in options]
    if missing:
        raise UsageError(
            f"A network of kind {kind} needs {', '.join(f'`{name}`' for name in missing)}.",
            got=", ".join(options) or "no options",
        )
    options = dict(options)
    widths = options.pop("widths", ())
    try:
        return KINDS[kind](*widths, **options, seed=seed)
    except RidgelineError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"A network of kind {kind} could not be built.", got=f"{options}: {error}"
        ) from error


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()
"""Stands for the default of an option that has none."""


def options_of(kind: str) -> Mapping[str, Any]:
    """The options of a kind with their defaults, the seed left out.

    Args:
        kind: One of `KINDS`; of the user's own nothing is known.

    Returns:
        Option to default; `REQUIRED` where there is none.

    Raises:
        UnknownName: If there is no such kind.
    """
    if ":" in kind:
        return {}
    if kind not in KINDS:
        raise UnknownName("kind of network", kind, KINDS, "Or module:function for your own.")
    return _options_of(KINDS[kind])


@cache
def _options_of(make: Callable[..., Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(make).parameters.items():
        if name != "seed":
            bare = parameter.default is inspect.Parameter.empty
            found[name] = REQUIRED if bare else parameter.default
    return MappingProxyType(found)


def _own(kind: str, seed: int, options: Mapping[str, Any]) -> nn.Module:
    written = ", ".join(f"{name}={value!r}" for name, value in options.items())
    spec = f"{kind}({written})" if options else kind
    with untouched():
        torch.manual_seed(seed_of(seed, "net"))
        made = resolve(spec, kind="network", offered={"seed": seed})
    if not isinstance(made, nn.Module):
        raise UsageError(
            "The function of a network must return a torch.nn.Module.",
            got=f"{type(made).__name__} from {kind}",
        )
    return made
