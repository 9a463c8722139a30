"""Recurrent layers: gates share units, and what a step gives the next one is given."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import fx

from ridgeline.symmetry.labels import Value, combine, move, reduce
from ridgeline.symmetry.rules.joining import side_by_side
from ridgeline.symmetry.rules.ordered import in_order
from ridgeline.symmetry.rules.products import linear
from ridgeline.symmetry.rules.registry import Walk, over, rule, unknown, why_of

__all__: list[str] = []

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


class Layer(NamedTuple):
    """Weights and inputs of a recurrent layer, in one direction.

    Args:
        tensors: Its weights and biases.
        start: States before the first step.
        gates: Rows of the weights are those of so many gates.
        projected: Whether the last tensor maps the cell to what is given on.
        time: The axis of steps.
    """

    tensors: list[Value]
    start: list[Value]
    gates: int
    projected: bool
    time: int


@rule(*GATES)
def _recurrent(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    x = walk.value(given.get("input"))
    if "batch_sizes" in given or len(x.shape) != 3:  # packed sequences
        return unknown(walk, node)
    kind = next(k for k in GATES if k in str(node.target))
    why = why_of(node)
    states = given["hx"] if isinstance(given["hx"], (list, tuple)) else [given["hx"]]
    both = 2 if given["bidirectional"] else 1
    time = 1 if given["batch_first"] else 0
    params = list(given["params"])
    projected = (
        kind == "lstm" and len(states) == 2 and _last(walk, states[0]) != _last(walk, states[1])
    )
    each = 2 + 2 * bool(given["has_biases"]) + projected
    # A step is told from another by what comes before it.
    x = in_order(walk, x, [time], why)
    final: list[list[Value]] = [[] for _ in states]
    for layer in range(given["num_layers"]):
        outputs = []
        for direction in range(both):
            k = layer * both + direction
            held = [walk.value(p) for p in params[k * each : (k + 1) * each]]
            start = [
                move(walk.units, walk.value(s), lambda f, k=k: f[k].unsqueeze(time), why)
                for s in states
            ]
            parts = Layer(held, start, GATES[kind], projected, time)
            made = _layer(walk, x, parts, why)
            outputs.append(made[0])
            for rows, value in zip(final, made, strict=False):
                rows.append(_after_all(walk, value, time, why))
        x = outputs[0] if both == 1 else side_by_side(walk, outputs, -1, why)
    return [x, *(side_by_side(walk, rows, 0, why, torch.stack) for rows in final)]


def _last(walk: Walk, of: Any) -> int:
    return walk.shape(of)[-1]


def _after_all(walk: Walk, value: Value, time: int, why: str) -> Value:
    """The state after the last step, which depends on all of them."""
    total = reduce(walk.units, value, [time], why)
    return move(walk.units, total, lambda f: f.squeeze(time), why)


def _parted(walk: Walk, value: Value, gates: int, why: str) -> list[Value]:
    return [
        move(walk.units, value, lambda f, k=k: f.chunk(gates, -1)[k], why) for k in range(gates)
    ]


def _layer(walk: Walk, x: Value, parts: Layer, why: str) -> tuple[Value, Value]:
    """One layer in one direction, at any step: what it gives is what it is given.

    Returns:
        The hidden state and that of the cell.
    """
    units = walk.units
    inputs, again, *more = parts.tensors
    down = more.pop() if parts.projected else None
    biases = more or [None, None]
    fed = over(walk, linear(walk, x, inputs, biases[0], why), [parts.time], why)

    def given_on(cell: Value) -> Value:
        return cell if down is None else linear(walk, cell, down, None, why)

    # What the step before gave has the units of this step's output.
    cell = combine(units, _parted(walk, fed, parts.gates, why), why)
    back = linear(walk, given_on(cell), again, biases[1], why)
    cell = combine(units, [cell, *_parted(walk, back, parts.gates, why)], why)
    start = parts.start
    if len(start) > 1:
        cell = combine(units, [cell, start[1]], why)
    hidden = combine(units, [given_on(cell), start[0]], why)
    return hidden, hidden if len(start) == 1 else cell


@rule(*(f"{kind}_cell" for kind in GATES))
def _cell(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    """One step: gates of what comes in and of the state before, element by element."""
    why = why_of(node)
    kind = next(k for k in GATES if k in str(node.target))
    several = isinstance(given["hx"], (list, tuple))
    states = [walk.value(s) for s in (given["hx"] if several else [given["hx"]])]
    rows: list[Value] = []
    for value, side in ((walk.value(given["input"]), "ih"), (states[0], "hh")):
        bias = given.get(f"b_{side}")
        weight = walk.value(given[f"w_{side}"])
        made = linear(walk, value, weight, None if bias is None else walk.value(bias), why)
        rows += _parted(walk, made, GATES[kind], why)
    rows += _kept(kind, states)
    cell = combine(walk.units, rows, why)
    return [cell, cell] if several else cell


def _kept(kind: str, states: Sequence[Value]) -> list[Value]:
    """States of which a part is kept as it is: that of an LSTM's cell, and of a GRU."""
    return {"lstm": list(states[1:]), "gru": list(states)}.get(kind, [])
