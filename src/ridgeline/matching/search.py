"""One search for all strategies: what is tried, the best of it, and never worse than the identity.

A strategy says what it tries and by which number. What holds for every search stands here: the
identity is the first that is tried, the best so far is kept, starts are compared, what is relaxed
is taken at permutations now and then, and parts that are solved in turn are so until nothing comes
nearer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from torch import Tensor

from ridgeline import state as states
from ridgeline.matching.contract import Matched
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Transform

__all__ = ["Search", "alternate", "counted"]

T = TypeVar("T")


class Search(Generic[T]):
    """The best that was tried, by one number; the identity is the first.

    Args:
        identity: What changes nothing, as the strategy holds elements.
        score: The number of an element.
        goal: ``"maximise"`` or ``"minimise"``.
        margin: By how much more a number must be better to count.
    """

    def __init__(
        self,
        identity: T,
        score: Callable[[T], float],
        goal: str = "minimise",
        *,
        margin: float = 0.0,
    ) -> None:
        self.score, self.goal, self.margin = score, goal, margin
        self.identity = self.best = identity
        self.before = self.value = score(identity)
        self.tried = 1
        """How many were compared, the identity among them."""
        self.history: list[float] = []

    @property
    def gained(self) -> bool:
        """True if something better than the identity was found."""
        return self.best is not self.identity

    def better(self, value: float, than: float | None = None) -> bool:
        """True if a number is better than another, by more than the margin.

        Args:
            value: The number.
            than: The other; that of the best so far by default.
        """
        than = self.value if than is None else than
        gain = value - than if self.goal == "maximise" else than - value
        return gain > self.margin

    def offer(self, element: T, value: float | None = None) -> float:
        """Try an element, and keep it if it is better.

        Args:
            element: The element.
            value: Its number, where it is known.

        Returns:
            Its number.
        """
        value = self.score(element) if value is None else value
        self.tried += 1
        if self.better(value):
            self.best, self.value = element, value
        return value

    def follow(
        self,
        step: Callable[[int], float],
        element: Callable[[], T | None],
        *,
        steps: int,
        every: int = 1,
        what: str,
        progress: Progress | None,
    ) -> None:
        """Take steps of something relaxed, and try the element nearest to it now and then.

        Args:
            step: Takes the step of a number and returns the relaxed number, for the history.
            element: The element nearest to what is relaxed; None if it was tried already.
            steps: How many.
            every: Steps from one element to the next; one is tried after the last in any case.
            what: Is done, for `progress`.
            progress: Told after each step.
        """
        for k in counted(what, steps, progress):
            self.history.append(step(k))
            if (k + 1) % every == 0 or k + 1 == steps:
                found = element()
                if found is not None:
                    self.offer(found)

    def matched(
        self,
        transform: Transform,
        *,
        measure: str,
        sweeps: int | None = None,
        history: Sequence[float] | None = None,
        notes: Sequence[str] = (),
        **numbers: float,
    ) -> Matched:
        """The result, which is that of the best.

        Args:
            transform: The best as a transform.
            measure: What the number is, in words.
            sweeps: Rounds or steps; as many as the history is long by default.
            history: Another than the search's own.
            notes: What a reader should know.
            numbers: To stand beside those before and after.
        """
        told = tuple(self.history if history is None else history)
        return Matched(
            transform=transform,
            objective={"before": self.before, "after": self.value, **numbers},
            goal=self.goal,
            measure=measure,
            sweeps=len(told) if sweeps is None else sweeps,
            history=told,
            notes=tuple(notes),
        )


def counted(what: str, count: int, progress: Progress | None) -> Iterator[int]:
    """Count from 0, and tell how far it is after each.

    Args:
        what: Is done.
        count: How often.
        progress: Told, if it is given.
    """
    for k in range(count):
        yield k
        if progress is not None:
            progress(what, k + 1, count)


def alternate(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    start: Transform,
    parts: Iterable[Callable[[State], Transform]],
    *,
    rounds: int,
    tolerance: float,
    what: str,
    progress: Progress | None,
) -> tuple[Transform, list[float]]:
    """Parts of an element solved in turn, each kept if b is nearer: the distance never grows.

    Args:
        a: A state, which stays.
        b: Another.
        start: Where to begin.
        parts: Each gives the step that is best for b as it is carried now.
        rounds: Most turns over all parts.
        tolerance: Relative change of the distance that counts as none, from the second turn on.
        what: Is done, for `progress`.
        progress: Told after each turn.

    Returns:
        The element, and the distance at the start and after each step that was kept.
    """
    parts = list(parts)
    found, at = start, start(b)
    history = [states.distance(a, at)]
    for turn in counted(what, rounds, progress):
        last, kept = history[-1], len(history)
        for part in parts:
            step = part(at)
            after = step(at)
            reached = states.distance(a, after)
            if reached < history[-1]:
                found, at = step @ found, after
                history.append(reached)
        if len(history) == kept or (turn and history[-1] > last * (1 - tolerance)):
            break
    return found, history
