"""Where numbers come from."""

import json

import torch

from ridgeline.study.store import provenance


def test_provenance_says_where_numbers_come_from(tmp_path, monkeypatch):
    found = provenance(seeds={"run": 3}, wall_seconds=2.5, group="abc")
    json.dumps(found)
    assert found["packages"]["torch"].startswith(torch.__version__.split("+")[0])
    assert found["threads"] == torch.get_num_threads()
    assert (found["seeds"], found["group"]) == ({"run": 3}, "abc")
    assert found["begun"] < found["ended"]
    monkeypatch.chdir(tmp_path)
    assert provenance()["commit"] is None
