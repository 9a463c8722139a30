"""Graphs of minima: the tree, detours, and which pair comes next."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given as cases
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.connecting import Cycle, ElasticBand, MinimaGraph, dendrogram
from ridgeline.connecting.trees import Edge, next_pair
from ridgeline.errors import StateMismatch, UnknownName, UsageError
from ridgeline.state import State
from ridgeline.testing import EggCarton, Tabulated, given
from ridgeline.testing.potentials import Potential
from ridgeline.training import SGD


def graph_of(losses: list[float], heights: dict[tuple[int, int], float]) -> MinimaGraph:
    edges = tuple(Edge(a=i, b=j, saddle=x) for (i, j), x in heights.items())
    names = tuple("abcdefgh"[: len(losses)])
    return MinimaGraph(names=names, losses=tuple(losses), edges=edges)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[float], dict[tuple[int, int], float]]:
    n = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    losses = rng.uniform(0, 1, n).tolist()
    heights = {
        (i, j): float(rng.uniform(max(losses[i], losses[j]), 3))
        for i, j in itertools.combinations(range(n), 2)
        if rng.uniform() < 0.8
    }
    return losses, heights


@cases(graphs())
def test_saddles_are_the_least_maxima_over_all_detours_and_an_ultrametric(given_here):
    losses, heights = given_here
    found, n = graph_of(losses, heights).saddles, len(losses)
    wanted = np.full((n, n), np.inf)
    for (i, j), x in heights.items():
        wanted[i, j] = wanted[j, i] = x
    np.fill_diagonal(wanted, losses)
    for _ in range(n):  # by every detour, again and again
        for i, j, k in itertools.product(range(n), repeat=3):
            wanted[i, j] = min(wanted[i, j], max(wanted[i, k], wanted[k, j]))
    np.testing.assert_array_equal(found, wanted)
    for i, j, k in itertools.permutations(range(n), 3):
        assert found[i, j] <= max(found[i, k], found[k, j])


def test_of_a_pair_that_was_tried_again_the_lowest_path_counts():
    edges = tuple(Edge(a=0, b=1, saddle=x) for x in (2.0, 1.0, 3.0))
    graph = MinimaGraph(names=("a", "b"), losses=(0.0, 0.0), edges=edges)
    assert graph.saddle("a", "b") == 1.0 and graph.edge(1, 0) is edges[1]


def test_an_edge_of_height_zero_is_an_edge():
    assert len(graph_of([0.0, 0.0], {(0, 1): 0.0}).tree) == 1


def test_a_route_goes_over_the_lowest_passes():
    graph = graph_of([0.0] * 3, {(0, 1): 1.0, (1, 2): 2.0, (0, 2): 5.0})
    assert [e.pair for e in graph.route("a", "c")] == [(0, 1), (1, 2)]
    assert graph.route(1, 1) == ()
    assert [r["saddle"] for r in graph.rows()] == [1.0, 2.0, 2.0]
    assert [r["direct"] for r in graph.rows()] == [1.0, 5.0, 2.0]


def test_minima_without_a_path_have_no_route_and_an_infinite_saddle():
    graph = graph_of([0.0] * 3, {(0, 1): 1.0})
    assert graph.saddle(0, 2) == np.inf
    with pytest.raises(UsageError, match=r"have a route.*Got a and c.*budget"):
        graph.route(0, 2)
    with pytest.raises(UnknownName, match="minimum"):
        graph.saddle("a", "z")
    with pytest.raises(UsageError, match="numbers from 0 to 2"):
        graph.saddle(0, 3)


def test_first_the_lowest_minimum_is_connected_to_all_others():
    losses, edges = [0.3, 0.1, 0.2], {}
    asked = []
    for _ in range(2):
        i, j = next_pair(losses, edges)  # type: ignore[misc]  # there is one
        asked.append((i, j))
        edge = Edge(a=i, b=j, saddle=1.0)
        edges[edge.pair] = edge
    assert asked == [(1, 2), (1, 0)]


def test_then_the_highest_edge_of_the_tree_is_replaced():
    losses = [0.0, 0.1, 0.2, 0.3]
    edges = {(0, k): Edge(a=0, b=k, saddle=s) for k, s in ((1, 1.0), (2, 3.0), (3, 2.0))}
    # Without 0 - 2 the parts are {2} and {0, 1, 3}; of these 0 was tried, 1 is the next lowest.
    assert next_pair(losses, edges) == (1, 2)


def test_an_edge_as_low_as_every_path_must_climb_is_left_alone():
    losses = [0.0, 0.5, 0.2]
    edges = {(0, 1): Edge(a=0, b=1, saddle=0.5), (0, 2): Edge(a=0, b=2, saddle=0.2)}
    assert next_pair(losses, edges) is None
    edges[(0, 1)] = Edge(a=0, b=1, saddle=0.51)
    assert next_pair(losses, edges) is not None
    assert next_pair(losses, edges, 0.05) is None


@dataclass
class Straight:
    """A strategy that knows no better than the line."""

    asked: list[tuple[float, float]] = field(default_factory=list)

    def connect(self, a: State, b: State, objective: rl.Objective, **_: Any) -> Any:
        self.asked.append((float(a["position"]), float(b["position"])))
        return type("Found", (), {"path": rl.Polygon(a, b)})()


def test_detours_over_other_minima_are_found_with_a_strategy_that_knows_lines_only():
    # Wells at 0, 0.5 and 1, the middle one not the lowest; walls of 1 and 2 between them.
    model = Tabulated([0, 0.25, 0.5, 0.75, 1], [0.1, 1.0, 0.2, 2.0, 0.0])
    goal = rl.Objective(model, model.samples(), loss=given)
    wells, by = [model.at(x) for x in (0.0, 0.5, 1.0)], Straight()
    told = []
    graph = rl.minima_graph(
        wells, goal, by=by, names=["left", "middle", "right"], progress=lambda *x: told.append(x)
    )
    assert by.asked == [(1.0, 0.0), (1.0, 0.5), (0.5, 0.0)]
    assert graph.losses == pytest.approx((0.1, 0.2, 0.0))
    assert graph.saddle("left", "middle") == pytest.approx(1.0, abs=0.05)
    assert graph.saddle("left", "right") == pytest.approx(2.0, abs=0.1)
    joined = graph.path("left", "right")
    assert [float(p["position"]) for p in joined.points] == [0.0, 1.0]
    assert told[-1][1:] == (3, 3)
    assert "left - middle: " in str(graph) and "3 minima of loss 0 to 0.2" in str(graph)


def test_a_budget_ends_the_search_and_a_known_graph_goes_on():
    model = Tabulated([0, 0.25, 0.5, 0.75, 1], [0.1, 1.0, 0.2, 2.0, 0.0])
    goal = rl.Objective(model, model.samples(), loss=given)
    wells = [model.at(x) for x in (0.0, 0.5, 1.0)]
    first = rl.minima_graph(wells, goal, by=Straight(), budget=2)
    assert len(first.edges) == 2
    again = rl.minima_graph(wells, goal, by=Straight(), known=first)
    assert len(again.edges) == 3 and again.edges[:2] == first.edges


def test_an_egg_carton_has_one_height_of_pass_between_all_wells():
    model: Potential = EggCarton()
    goal = rl.Objective(model, model.samples(), loss=given)
    band = ElasticBand(
        cycles=tuple(Cycle(steps=15) for _ in range(2)),
        optimiser=SGD(learning_rate=0.01, momentum=0.8),
        evaluation="loop",
    )
    wells = [model.at(0, 0), model.at(1, 0), model.at(2, 1)]
    graph = rl.minima_graph(wells, goal, by=band, budget=3)
    off = graph.saddles[~np.eye(3, dtype=bool)]
    assert off == pytest.approx(1.0, rel=0.1)
    path = graph.path(0, 2)
    assert path(0.0)["point"].tolist() == [0, 0] and path(1.0)["point"].tolist() == [2, 1]
    assert float(rl.profile(path, goal, points=101).curve().mean.max()) < 1.2


def test_the_dendrogram_joins_minima_at_their_saddles():
    graph = graph_of([0.0, 0.1, 0.2], {(0, 1): 1.0, (1, 2): 2.0, (0, 2): 5.0})
    chart = dendrogram(graph)
    minima, low, high = chart.panels[0].series
    assert list(minima.y) == [0.0, 0.1, 0.2]
    assert list(low.y) == [0.0, 1.0, 1.0, 0.1] and list(high.y) == [1.0, 2.0, 2.0, 0.2]
    assert "saddles from 1 to 2" in chart.caption
    assert [row["saddle"] for row in chart.table] == [1.0, 2.0, 2.0]


def test_what_is_no_set_of_minima_is_refused():
    model = Tabulated([0, 1], [0.0, 1.0])
    goal = rl.Objective(model, model.samples(), loss=given)
    well = model.at(0.0)
    with pytest.raises(UsageError, match="two minima at least"):
        rl.minima_graph([well], goal, by=Straight())
    with pytest.raises(UsageError, match="a name of its own"):
        rl.minima_graph([well, well], goal, by=Straight(), names=["x", "x"])
    with pytest.raises(UsageError, match="number of paths"):
        rl.minima_graph([well, well], goal, by=Straight(), budget=-1)
    with pytest.raises(StateMismatch, match="position"):
        rl.minima_graph([well, {}], goal, by=Straight())
