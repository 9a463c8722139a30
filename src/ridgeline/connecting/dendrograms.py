"""The chart of many minima: which are joined, and how high."""

from collections.abc import Callable, Iterator

from ridgeline.charts import Mark, Panel, Panels, Series
from ridgeline.connecting.minima import MinimaGraph

__all__ = ["dendrogram"]


def dendrogram(graph: MinimaGraph) -> Panels:
    """Minima at their losses, joined at the heights of the tree's saddles.

    Args:
        graph: Of `minima_graph`.
    """
    order, joints = _joints(graph)
    place = {k: float(x) for x, k in enumerate(order)}
    series = [
        Series(
            label="minima",
            x=[place[k] for k in range(len(graph))],
            y=list(graph.losses),
            points=True,
            name=", ".join(graph.names),
        )
    ]
    series += [
        Series(label="saddles", x=x, y=y, name=f"saddle {height:.4g}")
        for x, y, height in joints(place)
    ]
    marks = [Mark(place[k], graph.names[k]) for k in range(len(graph))]
    heights = [edge.saddle for edge in graph.tree]
    told = f", joined at saddles from {min(heights):.4g} to {max(heights):.4g}" if heights else ""
    return Panels(
        name="minima",
        title="Minima and the passes between them",
        caption=f"{len(graph)} minima at their losses{told}: the minimum spanning tree of "
        f"{len(graph.best)} paths that were found.",
        panels=[Panel(x="minimum", y="loss", series=series, marks=marks)],
        table=graph.rows(),
    )


def _joints(
    graph: MinimaGraph,
) -> tuple[
    list[int], Callable[[dict[int, float]], Iterator[tuple[list[float], list[float], float]]]
]:
    """An order of minima in which the tree's parts stand together, and the brackets over them."""
    parts: list[list[int]] = [[k] for k in range(len(graph))]
    merges: list[tuple[list[int], list[int], float]] = []
    for edge in graph.tree:
        one = next(p for p in parts if edge.a in p)
        other = next(p for p in parts if edge.b in p)
        merges.append((one, other, edge.saddle))
        parts = [p for p in parts if p is not one and p is not other] + [one + other]

    def brackets(
        place: dict[int, float],
    ) -> Iterator[tuple[list[float], list[float], float]]:
        tops: dict[tuple[int, ...], tuple[float, float]] = {
            (k,): (place[k], graph.losses[k]) for k in range(len(graph))
        }
        for one, other, height in merges:
            (x, y), (u, v) = tops[tuple(one)], tops[tuple(other)]
            tops[tuple(one + other)] = ((x + u) / 2, height)
            yield [x, x, u, u], [y, height, height, v], height

    return [k for part in parts for k in part], brackets
