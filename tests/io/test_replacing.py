import json

import pytest
import torch

from ridgeline import io, nets, symmetries


def test_a_state_that_was_saved_is_known_again(tmp_path):
    made = io.save({"w": torch.ones(2)}, tmp_path / "a.safetensors")
    assert io.is_made_here(made)


def test_a_symmetry_that_was_saved_is_known_again(tmp_path):
    found = symmetries(nets.fcn(4, 6, 3), torch.zeros(2, 4))
    made = io.save_symmetry(found, tmp_path / "s.json")
    assert io.is_made_here(made)


def write_safetensors(path):
    from safetensors.torch import save_file

    save_file({"w": torch.ones(2)}, path, metadata={"format": "pt"})


FOREIGN = {
    "safetensors of another program": write_safetensors,
    "torch": lambda path: torch.save({"w": torch.ones(2)}, path),
    "JSON": lambda path: path.write_text(json.dumps({"format": "other"})),
    "a list": lambda path: path.write_text("[]"),
    "text": lambda path: path.write_text("results of a year"),
    "nothing": lambda path: path.touch(),
    "a torn header": lambda path: path.write_bytes(b"\xff" * 8 + b"{"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_others_wrote_is_not(tmp_path, kind):
    FOREIGN[kind](tmp_path / "file")
    assert not io.is_made_here(tmp_path / "file")
