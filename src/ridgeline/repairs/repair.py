"""Repair: the statistics of each layer set to those that lie between the ends'.

Between two networks the variance of the layers' outputs collapses, the more the deeper the layer,
and what varies with the input drowns in what does not (Jordan et al. 2022, "REPAIR", section 3).
Repairing sets the mean and standard deviation of every channel of every layer's output to

    mu_t = (1 - t) mu_a + t mu_b,    sigma_t = (1 - t) sigma_a + t sigma_b,

and since that is a factor and a shift for each channel, it goes into the weight and the bias: what
comes out is an ordinary state of the same network. Where running statistics follow a layer they
undo any factor and shift, and it is they that are set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ridgeline.errors import UnknownName, UsageError
from ridgeline.objective import Objective
from ridgeline.repairs.repairer import KINDS, At, Repairer, RepairKind
from ridgeline.state import State

__all__ = ["KINDS", "Repair", "RepairKind"]


@dataclass(frozen=True, eq=False)
class Repair:
    """Repair of the states between two ends.

    Args:
        data: Inputs on which statistics are taken, as for `Objective`; labels are not looked at.
            By default what the objective was given to calibrate on, else its own inputs.
        at: Names of layers, or of weights, that are corrected; all by default. ``"hidden"``: all
            but those whose outputs no other layer takes in. The paper's rule is for hidden layers;
            its code corrects the output layer too in its perceptrons, and only convolutions in
            its convolutional networks.
        kind: ``"forward"`` measures the merged network layer by layer, each after those before it
            were corrected: exact. ``"closed-form"`` expects its deviations from those of the ends
            and their covariance, without a pass through it (Jordan et al. 2022, authors' code for
            fully connected networks; that for VGG takes the correlation after the activation):
            exact for layers that read the data. Behind others it takes a layer's inputs as the
            ends' own, mixed, and what it misses compounds over layers: little between well
            trained networks that are aligned, much between others.
            ``"statistics"`` sets running statistics alone ("reset").

    Raises:
        UnknownName: If there is no such kind.
        UsageError: If layers are named for a repair of statistics alone.
    """

    data: Any = None
    at: At = None
    kind: RepairKind = "forward"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("kind of repair", self.kind, KINDS)
        if isinstance(self.at, str) and self.at != "hidden":
            object.__setattr__(self, "at", (self.at,))
        if self.kind == "statistics" and self.at is not None:
            raise UsageError("Statistics are set all together.", got=f"layers: {self.at}")

    def between(self, a: State, b: State, objective: Objective) -> Repairer:
        """The repair of states between two ends.

        Args:
            a: The end at t = 0.
            b: The end at t = 1.
            objective: Gives the network, device, dtype and policy for statistics.

        Raises:
            StateMismatch: If the ends are not the network's.
            NonFinite: If an end holds NaN or infinity.
            NotTraceable: If the network cannot be traced.
            UnknownName: If there is no layer of a given name.
            UsageError: If nothing of the network can be repaired.
        """
        return self.among((a, b), objective)

    def among(self, ends: Sequence[State], objective: Objective) -> Repairer:
        """The repair of merges of several ends; statistics are their means with given shares.

        The rule for two ends taken to k of them is derived.

        Args:
            ends: Two at least.
            objective: As for `between`.

        Raises:
            UsageError: If there are fewer than two, or nothing of the network can be repaired.
        """
        return Repairer(ends, objective, kind=self.kind, at=self.at, data=self.data)
