"""The objective: state -> per-sample loss and metrics, over fixed data."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ridgeline import state as states
from ridgeline.errors import (
    DataError,
    ForwardFailed,
    NotTraceable,
    RidgelineError,
    StateMismatch,
    UsageError,
)
from ridgeline.objective import names
from ridgeline.objective.batches import check_batches
from ridgeline.objective.conventions import criteria, of_classes
from ridgeline.objective.criteria import Criterion, Weights
from ridgeline.objective.declared import bare
from ridgeline.objective.forms import Metric, unwrapped
from ridgeline.objective.losses import cross_entropy
from ridgeline.objective.metrics import binary_error, error
from ridgeline.objective.pickling import check_pickled
from ridgeline.objective.probe import activation_bytes, check_labels, probe, unpicked
from ridgeline.objective.reading import collect
from ridgeline.objective.samples import Samples
from ridgeline.objective.statistics import calibrating, kept_layers, normalisers, recompute
from ridgeline.objective.weighted import Weighted, concatenated, linearised
from ridgeline.state import State
from ridgeline.tracing import Forward, Network, Trace, check_follows, empty_caches, unpacked

__all__ = ["Objective", "StatisticsPolicy"]

StatisticsPolicy = Literal["recompute", "keep"]
"""Whether normalisation statistics are recomputed at each state or are the state's own."""

CALIBRATION_ROWS = 500
PROBED = 32
"""Samples that are asked about first, spread over the data."""
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
        data: What `collect` reads: arrays, a data set, a loader, or an iterable of batches. Inputs
            alone are their own targets, for a loss that is not one of classes.
        loss: ``(outputs, targets) -> (N,)``, a loss of `torch.nn`, or a name in `LOSSES`.
        metrics: Further numbers per sample, by name, or names in `METRICS`; the error, where
            targets are classes. Less is better, unless `higher` or the metric says otherwise;
            `masked` makes one of some samples only. A function of one's own may return a pair
            (N,), (N,) of values and weights; a weight of 0 leaves a sample out.
        weights: What means are over: samples, which weigh alike however many of their positions
            count, or ``"tokens"``, all positions that count.
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
        metrics: str | Metric | Iterable[Any] | Mapping[str, Any] | None = None,
        weights: Weights = "samples",
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
        if weights not in ("samples", "tokens"):
            raise UsageError("weights is 'samples' or 'tokens'.", got=repr(weights))
        self.network = Network(model, forward)
        self.device, self.autocast = torch.device(device), autocast
        self.dtype = dtype or torch.promote_types(_dtype_of(self.network), torch.float32)
        self._settle_other_buffers()
        loss = names.loss_of(loss)
        # A loss of classes needs labels; any other may compare outputs with what went in.
        given = collect(data, labelled=of_classes(loss))
        self.reconstructs = given.targets is None
        """Whether the targets are the inputs, as the data have none."""
        if self.reconstructs:
            given = replace(given, targets=given.inputs)
        self.samples = given.to(self.device, self.dtype)
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
        self.weights: Weights = weights
        """What means are over."""
        self.metrics: dict[str, Criterion] = {}
        """The loss, under that name, and the metrics."""
        self.left_out = 0
        """Samples none of whose labels counts for the loss: no number is of them."""
        self.classes: int | None = None
        self.traces: dict[int, Trace | NotTraceable] = {}
        """What the engine knows of the network's graph, by the number of samples."""
        self.rows = rows or 1
        self.activation_bytes = 1
        """Of the largest activation, for one sample."""
        given = None if metrics is None else names.metrics_of(metrics)
        self._without_gradients: Any = torch.inference_mode
        try:
            self._probe(model, loss, given, chosen=rows)
        except ForwardFailed as failure:
            if "nference tensor" not in failure.got:
                raise
            # Modules that make others in their forward pass assign to `.data`, which it forbids.
            self._without_gradients = torch.no_grad
            self._probe(model, loss, given, chosen=rows)
        self.higher_is_better = {n: c.higher_is_better for n, c in self.metrics.items()}

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        metrics = ", ".join(self.metrics)
        on = f" on {self.calibrated_on}" if self.calibration is not None else ""
        left = f", {self.left_out} without a label that counts" if self.left_out else ""
        over = "; means over tokens" if self.weights == "tokens" else ""
        return (
            f"Objective({len(self)} samples{left}; {metrics}{over}; "
            f"statistics={self.statistics!r}{on})"
        )

    def __call__(self, state: State) -> dict[str, Tensor]:
        """Loss and metrics of one state.

        Args:
            state: With the model's tensors.

        Returns:
            Metric name to one number for each sample that counts, shape (n,), in the order of
            the data. Where samples do not weigh alike (``weights="tokens"``, class weights) the
            numbers are linearised: their mean and its plain standard error are those of the
            weighted mean.

        Raises:
            DataError: If a metric is of none of the samples.
            StateMismatch: If the state lacks tensors of the model or has other shapes.
            ForwardFailed: If the model or a metric raises.
        """
        tensors = self.tensors(state)
        parts: list[dict[str, Weighted]] = []
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
        scores = {n: concatenated([part[n] for part in parts]) for n in self.metrics}
        return {n: self.counted(n, linearised(s)) for n, s in scores.items()}

    def counted(self, name: str, found: Any) -> Any:
        """What was found of a metric, if it is of one sample at least.

        Raises:
            DataError: If it is of none.
        """
        if not len(found):
            raise DataError(
                "There must be at least one sample that counts.",
                got=f"none of {len(self)} for the metric {name!r}",
                remedy="Look at its mask, or at its ignored label.",
            )
        return found

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
        wanted = states.tensors_of(self.network.module)
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
                if given and not states.equal(state[first], state[other]):
                    raise StateMismatch(
                        changed={other: ("tied to " + first, "another value")},
                        a="the model",
                        b=name,
                        remedy="The model shares one tensor under both names; untie it in the "
                        "model, or make the state's two tensors equal.",
                    )

    def score(self, outputs: Any, targets: Any) -> dict[str, Weighted]:
        """Loss and metrics of outputs: one number for each of B samples, and what it weighs."""
        return {
            name: criterion.scores(outputs, targets) for name, criterion in self.metrics.items()
        }

    def chance(self, name: str) -> float | None:
        """The value of a metric by guessing among equally likely classes; None if not known."""
        function = unwrapped(bare(self.metrics[name].function))
        if function is binary_error:
            return 0.5
        return 1 - 1 / self.classes if function is error and self.classes else None

    def recomputed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The normalisation statistics that the policy sets at a state; empty to keep its own."""
        if self.calibration is None:
            return {}
        return recompute(self.network, tensors, self.calibration, self.calibration_rows)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """No gradients, and the precision that was asked for."""
        casting = partial(torch.autocast, self.device.type, dtype=self.autocast)
        with self._without_gradients(), casting(enabled=self.autocast is not None):
            yield

    def provenance(self) -> dict[str, Any]:
        """What defines the numbers, in plain values."""
        about: dict[str, Any] = {
            "samples": len(self),
            "samples_left_out": self.left_out,
            "weights": self.weights,
            "data": self._fingerprint,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "autocast": str(self.autocast).removeprefix("torch.") if self.autocast else None,
            "statistics": self.statistics if self.keeps_statistics else "none in the model",
        }
        if self.samples.left_out:
            about["left out"] = list(self.samples.left_out)
        if self.reconstructs:
            about["targets"] = "the inputs"
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
        if self.left_out:
            said.append(
                f"{self.left_out} of {len(self)} samples have no label that counts: they are left "
                "out of n, of means and of standard errors."
            )
        if self.weights == "tokens":
            said.append("Means are over all tokens that count, not over samples.")
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
                    dtype = states.matching(self.dtype, x)
                    module._buffers[name] = x.to(device=self.device, dtype=dtype, copy=True)

    def _probe(
        self,
        model: nn.Module,
        loss: Metric,
        metrics: Mapping[str, Metric] | None,
        chosen: int | None,
    ) -> None:
        """Ask twice, settle conventions, look at labels and shapes, and choose a chunk's size."""
        few = torch.linspace(0, len(self) - 1, min(len(self), PROBED), dtype=torch.float64)
        first = self.samples[few.round().long().to(self.device)]
        tensors = states.cast(self.network.tensors, self.dtype, self.device)
        outputs = None
        with self.computing():
            try:
                empty_caches(self.network, tensors, first[:2].inputs)
                outputs = probe(self.network, tensors, first)
                check_follows(model, self.network, tensors, first[:2].inputs)
                given = self.samples.targets
                kind = {"weights": self.weights, "device": self.device, "dtype": self.dtype}
                with torch.inference_mode(False):  # class weights are met by gradients, too
                    self.metrics = criteria(loss, metrics, outputs, given, **kind)
                self._look_at_labels(outputs)
                check_batches(self.metrics, outputs, first.targets)
            except RidgelineError:
                raise
            except Exception as failure:  # the user's model, loss or metric
                if outputs is None:
                    hint = unpacked(failure, first.inputs)
                else:  # what a loss of the user's own makes of them is not known
                    ours = any(c.form is not None for c in self.metrics.values())
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

    def _look_at_labels(self, outputs: Any) -> None:
        """Refuse labels beyond the model's classes; count the samples that have none."""
        if isinstance(outputs, Tensor) and outputs.ndim > 1:
            self.classes = outputs.shape[-1]
        targets = self.samples.targets
        for name, criterion in self.metrics.items():
            labels = criterion.labels(targets)
            if labels is None or not isinstance(targets, Tensor):
                continue
            if isinstance(outputs, Tensor) and outputs.ndim < 2:
                continue  # no classification: the loss says so
            check_labels(outputs, targets, labels)
            if name == "loss":
                self.classes = outputs.shape[labels.dim]
                counted = (targets != labels.ignored).flatten(1) if targets.ndim > 1 else None
                counted = targets != labels.ignored if counted is None else counted.any(1)
                self.left_out = int((~counted).sum())
                self.counted(name, targets[counted])


def _dtype_of(network: Network) -> torch.dtype:
    floating = (x.dtype for x in network.tensors.values() if x.is_floating_point())
    return next(floating, torch.float32)
