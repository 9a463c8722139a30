"""A network at random weights and inputs, in float64, the same each time it is evaluated."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.errors import UsageError
from ridgeline.graph import Network
from ridgeline.graph.refusals import refusing
from ridgeline.rng import seed_of, stream, untouched
from ridgeline.state import State, is_mask
from ridgeline.symmetry.exchange import Exchanged
from ridgeline.symmetry.transform import Permutation, Transform
from ridgeline.symmetry.widening import narrow, widely

__all__ = [
    "Carried",
    "drawn",
    "far",
    "large",
    "outputs_of",
    "random_state",
    "steadily",
    "widened",
]

NOISE = 0.3
"""Of weights and inputs, over the spread of a tensor's own numbers."""

FAR = 300.0
"""By how much the second inputs of a proof are larger than the example."""

CHUNK = 65_537
"""Numbers that are drawn for a tensor; then they come again, of another size. A prime, lest rows
be alike."""

LARGE = 1 << 16
"""Numbers of a parameter from which on its random weights are kept in float32."""

KEPT = 0.6
"""What a random mask is made of in a proof: neither all of a value nor nothing of it."""


def random_state(
    tensors: Mapping[str, Tensor],
    seed: int,
    *,
    noise: float = 1.0,
    narrow: Collection[str] = (),
) -> State:
    """Random weights near a network's own, in double precision; what is positive stays so.

    Args:
        tensors: The network's own.
        seed: Of the weights.
        noise: How far from the network's own, over the usual.
        narrow: Names of tensors that are drawn in float32 and kept so: half the memory, and as
            good as any other random numbers where each operation makes doubles of them.
    """
    found: State = {}
    for name, x in tensors.items():
        if not (x.is_floating_point() or x.is_complex()):
            found[name] = x
            continue
        own = x.detach().cpu()
        if is_mask(name, own):  # others would be no masks: torch's fast attention asks for zeros
            found[name] = own.to(_wide_type(own), copy=True)
            continue
        # In float32, which is drawn five times as fast; its sums in float64 round less.
        single = torch.complex64 if x.is_complex() else torch.float32
        held = own.to(single if name in narrow else _wide_type(own), copy=True)
        draws = stream(seed, "proof", name)
        positive = not x.is_complex() and _positive(held)
        size = _spread(held)
        far = noise * (NOISE if positive or size > 0 else 0.1)
        parts = _chunks(held)
        e = torch.randn(parts[0].numel(), generator=draws, dtype=single)
        sizes = torch.empty(len(parts)).uniform_(0.7, 1.4, generator=draws).tolist()
        for part, scale in zip(parts, sizes, strict=True):
            # The same numbers again, of another size: no two positions hold the same.
            mine = e[: part.numel()].view(part.shape)
            if positive:
                part.mul_(torch.exp(mine * (far * scale)))
            else:
                part.add_(mine, alpha=scale * (far * size if size > 0 else far))
        found[name] = held
    return found


def _positive(x: Tensor) -> bool:
    some = x.reshape(-1)[:CHUNK] if x.is_contiguous() else x  # of most, these say it already
    return x.numel() > 0 and bool(some.min() > 0) and bool(x.min() > 0)


def _spread(x: Tensor) -> float:
    """The standard deviation of a tensor's numbers, or of a sample of many; 0 of a single one."""
    x = x.abs() if x.is_complex() else x
    x = x.reshape(-1)[:: max(1, x.numel() // CHUNK)]
    return float(x.double().std()) if x.numel() > 1 else 0.0


def _chunks(x: Tensor) -> Sequence[Tensor]:
    """A tensor in parts that share its memory."""
    return x.view(-1).split(CHUNK) if x.is_contiguous() else (x,)


def drawn(example: Any, seed: int) -> Any:
    """A batch of inputs in double precision, with noise added to what is no label or token.

    Numbers that are all positive stay positive, and those between 0 and 1 stay there: a network
    may take their logarithm.

    Args:
        example: The batch.
        seed: Of the noise.
    """

    def one(x: Any) -> Any:
        x = widened(x)
        if not isinstance(x, Tensor) or not (x.is_floating_point() or x.is_complex()):
            return x
        draws = stream(seed, "proof", "inputs")
        e = NOISE * torch.randn(x.shape, generator=draws, dtype=x.dtype).to(x.device)
        if x.is_complex() or x.numel() == 0 or bool((x < 0).any()):
            return x + e  # minus infinity of a mask stays
        if bool((x > 0).all() & (x < 1).all()):
            return torch.sigmoid(torch.logit(x) + e)
        return x * torch.exp(e) if bool((x > 0).all()) else (x + e).abs()

    return pytree.tree_map(one, example)


def far(inputs: Any) -> Iterator[Any]:
    """Inputs far from some: numbers of another magnitude, at another batch size, or at the same.

    Args:
        inputs: As `drawn` gives.
    """

    def larger(x: Any) -> Any:
        if not isinstance(x, Tensor) or not (x.is_floating_point() or x.is_complex()):
            return x
        if not x.is_complex() and x.numel() and bool((x > 0).all() & (x < 1).all()):
            return torch.sigmoid(3 * torch.logit(x))
        return FAR * x

    batch = next((len(x) for x in _tensors(inputs) if x.ndim), 0)

    def more(x: Any) -> Any:
        whole = isinstance(x, Tensor) and x.ndim > 0 and len(x) == batch
        return torch.cat([x, x[:1]]) if whole else x

    scaled = pytree.tree_map(larger, inputs)
    yield pytree.tree_map(more, scaled)
    yield scaled
    yield pytree.tree_map(more, inputs)


class Carried:
    """One random state of a network, carried from element to element within its memory.

    Args:
        network: Whose.
        seed: Of the weights.
        noise: As `random_state` takes it.
    """

    def __init__(self, network: Network, seed: int, noise: float) -> None:
        held = {n for n, x in network.module.named_parameters() if large(x)}
        self._draw = lambda: random_state(network.tensors, seed, noise=noise, narrow=held)
        self._state = self._draw()
        self._done: Transform | None = None
        """What it was carried by, if by something."""

    @property
    def narrow(self) -> bool:
        """True if some weights are kept in a smaller type than float64."""
        return any(map(narrow, self._state.values()))

    def widen(self) -> None:
        """Make doubles of all weights: what a network writes to them would be rounded."""
        draw = self._draw
        self._draw = lambda: {n: widened(x) for n, x in draw().items()}
        self._state.update({n: widened(x) for n, x in self._state.items()})

    def by(self, element: Transform | None) -> State:
        """The state after an element, or as it was drawn; it holds until the next call.

        Args:
            element: Of the symmetry.
        """
        permutes = element is None or element.permutes
        step = element if permutes else None
        if self._done is not None:
            step = self._done.inverse() if step is None else step @ self._done.inverse()
        if step is not None:
            self._done = None
            try:
                step.in_place(self._state)
            except BaseException:
                self._state = self._draw()
                raise
            self._done = element if permutes else None
        if permutes or element is None:
            return self._state
        # What is multiplied is rounded in float32.
        moving = (Permutation, Exchanged)
        acting = (a.group for a in element.actions if not isinstance(a, moving))
        scaled = {n: widened(self._state[n]) for group in acting for n in group.tensors()}
        return element({**self._state, **scaled})


def large(x: Tensor) -> bool:
    """True if a parameter is kept in its own type, and made doubles of where it is used."""
    return x.numel() >= LARGE and x.dtype not in (torch.float64, torch.complex128)


def _tensors(inputs: Any) -> list[Tensor]:
    return [x for x in pytree.tree_leaves(inputs) if isinstance(x, Tensor)]


def widened(x: Any) -> Any:
    """A tensor of floating numbers in double precision; anything else as it is."""
    return x.to(_wide_type(x)) if isinstance(x, Tensor) else x


def _wide_type(x: Tensor) -> torch.dtype:
    return (
        torch.float64 if x.is_floating_point() else torch.complex128 if x.is_complex() else x.dtype
    )


class _Constant(TorchDispatchMode):
    """Random masks are the same everywhere: a mask that was drawn is of one order of units."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled within: a detour at each operation is saved

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        made = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("bernoulli", "bernoulli_"):
            return made.fill_(KEPT if made.is_floating_point() else 1)
        if name == "native_dropout":
            return args[0] / (1 - args[1]), torch.ones_like(made[1])
        return made


@contextmanager
def steadily(seed: int) -> Iterator[None]:
    """Let what is random be the same each time; the global generators are left as they were.

    Dropout that is on in evaluation mode multiplies by a constant; other noise is drawn from
    one seed.

    Args:
        seed: Of torch's generators while it lasts.
    """
    with untouched():
        torch.manual_seed(seed_of(seed, "proof", "noise") % (1 << 62))
        with _Constant():
            yield


def outputs_of(
    network: Network,
    state: Mapping[str, Tensor],
    inputs: Any,
    *,
    seed: int = 0,
    shaken: float = 0.0,
    rounded: Callable[[], None] | None = None,
    frozen: bool = False,
) -> list[Tensor]:
    """The outputs of a network that are tensors; a complex one as two reals.

    Args:
        network: The network.
        state: Its tensors.
        inputs: One batch.
        seed: Of what is random in the network.
        shaken: By how much weights in a smaller type than float64 change where they are used.
        rounded: Called where the network writes to such a weight, which rounds.
        frozen: Whether a write to the state raises before it is done: it is a caller's.

    Raises:
        UsageError: If there is none.
        NotTraceable: If the network is compiled when it is called.
    """
    try:
        # The inner mode sees what the network does alone, not what the outer one makes of it.
        with widely(state.values(), shaken=shaken, frozen=frozen) as mode, steadily(seed):
            made = _tensors(network(state, inputs))
    except NotImplementedError as error:  # no mode may look into FlexAttention
        with refusing(inputs):
            raise error
    if mode.written and rounded is not None:
        rounded()
    held = {x.untyped_storage().data_ptr() for x in state.values()}
    # A network may give a weight itself, whose memory is the state's.
    made = [widened(x.clone()) if x.untyped_storage().data_ptr() in held else x for x in made]
    if not made:
        raise UsageError(
            "A symmetry is of a network's outputs, which are tensors.",
            got="outputs without a tensor",
            remedy="Give `forward=`, a function (model, inputs) -> outputs that returns them as "
            "a tensor, or as a tuple or dict of tensors.",
        )
    return [torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for x in made]
