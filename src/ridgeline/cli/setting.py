"""From options to what is measured: model, data, objectives, states, and how far one is."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from ridgeline import data, io
from ridgeline.errors import MissingExtra, UnknownName, UsageError
from ridgeline.objective import METRICS, Objective, metric
from ridgeline.state import State

__all__ = [
    "Setting",
    "check_file",
    "check_folder",
    "check_out",
    "device_of",
    "load_points",
    "model_of",
    "progress_bar",
    "words",
]


class Setting:
    """The model and the objectives of a command; no objectives without ``--data``.

    Args:
        chosen: Parsed options.
        measured: Whether there shall be objectives.

    Raises:
        UsageError: If an option names nothing.
    """

    def __init__(self, chosen: argparse.Namespace, *, measured: bool = True) -> None:
        if chosen.threads:
            torch.set_num_threads(chosen.threads)
        self.device = device_of(chosen.device)
        dtype = getattr(chosen, "dtype", None)
        self.dtype = getattr(torch, dtype) if dtype else None
        self.model = model_of(chosen.model)
        self.objectives: dict[str, Objective] = {}
        places = {"root": chosen.data_root, "download": chosen.download, "progress": _downloading}
        self.data = data.load(chosen.data, **places) if chosen.data is not None else None
        if self.data is not None and measured:
            names = words(chosen.split) or list(self.data.splits)
            self.objectives = {name: self.objective(chosen, name) for name in names}

    def objective(
        self, chosen: argparse.Namespace, split: str, *, samples: int | None = None
    ) -> Objective:
        """Loss and metrics on one split.

        Args:
            chosen: Parsed options.
            split: Its name.
            samples: At most so many, classes balanced; all by default.

        Raises:
            UnknownName: If there is no such split or loss.
        """
        assert self.data is not None
        splits = self.data.splits
        if split not in splits:
            raise UnknownName(f"split of {self.data.name}", split, splits)
        if chosen.loss not in METRICS:
            raise UnknownName("loss", chosen.loss, METRICS)
        calibration = splits.get("train")
        used = splits[split]
        if samples is not None and samples < len(used):
            used = used.subset(samples)
        return Objective(
            self.model,
            used,
            loss=metric(chosen.loss),
            metrics={m: metric(m) for m in words(chosen.metrics) or []},
            statistics=chosen.statistics,
            calibration=calibration.inputs if calibration is not None else None,
            device=self.device,
        )

    def about(self, chosen: argparse.Namespace) -> dict[str, Any]:
        """Where the numbers of a command come from, in plain values."""
        options = {
            k: v
            for k, v in vars(chosen).items()
            if k not in ("verb", "module", "out", "overwrite", "json") and v not in (None, False)
        }
        on = self.data and {"name": self.data.name, "fingerprint": self.data.fingerprint}
        return {
            "command": chosen.verb,
            "options": options,
            "data": on,
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
    check_folder(chosen.out, overwrite=chosen.overwrite)


def check_folder(path: str, *, overwrite: bool) -> None:
    """Refuse a folder that cannot be written to."""
    with suppress(_Undone), io.fresh_directory(path, overwrite=overwrite):
        raise _Undone


def check_file(path: str, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written."""
    with suppress(_Undone), io.atomic_path(path, overwrite=overwrite):
        raise _Undone


class _Undone(Exception):
    """Leaves a trial of writing without its result."""


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
