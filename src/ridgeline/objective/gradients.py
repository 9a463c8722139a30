"""The loss over an objective's data, and its gradient by the tensors of a state."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ridgeline.objective.objective import Objective
from ridgeline.objective.point import Names, Part, Point, accumulate, gradients
from ridgeline.objective.samples import Samples
from ridgeline.objective.weighted import Weighted
from ridgeline.state import State

__all__ = ["Ratio", "counted", "gradient", "ratio", "total", "value_and_gradient"]


def gradient(
    objective: Objective,
    state: Mapping[str, Tensor],
    *,
    names: Names = None,
    batch: Samples | None = None,
) -> State:
    """The gradient of the mean loss by the tensors of a state; see `value_and_gradient`."""
    return value_and_gradient(objective, state, names=names, batch=batch)[1]


def value_and_gradient(
    objective: Objective,
    state: Mapping[str, Tensor],
    *,
    names: Names = None,
    batch: Samples | None = None,
) -> tuple[float, State]:
    """The mean loss at a state, and its gradient by the state's tensors.

    The mean is the objective's own: in evaluation mode, over what its `weights` say, without
    samples that do not count. Statistics of normalisation are constants for the derivative.
    Sums over the data are in float64, a chunk of ``objective.rows`` at a time.

    Args:
        objective: What is differentiated.
        state: Where.
        names: By which tensors; by all coordinates by default. Labels and statistics among them
            are left out, so that the names of a layer in `state.layers` serve.
        batch: The samples that the mean is over; all of the objective's by default. Under the
            policy ``"recompute"`` statistics are gathered on it then, as in training.

    Returns:
        The loss, and name to derivative: of a complex tensor that by the real part plus i times
        that by the imaginary one, as torch has it.

    Raises:
        StateMismatch: If the state is not one of the model.
        NonFinite: If it holds NaN, or infinity other than that of a mask.
        UnknownName: If the model has no tensor of a name.
        UsageError: If network or loss let no derivative through, as an error does not.
        DataError: If no sample counts.
        ForwardFailed: If the model or its loss raises.
    """
    point = Point(objective, state, names, batch)
    found = ratio(point)
    return found.value, point.state_of(found.gradient)


@dataclass(frozen=True, eq=False)
class Ratio:
    """A mean loss with its derivatives, ``A / B`` with ``A = sum_i w_i v_i`` and ``B = sum_i w_i``.

    Nearly always B does not depend on the state. Where it does, as in a loss that weighs samples by
    what the network says of them, its derivatives are part of those of the mean.
    """

    value: float
    weight: float
    """B."""
    gradient: list[Tensor]
    """Of the mean, by each leaf, in float64."""
    of_weight: list[Tensor] | None = None
    """Of B; None if it does not depend on the state."""


def ratio(point: Point) -> Ratio:
    """The mean loss at a point, with its derivatives, in one pass over the data.

    Args:
        point: Where.

    Raises:
        DataError: If no sample counts.
    """
    sums, of_weight = point.zeros(), point.zeros()
    numbers, depends = [0.0, 0.0], False

    def add(part: Part) -> None:
        nonlocal depends
        number, weight = total(part.scores)
        held = weight.requires_grad
        depends |= held
        accumulate(sums, gradients(number, point.leaves, keep=held))
        if held:
            accumulate(of_weight, gradients(weight, point.leaves))
        numbers[0] += float(number.detach())
        numbers[1] += float(weight.detach())

    point.visit("differentiating the loss", add)
    weight = counted(point, numbers[1])
    value, found = numbers[0] / weight, [x / weight for x in sums]
    if not depends:
        return Ratio(value, weight, found)
    found = [g - h * value / weight for g, h in zip(found, of_weight, strict=True)]
    return Ratio(value, weight, found, of_weight)


def counted(point: Point, weight: float) -> float:
    """A sum of weights, if something counts.

    Raises:
        DataError: If nothing does.
    """
    point.objective.counted("loss", range(weight > 0))
    return weight


def total(scores: Weighted) -> tuple[Tensor, Tensor]:
    """The weighted sum over samples, and the sum of their weights, in float64."""
    values = scores.values.double()
    if scores.weights is None:
        return values.sum(), values.new_tensor(float(len(values)))
    weights = scores.weights.double()
    return (values.masked_fill(weights == 0, 0) * weights).sum(), weights.sum()
