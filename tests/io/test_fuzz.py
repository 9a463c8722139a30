"""Every damaged checkpoint is read, or refused in words."""

import os
import resource
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mutants import mutant, written
from ridgeline import io
from ridgeline.errors import RidgelineError

MUTANTS = int(os.environ.get("RIDGELINE_MUTANTS", "250"))
"""Of each file; a longer run takes more."""

FILES = (
    *("flat.pt", "nested.ckpt", "older.pth", "a.safetensors", "index.json", "shard"),
    "symmetry.json",
)


@pytest.fixture
def little_memory():
    """Room for a gigabyte more than there is: who asks for more is refused."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def touched(state):
    """A sum over every tensor, so that each value is looked at."""
    return [(x.abs() if x.is_complex() else x).double().sum() for x in state.values()]


@pytest.mark.parametrize("name", FILES)
def test_every_damaged_file_loads_or_is_refused_in_words(tmp_path, little_memory, name):
    path, given = written(tmp_path)[name]
    readers = (io.load_symmetry,) if name == "symmetry.json" else (io.load, io.inspect)
    rng, whole, outcomes, raw = np.random.default_rng(0), path.read_bytes(), Counter(), []
    for k in range(MUTANTS):
        path.write_bytes(mutant(path, whole, rng))
        for read in readers:
            try:
                found = read(given)
                outcomes["read"] += 1
                if read is io.load:
                    touched(found)
            except RidgelineError as refusal:
                outcomes["refused"] += 1
                if str(tmp_path) not in str(refusal):
                    raw.append((k, "a refusal without the file's name", str(refusal)))
            except BaseException as error:
                raw.append((k, read.__name__, repr(error)))
    assert not raw, (len(raw), raw[:5])
    assert outcomes["refused"] > 0
    # The older file holds two states, and whole it is refused without a key.
    assert outcomes["read"] > 0 or name == "older.pth"
