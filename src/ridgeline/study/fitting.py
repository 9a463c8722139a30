"""True if a network takes data: one forward pass of two samples, before any training."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.data import Split
from ridgeline.errors import DataError
from ridgeline.graph import call, unpacked
from ridgeline.objective import Samples
from ridgeline.study.config import RunConfig
from ridgeline.study.members import Sources, prepare, samples_of
from ridgeline.study.plan import closure
from ridgeline.study.scales import network_words
from ridgeline.study.store import Store

__all__ = ["check_fit", "check_runs", "misfit"]

SAMPLES = 2
"""Of a forward pass in evaluation mode: one would do, two keep a lost batch axis apart."""


def check_fit(
    model: nn.Module, data: Split, *, network: str, name: str, loss: object = "cross_entropy"
) -> None:
    """Refuse a network that cannot take the data.

    Args:
        model: The network, at any weights; it is left as it was.
        data: Samples.
        network: What to call the network.
        name: What to call the data.
        loss: Its name: classes are counted for the cross entropy alone.

    Raises:
        DataError: If the forward pass raises, or there are fewer outputs than classes.
    """
    why = misfit(model, data, loss=loss)
    if why:
        raise DataError(
            "A network takes the samples it is trained or measured on.",
            got=f"{name} with {network}: {why}",
            remedy="Give the network the data's shape (net.widths of an fcn begins with the "
            "features and ends with the classes), or give other data.",
        )


def check_runs(runs: Sequence[RunConfig], store: Store, sources: Sources | None = None) -> None:
    """Refuse networks that cannot take their data, once for all runs.

    Args:
        runs: To be trained; those in the store are left out.
        store: Where they are kept.
        sources: Of data.

    Raises:
        DataError: That names each pair of data and network that does not fit.
        RidgelineError: If data are missing, or a network cannot be built.
    """
    tried: dict[Any, RunConfig] = {}
    every = closure(runs)
    there = store.find_all(config.hash for config in every)
    for config in every:
        pair = (config.trained_on.set, config.trained_on.targets, repr(config.net.complete()))
        if (config.net.kind, *pair) not in tried and config.hash not in there:
            tried[config.net.kind, *pair] = config
    refused: dict[str, DataError] = {}
    for config in tried.values():
        try:
            _tried(config, sources)
        except DataError as error:
            refused.setdefault(error.got, error)
    if len(refused) == 1:
        raise next(iter(refused.values()))
    if refused:
        first = next(iter(refused.values()))
        raise DataError(
            first.rule, got="\n".join(f"  {got}" for got in refused), remedy=first.remedy
        )


def _tried(config: RunConfig, sources: Sources | None) -> None:
    samples_of(config, sources)  # data that are missing say so by themselves
    prepared = prepare(config, sources=sources)
    check_fit(
        prepared.member.model,
        prepared.data,
        network=network_words(config.net.kind, config.net.options),
        name=f"data {config.trained_on.set}",
        loss=config.training.loss,
    )


def misfit(model: nn.Module, data: Split, *, loss: object = "cross_entropy") -> str:
    """Return why a network cannot take data; empty if it can.

    Args:
        model: The network.
        data: Samples.
        loss: The loss's name.
    """
    inputs, targets = Samples(data.inputs, None)[:SAMPLES].inputs, data.targets
    was = model.training
    seen: list[tuple[nn.Module, Tensor]] = []
    try:
        with torch.no_grad(), _watched(model, seen):
            outputs = call(model.eval(), inputs)
    except Exception as error:  # whatever a network of the user's raises
        hint = unpacked(error, inputs)
        raised = f"{type(error).__name__}: {_first(error)}{hint and f'. {hint}'}"
        return _told(inputs, seen) or raised
    finally:
        model.train(was)
    if loss != "cross_entropy" or targets.is_floating_point() or not isinstance(outputs, Tensor):
        return ""
    classes = int(targets.max()) + 1
    if outputs.dim() == 2 and targets.dim() == 1 and outputs.shape[1] < classes:
        return f"the data have {classes} classes, the network has {outputs.shape[1]} outputs"
    return ""


@contextmanager
def _watched(model: nn.Module, seen: list[tuple[nn.Module, Tensor]]) -> Iterator[None]:
    """Note every layer that is entered, with its input."""

    def note(layer: nn.Module, given: tuple[object, ...]) -> None:
        if given and isinstance(given[0], Tensor):
            seen.append((layer, given[0]))

    hooks = [layer.register_forward_pre_hook(note) for layer in model.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _told(inputs: object, seen: list[tuple[nn.Module, Tensor]]) -> str:
    """Features against features, or channels against channels, of the layer that refused."""
    if not seen or not isinstance(inputs, Tensor):
        return ""
    layer, given = seen[-1]
    shape = _shape(inputs)
    if isinstance(layer, nn.Linear) and given.dim() and given.shape[-1] != layer.in_features:
        has, what = given.shape[-1], "features"
        takes = layer.in_features
    elif _CHANNELS.get(type(layer)) == given.dim() and given.shape[1] != layer.in_channels:
        has, what, takes = given.shape[1], "channels", layer.in_channels
    else:
        return ""
    if inputs[0].numel() == has or (what == "channels" and inputs.shape[1] == has):
        return f"the data have {has} {what} (a sample is {shape}), the network takes {takes}"
    return f"a sample is {shape}; a layer of the network gets {has} {what} of it and takes {takes}"


_CHANNELS: Mapping[type, int] = {nn.Conv1d: 3, nn.Conv2d: 4, nn.Conv3d: 5}
"""Convolutions, with the axes of a batch."""


def _shape(inputs: Tensor) -> str:
    sizes = tuple(inputs.shape[1:])
    return " x ".join(map(str, sizes)) if sizes else "a number"


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
