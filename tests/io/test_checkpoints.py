import json
import subprocess
import sys

import hypothesis.strategies as st
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from torch import nn

from ridgeline import io, state
from ridgeline.errors import CheckpointError, NonFinite, OutputError, StateMismatch, UsageError
from ridgeline.io import checkpoints

DTYPES = [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int64, torch.bool]


def net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("positions", torch.arange(4), persistent=False)


def same(a, b):
    return list(a) == list(b) and all(
        a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a
    )


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir())


# --- save and load -----------------------------------------------------------------------


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3)),
        min_size=1,
        max_size=6,
    ),
    tie=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_what_is_saved_is_loaded(tmp_path, kinds, tie, seed):
    rng = torch.Generator().manual_seed(seed)
    original = {
        f"layer.{i}": (torch.randn(shape, generator=rng) * 3).to(dtype)
        for i, (dtype, shape) in enumerate(kinds)
    }
    if tie:
        original["tied"] = original["layer.0"]

    path = io.save(original, tmp_path / "a.safetensors", overwrite=True)
    loaded = io.load(path)

    assert loaded.keys() == original.keys()
    assert all(torch.equal(loaded[k], original[k]) for k in original)
    assert all(loaded[k].dtype == original[k].dtype for k in original)
    if tie and original["tied"].numel():
        assert loaded["tied"] is loaded["layer.0"]


def test_views_strides_and_parts_of_one_storage_are_saved_by_value(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    original = {
        "transposed": base.T,
        "row": base[1],
        "overlapping": base[:2],
        "whole": base,
        "parameter": nn.Parameter(base[0]),
    }
    loaded = io.load(io.save(original, tmp_path / "a.safetensors"))
    assert all(torch.equal(loaded[k], original[k]) for k in original)


def test_a_tie_is_stored_once_and_survives_a_change_of_dtype(tmp_path):
    model = Tied()
    path = io.save(state.capture(model), tmp_path / "a.safetensors")
    assert list(safetensors.torch.load_file(path)) == ["embed.weight"]
    loaded = io.load(path, dtype=torch.float64)
    assert loaded["head.weight"] is loaded["embed.weight"]
    assert loaded["head.weight"].dtype == torch.float64


def test_metadata_say_what_made_it(tmp_path):
    path = io.save(net().state_dict(), tmp_path / "a.safetensors", metadata={"recipe": "fcn"})
    found = io.inspect(path).metadata
    assert found["recipe"] == "fcn"
    assert found["format"] == "pt"
    assert "ridgeline.version" in found


@pytest.mark.slow
def test_the_same_state_gives_the_same_bytes_in_another_process(tmp_path):
    program = (
        "import sys, torch; from ridgeline import io; w = torch.ones(3);"
        "io.save({'a': w, 'b': w}, sys.argv[1], metadata={c: 'é' for c in 'qwertzuiop'})"
    )
    for name in ("1", "2"):
        path = str(tmp_path / f"{name}.safetensors")
        subprocess.run([sys.executable, "-c", program, path], check=True)
    first, second = ((tmp_path / f"{n}.safetensors").read_bytes() for n in "12")
    assert first == second
    assert io.inspect(tmp_path / "1.safetensors").metadata["q"] == "é"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("boom")])
def test_an_interrupted_save_leaves_nothing_and_keeps_the_old(tmp_path, monkeypatch, error):
    path = tmp_path / "a.safetensors"
    io.save({"w": torch.zeros(2)}, path)

    def torn(kept, target, metadata):
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoints, "save_file", torn)
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        io.save({"w": torch.ones(2)}, path, overwrite=True)
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        io.save({"w": torch.ones(2)}, tmp_path / "new" / "b.safetensors")

    assert leftovers(tmp_path) == ["a.safetensors"]
    assert torch.equal(io.load(path)["w"], torch.zeros(2))


def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch):
    def full(kept, target, metadata):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(OutputError, match=r"written whole.*No space left.*Nothing was kept"):
        io.save({"w": torch.ones(2)}, tmp_path / "a.safetensors")
    assert leftovers(tmp_path) == []


def test_an_existing_file_is_not_replaced_unless_asked(tmp_path):
    path = io.save({"w": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(OutputError, match=r"existing file .*a\.safetensors.*overwrite=True"):
        io.save({"w": torch.ones(2)}, path)
    io.save({"w": torch.ones(2)}, path, overwrite=True)
    assert torch.equal(io.load(path)["w"], torch.ones(2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "must hold a tensor"),
        ({"a": 3}, r"names to tensors\. Got 'a': int"),
        ({"__metadata__": torch.ones(1)}, "names to tensors"),
        ({"s": torch.eye(2).to_sparse()}, r"dense and hold values\. Got s, torch\.sparse_coo"),
        ({"m": torch.ones(2, device="meta")}, "on meta"),
    ],
)
def test_what_is_no_state_is_not_saved(tmp_path, given, message):
    with pytest.raises(UsageError, match=message):
        io.save(given, tmp_path / "a.safetensors")


def test_other_names_and_metadata_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"saved as safetensors.*Name it '.*a\.safetensors'"):
        io.save({"w": torch.ones(1)}, tmp_path / "a.pt")
    with pytest.raises(UsageError, match=r"strings to strings.*'epoch': 3"):
        io.save({"w": torch.ones(1)}, tmp_path / "a.safetensors", metadata={"epoch": 3})
    with pytest.raises(UsageError, match=r"ridgeline\.ties"):
        io.save({"w": torch.ones(1)}, tmp_path / "a.safetensors", metadata={"ridgeline.ties": ""})


# --- values ------------------------------------------------------------------------------


def test_nan_and_infinity_name_their_tensor(tmp_path):
    bad = {"fine": torch.ones(3), "fc.weight": torch.tensor([1.0, torch.nan, torch.inf])}
    path = io.save(bad, tmp_path / "a.safetensors")
    with pytest.raises(NonFinite, match=r"fc\.weight \(1 NaN, 1 infinite\)"):
        io.load(path)
    assert torch.isnan(io.load(path, finite=False)["fc.weight"][1])


def test_eight_bit_floats_are_checked_too(tmp_path):
    x = torch.tensor([1.0, torch.nan]).to(torch.float8_e4m3fn)
    path = io.save({"w": x}, tmp_path / "a.safetensors")
    with pytest.raises(NonFinite, match=r"w \(1 NaN"):
        io.load(path)
    assert io.inspect(path).tensors[0].nans == 1


def test_dtype_converts_floats_and_leaves_labels(tmp_path):
    path = io.save(net().state_dict(), tmp_path / "a.safetensors")
    loaded = io.load(path, dtype=torch.float64)
    assert loaded["0.weight"].dtype == torch.float64
    assert loaded["1.num_batches_tracked"].dtype == torch.int64


# --- against a model ---------------------------------------------------------------------


def test_a_mismatch_is_a_diff(tmp_path):
    path = io.save(net().state_dict(), tmp_path / "a.safetensors")
    other = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Linear(3, 2, bias=False))
    other.extra = nn.Linear(1, 1, bias=False)
    with pytest.raises(
        StateMismatch,
        match=r"(?s)the model and .*a\.safetensors.*- extra\.weight \(1, 1\).*"
        r"\+ 2\.bias \(2,\).*! 0\.weight \(3, 5\) -> \(3, 4\).*Prefixes .* resolved already",
    ):
        io.load(path, model=other)


def test_a_label_in_a_floating_place_is_a_mismatch(tmp_path):
    path = io.save({"weight": torch.ones(2, 2, dtype=torch.int64)}, tmp_path / "a.safetensors")
    with pytest.raises(StateMismatch, match=r"! weight torch\.float32 -> torch\.int64"):
        io.load(path, model=nn.Linear(2, 2, bias=False))


def test_old_files_without_batch_counts_get_the_model_s(tmp_path):
    model = net()
    old = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    loaded = io.load(io.save(old, tmp_path / "a.safetensors"), model=model)
    assert same(loaded, model.state_dict())
    with torch.device("meta"):
        hollow = net()
    assert int(io.load(tmp_path / "a.safetensors", model=hollow)["1.num_batches_tracked"]) == 0


def test_tied_names_that_a_file_leaves_out_are_shared(tmp_path):
    model = Tied()
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"head.weight": model.embed.weight.detach()}, path)
    loaded = io.load(path, model=model)
    assert list(loaded) == ["embed.weight", "head.weight"]
    assert loaded["embed.weight"] is loaded["head.weight"]


def test_tied_names_with_two_values_are_refused(tmp_path):
    both = {"embed.weight": torch.zeros(5, 3), "head.weight": torch.zeros(5, 3)}
    path = io.save(both, tmp_path / "a.safetensors")
    loaded = io.load(path, model=Tied())
    assert loaded["embed.weight"] is loaded["head.weight"]
    both["head.weight"] = torch.ones(5, 3)
    io.save(both, path, overwrite=True)
    with pytest.raises(CheckpointError, match=r"embed\.weight and head\.weight differ"):
        io.load(path, model=Tied())


def test_a_copy_of_a_non_persistent_buffer_is_left_out_and_another_value_is_not(tmp_path):
    given = {"embed.weight": torch.zeros(5, 3), "positions": torch.arange(4)}
    path = io.save(given, tmp_path / "a.safetensors")
    assert "positions" not in io.load(path, model=Tied())
    io.save(given | {"positions": torch.ones(4)}, path, overwrite=True)
    with pytest.raises(StateMismatch, match=r"\+ positions \(4,\)"):
        io.load(path, model=Tied())


def test_the_model_is_left_as_it_was(tmp_path):
    model = net()
    before = state.capture(model)
    other = {k: v + 1 for k, v in before.items()}
    loaded = io.load(io.save(other, tmp_path / "a.safetensors"), model=model)
    assert same(before, state.capture(model))
    assert torch.equal(loaded["0.weight"], before["0.weight"] + 1)


# --- torn and strange files --------------------------------------------------------------


def test_truncated_and_corrupt_safetensors(tmp_path):
    path = io.save(net().state_dict(), tmp_path / "a.safetensors")
    whole = path.read_bytes()
    for torn in (whole[:-5], whole[: len(whole) // 3], whole[:6], b"\xff" * 40, whole + b"x"):
        path.write_bytes(torn)
        with pytest.raises(
            CheckpointError, match=rf"safetensors file must be whole.*of {len(torn)} bytes"
        ):
            io.load(path)


def test_aliases_that_name_nothing_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    for text in ("{", "[1]", '{"b": "z"}', '{"a": "a"}'):
        safetensors.torch.save_file({"a": torch.ones(2)}, path, {"ridgeline.ties": text})
        with pytest.raises(CheckpointError, match=r"aliases in a checkpoint's metadata"):
            io.load(path)


def test_empty_pointer_and_unknown_files(tmp_path):
    for name, content, message in [
        ("a.safetensors", b"", "must not be empty.*of 0 bytes"),
        ("a.pt", b"", "must not be empty"),
        ("b.bin", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("c.h5", b"\x89HDF\r\n", r"known format.*\.safetensors"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            io.load(tmp_path / name)


def test_a_file_without_a_suffix_is_known_by_its_content(tmp_path):
    weights = {"w": torch.ones(2)}
    io.save(weights, tmp_path / "a.safetensors").rename(tmp_path / "a")
    torch.save(weights, tmp_path / "b")
    assert same(io.load(tmp_path / "a"), weights)
    assert same(io.load(tmp_path / "b"), weights)


def test_a_missing_path_lists_the_nearest_names(tmp_path):
    for name in ("final.safetensors", "notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"must exist.*Nearest in .*: final\.safetensors"):
        io.load(tmp_path / "fianl.safetensors")
    with pytest.raises(CheckpointError, match=r"Nearest in .*: final\.safetensors"):
        io.load(tmp_path / "finals" / "deep" / "a.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"empty' is empty"):
        io.load(tmp_path / "empty" / "a.pt")


# --- inspect -----------------------------------------------------------------------------


def test_inspect_counts_and_measures(tmp_path):
    w = torch.tensor([[3.0, -4.0], [0.0, 1.0]])
    bad = torch.tensor([torch.nan, 1.0, -torch.inf])
    given = {"w": w, "tied": w, "bad": bad, "n": torch.tensor(7), "none": torch.ones(0)}
    found = io.inspect(io.save(given, tmp_path / "a.safetensors"))
    by_name = {t.name: t for t in found.tensors}

    assert found.format == "safetensors"
    assert found.size == found.path.stat().st_size
    assert found.ties == (("w", "tied"),)
    assert found.parameters == 4 + 3
    assert by_name["w"].norm == pytest.approx(26**0.5)
    assert by_name["w"].mean == 0
    assert by_name["w"].std == pytest.approx(6.5**0.5)
    assert (by_name["w"].minimum, by_name["w"].maximum) == (-4, 3)
    assert (by_name["bad"].nans, by_name["bad"].infs) == (1, 1)
    assert [t.name for t in found.non_finite] == ["bad"]
    assert by_name["n"].dtype == "int64"
    assert by_name["none"].norm == 0

    plain = found.to_dict()
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text) == plain
    assert {t["name"]: t["norm"] for t in plain["tensors"]}["bad"] is None


def test_inspect_reads_complex_and_nested(tmp_path):
    torch.save({"epoch": 3, "model": {"z": torch.tensor([3 + 4j])}}, tmp_path / "a.pt")
    found = io.inspect(tmp_path / "a.pt", key="model")
    assert found.format == "torch"
    assert found.metadata == {"epoch": "3"}
    assert found.tensors[0].norm == 5
