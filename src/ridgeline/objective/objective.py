"""The objective: state -> per-sample loss and metrics, over fixed data."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ridgeline import state as states
from ridgeline.errors import (
    ForwardFailed,
    NotTraceable,
    RidgelineError,
    StateMismatch,
    UsageError,
)
from ridgeline.objective import names
from ridgeline.objective.losses import (
    Metric,
    cross_entropy,
    error,
    higher_is_better,
    ignored_label,
    measured,
    per_sample,
)
from ridgeline.objective.pickling import check_pickled
from ridgeline.objective.probe import activation_bytes, check_labels, probe, unpicked
from ridgeline.objective.samples import Samples, collect
from ridgeline.objective.statistics import calibrating, kept_layers, normalisers, recompute
from ridgeline.state import State
from ridgeline.tracing import Forward, Network, Trace, unpacked

__all__ = ["Objective", "StatisticsPolicy"]

StatisticsPolicy = Literal["recompute", "keep"]
"""Whether normalisation statistics are recomputed at each state or are the state's own."""

CALIBRATION_ROWS = 500
# A chunk's largest activation. On a CPU 2 MiB keeps it in the second-level cache (784-256-256-10
# takes 0.56 s at 512 to 1024 rows, 0.61 s at 256 and at 2048); on a GPU it must hide launches.
ACTIVATION_BUDGET = {"cpu": 2 * 2**20, "cuda": 256 * 2**20}
ROWS = {"cpu": (16, 2048), "cuda": (64, 65536)}


class Objective:
    """Loss and metrics of a model's states over a fixed data set, one number per sample.

    The model runs in evaluation mode through `torch.func.functional_call`; the caller's module
    is never written to. At construction the data are read into resident arrays, and the
    objective is asked twice: one that answers differently is refused with the culprit named.

    Args:
        model: Any module. Only its structure matters; weights come from the states.
        data: What `collect` reads: arrays, a data set, a loader, or an iterable of batches.
        loss: ``(outputs, targets) -> (N,)``, a loss of `torch.nn`, or a name in `LOSSES`.
        metrics: Further numbers per sample, by name, or names in `METRICS`; the error, where
            targets are classes.
        statistics: Policy for layers with running statistics (BatchNorm). ``"recompute"``, the
            default, gathers them anew at each state, ends included; ``"keep"`` uses the state's,
            which a line interpolates, so that the ends give the checkpoints' own losses.
        calibration: Data for recomputing, and for repairs: training data as a rule, of splits by
            name those of ``train``; the objective's own inputs by default, which `notes` say.
        calibration_rows: Batch in which statistics are gathered; they depend on it slightly.
        rows: Samples per chunk; chosen from the size of activations by default.
        device: Where to compute; the CPU by default.
        dtype: Floating type of states and inputs; the model's, but float32 at least.
        autocast: Lower precision for matrix products, through `torch.autocast`.
        forward: ``(model, inputs) -> outputs`` for models that are called in another way.

    Raises:
        NotDeterministic: If data or model answer differently when asked again.
        DataError: If there are no samples, or labels are outside the model's classes.
        ForwardFailed: If the model, loss or a metric raises on the first samples.
        UsageError: If a metric does not give one number per sample.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Any,
        *,
        loss: Metric | str = cross_entropy,
        metrics: str | Iterable[str] | Mapping[str, Metric | str] | None = None,
        statistics: StatisticsPolicy = "recompute",
        calibration: Any = None,
        calibration_rows: int = CALIBRATION_ROWS,
        rows: int | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
        autocast: torch.dtype | None = None,
        forward: Forward | None = None,
    ) -> None:
        if statistics not in ("recompute", "keep"):
            raise UsageError("statistics is 'recompute' or 'keep'.", got=repr(statistics))
        self.network = Network(model, forward)
        self.device, self.autocast = torch.device(device), autocast
        self.dtype = dtype or torch.promote_types(_dtype_of(self.network), torch.float32)
        self._settle_other_buffers()
        self.samples = collect(data).to(self.device, self.dtype)
        self.normalisers = sorted(normalisers(self.network.module))
        self.statistics: StatisticsPolicy = statistics if self.normalisers else "keep"
        self.calibration_rows = calibration_rows
        self.calibration_data: Samples | None = None
        """What was given to calibrate on, whatever the policy; None if the own inputs serve."""
        if calibration is not None:
            self.calibration_data = calibrating(calibration).to(self.device, self.dtype)
        self.calibration: Samples | None = None
        """What statistics are recomputed on; None if they are not."""
        self.calibrated_on = ""
        self.kept_statistics: dict[str, str] = {}
        """Layers whose running statistics are the state's own all the same, with the reason."""
        if self.statistics == "recompute":
            own = self.calibration_data is None
            self.calibrated_on = "the objective's own inputs" if own else "calibration data"
            self.calibration = self.samples if own else self.calibration_data
        loss = names.loss(loss) if isinstance(loss, str) else loss
        if metrics is None:
            classes = loss is cross_entropy or isinstance(loss, nn.CrossEntropyLoss)
            metrics = {"error": error} if classes else {}
        metrics = names.metrics_of(metrics)
        if "loss" in metrics:
            raise UsageError("The name 'loss' is that of the loss.", got="a metric called 'loss'")
        self.metrics: dict[str, Metric] = {
            "loss": per_sample(loss),
            **{name: per_sample(function) for name, function in metrics.items()},
        }
        self.higher_is_better = {n: higher_is_better(f) for n, f in self.metrics.items()}
        self._functions = [loss, *metrics.values()]
        self.classes: int | None = None
        self.traces: dict[int, Trace | NotTraceable] = {}
        """What the engine knows of the network's graph, by the number of samples."""
        self.rows = rows or 1
        self.activation_bytes = 1
        """Of the largest activation, for one sample."""
        self._probe(chosen=rows)

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        metrics = ", ".join(self.metrics)
        on = f" on {self.calibrated_on}" if self.calibration is not None else ""
        return f"Objective({len(self)} samples; {metrics}; statistics={self.statistics!r}{on})"

    def __call__(self, state: State) -> dict[str, Tensor]:
        """Loss and metrics of one state.

        Args:
            state: With the model's tensors.

        Returns:
            Metric name to one number per sample, shape (N,).

        Raises:
            StateMismatch: If the state lacks tensors of the model or has other shapes.
            ForwardFailed: If the model or a metric raises.
        """
        tensors = self.tensors(state)
        parts: list[dict[str, Tensor]] = []
        try:
            with self.computing():
                tensors |= self.recomputed(tensors)
                for chunk in self.samples.chunks(self.rows):
                    outputs = self.network(tensors, chunk.inputs)
                    parts.append(self.score(outputs, chunk.targets))
        except RidgelineError:
            raise
        except Exception as failure:  # the user's model, loss or metric
            start = len(parts) * self.rows
            stop = min(start + self.rows, len(self))
            where = f"evaluating one state on samples {start} to {stop}"
            raise ForwardFailed("The model, its loss or a metric", where, failure) from failure
        return {name: torch.cat([part[name] for part in parts]) for name in self.metrics}

    def tensors(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the network needs of a state, on the objective's device and in its dtype."""
        self.check(state)
        return states.cast({n: state[n] for n in self.network.tensors}, self.dtype, self.device)

    def check(self, state: Mapping[str, Tensor], name: str = "the state") -> None:
        """Refuse a state that is not one of this model.

        Args:
            state: Names to tensors.
            name: What to call it in the message.

        Raises:
            StateMismatch: With a diff against the model.
        """
        wanted = self.network.module.state_dict(keep_vars=True)
        needed = self.network.tensors
        missing = {k: tuple(x.shape) for k, x in needed.items() if k not in state}
        extra = {k: tuple(x.shape) for k, x in state.items() if k not in wanted}
        changed: dict[str, tuple[object, object]] = {
            k: (tuple(x.shape), tuple(state[k].shape))
            for k, x in needed.items()
            if k in state and state[k].shape != x.shape
        }
        if missing or extra or changed:
            raise StateMismatch(
                missing=missing, extra=extra, changed=changed, a="the model", b=name
            )
        for first, *others in states.ties(wanted):
            for other in others:
                given = first in state and other in state
                if given and not torch.equal(state[first], state[other]):
                    raise StateMismatch(
                        changed={other: ("tied to " + first, "another value")},
                        a="the model",
                        b=name,
                        remedy="The model shares one tensor under both names; untie it in the "
                        "model, or make the state's two tensors equal.",
                    )

    def score(self, outputs: Any, targets: Any) -> dict[str, Tensor]:
        """Loss and metrics of outputs, each of shape (B,)."""
        count = len(pytree.tree_leaves(targets)[0])
        return {n: measured(n, f, outputs, targets, count) for n, f in self.metrics.items()}

    def recomputed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The normalisation statistics that the policy sets at a state; empty to keep its own."""
        if self.calibration is None:
            return {}
        return recompute(self.network, tensors, self.calibration, self.calibration_rows)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """No gradients, and the precision that was asked for."""
        casting = partial(torch.autocast, self.device.type, dtype=self.autocast)
        with torch.inference_mode(), casting(enabled=self.autocast is not None):
            yield

    def provenance(self) -> dict[str, Any]:
        """What defines the numbers, in plain values."""
        about: dict[str, Any] = {
            "samples": len(self),
            "data": self._fingerprint,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "autocast": str(self.autocast).removeprefix("torch.") if self.autocast else None,
            "statistics": self.statistics if self.keeps_statistics else "none in the model",
        }
        if self.calibration is not None:
            about["calibration"] = {
                "on": self.calibrated_on,
                "samples": len(self.calibration),
                "batch": self.calibration_rows,
            }
        if self.kept_statistics:
            about["kept statistics"] = dict(self.kept_statistics)
        if self.notes:
            about["notes"] = list(self.notes)
        return about

    @property
    def keeps_statistics(self) -> bool:
        """Whether a layer of the network has running statistics."""
        return bool(self.normalisers or self.kept_statistics)

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be read with the numbers, in sentences."""
        said = []
        if self.calibration is not None and self.calibration_data is None:
            said.append(
                "Running statistics are recomputed on the samples that are measured, so that each "
                "sample's loss depends on the others a little: give training data as "
                "`calibration=`."
            )
        if self.kept_statistics:
            named = "; ".join(f"{n or 'the network'} ({why})" for n, why in self._first_kept())
            more = len(self.kept_statistics) - len(self._first_kept())
            said.append(
                f"Running statistics that are the state's own, between checkpoints interpolated: "
                f"{named}{f'; and {more} more' if more else ''}."
            )
        return tuple(said)

    def _first_kept(self) -> list[tuple[str, str]]:
        return list(self.kept_statistics.items())[:5]

    def calibrated(self, on: Samples) -> "Objective":
        """The same objective with statistics that are recomputed on other inputs.

        Args:
            on: Targets are not looked at.
        """
        on = on.to(self.device, self.dtype)
        made = copy.copy(self)
        made.traces, made.calibration_data = self.traces, on
        if self.statistics == "recompute":
            made.calibration, made.calibrated_on = on, "calibration data"
        return made

    def __getstate__(self) -> dict[str, Any]:
        functions = {f"the metric {n!r}": f for n, f in self.metrics.items()}
        check_pickled(functions | {"`forward`": self.network.forward}, self.network.module)
        return vars(self) | {"traces": {}}  # graphs cannot be pickled; they are made again

    @cached_property
    def _fingerprint(self) -> str:
        return self.samples.fingerprint()

    def _settle_other_buffers(self) -> None:
        """Copy buffers that no state holds (they are not persistent) to device and dtype."""
        for module in self.network.module.modules():
            for name in module._non_persistent_buffers_set:
                x = module._buffers.get(name)
                if x is not None:
                    dtype = self.dtype if x.is_floating_point() else None
                    module._buffers[name] = x.to(device=self.device, dtype=dtype, copy=True)

    def _probe(self, chosen: int | None) -> None:
        """Ask twice, look at labels and shapes, and choose the size of chunks."""
        first = self.samples[: min(len(self), 32)]
        tensors = states.cast(self.network.tensors, self.dtype, self.device)
        outputs = None
        with self.computing():
            try:
                outputs = probe(self.network, tensors, first)
                if isinstance(outputs, Tensor) and outputs.ndim > 1:
                    self.classes = outputs.shape[-1]
                for function in self._functions:
                    if (ignored := ignored_label(function)) is not None:
                        check_labels(outputs, self.samples.targets, ignored)
                self.score(outputs, first.targets)
            except RidgelineError:
                raise
            except Exception as failure:  # the user's model, loss or metric
                if outputs is None:
                    hint = unpacked(failure, first.inputs)
                else:  # what a loss of the user's own makes of them is not known
                    ours = any(f in names.METRICS.values() for f in self._functions)
                    hint = unpicked(outputs) if ours else ""
                raise ForwardFailed(
                    "The model, its loss or a metric", "probing the first samples", failure, hint
                ) from failure
            if self.calibration is not None or not self.normalisers:
                self.kept_statistics = kept_layers(
                    self.network, tensors, self.calibration, self.calibration_rows
                )
            few = self.samples[: min(len(self), 2)]
            self.activation_bytes = activation_bytes(self.network, tensors, few)
            if chosen is None:
                kind = "cuda" if self.device.type == "cuda" else "cpu"
                low, high = ROWS[kind]
                self.rows = max(low, min(high, ACTIVATION_BUDGET[kind] // self.activation_bytes))


def _dtype_of(network: Network) -> torch.dtype:
    floating = (x.dtype for x in network.tensors.values() if x.is_floating_point())
    return next(floating, torch.float32)
