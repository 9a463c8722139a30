"""Many minima and the passes between them: a graph, its minimum spanning tree, and what it says.

The saddle of two minima is the lowest maximum of the loss over all paths between them. A path that
was found bounds it from above, and so do detours over other minima: over paths that can be joined,
the saddle of A and C is at most the higher of those of A with B and of B with C. So saddles are an
ultrametric, and all of them are read off a minimum spanning tree (Draxler et al. 2018).
"""

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridgeline.connecting.trees import Edge, spanning
from ridgeline.errors import UnknownName, UsageError
from ridgeline.paths import Polygon

__all__ = ["MinimaGraph"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MinimaGraph:
    """Minima, and the paths between them that were found."""

    names: tuple[str, ...]
    losses: tuple[float, ...]
    """Of each minimum."""
    edges: tuple[Edge, ...]
    """In the order in which they were found; of a pair that was tried again all."""
    notes: tuple[str, ...] = ()
    best: dict[tuple[int, int], Edge] = field(init=False, repr=False)
    """The lowest path of each pair that was tried, the smaller number first."""

    def __post_init__(self) -> None:
        best: dict[tuple[int, int], Edge] = {}
        for edge in self.edges:
            if edge.pair not in best or edge.saddle < best[edge.pair].saddle:
                best[edge.pair] = edge
        object.__setattr__(self, "best", best)

    def __len__(self) -> int:
        return len(self.losses)

    def edge(self, a: int | str, b: int | str) -> Edge | None:
        """The lowest path found between two minima directly; None if none was looked for."""
        i, j = self._number(a), self._number(b)
        return self.best.get((min(i, j), max(i, j)))

    @property
    def tree(self) -> tuple[Edge, ...]:
        """The minimum spanning tree (or forest), its lowest edge first."""
        return tuple(sorted(spanning(len(self), self.best), key=lambda e: e.saddle))

    @property
    def saddles(self) -> NDArray[np.float64]:
        """The lowest known maximum between all pairs, over detours too.

        Returns:
            Shape (M, M): bottlenecks of paths in the tree, infinite where none joins two minima;
            the minima's own losses on the diagonal. For all A, B and C the entry of A and C is at
            most the larger of those of A and B and of B and C.
        """
        found = np.full((len(self), len(self)), np.inf)
        np.fill_diagonal(found, self.losses)
        parts = [{k} for k in range(len(self))]
        for edge in self.tree:
            one = next(p for p in parts if edge.a in p)
            other = next(p for p in parts if edge.b in p)
            for i in one:
                for j in other:
                    found[i, j] = found[j, i] = edge.saddle
            parts = [p for p in parts if p is not one and p is not other] + [one | other]
        return found

    def saddle(self, a: int | str, b: int | str) -> float:
        """The lowest known maximum between two minima."""
        return float(self.saddles[self._number(a), self._number(b)])

    def route(self, a: int | str, b: int | str) -> tuple[Edge, ...]:
        """The edges of the tree from one minimum to another, in order.

        Raises:
            UsageError: If no paths join them.
        """
        goal = self._number(b)
        todo: list[tuple[int, tuple[Edge, ...]]] = [(self._number(a), ())]
        seen = {self._number(a)}
        while todo:
            at, way = todo.pop()
            if at == goal:
                return way
            for edge in self.tree:
                if at in edge.pair:
                    other = edge.b if edge.a == at else edge.a
                    if other not in seen:
                        seen.add(other)
                        todo.append((other, (*way, edge)))
        raise UsageError(
            "Two minima have a route if paths that were found join them.",
            got=f"{self.names[self._number(a)]} and {self.names[goal]}",
            remedy="Look for more paths: a larger `budget`.",
        )

    def path(self, a: int | str, b: int | str) -> Polygon:
        """The path of lowest known maximum between two minima, over others where that is lower.

        Raises:
            UsageError: If no paths join them, or one that does is no polygonal chain.
        """
        at, points, lengths = self._number(a), [], [0.0]
        for edge in self.route(a, b):
            path = edge.found.path if edge.found is not None else None
            if not isinstance(path, Polygon):
                raise UsageError(
                    "Paths are joined if they are polygonal chains, such as elastic bands.",
                    got=f"{path!r} between {self.names[edge.a]} and {self.names[edge.b]}",
                    remedy="Take the paths of `route` one after another.",
                )
            forward = edge.a == at
            chain = path.points if forward else path.points[::-1]
            parts = np.diff(path.knots) if forward else np.diff(path.knots)[::-1]
            whole = path.length(path.knots)
            points += chain if not points else chain[1:]
            lengths += [lengths[-1] + float(x) * whole for x in np.cumsum(parts)]
            at = edge.b if forward else edge.a
        if len(points) < 2:
            raise UsageError(
                "A path is between two minima.", got=f"{self.names[at]}, once and again"
            )
        knots = np.asarray(lengths) / lengths[-1]
        return Polygon(*points, knots=[*knots[:-1].tolist(), 1.0])

    def _number(self, name: int | str) -> int:
        if isinstance(name, str):
            if name not in self.names:
                raise UnknownName("minimum", name, self.names)
            return self.names.index(name)
        if not 0 <= name < len(self):
            raise UsageError(f"Minima have numbers from 0 to {len(self) - 1}.", got=str(name))
        return int(name)

    def rows(self) -> list[dict[str, Any]]:
        """A tidy row for each pair: its saddle over the tree, and on the direct path if tried."""
        saddles, found = self.saddles, []
        for i, j in combinations(range(len(self)), 2):
            direct = self.edge(i, j)
            found.append(
                {
                    "a": self.names[i],
                    "b": self.names[j],
                    "loss_a": self.losses[i],
                    "loss_b": self.losses[j],
                    "saddle": float(saddles[i, j]),
                    "direct": direct.saddle if direct is not None else float("nan"),
                    "in_tree": direct is not None and direct in self.tree,
                }
            )
        return found

    def __str__(self) -> str:
        low, high = min(self.losses), max(self.losses)
        lines = [
            f"{len(self)} minima of loss {low:.4g} to {high:.4g}, {len(self.best)} paths, "
            f"a minimum spanning tree of {len(self.tree)}"
        ]
        for edge in self.tree:
            i, j = edge.pair
            lines.append(f"  {self.names[i]} - {self.names[j]}: {edge.saddle:.4g}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])
