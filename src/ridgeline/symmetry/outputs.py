"""Outputs of a network that count in a symmetry: all floating ones, unless the user says which."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ridgeline.errors import UnknownName, UsageError
from ridgeline.graph import Forward, Network, whole

__all__ = ["Counted", "Which", "network_of"]

Which = int | str | Sequence[int | str] | None
"""Outputs that count: positions in a tuple, or names; None for all floating ones."""

KEPT = ("past_key_values", "past_key_value", "hidden_states", "attentions", "mems", "cache")
"""Ends of the names under which libraries give out what they keep for the next call, or for a
look inside; the model outputs of towers, which hold hidden states, are such as well."""


class Counted:
    """The usual way to call a model, with all outputs that count.

    Caches and hidden states that a library's own class of outputs holds beside the result do not
    count, nor do integers beside floating numbers.

    Args:
        which: Outputs that count.
        forward: How the model is called; a dict by keywords, a tuple by position, by default.
    """

    def __init__(self, which: Which = None, forward: Forward | None = None) -> None:
        self.which, self.made = which, forward or whole
        self.left: tuple[str, ...] = ()
        """Names of the tensors that did not count in the latest call."""

    def __call__(self, model: nn.Module, inputs: Any) -> Any:
        """The outputs that count; one alone as it is.

        Args:
            model: The module.
            inputs: One batch.
        """
        made = self.made(model, inputs)
        if isinstance(made, Tensor) and self.which is None:
            return made
        fields = _fields(made)
        chosen = dict(fields if self.which is None else _picked(fields, self.which))
        dropped = {k for k in chosen if self.which is None and _apart(k, made, fields)}
        counted = [(k, x) for k in chosen if k not in dropped for x in _tensors(chosen[k], k)]
        tensors = [x for _, (_, x) in counted]
        if self.which is None and any(map(_floating, tensors)):
            tensors = [x for x in tensors if _floating(x)]
        if not tensors:
            return made
        among = {id(x) for x in tensors}
        every = [pair for k, x in fields.items() for pair in _tensors(x, k)]
        self.left = tuple(name for name, x in every if id(x) not in among)
        return tensors[0] if len(tensors) == 1 else tuple(tensors)


def network_of(model: nn.Module, forward: Forward | None, outputs: Which) -> Network:
    """A network whose outputs are those that count.

    Args:
        model: Any module.
        forward: How it is called; then all that it returns counts, unless `outputs` says which.
        outputs: Which outputs count.
    """
    plain = forward is not None and outputs is None
    return Network(model, forward if plain else Counted(outputs, forward))


def _fields(made: Any) -> dict[int | str, Any]:
    """Parts of an output by name, or by position."""
    if isinstance(made, Mapping):
        return dict(made)
    if isinstance(made, (tuple, list)):
        names = getattr(made, "_fields", None)
        return dict(zip(names, made, strict=True)) if names else dict(enumerate(made))
    if isinstance(made, Tensor) or not hasattr(made, "__dict__"):
        return {0: made}
    return dict(vars(made))


def _picked(fields: Mapping[int | str, Any], which: Which) -> Iterator[tuple[int | str, Any]]:
    asked = [which] if isinstance(which, (int, str)) else list(which or ())
    if not asked:
        raise UsageError("At least one output of a network counts.", got=f"outputs={which!r}")
    names = list(fields)
    for one in asked:
        if isinstance(one, int) and one not in fields and -len(names) <= one < len(names):
            yield names[one], fields[names[one]]
        elif one in fields:
            yield one, fields[one]
        else:
            raise UnknownName("output", str(one), [str(n) for n in names])


def _apart(name: int | str, made: Any, fields: Mapping[int | str, Any]) -> bool:
    """True if a field of a library's own class is a cache or a hidden state."""
    if type(fields[name]).__name__.endswith("Cache"):
        return True
    if isinstance(name, int) or type(made) in (dict, OrderedDict):
        return False
    hidden = name.endswith(KEPT) or name == "cache_params" or name.endswith("_model_output")
    last = name.endswith("last_hidden_state")
    return hidden or (last and (len(name) > 17 or any("logits" in str(k) for k in fields)))


def _tensors(part: Any, name: int | str) -> list[tuple[str, Tensor]]:
    """Tensors of a part, each with where it is."""
    held = part if isinstance(part, (Tensor, Mapping, tuple, list)) else None
    if held is None and hasattr(part, "__dataclass_fields__"):
        held = dict(vars(part))
    pairs = pytree.tree_flatten_with_path(held)[0]
    return [(f"[{name!r}]{pytree.keystr(at)}", x) for at, x in pairs if isinstance(x, Tensor)]


def _floating(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()
