"""From options to what is measured: model, data and objectives, and what must be said of them."""

import argparse
import sys
from typing import Any

import torch
from torch import nn

from ridgeline import data, io
from ridgeline.errors import DataError, UnknownName, UsageError
from ridgeline.objective import Metric, Objective, Samples, cross_entropy, loss, metric
from ridgeline.objective.conventions import of_classes
from ridgeline.objective.names import metrics_of as named_metrics

__all__ = [
    "Setting",
    "device_of",
    "listed",
    "loss_of",
    "metrics_of",
    "model_of",
    "words",
]

SEVERAL = (dict, list, tuple)
"""Metrics of the user's own that one name stands for."""


class Setting:
    """The model and the objectives of a command; no objectives without ``--data``.

    Args:
        chosen: Parsed options.
        measured: Whether there shall be objectives.

    Raises:
        UsageError: If an option names nothing.
    """

    def __init__(self, chosen: argparse.Namespace, *, measured: bool = True) -> None:
        if chosen.threads:
            torch.set_num_threads(chosen.threads)
        self.device = device_of(chosen.device)
        dtype = getattr(chosen, "dtype", None)
        self.dtype = getattr(torch, dtype) if dtype else None
        self.model = model_of(chosen.model)
        self.objectives: dict[str, Objective] = {}
        places = {"root": chosen.data_root, "download": chosen.download, "progress": _downloading}
        self.data = data.load(chosen.data, **places) if chosen.data is not None else None
        if self.data is not None and measured:
            names = words(chosen.split) or list(self.data.splits)
            self.objectives = {name: self.objective(chosen, name) for name in names}

    def objective(
        self, chosen: argparse.Namespace, split: str, *, samples: int | None = None
    ) -> Objective:
        """Loss and metrics on one split.

        Args:
            chosen: Parsed options.
            split: Its name.
            samples: At most so many, classes balanced; all by default.

        Raises:
            UnknownName: If there is no such split or loss.
        """
        assert self.data is not None
        splits = self.data.splits
        if split not in splits:
            raise UnknownName(f"split of {self.data.name}", split, splits)
        chosen_loss = loss_of(chosen.loss)
        if splits[split].targets is splits[split].inputs and of_classes(chosen_loss):
            raise DataError(
                "This loss compares outputs with labels.",
                got=f"inputs alone in split {split} of {self.data.name}",
                remedy="Return (inputs, targets); or, for a network that gives its inputs back, "
                "use --loss squared_error.",
            )
        calibration = splits.get("train")
        used = splits[split]
        if samples is not None and samples < len(used):
            used = used.subset(samples)
        return Objective(
            self.model,
            used,
            loss=chosen_loss,
            metrics=None if chosen.metrics is None else metrics_of(chosen.metrics),
            weights=chosen.mean_over,
            statistics=chosen.statistics,
            calibration=Samples(calibration.inputs, None) if calibration is not None else None,
            device=self.device,
        )

    def policy(self) -> list[str]:
        """Sentence on how normalisation statistics are set where something is measured.

        Returns:
            Empty, where no layer of the network has running statistics or nothing is measured.
        """
        objective = next(iter(self.objectives.values()), None)
        if self.data is None or objective is None or not objective.normalisers:
            return []
        if objective.calibration is None:
            return [
                "Running statistics are those of each state; between checkpoints they are theirs, "
                "interpolated."
            ]
        on = f"{len(objective.calibration):,} inputs of train"
        if "train" not in self.data.splits:
            on = "the inputs that are measured on"
        return [f"Running statistics are recomputed at every point, on {on}."]

    def notes(self) -> list[str]:
        """Sentences to be read with the numbers: classes that are too few, `policy`."""
        objective = next(iter(self.objectives.values()), None)
        known = self.data and self.data.classes
        said = []
        if self.data is not None:
            splits = self.data.splits.values()
            if any(split.targets is split.inputs for split in splits):
                said.append("The data have no targets: outputs are compared with the inputs.")
            if unread := dict.fromkeys(name for split in splits for name in split.left_out):
                named = ", ".join(unread)
                said.append(f"Left out of the data, as words are no numbers: {named}.")
        if objective and known and objective.metrics["loss"].function is cross_entropy:
            outputs = objective.classes
            if outputs is not None and outputs > known:
                said.append(
                    f"The network has {outputs} outputs and the targets are of {known} classes: "
                    f"the cross entropy is over all {outputs}."
                )
        for name, one in self.objectives.items():
            if one.left_out:
                said.append(
                    f"{one.left_out} of {len(one)} samples of {name} have no label that counts: "
                    "they are left out."
                )
        if objective and objective.weights == "tokens":
            said.append("Means are over all tokens that count, not over samples.")
        return [*said, *self.policy()]

    def about(self, chosen: argparse.Namespace) -> dict[str, Any]:
        """Origin of a command's numbers, in plain values, and its `notes`."""
        options = {
            k: v
            for k, v in vars(chosen).items()
            if k not in ("verb", "module", "out", "overwrite", "json") and v not in (None, False)
        }
        on = self.data and {"name": self.data.name, "fingerprint": self.data.fingerprint}
        return {
            "command": chosen.verb,
            "options": options,
            "data": on,
            "ridgeline": io.version(),
            "torch": torch.__version__,
            "device": str(self.device),
            "notes": self.notes(),
        }


def words(text: str | None) -> list[str] | None:
    """A comma-separated option as a list."""
    return [word.strip() for word in text.split(",") if word.strip()] if text else None


def loss_of(text: str) -> Metric:
    """The loss that an option names: one that is known, or the user's own function.

    Raises:
        UnknownName: If there is none of this name.
        UsageError: If the user's function cannot be had.
    """
    return io.resolve_function(text, kind="loss") if ":" in text else loss(text)


def metrics_of(text: str) -> dict[str, Metric]:
    """The metrics that an option lists, each known by its name or the user's own function's.

    A dict of the user's own has several, called by its keys; a list has them by their names.

    Raises:
        UnknownName: If there is none of a name.
        UsageError: If a function of the user's cannot be had.
    """
    found: dict[str, Metric] = {}
    for word in listed(text):
        own = ":" in word
        name = word.partition(":")[2].strip() if own else word
        name = word if own and (name in found or name == "loss") else name
        one = io.resolve_function(word, kind="metric", also=SEVERAL) if own else metric(word)
        found |= named_metrics(one) if isinstance(one, SEVERAL) else {name: one}
    return found


def listed(text: str) -> list[str]:
    """A list with commas between its words; those inside of brackets separate arguments."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            found.append("")
        else:
            found[-1] += letter
    return [word.strip() for word in found if word.strip()]


def model_of(spec: str | None) -> nn.Module:
    """The user's network.

    Raises:
        UsageError: If none is named, or the function gives something else.
    """
    if spec is None:
        raise UsageError(
            "A checkpoint's network is built by a function of yours.",
            got="no --model",
            remedy="Give --model MOD:FUNC. Estimators alone bring theirs, in files that "
            "rl.save_estimator wrote.",
        )
    model = io.resolve(spec, kind="model", ready=lambda found: isinstance(found, nn.Module))
    if not isinstance(model, nn.Module):
        raise UsageError(
            "The function that builds the model returns a torch.nn.Module.",
            got=f"{type(model).__name__} from {spec}",
        )
    return model


def device_of(name: str) -> torch.device:
    """The device of an option.

    Raises:
        UsageError: If there is none of this name on this machine.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            "The device must be there.",
            got=f"{name!r} ({str(error).splitlines()[0]})",
            remedy="Use cpu, or cuda on a machine with a GPU and a CUDA build of torch.",
        ) from error
    return device


def _downloading(_: str, done: int, of: int) -> None:
    """Downloads tell in steps of 10 MB: they are rare and asked for."""
    if done % (10 * 2**20) < 2**16:
        print(f"downloading: {done / 2**20:.0f} MB of {of / 2**20:.0f}", file=sys.stderr)
