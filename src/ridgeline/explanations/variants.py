"""The line from an initialisation to a minimum, and the lines that it is compared with."""

from ridgeline.errors import RidgelineError
from ridgeline.objective import Objective
from ridgeline.paths import Line, Path, homogeneous_biases
from ridgeline.paths.starts import zeros
from ridgeline.profiles import profile
from ridgeline.state import State

__all__ = ["HOMOGENEOUS", "SETTLED", "UNIFORM", "ZERO", "ends", "reason", "variants"]

UNIFORM = "uniform rates"
HOMOGENEOUS = "homogeneous biases"
SETTLED = "biases at their end"
ZERO = "from zero weights"


def variants(a: State, b: State, objective: Objective) -> tuple[dict[str, Path], dict[str, str]]:
    """The line, and the lines it is compared with, each by its name.

    Args:
        a: The start.
        b: The end.
        objective: With the network.

    Returns:
        Paths, `UNIFORM` first, and for those that cannot be formed the reason.
    """
    paths: dict[str, Path] = {UNIFORM: Line(a, b)}
    why: dict[str, str] = {}
    try:
        example = objective.samples[:2].inputs
        rates = homogeneous_biases(
            objective.network.module, example, forward=objective.network.forward
        )
    except RidgelineError as refused:
        why[HOMOGENEOUS] = why[SETTLED] = reason(refused)
        rates = {}
    if rates:
        settled = {name: b[name] if name in rates else x for name, x in a.items()}
        paths[HOMOGENEOUS] = Line(a, b, rates=rates)
        paths[SETTLED] = Line(settled, b)
    elif HOMOGENEOUS not in why:
        why[HOMOGENEOUS] = why[SETTLED] = "the network has no biases"
    paths[ZERO] = Line(zeros(a), b)
    return paths, why


def reason(refused: RidgelineError) -> str:
    """Rule and what was got; the remedy is for those who form the path themselves."""
    return (
        f"{refused.rule.rstrip()} Got {refused.got.rstrip('.')}." if refused.got else refused.rule
    )


def ends(a: State, b: State, objective: Objective) -> tuple[float, float]:
    """The loss at both ends of the line.

    Args:
        a: The start.
        b: The end.
        objective: With the network.

    Returns:
        Loss at `a` and at `b`.
    """
    mean = profile(Line(a, b), {"train": objective}, points=2).curve().mean
    return float(mean[0]), float(mean[-1])
