"""How many members to train in one stack, and on how many processes and threads: measured.

What pays depends on the network and the machine. Stacking hides the overhead of small
operations and lets a core's matrix units work; it costs cache. Sixteen networks of 64-64-64-10
want one stack, of 784-128-128-10 stacks of four, ResNets none.
"""

import math
import os
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from ridgeline.data.sets import Split
from ridgeline.errors import NotStackable
from ridgeline.rng import untouched
from ridgeline.training.durations import Duration
from ridgeline.training.grouping import likeness
from ridgeline.training.population import Population
from ridgeline.training.recipe import Keep
from ridgeline.training.runs import Member

__all__ = ["Arrangement", "arrange", "busy", "cores_here", "measure", "stackable", "threads_here"]

LARGEST = 64
"""Members of a stack."""
TIMED = 0.09
"""Seconds of steps that a measurement takes at least; the best of three thirds counts."""
ERROR = 0.05
"""Share by which two measurements of the same may differ."""
SHARED = 0.85
"""What a core yields of its lone rate when every core has a worker of its own: caches, memory
and clock are shared. Measured 0.80 to 0.95 on 64-64-64-10 and 784-128-128-10, two cores."""
STARTING = 5.0
"""Seconds until workers train: they import torch."""
QUICK = 4.0
"""Seconds of work, one at a time, below which measuring would cost more than it saves."""
TOGETHER = 16
"""Members of a stack that was not measured."""
_KNOWN: dict[Hashable, dict[tuple[int, int], float]] = {}
"""What this process has measured."""
BUSY = 0.5
"""Cores that others keep at work on average, from which on a measured time is not the machine's."""
MEMORY = 0.5
"""Share of the memory that is free now which a machine's stacks may take."""


@dataclass(frozen=True)
class Arrangement:
    """Arrangement by which members that are alike are trained."""

    size: int
    """Members of a stack."""
    workers: int
    """Processes; 1 is this one."""
    threads: int
    """Of each process."""
    rate: float
    """Steps a second of single members, of the whole machine."""
    reason: str
    """In words."""
    measured: dict[str, float] = field(default_factory=dict)
    """``size x threads`` to steps of single members a second, in this process."""
    lasting: bool = True
    """True if it holds for another day: not if it was measured while others used the machine."""


def arrange(
    members: Sequence[Member],
    data: Split,
    *,
    device: str | torch.device = "cpu",
    cores: int | None = None,
) -> Arrangement:
    """Choose by measuring a few steps of stacks of several sizes.

    Args:
        members: That are alike; at least one.
        data: What they train on.
        device: Where.
        cores: To be used; those this process may run on by default.

    Returns:
        The arrangement under which all members are done soonest.
    """
    cores = cores_here() if cores is None else cores
    device = torch.device(device)
    most = threads_here(cores)
    counts = [1] if most == 1 or device.type != "cpu" else [1, most]
    kind = (_kind(members[0], data), str(device), tuple(counts))
    steps = _steps(members[0], data) * len(members)
    if (kind, 1) not in _KNOWN:
        _KNOWN[kind, 1] = measure(members[:1], data, device=device, threads=counts)
    alone = _KNOWN[kind, 1].get((1, 1), 0.0)
    if steps < QUICK * alone and stackable(members, data, device=device):
        size = min(len(members), TOGETHER)
        words = f"stacks of {size}: too little work to measure how many are best"
        return Arrangement(size, 1, 1, alone, words, {"1 x 1": alone})
    crowd = busy()
    if (kind, len(members)) not in _KNOWN:
        _KNOWN[kind, len(members)] = measure(members, data, device=device, threads=counts)
    rates = _KNOWN[kind, len(members)]
    best: tuple[float, Arrangement] | None = None
    # Smaller stacks first: a larger one must be faster by more than measuring errs.
    for (size, threads), rate in rates.items():
        options = [(1, 1.0, 0.0)] if threads == counts[-1] else []
        # Every core must have a stack of its own for workers to pay.
        parallel = cores > 1 and device.type == "cpu"
        if threads == 1 and parallel and size * (cores - 1) < len(members):
            workers = min(cores, math.ceil(len(members) / size))
            options.append((workers, workers * SHARED, STARTING))
        for workers, gain, start in options:
            taken = steps / (rate * gain) + start
            if best is None or taken < best[0] * (1 - ERROR):
                chosen = Arrangement(
                    size=size,
                    workers=workers,
                    threads=threads,
                    rate=rate * gain,
                    reason=_words(size, workers, threads, rate * gain) + crowd,
                    lasting=not crowd,
                    measured={f"{s} x {n}": r for (s, n), r in rates.items()},
                )
                best = taken, chosen
    assert best is not None
    return best[1]


def stackable(
    members: Sequence[Member], data: Split, *, device: str | torch.device = "cpu"
) -> bool:
    """True if members that are alike can be trained in one stack: tried with two of them."""
    if len(members) < 2:
        return True
    with torch.no_grad(), untouched():
        try:
            _population(members[:2], data, torch.device(device)).step()
        except NotStackable:
            return False
    return True


def preferred(rates: Mapping[tuple[int, int], float]) -> int:
    """The smallest size that is as fast as the fastest, but for errors of measurement."""
    fastest = max(rates.values())
    return min(size for (size, _), rate in rates.items() if rate >= (1 - ERROR) * fastest)


def measure(
    members: Sequence[Member],
    data: Split,
    *,
    device: str | torch.device = "cpu",
    threads: Sequence[int] | None = None,
) -> dict[tuple[int, int], float]:
    """Steps of single members a second, for stacks of 1, 2, 4, ... and numbers of threads.

    Larger stacks are not tried once two in a row were slower than the best by a tenth, nor
    where they would not fit into memory.

    Args:
        members: That are alike.
        data: What they train on.
        device: Where.
        threads: Of torch; the present number by default. It is as before afterwards.

    Returns:
        (size, threads) to a rate.
    """
    before = torch.get_num_threads()
    threads = [before] if threads is None else threads
    device = torch.device(device)
    rates: dict[tuple[int, int], float] = {}
    best, worse, size = 0.0, 0, 1
    largest = min(len(members), LARGEST)
    try:
        while size <= largest and worse < 2:
            with torch.no_grad(), untouched():
                try:
                    population = _population(members[:size], data, device)
                    population.step()
                except NotStackable:
                    break
                for count in threads:
                    torch.set_num_threads(count)
                    rates[size, count] = _rate(population)
            fastest = max(rates[size, count] for count in threads)
            worse = worse + 1 if fastest < 0.9 * best else 0
            best = max(best, fastest)
            if not _fits(population, min(2 * size, largest)):
                break
            size = largest if size < largest < 2 * size else 2 * size
    finally:
        torch.set_num_threads(before)
    return rates


def _population(members: Sequence[Member], data: Split, device: torch.device) -> Population:
    """A population for timing: it keeps nothing and stays where it is, so it cannot diverge."""
    still = []
    for member in members:
        optimiser = replace(member.recipe.optimiser, learning_rate=0.0)
        recipe = replace(member.recipe, optimiser=optimiser, keep=Keep())
        still.append(replace(member, recipe=recipe))
    return Population(still, data, None, device, keeper=lambda *_: None)


def _rate(population: Population) -> float:
    """Steps a second of one population, as it stands."""
    best = 0.0
    for _ in range(3):
        steps, begun = 0, time.perf_counter()
        while steps == 0 or time.perf_counter() - begun < TIMED / 3:
            if population.clock == population.planned:
                population.clock = population.start
            population.step()
            _wait(population.stack.device)
            steps += 1
        best = max(best, steps * len(population.stack) / (time.perf_counter() - begun))
        if time.perf_counter() - begun > 2:
            break
    return best


def _kind(member: Member, data: Split) -> Hashable:
    """Return what a rate depends on: children of several moments are timed once."""
    recipe = replace(member.recipe, length="1ep", keep=Keep(), stop_below=None, assess=None)
    same = likeness(replace(member, recipe=recipe, origin=None), len(data))
    return same, tuple(data.inputs.shape[1:]), data.inputs.dtype


def _steps(member: Member, data: Split) -> int:
    samples = len(data) if member.rows is None else len(member.rows)
    per_epoch = math.ceil(samples / member.recipe.batch_size)
    start = member.origin.step if member.origin else 0
    return Duration.parse(member.recipe.length).count(per_epoch) - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _fits(population: Population, size: int) -> bool:
    stacked = sum(x.nbytes for x in population.stack.parameters.values())
    remembered = 3 + len(population.rules.slots)  # weights, gradients, a copy, slots
    each = (stacked * remembered + population.kernel.footprint) / len(population.stack)
    return each * size < MEMORY * _free(population.stack.device)


def _free(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):  # not told here: nothing is held back
        return math.inf


def threads_here(cores: int) -> int:
    """Threads that torch may use here: the cores, or fewer if ``OMP_NUM_THREADS`` says so."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(cores, int(said)) if said.isdigit() and int(said) > 0 else cores


def busy() -> str:
    """Note on a measurement made while others use the machine; empty if it is quiet."""
    try:
        others = os.getloadavg()[0] - 1  # one of it is mostly this process
    except (OSError, AttributeError):  # not told here
        return ""
    if others < BUSY:
        return ""
    return (
        f"; measured while the machine was busy (load {others + 1:.1f}), so not recorded for good"
    )


def cores_here() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _words(size: int, workers: int, threads: int, rate: float) -> str:
    stacked = f"stacks of {size}" if size > 1 else "one at a time"
    where = f"{workers} worker processes" if workers > 1 else "this process"
    return (
        f"{stacked}, {where}, {threads} thread{'s' * (threads > 1)}: {rate:,.0f} steps/s measured"
    )
