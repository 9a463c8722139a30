"""Streams are the same in every process; global generators are left as they were."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from ridgeline import rng


def test_the_first_numbers_are_pinned():
    assert rng.seed_of(0) == 4761921975702974394
    assert rng.seed_of(7, "order", 3) == 7225416119541238095
    drawn = torch.randint(0, 1000, (4,), generator=rng.stream(0, "order"))
    assert drawn.tolist() == [457, 582, 614, 552]


def test_a_stream_is_the_same_in_a_process_with_another_hash_salt():
    code = (
        "import torch; from ridgeline import rng;"
        "print(rng.seed_of(3, 'a', ('b', 1)), "
        "torch.randn(3, generator=rng.stream(3, 'a', ('b', 1))).tolist())"
    )
    here = torch.randn(3, generator=rng.stream(3, "a", ("b", 1))).tolist()
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    there = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == f"{rng.seed_of(3, 'a', ('b', 1))} {here}"


def test_streams_differ_by_seed_by_name_and_by_the_cut_between_names():
    seeds = {
        rng.seed_of(0),
        rng.seed_of(1),
        rng.seed_of(0, "a"),
        rng.seed_of(0, "ab"),
        rng.seed_of(0, "a", "b"),
        rng.seed_of(0, "b", "a"),
        rng.seed_of(0, 1),
        rng.seed_of(0, "1"),
        rng.seed_of(-1),
    }
    assert len(seeds) == 9
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stream_starts_afresh_each_time_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    first = torch.randn(5, generator=rng.stream(1, "x"))
    assert torch.equal(first, torch.randn(5, generator=rng.stream(1, "x")))
    assert torch.equal(before, torch.random.get_rng_state())


def states():
    return (
        torch.random.get_rng_state().tolist(),
        str(np.random.get_state()),  # noqa: NPY002 (the global generator itself is meant)
        random.getstate(),
    )


def draw():
    torch.rand(3)
    np.random.rand(3)  # noqa: NPY002 (the global generator itself is meant)
    random.random()


def test_untouched_restores_all_three_generators():
    before = states()
    with rng.untouched():
        draw()
        assert states() != before
    assert states() == before


def test_untouched_restores_them_after_an_exception_too():
    @rng.untouched()
    def work():
        draw()
        torch.manual_seed(5)
        raise KeyError("on purpose")

    before = states()
    with pytest.raises(KeyError, match="on purpose"):
        work()
    assert states() == before


def test_untouched_nests():
    before = states()
    with rng.untouched():
        draw()
        middle = states()
        with rng.untouched():
            draw()
        assert states() == middle
    assert states() == before
