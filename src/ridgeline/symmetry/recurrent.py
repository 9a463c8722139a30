"""Recurrent layers: gates share units, and what a step gives the next one is given."""

from typing import Any

from torch import fx

from ridgeline.symmetry.joining import side_by_side
from ridgeline.symmetry.labels import Value, combine, move
from ridgeline.symmetry.products import linear
from ridgeline.symmetry.rules import Walk, rule, unknown

__all__: list[str] = []

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


@rule(*GATES)
def _recurrent(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    if "batch_sizes" in given:  # packed sequences
        return unknown(walk, node)
    kind = next(k for k in GATES if k in str(node.target))
    why = f"cannot be followed through {node.name}"
    states = given["hx"] if isinstance(given["hx"], (list, tuple)) else [given["hx"]]
    both = 2 if given["bidirectional"] else 1
    x, params = walk.value(given["input"]), list(given["params"])
    projected = (
        kind == "lstm" and len(states) == 2 and _last(walk, states[0]) != _last(walk, states[1])
    )
    each = 2 + 2 * bool(given["has_biases"]) + projected
    for layer in range(given["num_layers"]):
        outputs = []
        for direction in range(both):
            at = (layer * both + direction) * each
            held = [walk.value(p) for p in params[at : at + each]]
            start = [
                move(walk.units, walk.value(s), lambda f, k=layer * both + direction: f[k], why)
                for s in states
            ]
            outputs.append(_layer(walk, x, held, start, GATES[kind], projected, why))
        x = _side_by_side(walk, outputs, why)
    shapes = [tuple(v.shape) for v in node.meta["val"]]
    return [x, *(Value.of(s) for s in shapes[1:])]


def _last(walk: Walk, of: Any) -> int:
    return walk.shape(of)[-1]


def _layer(
    walk: Walk,
    x: Value,
    held: list[Value],
    start: list[Value],
    gates: int,
    projected: bool,
    why: str,
) -> Value:
    """One layer in one direction, at any step: what it gives is what it is given."""
    units = walk.units
    inputs, again, *more = held
    down = more.pop() if projected else None
    biases = more or [None, None]
    fed = linear(walk, x, inputs, biases[0], why)

    def parted(value: Value) -> list[Value]:
        return [move(units, value, lambda f, k=k: f.chunk(gates, -1)[k], why) for k in range(gates)]

    # What the step before gave has the units of this step's output.
    cell = combine(units, parted(fed), why)
    hidden = cell if down is None else linear(walk, cell, down, None, why)
    back = linear(walk, hidden, again, biases[1], why)
    cell = combine(units, [cell, *parted(back)], why)
    hidden = cell if down is None else linear(walk, cell, down, None, why)
    for value, of in zip(start, (hidden, cell), strict=False):
        combine(units, [of, move(units, value, lambda f: f[0], why)], why)
    return hidden


def _side_by_side(walk: Walk, outputs: list[Value], why: str) -> Value:
    return outputs[0] if len(outputs) == 1 else side_by_side(walk, outputs, -1, why)
