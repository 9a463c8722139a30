"""A copy of a module that shares its weights, and the names that they go by."""

import copy
import sys
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ridgeline.errors import UsageError
from ridgeline.graph.keeping import leaves_of
from ridgeline.graph.rebinding import rebind

__all__ = ["duplicate", "named_tensors", "places", "private_copy"]

LOCKS = (type(threading.Lock()), type(threading.RLock()))
"""Types that cannot be copied and hold nothing of the network: it is shared."""


def private_copy(model: nn.Module) -> nn.Module:
    """A module of one's own that shares its parameters and persistent buffers with the caller's.

    Nothing is allocated for weights, and the caller's module keeps its mode, hooks and flags. What
    the module's own code may write to, all other tensors, is copied. The tensors that are shared
    must be replaced through `functional_call`, never written to. What `torch.compile` made is
    taken off, so that the operations are those that were written.

    Returns:
        The copy, in the mode of the caller's.

    Raises:
        UsageError: If a parameter has no shape yet, or an attribute cannot be copied.
    """
    _check_shapes(model)
    memo: dict[int, Any] = {}
    for module in model.modules():
        fleeting = module._non_persistent_buffers_set
        kept = {n: x for n, x in module._buffers.items() if n not in fleeting}
        memo |= {id(x): x for x in (*module._parameters.values(), *kept.values()) if x is not None}
    return _eager(_copied(model, memo))


def duplicate(model: nn.Module, instead: Mapping[int, Any] = MappingProxyType({})) -> nn.Module:
    """A module that shares nothing with the caller's, in its mode.

    Args:
        model: The caller's.
        instead: Identity of what is not copied to what stands in its place.

    Raises:
        UsageError: If an attribute cannot be copied.
    """
    return _eager(_copied(model, dict(instead)))


def _copied(model: nn.Module, memo: dict[int, Any]) -> nn.Module:
    for module in model.modules():
        for x in leaves_of(list(vars(module).values())):
            if isinstance(x, LOCKS):
                memo[id(x)] = x
            elif isinstance(x, Tensor) and not x.is_leaf:  # which torch does not copy deeply
                memo.setdefault(id(x), x.detach().clone())
    known = dict(memo)
    try:
        copied = copy.deepcopy(model, known)
    except Exception as error:  # whatever an attribute's own way of copying may raise
        raise _uncopied(model, memo, error) from error
    rebind(copied, {id(m): known[id(m)] for m in model.modules() if id(m) in known})
    return copied


def _check_shapes(model: nn.Module) -> None:
    named = [*model.named_parameters(), *model.named_buffers()]
    lazy = [name for name, x in named if is_lazy(x)]
    if lazy:
        raise UsageError(
            "The shapes of a network's tensors must be known.",
            got=f"{lazy[0]}, of a lazy module that has not seen data",
            remedy="Call the model with one batch first: model(example).",
        )


def _uncopied(model: nn.Module, memo: dict[int, Any], error: Exception) -> UsageError:
    """Return the attribute that cannot be copied, with its module."""
    where = type(model).__name__
    for prefix, module in model.named_modules():
        for key, value in vars(module).items():
            if key in ("_parameters", "_buffers", "_modules"):
                continue
            try:
                copy.deepcopy(value, dict(memo))
            except Exception as cause:  # the same
                where, error = f"{prefix}.{key}" if prefix else key, cause
                break
    reason = (str(error).strip().splitlines() or [""])[0][:200]
    return UsageError(
        "A network is copied before it is evaluated, so that yours stays as it is; its tensors "
        "are not.",
        got=f"{where}, which cannot be copied ({type(error).__name__}: {reason})",
        remedy="Keep it outside of the module, make it where it is used, or give the module a "
        "`__deepcopy__`.",
    )


class _Eager(nn.Module):
    """A module in the place of its compiled twin: names stay, operations are those written."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._orig_mod = inner

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module gives."""
        return self._orig_mod(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("_orig_mod"), name)


def _eager(module: nn.Module) -> nn.Module:
    """A module without what `torch.compile` put around it and its parts; changed."""
    loaded = sys.modules.get("torch._dynamo.eval_frame")  # slow to import, and needless if absent
    if loaded is None:
        return module
    for part in module.modules():
        for name, child in part._modules.items():
            if isinstance(child, loaded.OptimizedModule) and not isinstance(
                part, loaded.OptimizedModule
            ):
                part._modules[name] = _Eager(child._modules["_orig_mod"])  # type: ignore[arg-type]  # it has one
    if isinstance(module, loaded.OptimizedModule):
        return _Eager(_eager(module._modules["_orig_mod"]))  # type: ignore[arg-type]  # it has one
    return module


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """A module's parameters and persistent buffers, each shared tensor under its first name."""
    held = set(module.state_dict(keep_vars=True))
    found: dict[str, Tensor] = {}
    for name, x in [*module.named_parameters(), *module.named_buffers()]:
        if name in held:
            found[name] = x.detach()
    return found


def places(module: nn.Module) -> dict[str, list[str]]:
    """Every place of a tensor, each once, by the tensor's first name."""
    first: dict[int, str] = {}
    found: dict[str, list[str]] = {}
    for kind in ("_parameters", "_buffers"):  # the order of `named_tensors`
        for prefix, part in module.named_modules():
            for key, x in getattr(part, kind).items():
                if x is not None:
                    name = f"{prefix}.{key}" if prefix else key
                    found.setdefault(first.setdefault(id(x), name), []).append(name)
    return found
