"""The objective: state -> per-sample loss and metrics, over fixed data."""

import copy
import warnings
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
    RidgelineWarning,
    UsageError,
)
from ridgeline.graph import Forward, Network, Trace
from ridgeline.objective import names
from ridgeline.objective.asking import ask
from ridgeline.objective.conventions import of_classes
from ridgeline.objective.criteria import Criterion, Weights
from ridgeline.objective.declared import bare
from ridgeline.objective.forms import Metric, unwrapped
from ridgeline.objective.losses import cross_entropy
from ridgeline.objective.metrics import binary_error, error
from ridgeline.objective.pickling import check_pickled
from ridgeline.objective.reading import collect
from ridgeline.objective.samples import Samples
from ridgeline.objective.states import check_state, dtype_of, settle_other_buffers
from ridgeline.objective.statistics import calibrating, normalisers, recompute
from ridgeline.objective.telling import described, notes_on, provenance_of
from ridgeline.objective.weighted import Weighted, concatenated, linearised
from ridgeline.state import State

__all__ = ["Objective", "StatisticsPolicy"]

StatisticsPolicy = Literal["recompute", "keep"]
"""Policy for running statistics: recomputed at each state, or the state's own."""

CALIBRATION_ROWS = 500


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
        self.dtype = dtype or torch.promote_types(dtype_of(self.network), torch.float32)
        settle_other_buffers(self.network, self.device, self.dtype)
        loss = names.loss_of(loss)
        # A loss of classes needs labels; any other may compare outputs with what went in.
        given = collect(data, labelled=of_classes(loss))
        self.reconstructs = given.targets is None
        """True if the targets are the inputs, as the data have none."""
        if self.reconstructs:
            given = replace(given, targets=given.inputs)
        self.samples = given.to(self.device, self.dtype)
        self.normalisers = sorted(normalisers(self.network.module))
        self.statistics: StatisticsPolicy = statistics if self.normalisers else "keep"
        self.calibration_rows = calibration_rows
        self.calibration_data: Samples | None = None
        """Data given to calibrate on, whatever the policy; None if the own inputs serve."""
        if calibration is not None:
            self.calibration_data = calibrating(calibration).to(self.device, self.dtype)
        self.calibration: Samples | None = None
        """Data that statistics are recomputed on; None if they are not."""
        self.calibrated_on = ""
        if self.statistics == "recompute":
            own = self.calibration_data is None
            self.calibrated_on = "the objective's own inputs" if own else "calibration data"
            self.calibration = self.samples if own else self.calibration_data
        self.weights: Weights = weights
        """Samples or tokens: the units of means."""
        self.traces: dict[int, Trace | NotTraceable] = {}
        """Graphs of the network that the engine has traced, by the number of samples."""
        given = None if metrics is None else names.metrics_of(metrics)
        self._without_gradients: Any = torch.inference_mode
        try:
            asked = ask(self, model, loss, given)
        except ForwardFailed as failure:
            if "nference tensor" not in failure.got:
                raise
            # Modules that make others in their forward pass assign to `.data`, which it forbids.
            self._without_gradients = torch.no_grad
            asked = ask(self, model, loss, given)
        self.metrics: dict[str, Criterion] = asked.metrics
        """The loss, under that name, and the metrics."""
        self.left_out: int = asked.left_out
        """Samples none of whose labels counts for the loss: no number is of them."""
        self.taken_on_trust: tuple[str, ...] = asked.notes
        """Choices that shapes alone cannot tell, in sentences."""
        for note in asked.notes:
            warnings.warn(note, RidgelineWarning, stacklevel=2)
        self.classes: int | None = asked.classes
        self.kept_statistics: dict[str, str] = asked.kept_statistics
        """Layers whose running statistics are the state's own all the same, with the reason."""
        self.activation_bytes: int = asked.activation_bytes
        """Bytes of the largest activation, for one sample."""
        self.rows: int = rows or asked.rows
        self.higher_is_better = {n: c.higher_is_better for n, c in self.metrics.items()}

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return described(self)

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
        """Return what was found of a metric, if it is of one sample at least.

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
        """Return what the network needs of a state, on the objective's device, in its dtype."""
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
        check_state(self.network, state, name)

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
        """Return what defines the numbers, in plain values."""
        return provenance_of(self, self._fingerprint)

    @property
    def keeps_statistics(self) -> bool:
        """True if a layer of the network has running statistics."""
        return bool(self.normalisers or self.kept_statistics)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that must be read with the numbers, in sentences."""
        return notes_on(self)

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
