"""The parts of a run's config: its network, its data, and how a child begins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from ridgeline import data
from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import catalogue
from ridgeline.study.canonical import canonical, text_of
from ridgeline.training import Augment, Duration

__all__ = ["DataConfig", "NetConfig", "SkewConfig", "SpawnConfig", "check_seed", "check_start"]


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """Network of a run: its kind and its size."""

    kind: str = "fcn"
    """One of `ridgeline.nets`, or ``module:function`` of your own."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of that kind, without those at their default. Those of your own function are all kept,
    because a hash never runs your code."""
    seed: int | None = None
    """Of the first weights. None for the run's seed; a number for the same weights in all runs."""

    def __post_init__(self) -> None:
        given = canonical(dict(self.options), Any, "options")
        if ":" not in self.kind:
            given = self._elided(given)
        if "seed" in given:
            raise UsageError("`seed` is a field of its own, no option.", got=repr(given["seed"]))
        object.__setattr__(self, "options", given)
        check_seed(self.seed)

    def build(self, run_seed: int) -> nn.Module:
        """The network at its first weights.

        Args:
            run_seed: For a net without a seed of its own.
        """
        seed = run_seed if self.seed is None else self.seed
        return catalogue.build(self.kind, seed, **self.options)

    def complete(self) -> dict[str, Any]:
        """The options, those at their default among them; of your own function those given."""
        return {**self._defaults(), **self.options}

    def _defaults(self) -> dict[str, Any]:
        options = catalogue.options_of(self.kind)
        return {k: canonical(v, Any, k) for k, v in options.items() if v is not catalogue.REQUIRED}

    def _elided(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.kind not in catalogue.KINDS:
            remedy = "Or name a function of yours, as in my_project.nets:build."
            raise UnknownName("kind of network", self.kind, catalogue.KINDS, remedy)
        known, defaults = catalogue.options_of(self.kind), self._defaults()
        for name in given:
            if name not in known:
                raise UnknownName("network option", name, [*known, "seed"])
        for name in known:
            if name not in defaults and name not in given:
                raise UsageError(f"`{name}` must be given for a network of kind {self.kind}.")
        return {
            name: value
            for name, value in given.items()
            if name not in defaults or text_of(value) != text_of(defaults[name])
        }


@dataclass(frozen=True, kw_only=True)
class SkewConfig:
    """One of two parts of the training data with unlike classes, for the two parents of a path.

    As Ainsworth et al. 2022, section 5.4, and Kanoh & Sugiyama 2024 split theirs; see
    `ridgeline.data.corruption.skewed`.
    """

    part: Literal["a", "b"]
    """Part b has what part a has not."""
    share: float = 0.8
    """Of the first half of the classes that is in part a; 1 - share of the others is."""
    seed: int = 0
    """Of the split; the same for both parts."""

    def __post_init__(self) -> None:
        _check_share("share", self.share)
        check_seed(self.seed)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Data of a run, and what is done to the training labels."""

    set: str
    """As `ridgeline.data.load` takes it: ``"fashion-mnist?train=5000"``."""
    targets: Literal["labels", "inputs"] = "labels"
    """What outputs are compared with; inputs for an autoencoder."""
    label_noise: float = 0.0
    """Probability with which a training label is replaced by a uniform one, perhaps itself."""
    noise_seed: int | None = None
    """Of the noise. None for the run's seed. Without noise it says nothing and is dropped."""
    skew: SkewConfig | None = None

    def __post_init__(self) -> None:
        _check_share("label_noise", self.label_noise)
        check_seed(self.noise_seed)
        if self.label_noise and self.targets == "inputs":
            raise UsageError("`label_noise` is for targets that are labels.", got="inputs")
        object.__setattr__(self, "set", _canonical_set(self.set))
        if not self.label_noise:
            object.__setattr__(self, "noise_seed", None)


@dataclass(frozen=True, kw_only=True)
class SpawnConfig:
    """Child of a run: how it goes on from its parent."""

    at: str
    """A duration from the parent's start."""
    seed: int
    """The child's: of the order of its batches and of its augmentation. The parent's seed is mixed
    in, so child 0 of two parents are two."""
    optimiser: Literal["kept", "reset"] = "kept"
    """True if it goes on with what the parent's optimiser remembered."""
    length: Literal["fixed", "full"] = "fixed"
    """True if both end at the same step, or the child trains for the whole length."""
    augment: Augment | None = None
    """In place of the parent's, if given."""
    differ: Literal["both", "order", "augmentation"] = "both"
    """What the child's seed names; for the rest it goes on with its parent's. Augmentation
    includes whatever the model draws, as dropout does."""
    data: DataConfig | None = None
    """What the child trains on, in place of the parent's. A parent of label noise 1 and a child of
    none make an adversarial initialisation (Vlaar & Frankle 2022). Needs a full length and a
    reset optimiser, as `layers` does."""
    layers: tuple[str, ...] | None = None
    """Names of layers (module prefixes) or of single tensors that are taken from the parent's
    state; all others, with their buffers, are first weights of the child's seed, or of the
    network's own if that is fixed. None for all; an empty list takes nothing, for a control."""

    def __post_init__(self) -> None:
        Duration.parse(self.at)
        check_seed(self.seed)
        layers = check_start(self.optimiser, self.length, self.data, self.layers)
        object.__setattr__(self, "layers", layers)


def _canonical_set(text: str) -> str:
    """Options of a set that has a name in one order, without those at their default."""
    name, _, options = text.strip().partition("?")
    if name not in data.known() or not options:
        return text.strip()
    parts = sorted(part for part in options.split("&") if part not in ("seed=0", "normalise=1"))
    return f"{name}?{'&'.join(parts)}" if parts else name


def check_start(
    optimiser: str, length: str, data: DataConfig | None, layers: Iterable[str] | None
) -> tuple[str, ...] | None:
    """The layers of a child, each once and in order.

    Raises:
        UsageError: If a child with other data or fresh layers is to go on with its parent's clock
            or its optimiser, which know of neither.
    """
    for name, own in (("data", data), ("layers", layers)):
        if own is None:
            continue
        for other, got, wanted in (("length", length, "full"), ("optimiser", optimiser, "reset")):
            if got != wanted:
                raise UsageError(
                    f'A child with `{name}` of its own has {other}="{wanted}".',
                    got=f"{other}={got!r}",
                    remedy=f'Write {other} = "{wanted}" beside it.',
                )
    return None if layers is None else tuple(sorted(set(layers)))


def check_seed(seed: int | None) -> None:
    """Refuse what is neither a whole number from 0 nor None."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise UsageError("A seed is a whole number, not negative.", got=repr(seed))


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise UsageError(f"`{name}` is a share, from 0 to 1.", got=repr(share))
