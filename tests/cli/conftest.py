"""Two checkpoints of a small network, and a way to run the command line in this process."""

import json

import pytest
import torch

from ridgeline import io, nets
from ridgeline.cli.main import main

MODEL = "ridgeline.nets:fcn(64,16,10)"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a", "b", "c")):
        state = nets.fcn(64, 16, 10, seed=seed).state_dict()
        io.save(dict(state), f"{name}.safetensors")
    return tmp_path


@pytest.fixture
def ridgeline(capsys):
    def call(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:  # argparse
            code = ended.code
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def profiled(ridgeline):
    def call(*words, data="digits?train=200&test=100", verb="profile"):
        points = ["a.safetensors", "b.safetensors"]
        code, out, err = ridgeline(
            verb, *points, "--model", MODEL, "--data", data, "--json", *words
        )
        return code, json.loads(out) if code in (0, 130, 143) and out else None, err

    return call


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
