"""From options to what is measured: model, data, objectives, states, and how far one is."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import nn

from ridgeline import data, io
from ridgeline.errors import MissingExtra, UnknownName, UsageError
from ridgeline.objective import METRICS, Objective, metric
from ridgeline.state import State

__all__ = [
    "Interruption",
    "Setting",
    "Terminated",
    "check_out",
    "device_of",
    "interruptible",
    "load_points",
    "model_of",
    "progress_bar",
    "terminable",
    "words",
]


class Setting:
    """The model and the objectives of a command.

    Args:
        chosen: Parsed options.

    Raises:
        UsageError: If an option names nothing.
    """

    def __init__(self, chosen: argparse.Namespace) -> None:
        if chosen.threads:
            torch.set_num_threads(chosen.threads)
        self.device = device_of(chosen.device)
        self.dtype = getattr(torch, chosen.dtype) if chosen.dtype else None
        self.model = model_of(chosen.model)
        self.data = data.load(
            chosen.data, root=chosen.data_root, download=chosen.download, progress=_downloading
        )
        names = words(chosen.split) or list(self.data.splits)
        for name in names:
            if name not in self.data.splits:
                raise UnknownName(f"split of {self.data.name}", name, self.data.splits)
        if chosen.loss not in METRICS:
            raise UnknownName("loss", chosen.loss, METRICS)
        calibration = self.data.splits.get("train")
        self.objectives = {
            name: Objective(
                self.model,
                self.data.splits[name],
                loss=metric(chosen.loss),
                metrics={m: metric(m) for m in words(chosen.metrics) or []},
                statistics=chosen.statistics,
                calibration=calibration.inputs if calibration is not None else None,
                device=self.device,
            )
            for name in names
        }

    def about(self, chosen: argparse.Namespace) -> dict[str, Any]:
        """Where the numbers of a command come from, in plain values."""
        options = {
            k: v
            for k, v in vars(chosen).items()
            if k not in ("verb", "module", "out", "overwrite", "json") and v not in (None, False)
        }
        return {
            "command": chosen.verb,
            "options": options,
            "data": {"name": self.data.name, "fingerprint": self.data.fingerprint},
            "ridgeline": io.version(),
            "torch": torch.__version__,
            "device": str(self.device),
        }


def words(text: str | None) -> list[str] | None:
    """A comma-separated option as a list."""
    return [word.strip() for word in text.split(",") if word.strip()] if text else None


def model_of(spec: str) -> nn.Module:
    """The user's network.

    Raises:
        UsageError: If the function gives something else.
    """
    model = io.resolve(spec, kind="model")
    if not isinstance(model, nn.Module):
        raise UsageError(
            "The function that builds the model returns a torch.nn.Module.",
            got=f"{type(model).__name__} from {spec}",
        )
    return model


def load_points(setting: Setting, paths: list[str], key: str | None) -> list[State]:
    """Checkpoints as states of the setting's model."""
    return [io.load(path, model=setting.model, dtype=setting.dtype, key=key) for path in paths]


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


def check_out(chosen: argparse.Namespace) -> None:
    """Refuse a folder that cannot be written to before any work, not after."""
    if chosen.out is None:
        if chosen.overwrite:
            raise UsageError("--overwrite is about --out.", got="--overwrite alone")
        return
    try:
        with io.fresh_directory(chosen.out, overwrite=chosen.overwrite):
            raise _Undone
    except _Undone:
        pass


class _Undone(Exception):
    """Leaves a trial of `fresh_directory` without its result."""


# --- how far, and enough of it -----------------------------------------------------------------


class Interruption:
    """Whether Ctrl-C or SIGTERM came; the first asks to stop, a second stops at once."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.signal is not None

    @property
    def code(self) -> int:
        """The exit code: 130 or 143, or 0 if nothing came."""
        return 0 if self.signal is None else 128 + self.signal


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn the first signal into a question that the engine asks between chunks."""
    came = Interruption()

    def first(number: int, _: FrameType | None) -> None:
        if came.signal is not None:
            raise KeyboardInterrupt
        came.signal = number
        print(
            "\nridgeline: stopping after this chunk; what is done will be kept. "
            "Once more to stop at once.",
            file=sys.stderr,
        )

    old = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated like Ctrl-C: claims are released, workers stopped."""


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into `Terminated` within the block."""

    def stop(_: int, __: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on a terminal; elsewhere one plain line at the start of each stage.

    Yields:
        Told (what, done, of).
    """
    console = stderr_console()
    if not console.is_terminal:
        seen: set[str] = set()

        def line(what: str, _: int, of: int) -> None:
            if what not in seen:
                seen.add(what)
                print(f"{what} ({of})", file=sys.stderr)

        yield line
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    ) as bar:
        tasks: dict[str, Any] = {}

        def move(what: str, done: int, of: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield move


def stderr_console() -> Any:
    """A rich console on standard error.

    Raises:
        MissingExtra: If rich is not installed.
    """
    try:
        from rich.console import Console
    except ImportError as error:
        raise MissingExtra("rich", "cli", "The command line") from error
    return Console(stderr=True)


def stdout_console(*, wide: bool = False) -> Any:
    """A rich console on standard output.

    Args:
        wide: Whether lines may be as long as they like where it is not a terminal, so that a
            table's row is one line for the programs that read it.
    """
    from rich.console import Console

    piped = not sys.stdout.isatty()
    return Console(soft_wrap=piped, width=1000 if wide and piped else None)


def _downloading(done: int, of: int | None) -> None:
    """Downloads tell in steps of 10 MB: they are rare and asked for."""
    if done % (10 * 2**20) < 2**16:
        print(f"downloading: {done / 2**20:.0f} MB of {(of or 0) / 2**20:.0f}", file=sys.stderr)
