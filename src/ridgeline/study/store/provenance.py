"""Where numbers come from: versions, commit, machine, time."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ridgeline.io.writing import version

__all__ = ["provenance"]

PACKAGES = ("torch", "numpy", "scipy", "safetensors")


def provenance(
    *,
    device: str | torch.device = "cpu",
    threads: int | None = None,
    seeds: Mapping[str, int] | None = None,
    wall_seconds: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """All that is worth knowing about where a result was made.

    Args:
        device: What it was computed on.
        threads: Of torch; those of now by default.
        seeds: By name.
        wall_seconds: How long it took, until now.
        more: Whatever else, JSON values.

    Returns:
        JSON values. Nothing of it enters a run's hash. Arguments of the command line are left
        out: they may hold secrets.
    """
    device = torch.device(device)
    now = datetime.datetime.now(datetime.UTC)
    begun = now - datetime.timedelta(seconds=wall_seconds or 0.0)
    return {
        "ridgeline": version(),
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "device": str(device),
        "device_name": _device_name(device),
        "threads": torch.get_num_threads() if threads is None else threads,
        "seeds": dict(seeds or {}),
        "begun": begun.isoformat(timespec="seconds"),
        "ended": now.isoformat(timespec="seconds"),
        "wall_seconds": wall_seconds,
        **more,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> dict[str, Any] | None:
    """The commit of the working folder's repository, and whether files differ from it."""
    try:
        head = _git("rev-parse", "HEAD")
        return {"hash": head, "changed": bool(_git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        capture_output=True,
        check=True,
        text=True,
        timeout=1,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
    )
    return done.stdout.strip()


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _device_name(device: torch.device) -> str | None:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None
