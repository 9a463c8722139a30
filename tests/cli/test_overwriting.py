"""What ``--overwrite`` replaces, and what it leaves."""

import os

import pytest
import torch

from ridgeline import io

MODEL = ("--model", "ridgeline.nets:fcn(64,16,10)")
MERGE = ("merge", "a.safetensors", "b.safetensors", *MODEL, "--overwrite", "--out")


def bytes_of(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("name", ["a.safetensors", "./b.safetensors", "hard.safetensors"])
def test_an_input_is_never_replaced(here, ridgeline, name):
    os.link("b.safetensors", "hard.safetensors")
    before = bytes_of(here)
    code, _, err = ridgeline(*MERGE, name)
    assert code == 3
    assert "does not take the place of what it is made from" in err
    assert bytes_of(here) == before


def test_the_base_is_an_input_too(here, ridgeline):
    words = ("--by", "task-arithmetic", "--base", "c.safetensors")
    code, _, err = ridgeline(*MERGE, "c.safetensors", *words)
    assert code == 3
    assert "'c.safetensors' is read from" in err


def test_a_file_of_others_stays(here, ridgeline):
    (here / "m.safetensors").write_bytes(b"not ours")
    code, _, err = ridgeline(*MERGE, "m.safetensors")
    assert code == 3
    assert "which it did not write" in err
    assert (here / "m.safetensors").read_bytes() == b"not ours"


def test_an_earlier_merge_is_replaced(here, ridgeline):
    assert ridgeline(*MERGE, "m.safetensors")[0] == 0
    assert ridgeline(*MERGE, "m.safetensors", "--weights", "1,3")[0] == 0
    made, a, b = (io.load(f"{n}.safetensors") for n in "mab")
    for name in a:
        torch.testing.assert_close(made[name], a[name] / 4 + 3 * b[name] / 4)


def test_a_folder_with_an_input_is_not_replaced(here, ridgeline):
    with io.fresh_directory("out") as folder:
        io.save(io.load("a.safetensors"), folder / "a.safetensors")
    words = ("out/a.safetensors", "b.safetensors", *MODEL, "--data", "digits", "--points", "3")
    code, _, err = ridgeline("profile", *words, "--out", "out", "--overwrite")
    assert code == 3
    assert "'out/a.safetensors' is read from" in err
    assert (here / "out" / "a.safetensors").exists()


@pytest.mark.parametrize("verb", ["profile", "layers"])
def test_one_file_given_twice_is_told_once(here, ridgeline, verb):
    words = ("a.safetensors", "a.safetensors", *MODEL, "--data", "digits?test=50")
    code, _, err = ridgeline(verb, *words, "--points", "3")
    assert code == 0
    assert err.count("a and b have the same values") == 1
    assert ".py" not in err


def test_a_merge_is_written_as_what_it_reads(here, ridgeline):
    for name in "ab":
        state = io.load(f"{name}.safetensors")
        torch.save({"state_dict": {f"net.{k}": x for k, x in state.items()}}, f"{name}.ckpt")
    words = ("merge", "a.ckpt", "b.ckpt", *MODEL, "--out", "m.pt")
    code, _, err = ridgeline(*words)
    assert (code, err) == (0, "written: m.pt\n")
    assert ridgeline(*words)[0] == 3
    assert ridgeline(*words, "--overwrite")[0] == 0
    found = torch.load("m.pt", weights_only=True)["state_dict"]
    a, b = (torch.load(f"{n}.ckpt", weights_only=True)["state_dict"] for n in "ab")
    for name in a:
        torch.testing.assert_close(found[name], (a[name] + b[name]) / 2)
    align = ("align", "a.ckpt", "m.pt", *MODEL, "--data", "digits?train=50", "--out", "c.pth")
    assert ridgeline(*align)[0] == 0
    assert torch.load("c.pth", weights_only=True)["state_dict"].keys() == a.keys()


def test_checkpoints_of_two_types_are_taken_in_the_wider(here, ridgeline):
    b = io.load("b.safetensors")
    io.save({k: x.bfloat16() for k, x in b.items()}, "half.safetensors")
    words = ("merge", "half.safetensors", "a.safetensors", *MODEL, "--out", "m.safetensors")
    code, _, err = ridgeline(*words)
    assert code == 0
    assert "different types (bfloat16, float32): tensors of one name are taken in the widest" in err
    a, made = io.load("a.safetensors"), io.load("m.safetensors")
    for name in a:
        want = (a[name].double() + b[name].bfloat16().double()) / 2
        assert torch.equal(made[name], want.float().bfloat16())
