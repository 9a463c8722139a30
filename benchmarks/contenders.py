"""What others do for the same question: the loss at K states of a line, over all samples."""

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

PEERS = Path(".cache/peers")
PACKAGES = ("loss-landscapes==3.0.6", "loss-landscape-3d==0.1.3", "nngeom==0.2.0")


def loss_of(outputs: torch.Tensor, targets: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """Cross entropy with classes last, for sequences too."""
    return F.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction=reduction)


def _mixed(a: dict, b: dict, t: float) -> dict:
    return {k: torch.lerp(x, b[k], t) if x.is_floating_point() else x for k, x in a.items()}


def obvious(model: Any, a: dict, b: dict, grid: np.ndarray, data: tuple, batch: int = 128) -> list:
    """The loop that everybody writes: a deep copy per t, a DataLoader, loss and error."""
    loader = DataLoader(TensorDataset(*data), batch_size=batch)
    return [_evaluate(copy.deepcopy(model), _mixed(a, b, t), loader) for t in grid.tolist()]


def obvious_resident(
    model: Any, a: dict, b: dict, grid: np.ndarray, data: tuple, batch: int
) -> list:
    """The same without its wastes: no copy of the model, data as arrays, our own chunk size."""
    net = copy.deepcopy(model)
    chunks = list(zip(*(x.split(batch) for x in data), strict=True))
    return [_evaluate(net, _mixed(a, b, t), chunks) for t in grid.tolist()]


@torch.inference_mode()
def _evaluate(net: Any, state: dict, batches: Any) -> float:
    net.load_state_dict(state)
    net.eval()
    loss = wrong = count = 0.0
    for x, y in batches:
        out = net(x)
        loss += loss_of(out, y, "sum").item()
        wrong += (out.argmax(-1) != y).sum().item()
        count += y.numel()
    return loss / count


def obvious_recomputed(model: Any, a: dict, b: dict, grid: np.ndarray, data: tuple) -> list:
    """The loop of those who know about BatchNorm: statistics anew at each t, batches of 500."""
    found = []
    for t in grid.tolist():
        net = copy.deepcopy(model)
        net.load_state_dict(_mixed(a, b, t))
        torch.optim.swa_utils.update_bn(DataLoader(TensorDataset(*data), batch_size=500), net)
        loader = DataLoader(TensorDataset(*data), batch_size=128)
        found.append(_evaluate(net, net.state_dict(), loader))
    return found


# --- other tools, installed beside the benchmark and never a dependency ------------------------


@contextmanager
def installed() -> Iterator[list[str]]:
    """Other tools on the path, each without its own dependencies.

    Yields:
        Notes on those that could not be installed.
    """
    notes = []
    for package in PACKAGES:
        name = package.split("==")[0].replace("-", "_")
        if not (PEERS / name).exists():
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
            done = subprocess.run(
                [*command, "--target", str(PEERS), package], capture_output=True, check=False
            )
            if done.returncode:
                notes.append(f"{package} could not be installed")
    sys.path.append(str(PEERS))
    try:
        yield notes
    finally:
        sys.path.remove(str(PEERS))


def peers(
    model: Any, a: dict, b: dict, points: int, data: tuple, batch: int = 128
) -> dict[str, Callable[[], Any]]:
    """The loss (alone) along the line by other tools, for those that can be imported."""
    start, end = copy.deepcopy(model), copy.deepcopy(model)
    start.load_state_dict(a)
    end.load_state_dict(b)
    start.eval(), end.eval()
    found: dict[str, Callable[[], Any]] = {}
    try:
        import loss_landscapes
        from loss_landscapes.metrics import Loss

        metric = Loss(loss_of, *data)  # its own: all samples as one batch

        def landscapes() -> Any:
            with torch.no_grad():
                return loss_landscapes.linear_interpolation(
                    start, end, metric, steps=points, deepcopy_model=True
                )

        found["loss-landscapes"] = landscapes
    except ImportError:
        pass
    try:
        from loss_landscape_3d.calculator import LossLandscapeCalculator

        loader = DataLoader(TensorDataset(*data), batch_size=batch)
        calculator = LossLandscapeCalculator(copy.deepcopy(model), loader, loss_of, "cpu")
        grid = np.linspace(0, 1, points)
        found["loss-landscape-3d"] = lambda: calculator.calculate_1d_path(grid, a, b)
    except ImportError:
        pass
    try:
        import nngeom

        def loss(net: Any, pair: Any) -> torch.Tensor:
            return loss_of(net(pair[0]), pair[1])

        ends = nngeom.Model(start, loss_fn=loss), nngeom.Model(end, loss_fn=loss)
        found["nngeom"] = lambda: nngeom.linear_interpolation(*ends, data, steps=points)
    except ImportError:
        pass
    return found
