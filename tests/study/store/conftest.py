"""Stores on both kinds of places."""

import pytest

from ridgeline.study.store import Store


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    where = tmp_path / "runs" if request.param == "folder" else f"memory://{tmp_path.name}/runs"
    return Store(where)
