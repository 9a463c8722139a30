"""An exchange of modules of one kind, followed through a network's trace.

If two experts change places, along with the router's rows for them, then each value of the
network stays as it is, or is put in another order along one axis, or becomes what the other
expert's value was. The last are the same operations on other tensors; where they meet in an
operation that does not ask for their order (a sum, ``index_add``, a stack that is summed over),
what comes out stays as it was. If that is so of all outputs, the exchange is a symmetry.
"""

import operator
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from ridgeline.graph import Trace, arguments, operation
from ridgeline.symmetry.along import KEPT, followed
from ridgeline.symmetry.images import Along, Image, Lost, Of, Several, Stays
from ridgeline.symmetry.members import Members
from ridgeline.symmetry.moves import MOVES

__all__ = ["Exchanging", "numbered"]

COMMUTE = {"add", "mul", "maximum", "minimum", "logaddexp", "logical_or", "bitwise_or"}
NEUTRAL = {"add": 0, "mul": 1}
ADDED = "added to rows"
LARGE = 4096
"""Numbers of a constant up to which it is compared with others by value."""


class Exchanging:
    """Fate of each value of a network if modules of one kind are exchanged.

    Args:
        trace: Of the network.
        constants: Values that depend on neither state nor data.
        members: The modules.
        rows: Tensors of the state that are exchanged along: an axis of each, and how many
            positions each member has there, one member after the other.
        same: Of each node a number, the same for those that compute the same: see `numbered`.
    """

    def __init__(
        self,
        trace: Trace,
        constants: Mapping[fx.Node, Any],
        members: Members,
        rows: Sequence[tuple[str, int, int]],
        same: Mapping[fx.Node, int],
    ) -> None:
        self.count, self.constants, self.same = members.count, constants, same
        self.inorder = tuple(range(self.count))
        self.states: dict[fx.Node, Image] = {}
        self._ids: dict[Any, int] = {}
        for k, tensors in enumerate(members.tensors):
            for slot, name in enumerate(tensors):
                self.states[trace.tensors[name]] = Of(k, self.number(("slot", slot)))
        for name, axis, width in rows:
            order = tuple(k for k in self.inorder for _ in range(width))
            self.states[trace.tensors[name]] = Along(axis, order)
        self._names = {node: name for name, node in trace.tensors.items()}
        self.wanted: list[tuple[str, int, int]] = []
        """Rows of tensors that would have to be exchanged along, as for `rows`."""
        self.mixed = False
        """True if values of several members meet where their order matters, so that the modules
        are no alternatives of each other."""
        self.stays = self._walked({n: i for i, n in enumerate(trace.graph.nodes)})
        """True if no output changes."""

    def _walked(self, order: Mapping[fx.Node, int]) -> bool:
        nodes = {order[user]: user for n in self.states for user in n.users}
        waiting = list(nodes)
        heapify(waiting)
        while waiting and not self.mixed:
            node = nodes[heappop(waiting)]
            if node.op != "call_function":  # the output
                return False
            made = self._step(node)
            if made is not None and not isinstance(made, Stays):
                self.states[node] = made
                for user in node.users:
                    if order[user] not in nodes:
                        nodes[order[user]] = user
                        heappush(waiting, order[user])
        return not self.mixed

    # --- names of values: the same for those that are made alike -------------------------------

    def number(self, of: Any) -> int:
        """A number for what a value is made of."""
        return self._ids.setdefault(of, len(self._ids))

    def key(self, of: Any) -> Any:
        """An argument as something that can be compared."""
        if isinstance(of, fx.Node):
            state = self.single(self.states.get(of))
            return ("of", state.made) if isinstance(state, Of) else ("same", self.same[of])
        if isinstance(of, (list, tuple)):
            return tuple(map(self.key, of))
        return of if isinstance(of, (bool, int, float, str, type(None))) else str(of)

    def want(self, of: Any, axis: int, order: tuple[int, ...]) -> None:
        """Note that a tensor of the state would have to be in an order of members.

        Args:
            of: An argument.
            axis: Of it, from the end.
            order: The member at each position.
        """
        width = len(order) // self.count
        blocks = tuple(k for k in self.inorder for _ in range(width))
        name = self._names.get(of) if isinstance(of, fx.Node) else None
        if name is None or order != blocks or self.states.get(of) is not None:
            return
        shape = of.meta["val"].shape
        if -len(shape) <= axis < 0 and shape[axis] == len(order):
            self.wanted.append((name, axis + len(shape), width))

    # --- one operation -------------------------------------------------------------------------

    def _step(self, node: fx.Node) -> Image:
        name = operation(node)
        given = arguments(node) if hasattr(node.target, "_schema") else {}
        if node.target is operator.getitem:
            return self._part(node)
        if (written := self._read_and_written(name, given)) is not None:
            return written
        states = [s for n in node.all_input_nodes if (s := self.states.get(n)) is not None]
        if any(isinstance(s, (Lost, list)) for s in states) or random(node):
            return Lost()
        if all(isinstance(s, (Of, Several)) for s in states):
            return self._of_members(node, name, given, states)
        if any(isinstance(s, (Of, Several)) for s in states):
            return Lost()
        return followed(self, node)

    def _part(self, node: fx.Node) -> Image:
        """One of several results."""
        source, which = node.args
        state = self.single(self.states[source])  # type: ignore[index]  # a node
        if isinstance(state, list):
            return state[which]  # type: ignore[index]  # a number
        if isinstance(state, Of):
            return Of(state.member, self.number(("part", state.made, which)))
        return Lost()

    def _of_members(
        self, node: fx.Node, name: str, given: dict[str, Any], states: Sequence[Image]
    ) -> Image:
        if (made := self._accumulated(name, given)) is not None:
            return made
        if name in COMMUTE and len(given) == 2:
            return self._commuted(name, list(given.values()))
        several = [s for s in states if isinstance(s, Several) and len(s.parts) > 1]
        if name in KEPT and several == states:
            return several[0]
        ones = [self.single(s) for s in states]
        if not all(isinstance(s, Of) for s in ones):
            return Lost()
        if len({s.member for s in ones}) == 1:
            apart = len(ones) == 1 and ones[0].apart and name in MOVES | KEPT
            made = (str(node.target), self.key(node.args), self.key(tuple(node.kwargs.items())))
            return Of(ones[0].member, self.number(made), apart)
        if name in ("stack", "cat", "concat", "concatenate"):
            return self._beside(node, name, given)
        self.mixed = name != "index"  # rows are read to be added to: `_read_and_written`
        return Lost()

    def single(self, state: Image) -> Image:
        """A sum of one member's parts alone is of that member."""
        if isinstance(state, Several) and len(state.parts) == 1:
            ((member, parts),) = state.parts.items()
            return Of(member, self.number((state.kind, state.rest, parts)))
        return state

    def gathered(self, kind: Any, rest: Sequence[Any], parts: Mapping[int, Sequence[Any]]) -> Image:
        """After a commutative operation; it stays once all members are in it, in the same way."""
        held = {k: tuple(sorted(p, key=str)) for k, p in parts.items()}
        if len(held) == self.count and len(set(held.values())) == 1:
            return Stays()
        return Several(kind, tuple(sorted(rest, key=str)), held)

    def _commuted(self, name: str, terms: Sequence[Any]) -> Image:
        terms = [t for t in terms if t != NEUTRAL.get(name)]
        if len(terms) == 1:  # `sum` begins with 0
            return self.states.get(terms[0])
        rest: list[Any] = []
        parts: dict[int, list[Any]] = {}
        for term in terms:
            state = self.states.get(term) if isinstance(term, fx.Node) else None
            if isinstance(state, Several) and state.kind == name:
                rest += state.rest
                for k, part in state.parts.items():
                    parts.setdefault(k, []).extend(part)
                continue
            state = self.single(state)
            if state is None:
                rest.append(self.key(term))
            elif isinstance(state, Of):
                parts.setdefault(state.member, []).append(state.made)
            else:
                return Lost()
        return self.gathered(name, rest, parts)

    def _accumulated(self, name: str, given: dict[str, Any]) -> Image:
        """After one member's values were added to, or written into, what others' were."""
        if name in ("index_add", "scatter_add") and given.get("alpha", 1) == 1:
            source = given.get("source", given.get("src"))
            return self._into(given["self"], (name, given["dim"]), given["index"], source)
        if name == "index_put":
            mask = [self.single(self.states.get(n)) for n in given["indices"] if n is not None]
            if given.get("accumulate", False):
                return self._into(given["self"], ADDED, given["indices"], given["values"])
            if len(mask) == 1 == len(given["indices"]) and getattr(mask[0], "apart", False):
                return self._into(given["self"], name, given["indices"], given["values"])
        if name == "where" and len(given) == 3:
            mask = self.single(self.states.get(given["condition"]))
            if getattr(mask, "apart", False):
                return self._into(given["other"], name, given["condition"], given["self"])
        return None

    def _into(self, base: Any, kind: Any, *given: Any) -> Image:
        nodes: list[fx.Node] = []
        map_arg(given, lambda n: nodes.append(n) or n)
        states = [self.single(s) for n in nodes if (s := self.states.get(n)) is not None]
        if not states or not all(isinstance(s, Of) for s in states):
            return Lost()
        if len({s.member for s in states}) > 1:
            return Lost()
        part = {states[0].member: [self.number((kind, self.key(given)))]}
        before = self.states.get(base) if isinstance(base, fx.Node) else None
        if isinstance(before, Several) and before.kind == kind:
            held = {k: [*p] for k, p in before.parts.items()}
            for k, p in part.items():
                held.setdefault(k, []).extend(p)
            return self.gathered(kind, before.rest, held)
        before = self.single(before)
        if before is None:
            return self.gathered(kind, [self.key(base)], part)
        if isinstance(before, Of) and before.member == states[0].member:
            made = self.number((kind, self.key(base), *part[before.member]))
            return Of(before.member, made)
        return Lost()

    def _read_and_written(self, name: str, given: dict[str, Any]) -> Image:
        """After ``x[rows] += y``: rows are read, something is added, and they are written back."""
        values = given.get("values")
        if name != "index_put" or given.get("accumulate") or not isinstance(values, fx.Node):
            return None
        chain = [values]
        while operation(chain[-1]) in KEPT and isinstance(chain[-1].args[0], fx.Node):
            chain.append(chain[-1].args[0])
        added = chain[-1]
        if operation(added) != "add" or len(added.args) != 2 or added.kwargs:
            return None
        for read, more in (added.args, added.args[::-1]):
            if not (isinstance(read, fx.Node) and isinstance(more, fx.Node)):
                continue
            same = operation(read) == "index" and read.args[0] is given["self"]
            if same and list(read.args[1]) == list(given["indices"]):  # type: ignore[arg-type]
                return self._into(given["self"], ADDED, given["indices"], more)
        return None

    def _beside(self, node: fx.Node, name: str, given: dict[str, Any]) -> Image:
        """After values of members were stacked, or laid side by side."""
        parts = [self.single(self.states.get(n)) for n in given["tensors"]]
        if not all(isinstance(p, Of) for p in parts) or len({p.made for p in parts}) > 1:
            return Lost()
        order = [p.member for p in parts]
        if sorted(order) != list(self.inorder):
            return Lost()
        shape = tuple(node.meta["val"].shape)
        axis = given.get("dim", 0) % len(shape)
        width = 1 if name == "stack" else shape[axis] // self.count
        return Along(axis, tuple(k for k in order for _ in range(width)))


def numbered(trace: Trace, constants: Mapping[fx.Node, Any]) -> dict[fx.Node, int]:
    """Number nodes of a trace such that those with the same number compute the same.

    Args:
        trace: Of the network.
        constants: Values that depend on neither state nor data.
    """
    known: dict[Any, int] = {}
    found: dict[fx.Node, int] = {}

    def told(of: Any) -> Any:
        if isinstance(of, fx.Node):
            return "node", found[of]
        if isinstance(of, (list, tuple)):
            return tuple(map(told, of))
        return of if isinstance(of, (bool, int, float, str, type(None))) else str(of)

    for node in trace.graph.nodes:
        described: Any = ("alone", node.name)
        if node.op == "get_attr" and node in constants:
            x = constants[node]
            held = x.tolist() if isinstance(x, Tensor) and x.numel() <= LARGE else node.name
            described = ("constant", str(getattr(x, "dtype", "")), str(held))
        elif node.op == "call_function" and not random(node):
            named = tuple((k, told(v)) for k, v in node.kwargs.items())
            described = (str(node.target), told(node.args), named)
        found[node] = known.setdefault(_typed(described), len(known))
    return found


def _typed(of: Any) -> Any:
    """The compared thing with the types of its numbers: 1, 1.0 and True are not the same."""
    return tuple(map(_typed, of)) if isinstance(of, tuple) else (type(of).__name__, of)


def random(node: fx.Node) -> bool:
    """True if an operation gives something else at each call."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    given = arguments(node)
    names = {a.name for a in node.target._schema.arguments}  # type: ignore[union-attr]  # an operation
    if "dropout_p" in names:
        return bool(given.get("dropout_p", 0.0))
    return bool(given["train"]) if "train" in given else True
