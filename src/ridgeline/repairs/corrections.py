"""What a repair does at one position: a factor and a shift for each channel, fused into tensors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ridgeline.paths import Combination
from ridgeline.repairs.sites import Site

__all__ = ["Corrected", "Correction", "Factors", "factors", "overrides"]


@dataclass(frozen=True, eq=False)
class Factors:
    """Correction of one layer: its output z becomes ``scale * z + shift``, channel by channel.

    Args:
        site: The layer's output.
        scale: Shape (C,), float64.
        shift: Shape (C,), float64; zero where the layer has no bias to take it.
        constant: Channels whose scale was kept because they do not vary.
    """

    site: Site
    scale: Tensor
    shift: Tensor
    constant: tuple[int, ...] = ()

    def __call__(self, value: Tensor) -> Tensor:
        """The value corrected, as the fused tensors give it."""
        shape = (self.site.channels, *(1,) * (-1 - self.site.axis))
        scale, shift = (x.to(value.dtype).view(shape) for x in (self.scale, self.shift))
        return value * scale + shift

    def tensor(self, name: str, x: Tensor) -> Tensor:
        """The site's weight or bias with the correction in it."""
        if name == self.site.weight:
            return self.site.scaled(x, self.scale)
        scale, shift = (v.to(x.dtype).view(x.shape) for v in (self.scale, self.shift))
        return x * scale + shift


def factors(
    site: Site, mean: Tensor, deviation: Tensor, goal: tuple[Tensor, Tensor], noise: Tensor
) -> Factors:
    """The factors that bring a layer's channels from their statistics to the goal's.

    A channel that is constant on the data, up to rounding, keeps its scale: no factor makes a
    constant vary, and one that was rounding's would be huge. Its mean is set all the same.

    Args:
        site: The layer's output.
        mean: Of each channel now, shape (C,).
        deviation: Its standard deviation now, shape (C,).
        goal: Mean and standard deviation that it should have.
        noise: Deviations up to this are rounding's.
    """
    mean_wanted, deviation_wanted = goal
    live = deviation > noise
    scale = torch.where(live, deviation_wanted / torch.where(live, deviation, 1), 1.0)
    constant = tuple((~live & (deviation_wanted > noise)).nonzero().flatten().tolist())
    both = site.can == "mean and deviation"
    shift = mean_wanted - scale * mean if both else torch.zeros_like(scale)
    return Factors(site, scale, shift, constant)


@dataclass(frozen=True, eq=False)
class Correction:
    """All that a repair changes at one position.

    Args:
        layers: Factors of each layer that is corrected.
        statistics: Normalisation statistics, by their names in the state.
    """

    layers: tuple[Factors, ...] = ()
    statistics: Mapping[str, Tensor] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.layers or self.statistics)

    @property
    def names(self) -> Iterator[str]:
        """Names of the tensors that it changes."""
        for layer in self.layers:
            yield layer.site.weight
            if layer.site.bias is not None:
                yield layer.site.bias
        yield from self.statistics

    def tensor(self, name: str, x: Tensor) -> Tensor:
        """One tensor of the state, corrected.

        Args:
            name: Of the tensor.
            x: The tensor before.
        """
        if name in self.statistics:
            return self.statistics[name].to(dtype=x.dtype, device=x.device)
        for layer in self.layers:
            if name in (layer.site.weight, layer.site.bias):
                x = layer.tensor(name, x)
        return x

    def __call__(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors with the correction in them; those given are left as they are."""
        return {**tensors, **{n: self.tensor(n, tensors[n]) for n in self.names}}


class Corrected:
    """One tensor of a path, corrected at each position; formed only when asked for.

    Args:
        name: Of the tensor.
        combination: The path at K positions.
        corrections: One for each position.
        dtype: In which the correction is applied.
        device: Where.
    """

    def __init__(
        self,
        name: str,
        combination: Combination,
        corrections: Sequence[Correction],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.name, self.combination, self.corrections = name, combination, corrections
        self.dtype, self.device = dtype, device

    def __getitem__(self, k: int) -> Tensor:
        x = self.combination.tensor(self.name, k, dtype=self.dtype)
        return self.corrections[k].tensor(self.name, x.to(self.device))


def overrides(
    combination: Combination,
    corrections: Sequence[Correction],
    dtype: torch.dtype,
    device: torch.device,
) -> dict[str, Corrected]:
    """Return what the engine takes in place of a path's own tensors.

    Args:
        combination: The path at K positions.
        corrections: One for each position.
        dtype: In which the engine computes.
        device: On which.
    """
    names = dict.fromkeys(name for c in corrections for name in c.names)
    return {n: Corrected(n, combination, corrections, dtype, device) for n in names}
