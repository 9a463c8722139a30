"""Caches that a module's code keeps outside of the module: found, and refused where they matter.

A table at the top of the user's file, a variable in a closure, an attribute of a function, a
default argument, an object with slots. A copy of the module reads the same one, so that comparing
the network with a loaded copy cannot see it: it is emptied for one call instead.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from ridgeline.errors import StaleWeights
from ridgeline.graph.emptying import alike
from ridgeline.graph.keeping import leaves_of
from ridgeline.graph.network import Network
from ridgeline.graph.reach import Held, places_outside
from ridgeline.graph.shaking import close, shaken
from ridgeline.rng import untouched

__all__ = ["check_outside"]

SAME = 1e-5
"""Outputs of the same operations on the same numbers, over the largest."""
FEW = 8
"""Entries of a table that are emptied one by one, too: constants may stand beside a cache."""


def check_outside(network: Network, tensors: Mapping[str, Tensor], inputs: Any) -> None:
    """Refuse a network that reads, outside of its module, what was computed of other weights.

    Args:
        network: The network.
        tensors: A state, in the type and on the device of the inputs.
        inputs: A few samples.

    Raises:
        StaleWeights: Naming the module, and where it keeps something.
    """
    places = list(places_outside(network.module, network.forward))
    if any(x.is_meta for x in tensors.values()):
        return
    before = [place.take() for place in places]
    # Tables of the user's are filled by this first call: not with tensors that forbid gradients.
    with untouched(), torch.inference_mode(False), torch.no_grad():
        held = {n: x.clone() for n, x in tensors.items()}
        network(held, inputs)
        filled = [place.take() for place in places]
        if not any(map(_computed, filled)):
            return
        other = shaken(network, held)
        try:
            torch.manual_seed(0)
            kept = network(other, inputs)
            for place, was in zip(places, filled, strict=True):
                for blank in _blanks(was):
                    found = []
                    for state in (held, other):
                        place.put(blank)
                        outputs = _tried(network, state, inputs)
                        found.append((outputs, _clones(place.take())))
                    place.put(was)
                    (first, x), (second, y) = found
                    if first is None or second is None or close(second, kept, SAME):
                        continue
                    if y and not alike(x, y):  # filled again, and with something of the weights
                        raise StaleWeights(place.part, [place.said])
        except StaleWeights:
            for place, was in zip(places, before, strict=True):
                place.put(was)
            raise


def _tried(network: Network, tensors: Mapping[str, Tensor], inputs: Any) -> Any:
    try:
        torch.manual_seed(0)
        return network(tensors, inputs)
    except Exception:  # what was taken away is no cache, or not filled in this way
        return None


def _blanks(was: Held) -> Iterator[Held]:
    """Return what may have been held before something was computed; nothing if nothing was."""
    found = [k for k, x in was.items() if _computed(x)]
    if not found:
        return
    none = was | dict.fromkeys(found)
    yield {k: x for k, x in was.items() if k not in found}
    yield none
    yield {k: False if x is True else x for k, x in none.items()}
    yield was | {k: type(was[k])() for k in found if isinstance(was[k], dict | list)}
    if 1 < len(found) <= FEW:  # constants may stand beside it
        for key in found:
            yield {k: x for k, x in was.items() if k != key}
            yield was | {key: None}


def _clones(held: Held) -> list[Any]:
    found = [x for x in leaves_of(list(held.values())) if _computed(x)]
    return [x.clone() if isinstance(x, Tensor) else x for x in found]


def _computed(x: Any) -> bool:
    kinds = Tensor | float | np.ndarray
    return any(isinstance(y, kinds) and not isinstance(y, Parameter) for y in leaves_of(x))
