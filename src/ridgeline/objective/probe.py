"""Asking an objective twice, and naming what made it answer differently."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.errors import DataError, NotDeterministic, UsageError
from ridgeline.graph import Network, close, forget_compiled
from ridgeline.objective.forms import Labels
from ridgeline.objective.samples import Samples, equal
from ridgeline.rng import untouched

CLASSES_LAST = Labels()

__all__ = ["activation_bytes", "check_labels", "check_shares", "probe", "unpicked"]


def probe(network: Network, tensors: Mapping[str, Tensor], samples: Samples) -> Any:
    """Outputs for a few samples, after checking that they are a function of each sample alone.

    Args:
        network: In evaluation mode.
        tensors: A state.
        samples: A few.

    Returns:
        The model's outputs.

    Raises:
        NotDeterministic: Naming the layer that stays in training mode, gives other outputs for
            equal inputs, writes to its buffers, or looks at other samples of its batch.
    """
    for name, kind in network.modes.stubborn:
        raise NotDeterministic(
            f"{kind} at {name!r}, which stays in training mode after eval()",
            "Let its train() method obey, or take the layer out.",
        )
    buffers = dict(network.module.named_buffers())
    tensors = {n: x.clone() for n, x in tensors.items()}  # a forward may write to them
    before = {n: x.clone() for n, x in (buffers | tensors).items()}
    with untouched():
        outputs = network(tensors, samples.inputs)
        again = network(tensors, samples.inputs)
        for name, x in before.items():
            if not equal(x, tensors[name] if name in tensors else buffers[name]):
                kind = "buffer" if name in buffers else "parameter"
                raise NotDeterministic(
                    f"{type(network.module).__name__}.forward, which writes to its {kind} {name!r}",
                    "In evaluation mode a model must leave its state as it is.",
                )
        if not close(outputs, again, 1e-5):
            raise NotDeterministic(
                _first_difference(network, tensors, samples),
                "Turn dropout off in evaluation mode (F.dropout takes training=self.training) "
                "and draw no random numbers in forward.",
            )
        _check_first_axis(outputs, len(samples))
        if len(samples) > 1:
            among = pytree.tree_map_only(Tensor, lambda x: x[:1], outputs)
            try:
                alone = network(tensors, samples[:1].inputs)
            except ValueError:  # BatchNorm refuses to take the variance of one value
                if _batch_normaliser(network.module) is None:
                    raise
                alone = None
            if alone is None or not close(alone, among, 1e-2):
                raise NotDeterministic(
                    _batch_culprit(network.module),
                    "A sample's loss must not depend on its batch. Give BatchNorm running "
                    "statistics (track_running_stats=True), or put it in evaluation mode.",
                )
    return outputs


def _first_difference(network: Network, tensors: Mapping[str, Tensor], samples: Samples) -> str:
    """The innermost module that gives other outputs to equal inputs from one call to the next."""
    calls: list[tuple[str, nn.Module, Any, Any]] = []
    hooks = [
        m.register_forward_hook(
            lambda m, args, kwargs, out, n=n: calls.append((n, m, (args, kwargs), out)),
            with_kwargs=True,
        )
        for n, m in network.module.named_modules()
    ]
    try:
        network(tensors, samples.inputs)
        once = list(calls)
        calls.clear()
        network(tensors, samples.inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for (name, module, given, x), (_, _, given_again, y) in zip(once, calls, strict=False):
        if name and close(given, given_again, 1e-5) and not close(x, y, 1e-5):
            return f"{type(module).__name__} at {name!r}, which gives another output each time"
    return f"{type(network.module).__name__}.forward, which gives another output each time"


def _batch_culprit(module: nn.Module) -> str:
    if (found := _batch_normaliser(module)) is not None:
        return f"{found}, which normalises by its batch: it keeps no statistics"
    return f"{type(module).__name__}.forward, in which a sample's output depends on its batch"


def _batch_normaliser(module: nn.Module) -> str | None:
    """The first BatchNorm layer without running statistics, if there is one."""
    for name, layer in module.named_modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is None:
            return f"{type(layer).__name__} at {name!r}"
    return None


def _check_first_axis(outputs: Any, count: int) -> None:
    shapes = [tuple(x.shape) for x in pytree.tree_leaves(outputs) if isinstance(x, Tensor)]
    if wrong := [shape for shape in shapes if shape[:1] != (count,)]:
        raise UsageError(
            "The first axis of outputs is that of samples.",
            got=f"shape {wrong[0]} for {count} samples",
            remedy="A model that computes its own loss is asked for its logits: give `forward=` "
            "that returns them, with samples first.",
        )


def check_labels(outputs: Any, targets: Any, labels: Labels = CLASSES_LAST) -> None:
    """Refuse class labels outside the model's classes, where outputs are logits.

    Args:
        outputs: Of a few samples.
        targets: Of all samples.
        labels: The label that does not count, and the axis of the classes.

    Raises:
        DataError: Naming the first sample at fault.
    """
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor) or outputs.ndim < 2:
        return
    sizes = list(outputs.shape)
    classes = sizes.pop(labels.dim)
    if classes == 1 or targets.is_floating_point() or list(targets.shape[1:]) != sizes[1:]:
        return  # no classification: the loss says so
    wrong = ((targets < 0) | (targets >= classes)) & (targets != labels.ignored)
    if bool(wrong.any()):
        at = int(wrong.flatten(1).any(1).nonzero()[0] if wrong.ndim > 1 else wrong.nonzero()[0])
        bad = targets[at][wrong[at]].flatten()[0] if wrong.ndim > 1 else targets[at]
        raise DataError(
            f"Labels of a model with {classes} outputs are 0 to {classes - 1}.",
            got=f"label {int(bad)} at sample {at} ({int(wrong.sum())} in all)",
            remedy="Labels count from 0; check that model and data have the same classes, and "
            "that a label which does not count is the loss' `ignore_index`.",
        )


def check_shares(targets: Tensor) -> None:
    """Refuse targets of a binary cross entropy that are no shares; torch computes with any number.

    Args:
        targets: Of all samples.

    Raises:
        DataError: Naming the first sample at fault.
    """
    wrong = ~((targets >= 0) & (targets <= 1))
    if bool(wrong.any()):
        rows = wrong.reshape(len(wrong), -1)
        at = int(rows.any(1).nonzero()[0])
        bad = float(targets.reshape(len(wrong), -1)[at][rows[at]][0])
        raise DataError(
            "Targets of a binary cross entropy lie in [0, 1].",
            got=f"{bad:g} at sample {at} ({int(wrong.sum())} in all)",
            remedy="Make 0 and 1 of -1 and 1; where a target is missing, mask it: "
            "loss=rl.masked(loss, lambda outputs, targets: targets >= 0).",
        )


def unpicked(outputs: Any) -> str:
    """Return what to do where the outputs are no tensor; empty if they are."""
    if isinstance(outputs, Tensor):
        return ""
    keys = f" of {', '.join(map(str, outputs))}" if isinstance(outputs, Mapping) else ""
    return (
        f"The outputs are a {type(outputs).__name__}{keys}, and losses take a tensor: give "
        '`forward=` that returns it, as `lambda model, x: model(x)["logits"]` does.'
    )


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.nbytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for x in pytree.tree_leaves(out):
            if isinstance(x, Tensor):
                self.nbytes = max(self.nbytes, x.nbytes)
        return out


def activation_bytes(network: Network, tensors: Mapping[str, Tensor], samples: Samples) -> int:
    """Bytes of the largest activation, for one sample."""
    own = max((x.nbytes for x in tensors.values()), default=0)
    try:
        with untouched(), _Largest() as mode:
            network(tensors, samples.inputs)
    except Exception as error:  # FlexAttention is compiled at each call: no mode may look into it
        forget_compiled(error)
        return max(1, own // len(samples), samples.nbytes // len(samples))
    # A large value that is no activation (a transposed weight) does not grow with samples.
    once = mode.nbytes
    if once <= own and len(samples) > 1:
        with untouched(), _Largest() as mode:
            network(tensors, samples[:1].inputs)
        return max(1, once - mode.nbytes) if mode.nbytes < once else max(1, samples.nbytes // 2)
    return max(1, once // len(samples))
