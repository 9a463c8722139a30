"""Tensors that act through a product with others are told of, in every library's names."""

import warnings

import pytest
import torch
from torch import nn

from ridgeline import Bezier, Line, Plane, merge
from ridgeline.errors import LowRankFactors, QuantisedWeights, RidgelineWarning, UsageError
from ridgeline.state import factors, quantised


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def codes(seed, *shape, dtype=torch.int8):
    high = torch.iinfo(dtype).max
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, shape, generator=draws, dtype=torch.int64).to(dtype)


QUANTISED = {
    "int8 and a scale": lambda s: {"weight": codes(s, 4, 3), "scale": normal(s, 4)},
    "int8, whatever its scale is called": lambda s: {"q": codes(s, 4, 3), "s": normal(s, 4)},
    "bitsandbytes int8": lambda s: {"fc.weight": codes(s, 4, 3), "fc.SCB": normal(s, 4)},
    "bitsandbytes nf4": lambda s: {
        "fc.weight": codes(s, 6, 1, dtype=torch.uint8),
        "fc.weight.absmax": codes(s, 2, dtype=torch.uint8),
        "fc.weight.quant_map": normal(0, 16),
    },
    "GPTQ": lambda s: {
        "fc.qweight": codes(s, 4, 8, dtype=torch.int32),
        "fc.qzeros": codes(s, 1, 1, dtype=torch.int32),
        "fc.scales": normal(s, 1, 8).half(),
        "fc.g_idx": torch.zeros(32, dtype=torch.int32),
    },
    "MXFP4": lambda s: {
        "experts.blocks": codes(s, 2, 4, 4, dtype=torch.uint8),
        "experts.scales": codes(s, 2, 4, dtype=torch.uint8),
    },
    "long codes": lambda s: {"weight": codes(s, 4, 3, dtype=torch.int64), "zero_point": normal(s)},
    "codes in a row": lambda s: {"fc.weight": codes(s, 12), "fc.scale": normal(s, 1)},
    "a scale around": lambda s: {"fc.inner.weight": codes(s, 4, 3), "fc.scale": normal(s, 4)},
    "a scale inside": lambda s: {"fc.weight": codes(s, 4, 3), "fc.quantizer.scale": normal(s, 4)},
    "float8": lambda s: {
        "weight": normal(s, 4, 3).to(torch.float8_e4m3fn),
        "weight_scale_inv": normal(s, 1, 1),
    },
}
ORDINARY = {
    "equal codes": lambda s: {"weight": codes(0, 4, 3), "scale": normal(s, 4)},
    "positions": lambda s: {"index": codes(s, 4, 4, dtype=torch.int64), "table": normal(s, 9)},
    "a mask": lambda s: {"mask": (normal(s, 4, 4) > 0).to(torch.uint8), "weight": normal(s, 4)},
    "counts": lambda s: {"num_batches_tracked": torch.tensor(s), "running_var": normal(s, 4)},
    "edges and a scale": lambda s: {
        "edge_index": codes(s, 2, 9, dtype=torch.int64),
        "scale": normal(s, 1),
    },
    "a mask and a scale": lambda s: {
        "mask": (normal(s, 4, 4) > 0).to(torch.uint8),
        "scale": normal(s, 4),
    },
    "one axis": lambda s: {"ids": codes(s, 5), "scale": normal(s, 5)},
    "float8 with one scale for both": lambda s: {
        "weight": normal(s, 4, 3).to(torch.float8_e4m3fn),
        "weight_scale": torch.ones(()),
    },
    "weight norm": lambda s: {"weight_g": normal(s, 4, 1), "weight_v": normal(s, 4, 3)},
}


@pytest.mark.parametrize("kind", QUANTISED)
def test_quantised_weights_are_refused_on_every_path_and_in_merging(kind):
    a, b, c = (QUANTISED[kind](seed) for seed in (1, 2, 3))
    for make in (lambda: Line(a, b), lambda: Bezier(a, b, c), lambda: Plane(a, b, c)):
        with pytest.raises(QuantisedWeights, match=r"not codes that scales.*Got quantised weights"):
            make()
    if any(x.is_floating_point() for x in a.values()):
        with pytest.raises(QuantisedWeights, match="Dequantise both states first"):
            merge([a, b])


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_labels_are_carried(kind):
    a, b = (ORDINARY[kind](seed) for seed in (1, 2))
    assert not quantised((a, b))
    middle = Line(a, b)(0.5)
    for name, x in a.items():
        if x.is_floating_point() and x.itemsize > 1:
            torch.testing.assert_close(middle[name], (x + b[name]) / 2)


def test_codes_that_do_not_move_may_stay():
    a, b = QUANTISED["GPTQ"](1) | {"w": normal(1, 2)}, QUANTISED["GPTQ"](2) | {"w": normal(2, 2)}
    assert torch.equal(Line(a, b, layers=["w"])(0.5)["fc.qweight"], a["fc.qweight"])
    assert torch.equal(merge([a, b], layers=["w"]).state["fc.qweight"], a["fc.qweight"])


PREFIX = "base_model.model.layers.0.q_proj."
FACTORS = {
    "peft": ("lora_A.weight", "lora_B.weight"),
    "peft by name": ("lora_A.default.weight", "lora_B.default.weight"),
    "peft embeddings": ("lora_embedding_A", "lora_embedding_B"),
    "kohya": ("lora_down.weight", "lora_up.weight"),
    "diffusers": ("lora.down.weight", "lora.up.weight"),
    "diffusers, later": ("lora_linear_layer.down.weight", "lora_linear_layer.up.weight"),
    "one word": ("loraA.weight", "loraB.weight"),
    "left and right": ("lora_right", "lora_left"),
    "torchtune": ("lora_a.weight", "lora_b.weight"),
    "LoHa": ("hada_w1_a", "hada_w1_b"),
    "LoKr": ("lokr_w1", "lokr_w2"),
    "VeRA": ("vera_lambda_b", "vera_lambda_d"),
    "bare": ("A", "B"),
    "singular vectors": ("U", "V"),
}


def adapter(kind, seed):
    first, second = FACTORS[kind]
    return {PREFIX + first: normal(seed, 2, 16), PREFIX + second: normal(seed + 9, 12, 2)}


@pytest.mark.parametrize("kind", FACTORS)
def test_factors_are_not_merged_one_by_one(kind):
    a, b = adapter(kind, 1), adapter(kind, 2)
    assert factors((a, b)) == (tuple(a),)
    with pytest.raises(LowRankFactors, match=r"q_proj\.\w.* with .*merge_and_unload"):
        merge([a, b])


@pytest.mark.parametrize("kind", FACTORS)
def test_a_line_of_factors_says_what_it_is(kind):
    a, b = adapter(kind, 1), adapter(kind, 2)
    with pytest.warns(RidgelineWarning, match="act through their product") as told:
        line = Line(a, b)
    assert told[0].filename == __file__
    torch.testing.assert_close(line(0.5)[next(iter(a))], sum(s[next(iter(a))] for s in (a, b)) / 2)


def test_with_one_factor_held_the_product_moves_straight():
    a, b = adapter("peft", 1), adapter("peft", 2)
    down, up = a
    b[down] = a[down]
    middle = merge([a, b]).state
    torch.testing.assert_close(middle[up] @ middle[down], (a[up] + b[up]) @ a[down] / 2)


def test_a_rotation_of_one_tensor_is_a_factor_by_itself():
    a, b = ({"fc.oft_R": normal(seed, 2, 3, 3)} for seed in (1, 2))
    with pytest.raises(LowRankFactors):
        merge([a, b])


@pytest.mark.parametrize(
    "names",
    [
        ("mlp.up.weight", "mlp.down.weight"),
        ("ssm.A", "ssm.C"),
        ("w_lora.0", "w_lora.2"),
    ],
)
def test_layers_that_follow_each_other_are_no_factors(names):
    states = [{names[0]: normal(s, 2, 16), names[1]: normal(s + 9, 12, 2)} for s in (1, 2)]
    assert not factors(states)


def test_a_state_space_matrix_has_no_lower_rank():
    states = [{"A": normal(s, 4, 4), "B": normal(s + 9, 4, 2)} for s in (1, 2)]
    assert not factors(states)


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        (("ssm.A", "ssm.B"), (8, 4)),  # one row for each channel: they meet nowhere
        (("A.weight", "B.weight"), (8, 8)),
        (("oft_head.weight", "oft_head.bias"), (8, 4)),
        (("hada_proj.weight", "hada_out.weight"), (8, 8)),
    ],
)
def test_names_alone_make_no_factors(names, shape):
    states = [{n: normal(seed + k, *shape) for k, n in enumerate(names)} for seed in (0, 5)]
    assert factors(states) == ()


def test_adapters_may_be_left_out():
    a, b = adapter("peft", 1) | {"w": normal(1, 2)}, adapter("peft", 2) | {"w": normal(2, 2)}
    assert torch.equal(merge([a, b], layers=["w"]).state[next(iter(a))], a[next(iter(a))])


# --- states that are one ---------------------------------------------------------------------


def test_two_states_of_one_module_are_told_apart_from_none():
    module = nn.Linear(3, 2)
    start = module.state_dict()
    with torch.no_grad():
        module.weight.add_(1)
    end = module.state_dict()
    for make in (lambda: Line(start, end), lambda: merge([start, end])):
        with pytest.warns(RidgelineWarning, match=r"same tensors in memory.*rl\.state\.capture"):
            make()


def test_equal_values_are_told():
    a = {"w": normal(1, 3), "n": torch.tensor(1)}
    b = {"w": a["w"].clone(), "n": torch.tensor(2)}
    with pytest.warns(RidgelineWarning, match="a and b have the same values"):
        Line(a, b)
    assert "State 0 and state 1 have the same values." in merge([a, b]).notes


def test_sharing_some_tensors_is_ordinary():
    frozen = normal(0, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Line({"w": normal(1, 3), "frozen": frozen}, {"w": normal(2, 3), "frozen": frozen})


# --- kinds -----------------------------------------------------------------------------------

EIGHT = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz]


@pytest.mark.parametrize("dtype", EIGHT)
@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 1.0])
def test_eight_bit_floats_are_averaged_in_more(dtype, t):
    a, b = ({"w": normal(s, 5, 7).to(dtype)} for s in (1, 2))
    want = ((1 - t) * a["w"].double() + t * b["w"].double()).to(dtype)
    assert torch.equal(Line(a, b)(t)["w"].float(), want.float())
    made = merge([a, b], weights=[1 - t, t]).state["w"]
    assert torch.equal(made.float(), want.float())


@pytest.mark.parametrize("dtype", EIGHT)
def test_what_is_not_finite_in_eight_bits_is_seen(dtype):
    bad = torch.tensor([1.0, float("nan")]).to(dtype)
    with pytest.raises(Exception, match=r"must be finite.*w \(1 NaN"):
        Line({"w": bad}, {"w": bad.clone()})


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.eye(3).to_sparse_csr(),
        lambda: torch.empty(3, device="meta"),
        lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    ],
)
def test_tensors_without_numbers_are_refused_by_name(make):
    state = {"w": make()}
    for call in (lambda: Line(state, state), lambda: merge([state, state])):
        with pytest.raises(UsageError, match=r"dense and hold numbers.*with w \("):
            call()
