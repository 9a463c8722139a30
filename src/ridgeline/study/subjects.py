"""Subjects: trained runs, ready to be asked."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from torch import nn

from ridgeline import io
from ridgeline.data import Split
from ridgeline.dotted import get_at
from ridgeline.errors import DataError, UnknownName
from ridgeline.nets import catalogue
from ridgeline.objective import Metric, Objective, error, metric
from ridgeline.state import State
from ridgeline.study.config import RunConfig
from ridgeline.study.members import Prepared, Sources, prepare
from ridgeline.study.store import StoredRun
from ridgeline.symmetry import Symmetry, symmetries

__all__ = ["Subject"]


class Subject:
    """A run of a study: its config, its states, its network and its data.

    Args:
        config: What defines it.
        stored: Where it is kept.
        sources: Of data.
        device: Where objectives are measured.
    """

    def __init__(
        self, config: RunConfig, stored: StoredRun, sources: Sources, device: str = "cpu"
    ) -> None:
        self.config, self.stored = config, stored
        self._sources, self._device = sources, device

    def __repr__(self) -> str:
        return f"Subject({self.stored.identity.folder})"

    @property
    def hash(self) -> str:
        """The run's."""
        return self.config.hash

    @property
    def identity(self) -> str:
        """The run's hash and the fingerprint of the data that it was trained on."""
        return f"{self.hash} {self.stored.provenance.get('data', '')}"

    def check_data(self) -> None:
        """Refuse data that are no more what they were.

        A run is addressed by the name of its data, not by what they hold.

        Raises:
            DataError: If they changed since the run was trained.
        """
        then, now = self.stored.provenance.get("data"), self._prepared.fingerprint
        if then is not None and then != now:
            raise DataError(
                "A run is measured on the data that it was trained on.",
                got=f"{self.config.trained_on.set} with fingerprint {now[:12]}, trained on "
                f"{then[:12]} ({self.stored.identity.folder})",
                remedy="Restore the data, or use another store and train anew.",
            )

    @property
    def seed(self) -> int:
        """The run's; of a child its parent's."""
        return self.config.seed

    @property
    def summary(self) -> Mapping[str, Any]:
        """As stored: ``final.train.loss`` and so on."""
        return self.stored.summary

    @property
    def diverged(self) -> bool:
        """True if its loss stopped being finite."""
        return bool(self.summary["diverged"])

    @property
    def loss(self) -> float:
        """Final training loss in evaluation mode; NaN if it diverged."""
        return float(self._final("train", "loss"))

    @property
    def test_error(self) -> float:
        """Final test error; NaN if there is no test split."""
        return float(self._final("test", "error"))

    def _final(self, split: str, name: str) -> float:
        value = self.summary["final"].get(split, {}).get(name)
        return float("nan") if value is None else value

    def at(self, path: str) -> Any:
        """A value of its config by the dotted path that specs use: ``net.scale``.

        Raises:
            UnknownName: If there is none.
        """
        return get_at(self.config.full(), path)

    @cached_property
    def symmetry(self) -> Symmetry:
        """The permutations that leave its network unchanged: found by tracing, and proved."""
        return symmetries(self.model(), self.train.inputs[:2])

    # --- states --------------------------------------------------------------------------

    @cached_property
    def initial(self) -> State:
        """Its state before training."""
        return self.stored.state("first")

    @cached_property
    def final(self) -> State:
        """Its state at the end."""
        return self.stored.state("last")

    @property
    def steps(self) -> list[int]:
        """Numbers of steps after which a state was kept."""
        return self.stored.steps

    def state(self, step: int) -> State:
        """A kept state."""
        return self.stored.state(step)

    # --- network and data ----------------------------------------------------------------

    def model(self, seed: int | None = None) -> nn.Module:
        """Its network at first weights, of the run's seed or another."""
        if seed is None:
            return self.config.net.build(self.seed)
        return catalogue.build(self.config.net.kind, seed, **self.config.net.options)

    @cached_property
    def _prepared(self) -> Prepared:
        return prepare(self.config, sources=self._sources)

    @property
    def train(self) -> Split:
        """Return what it was trained on, moved labels and chosen samples included."""
        found = self._prepared
        targets = found.member.targets if found.member.targets is not None else found.data.targets
        rows = found.member.rows
        if rows is None:
            return Split(found.data.inputs, targets)
        return Split(found.data.inputs[rows], targets[rows])

    @property
    def test(self) -> Split:
        """Its data set's test split.

        Raises:
            UnknownName: If there is none.
        """
        if self._prepared.test is None:
            raise UnknownName(f"split of {self.config.data.set}", "test", ["train"])
        return self._prepared.test

    @property
    def loss_function(self) -> Metric:
        """Return what it was trained towards, per sample and without label smoothing."""
        loss = self.config.training.loss
        if not isinstance(loss, str):
            return loss
        return io.resolve_function(loss, kind="loss") if ":" in loss else metric(loss)

    def objective(
        self,
        split: "Literal['train', 'test'] | Split" = "train",
        *,
        metrics: Mapping[str, Metric] | None = None,
        **options: Any,
    ) -> Objective:
        """The objective of a split: the loss it was trained towards, and the error of classes.

        Args:
            split: ``"train"``, ``"test"``, or data.
            metrics: Further numbers per sample, besides the error.
            **options: Of `Objective`.
        """
        data = getattr(self, split) if isinstance(split, str) else split
        classes = {"error": error} if self.config.training.loss == "cross_entropy" else {}
        return Objective(
            self.model(),
            (data.inputs, data.targets),
            loss=self.loss_function,
            metrics={**classes, **(metrics or {})},
            calibration=self.train.inputs,
            device=self._device,
            **options,
        )
