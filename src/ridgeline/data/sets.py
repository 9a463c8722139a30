"""Data sets: named splits, each two arrays of the same length."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.errors import DataError, UnknownName
from ridgeline.rng import stream

__all__ = ["IGNORED", "DataSet", "Split"]

IGNORED = -100
"""A label that does not count, as in the losses of torch."""


@dataclass(frozen=True, eq=False)
class Split:
    """Inputs and targets, sample by sample along the first axis."""

    inputs: Any
    """A tensor; for a model of several inputs tensors in a tuple, or in a dict by keyword."""
    targets: Any
    """A tensor; several for a loss of several."""
    left_out: tuple[str, ...] = ()
    """Names of parts that were words for each sample, as `ridgeline.objective.Samples` says."""

    def __post_init__(self) -> None:
        if not isinstance(self.inputs, Tensor | tuple | Mapping):
            raise DataError(
                "Inputs are a tensor, or several of them in a tuple or a dict.",
                got=type(self.inputs).__name__,
                remedy="Stack the samples into one tensor.",
            )
        parts, targets = _leaves(self.inputs), _leaves(self.targets)
        if not parts or not targets or not all(x.ndim for x in (*parts, *targets)):
            shapes = [str(tuple(x.shape)) for x in (*parts, *targets)]
            raise DataError(
                "Inputs and targets have samples along their first axis.",
                got=f"shapes {' and '.join(shapes)}",
                remedy="Give arrays, not single numbers.",
            )
        if any(len(x) != len(self) for x in (*parts, *targets)):
            counts = " and ".join(dict.fromkeys(str(len(x)) for x in parts))
            raise DataError(
                "Inputs and targets must be as many.",
                got=f"{counts} inputs and {len(self)} targets",
                remedy="Check that both come from the same files.",
            )
        if not len(self):
            raise DataError(
                "A split must hold a sample.", got="none", remedy="Check how it was selected."
            )

    def of_one_input(self) -> "Split":
        """The split, for what takes a single tensor of inputs.

        Raises:
            DataError: If there are several.
        """
        several = [f"{len(_leaves(self.inputs))} inputs"] * (not isinstance(self.inputs, Tensor))
        if not isinstance(self.targets, Tensor):
            several.append(f"{len(_leaves(self.targets))} targets")
        if several:
            raise DataError(
                "Networks are trained here on one tensor of inputs and of targets.",
                got=" and ".join(several),
                remedy="Train with a loop of your own. What is trained can be measured, aligned "
                "and merged with several.",
            )
        return self

    def __len__(self) -> int:
        return len(_leaves(self.targets)[0])

    def __iter__(self) -> Iterator[Any]:
        """Inputs, then targets: ``inputs, targets = split``."""
        return iter((self.inputs, self.targets))

    def subset(self, n: int, seed: int = 0) -> "Split":
        """`n` samples without repetition, classes balanced when targets are class numbers.

        Classes differ by at most one sample, as long as each has enough. Subsets are nested: the
        first 100 of 200 are the 100 of the same seed, in the same order.

        Args:
            n: How many.
            seed: Of the choice.

        Returns:
            A new split with copies of the chosen samples.

        Raises:
            DataError: If there are fewer than `n`, or `n` is not positive.
        """
        if not 1 <= n <= len(self):
            raise DataError(
                f"A subset of {len(self)} samples has from 1 to {len(self)}.",
                got=str(n),
                remedy="Ask for fewer, or for all by leaving the size out.",
            )
        order = torch.randperm(len(self), generator=stream(seed, "subset"))
        labels = isinstance(self.targets, Tensor) and self.targets.ndim == 1
        if labels and not self.targets.is_floating_point():
            order = order[_turns(self.targets.cpu()[order]).argsort(stable=True)]
        chosen = order[:n]
        return self._map(lambda x: x[chosen.to(x.device)])

    def to(self, device: str | torch.device) -> "Split":
        """The split on another device."""
        return self._map(lambda x: x.to(device))

    def _map(self, function: Callable[[Tensor], Tensor]) -> "Split":
        inputs = pytree.tree_map_only(Tensor, function, self.inputs)
        if self.targets is self.inputs:
            return Split(inputs, inputs, self.left_out)
        targets = pytree.tree_map_only(Tensor, function, self.targets)
        return Split(inputs, targets, self.left_out)


def _leaves(held: Any) -> list[Tensor]:
    return [x for x in pytree.tree_leaves(held) if isinstance(x, Tensor)]


def _turns(labels: Tensor) -> Tensor:
    """For each label how many equal ones came before: choosing by it deals the classes in turn."""
    by_class = labels.argsort(stable=True)
    _, counts = labels.unique(return_counts=True)
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    turns = torch.empty_like(by_class)
    turns[by_class] = torch.arange(len(labels)) - starts
    return turns


@dataclass(frozen=True, eq=False)
class DataSet:
    """Named splits with what is known about them."""

    name: str
    splits: Mapping[str, Split]
    classes: int | None = None
    """Number of classes; None when targets are not class numbers."""
    description: str = ""
    source: str = ""
    """Origin of the arrays: a file, a generator, a function."""

    def __post_init__(self) -> None:
        if not self.splits:
            raise DataError("A data set must have a split.", got=f"none in {self.name}")
        if self.classes is None:
            return
        for split, data in self.splits.items():
            labels = data.targets[data.targets != IGNORED]
            low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
            if low < 0 or high >= self.classes:
                raise DataError(
                    f"Labels of {self.classes} classes are from 0 to {self.classes - 1}.",
                    got=f"labels from {low} to {high} in {self.name}, split {split}",
                    remedy="Number the classes from 0 without gaps, or correct their count.",
                )

    def __str__(self) -> str:
        lines = [f"{self.name}, of {self.classes} classes" if self.classes else self.name]
        for name, split in self.splits.items():
            shapes = [str(tuple(x.shape[1:])) for x in _leaves(split.inputs)]
            lines.append(f"  {name}: {len(split)} samples of shape {', '.join(shapes)}")
        return "\n".join(lines)

    def __getitem__(self, split: str) -> Split:
        try:
            return self.splits[split]
        except KeyError:
            raise UnknownName(f"split of {self.name}", split, self.splits) from None

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2 of all arrays with their names, types and shapes: the same data, the same text."""
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(self.splits):
            split = self.splits[name]
            for x in _leaves((split.inputs, split.targets)):
                digest.update(f"{name} {x.dtype} {tuple(x.shape)};".encode())
                # As bytes first: numpy has no bfloat16.
                flat = x.detach().cpu().contiguous().flatten().view(torch.uint8)
                digest.update(flat.numpy().data)
        return digest.hexdigest()

    def to(self, device: str | torch.device) -> "DataSet":
        """The data set on another device."""
        return replace(self, splits={name: s.to(device) for name, s in self.splits.items()})
