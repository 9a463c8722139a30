"""Merging against plain numpy, the laws of merges, and what is refused."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import ridgeline as rl
import zoo
from merging import plain
from ridgeline.errors import NonFinite, StateMismatch, UnknownName, UsageError
from ridgeline.merging import (
    Dare,
    Fisher,
    Mean,
    ModelStock,
    RegMean,
    Slerp,
    TaskArithmetic,
    Ties,
    merge,
)
from ridgeline.state import State, capture
from ridgeline.state import mean as mean_of

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 10**6)


def states(count, seed=0, dtype=torch.float64, grid=False):
    """Small states, ``grid`` ones with values that coincide and cancel."""
    draw = torch.Generator().manual_seed(seed)

    def tensor(*shape):
        if grid:
            return torch.randint(-3, 4, shape, generator=draw).to(dtype)
        return torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype)

    return [{"w": tensor(3, 4), "b": tensor(5), "scalar": tensor()} for _ in range(count)]


def same_bits(x: State, y: State):
    return all(
        a.dtype == y[n].dtype
        and torch.equal(a.reshape(-1).view(torch.uint8), y[n].reshape(-1).view(torch.uint8))
        for n, a in x.items()
    )


def close(x, y, rtol=1e-12):
    np.testing.assert_allclose(plain.flat(x), y, rtol=rtol, atol=1e-12)


# --- against the slow reference ----------------------------------------------------------


@given(seeds, st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(any))
@few
def test_the_mean(seed, weights):
    points = states(3, seed)
    found = merge(points, weights=weights)
    close(found.state, plain.weighted([plain.flat(p) for p in points], weights))
    assert found.weights == tuple(weights) and found.count == 3


@given(seeds, st.floats(0.01, 0.99))
@few
def test_the_great_circle(seed, t):
    a, b = ({n: x for n, x in s.items() if x.ndim} for s in states(2, seed))
    whole = merge([a, b], by=Slerp(t, per="whole")).state
    close(whole, plain.slerp(plain.flat(a), plain.flat(b), t), 1e-9)
    each = merge([a, b], by=Slerp(t)).state
    for n in a:
        close({n: each[n]}, plain.slerp(plain.flat({n: a[n]}), plain.flat({n: b[n]}), t), 1e-9)


@given(seeds, st.floats(-2, 2), st.lists(st.floats(-2, 2), min_size=3, max_size=3))
@few
def test_task_arithmetic(seed, scale, weights):
    base, *points = states(4, seed)
    start = plain.flat(base)
    wanted = start + scale * sum(
        w * (plain.flat(p) - start) for w, p in zip(weights, points, strict=True)
    )
    close(merge(points, by=TaskArithmetic(scale), weights=weights, base=base).state, wanted)


@given(seeds, st.floats(0.05, 1), st.floats(0.1, 2), st.booleans())
@few
def test_ties(seed, keep, scale, grid):
    base, *points = states(4, seed, grid=grid)
    found = merge(points, by=Ties(keep, scale), base=base).state
    flat = [plain.flat(p) for p in points]
    close(found, plain.ties(plain.flat(base), flat, keep, scale))
    each = merge(points, by=Ties(keep, scale, per="tensor"), base=base).state
    for n in base:
        flat = [plain.flat({n: p[n]}) for p in points]
        close({n: each[n]}, plain.ties(plain.flat({n: base[n]}), flat, keep, scale))


@given(seeds)
@few
def test_fisher_weights(seed):
    points = states(3, seed)
    fishers = [{n: x.abs().floor() for n, x in s.items()} for s in states(3, seed + 1)]
    wanted = plain.fisher([plain.flat(p) for p in points], [plain.flat(f) for f in fishers])
    close(merge(points, by=Fisher(fishers)).state, wanted)


@given(seeds, st.sampled_from([0.0, 0.5, 0.9, 1.0]))
@few
def test_the_regression_mean_is_the_closed_form(seed, shrink):
    points = states(3, seed)
    draw = torch.Generator().manual_seed(seed)
    seen = [torch.randn(20, 4, generator=draw, dtype=torch.float64) for _ in points]
    grams = [{"w": x.T @ x} for x in seen]
    found = merge(points, by=RegMean(grams, shrink)).state
    shrunk = [
        shrink * g["w"].numpy() + (1 - shrink) * np.diag(np.diag(g["w"].numpy())) for g in grams
    ]
    moment = sum(p["w"].numpy() @ g for p, g in zip(points, shrunk, strict=True))
    np.testing.assert_allclose(found["w"], moment @ np.linalg.inv(sum(shrunk)), rtol=1e-8)
    np.testing.assert_allclose(found["b"], sum(p["b"].numpy() for p in points) / 3)


def test_the_regression_mean_is_the_least_squares_fit_and_leaves_unseen_inputs_averaged():
    a, b = states(2)
    draw = torch.Generator().manual_seed(1)
    x, y = (torch.randn(9, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    x[:, 3] = y[:, 3] = 0  # never on
    found = merge([a, b], by=RegMean([{"w": x.T @ x}, {"w": y.T @ y}], 1.0))
    inputs, outputs = torch.cat([x, y]), torch.cat([x @ a["w"].T, y @ b["w"].T])
    fit = torch.linalg.lstsq(inputs, outputs, driver="gelsd").solution.T
    torch.testing.assert_close(found.state["w"][:, :3], fit[:, :3])
    torch.testing.assert_close(found.state["w"][:, 3], (a["w"] + b["w"])[:, 3] / 2)
    assert "Averaged, for they have no Gram matrix: b, scalar." in found.notes


@given(seeds, st.integers(2, 5))
@few
def test_model_stock(seed, count):
    base, *points = states(count + 1, seed)
    found = merge(points, by=ModelStock(), base=base).state
    for n in ("w", "b"):
        start = base[n].numpy().ravel()
        tasks = [p[n].numpy().ravel() - start for p in points]
        cosines = [
            tasks[i] @ tasks[j] / np.linalg.norm(tasks[i]) / np.linalg.norm(tasks[j])
            for i in range(count)
            for j in range(i)
        ]
        cosine = max(np.mean(cosines), 0)
        ratio = count * cosine / (1 + (count - 1) * cosine)
        wanted = start + ratio * np.mean(tasks, 0)
        np.testing.assert_allclose(found[n].numpy().ravel(), wanted, rtol=1e-9, atol=1e-10)


def test_dare_drops_its_share_and_is_task_arithmetic_on_average():
    base, *points = states(3)
    by = [Dare(0.5, seed=s) for s in range(4000)]
    every = np.stack([plain.flat(merge(points, by=b, base=base).state) for b in by[:1500]])
    wanted = plain.flat(merge(points, by=TaskArithmetic(), base=base).state)
    spread = every.std(0) / len(every) ** 0.5
    assert (np.abs(every.mean(0) - wanted) < 5 * spread).all()
    big = [{"w": torch.ones(200, 200)}]
    zero = {"w": torch.zeros(200, 200)}
    thin = merge(big, by=Dare(0.9, seed=3), base=zero).state["w"]
    assert set(thin.unique().tolist()) == {0.0, 10.0}
    assert float((thin == 0).float().mean()) == pytest.approx(0.9, abs=0.01)
    again = merge(big, by=Dare(0.9, seed=3), base=zero).state["w"]
    assert torch.equal(thin, again)
    assert not torch.equal(thin, merge(big, by=Dare(0.9, seed=4), base=zero).state["w"])


# --- laws --------------------------------------------------------------------------------

EVERY = [Mean(), Slerp(0.3), Slerp(0.3, per="whole")]
WITH_BASE = [
    TaskArithmetic(0.7),
    Ties(0.3),
    Ties(1.0, 0.5),
    Dare(0.4),
    ModelStock(),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("by", [*EVERY, *WITH_BASE], ids=str)
def test_equal_states_give_that_state_bit_for_bit(by, dtype):
    (x,) = states(1, dtype=dtype)
    x["w"][0, 0] = -0.0
    found = merge([x, capture_of(x)], by=by, base=capture_of(x) if by.needs_base else None).state
    assert same_bits(found, x)


def capture_of(x):
    return {n: v.clone() for n, v in x.items()}


@given(seeds, st.sampled_from([torch.float64, torch.float32]))
@few
def test_equal_states_under_weights_from_data(seed, dtype):
    (x,) = states(1, seed, dtype)
    fishers = [{n: v.abs() for n, v in s.items()} for s in states(3, seed + 1)]
    grams = [{"w": (v := s["w"].T @ s["w"])} for s in states(3, seed + 2)]
    for by in (Fisher(fishers), RegMean(grams)):
        assert same_bits(merge([x, capture_of(x), x], by=by).state, x)
    assert v.shape == (4, 4)


@given(seeds, st.integers(0, 2), st.sampled_from([torch.float64, torch.float32, torch.float16]))
@few
def test_a_weight_of_one_alone_gives_that_state(seed, which, dtype):
    points = states(3, seed, dtype)
    weights = [float(i == which) for i in range(3)]
    assert same_bits(merge(points, weights=weights).state, points[which])
    base = states(1, seed + 1, dtype)[0]
    moved = merge(points, by=TaskArithmetic(), weights=weights, base=base).state
    close(moved, plain.flat(points[which]), 1e-9)


@given(seeds, st.permutations(range(4)))
@few
def test_the_order_of_states_does_not_matter(seed, order):
    base, *points = states(5, seed)
    weights = [1.0, 2.0, 0.5, 3.0]
    mixed, moved = [points[i] for i in order], [weights[i] for i in order]
    for by in (Mean(), TaskArithmetic(), Ties(0.5), ModelStock()):
        start = base if by.needs_base else None
        w = (None, None) if isinstance(by, ModelStock) else (weights, moved)
        first = merge(points, by=by, weights=w[0], base=start).state
        close(merge(mixed, by=by, weights=w[1], base=start).state, plain.flat(first), 1e-10)


@given(seeds)
@few
def test_the_ends_of_the_great_circle_are_the_states(seed):
    a, b = states(2, seed, torch.float32)
    for per in ("tensor", "whole"):
        assert same_bits(merge([a, b], by=Slerp(0, per)).state, a)
        assert same_bits(merge([a, b], by=Slerp(1, per)).state, b)


def test_the_great_circle_keeps_the_length_of_arrows_of_one_length():
    a = {"w": torch.tensor([1.0, 0.0]), "s": torch.tensor([1.0])}
    b = {"w": torch.tensor([0.0, 1.0]), "s": torch.tensor([-1.0])}
    found = merge([a, b], by=Slerp(0.5))
    assert float(found.state["w"].norm()) == pytest.approx(1)
    assert float(found.state["s"]) == 0  # opposite: the line
    assert found.notes == ("No great circle is singled out, the line was taken: s.",)
    zero = {"w": torch.zeros(2), "s": torch.ones(1)}
    assert "the line was taken: w" in str(merge([a, zero], by=Slerp(0.5)))


@given(seeds, st.floats(0.1, 2))
@few
def test_ties_that_keep_all_and_agree_is_task_arithmetic(seed, scale):
    base, *points = states(4, seed)
    agreeing = [{n: base[n] + (p[n] - base[n]).abs() for n in base} for p in points]
    found = merge(agreeing, by=Ties(1.0, scale), base=base).state
    other = merge(agreeing, by=TaskArithmetic(scale / 3), base=base).state
    close(found, plain.flat(other))


def test_float32_is_summed_in_float64():
    big = [{"w": torch.full((1,), x)} for x in (1e8, 1.0, -1e8, 1.0)]
    assert float(merge(big).state["w"]) == 0.5


# --- what is not a coordinate ------------------------------------------------------------


def test_layers_that_are_not_chosen_are_the_first_s():
    model, _, a, b = zoo.build("mlp")
    found = merge([a, b], layers=["2"])
    assert set(found.merged) == {"2.weight", "2.bias"}
    for n, x in found.state.items():
        assert torch.equal(x, (a[n] + b[n]) / 2 if n in found.merged else a[n]), n
    other = merge([a, b], layers=lambda layer: layer == "2")
    assert same_bits(found.state, other.state)
    assert "as in the first" in str(found)
    assert merge([a, b], layers=["2.bias"]).merged == ("2.bias",)


def test_statistics_are_averaged_and_labels_are_carried():
    model, _, a, b = zoo.build("cnn-batchnorm")
    for state, count in ((a, 5), (b, 7)):
        for n in state:
            if n.endswith("num_batches_tracked"):
                state[n] = torch.tensor(count)
    found = merge([a, b], weights=[1, 3])
    name = next(n for n in a if n.endswith("running_var"))
    torch.testing.assert_close(found.state[name], a[name] / 4 + 3 * b[name] / 4)
    assert int(found.state["1.num_batches_tracked"]) == 7
    assert "recompute" in found.notes[0] and "num_batches_tracked" in found.notes[1]
    base = capture(model)
    far = merge([a, b], by=TaskArithmetic(-3.0), base=base)
    torch.testing.assert_close(far.state[name], (a[name] + b[name]) / 2)
    assert int(far.state["1.num_batches_tracked"]) == 0
    model.load_state_dict(found.state)


def test_ties_stay_tied():
    model, _, a, b = zoo.build("transformer-tied")
    tied = rl.state.ties(a)
    assert tied
    for by in (Mean(), Slerp(0.5)):
        found = merge([a, b], by=by).state
        assert rl.state.ties(found) == tied
    first, *others = tied[0]
    part = merge([a, b], layers=[others[0]])
    assert set(part.merged) >= set(tied[0])
    untied = {n: x.clone() for n, x in b.items()}
    untied[others[0]] = untied[others[0]] + 1
    loose = merge([a, untied]).state
    torch.testing.assert_close(loose[others[0]], loose[first] + 0.5)


def test_callers_states_are_left_alone():
    points = states(3)
    before = [capture_of(p) for p in points]
    merge(points[:2], by=Ties(), base=points[2])
    merge(points, weights=[0, 0, 1]).state["w"].add_(1)
    assert all(same_bits(p, q) for p, q in zip(points, before, strict=True))


# --- refusals ----------------------------------------------------------------------------


def test_what_cannot_be_merged_is_refused():
    a, b = states(2)
    with pytest.raises(UsageError, match="one state at least"):
        merge([])
    with pytest.raises(UsageError, match=r"as a list.*`\[state\]`"):
        merge(a)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(UsageError, match="Got by = 'ties'"):
        merge([a, b], by="ties")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(UsageError, match=r"Make one: Mean\("):
        merge([a, b], by=Mean)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(StateMismatch, match="state 1"):
        merge([a, {"w": b["w"]}])
    with pytest.raises(StateMismatch, match="int64"):
        merge([a, b | {"b": b["b"].long()}])
    with pytest.raises(NonFinite, match=r"state 1.*b \(5 NaN"):
        merge([a, b | {"b": b["b"] * float("nan")}])
    half = {"w": torch.full((2,), 6e4, dtype=torch.float16)}
    with pytest.raises(NonFinite, match="merged state"):
        merge([half, half], by=TaskArithmetic(), base={"w": torch.zeros(2, dtype=torch.float16)})
    with pytest.raises(UsageError, match="common start"):
        merge([a, b], by=Ties())
    with pytest.raises(UsageError, match="knows no base"):
        merge([a], base=b)
    with pytest.raises(UnknownName, match="nothing"):
        merge([a, b], layers=["nothing"])
    with pytest.raises(UsageError, match="One layer"):
        merge([a, b], layers=lambda _: False)
    with pytest.raises(UsageError, match="list of names"):
        merge([a, b], layers="w")


@pytest.mark.parametrize(
    ("by", "weights"),
    [
        (Mean(), [1]),
        (Mean(), [1, float("nan")]),
        (Mean(), [2, -1]),
        (Mean(), [0, 0]),
        (Slerp(), [1, 1]),
        (Fisher([{}]), None),
        (RegMean([{}, {}]), None),
        (RegMean([{"w": torch.eye(3)}] * 2), None),
        (Fisher([{n: -x.abs() for n, x in states(1)[0].items()}] * 2), None),
    ],
)
def test_weights_that_do_not_fit(by, weights):
    with pytest.raises(UsageError):
        merge(states(2), by=by, weights=weights)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Slerp(1.1),
        lambda: Slerp(0.5, per="row"),  # type: ignore[arg-type]  # wrong on purpose
        lambda: Ties(0),
        lambda: Ties(per="row"),  # type: ignore[arg-type]  # wrong on purpose
        lambda: Ties(scale=float("inf")),
        lambda: Dare(1.0),
        lambda: TaskArithmetic(float("nan")),
        lambda: RegMean([], 2.0),
    ],
)
def test_settings_out_of_range(make):
    with pytest.raises((UsageError, UnknownName)):
        make()


def test_fishers_of_other_tensors():
    a, b = states(2)
    fisher = {n: x.square() for n, x in a.items()}
    with pytest.raises(StateMismatch, match="Fisher 1"):
        merge([a, b], by=Fisher([fisher, {"w": fisher["w"]}]))


def test_labels_alone_are_no_merge():
    only = {"w": torch.ones(2), "n.labels": torch.tensor(1)}
    with pytest.raises(UsageError, match="none of them floating"):
        merge([only, only], layers=["n.labels"])


def test_the_states_own_mean_is_the_merge():
    draws = torch.Generator().manual_seed(0)
    w = [torch.randn(5, 3, generator=draws) for _ in range(3)]
    given = [{"w": x, "tied": x, "v": x[0] * 0 - 0.0, "n": torch.tensor(i)}
             for i, x in enumerate(w)]  # fmt: skip
    found, wanted = mean_of(given), merge(given).state
    torch.testing.assert_close(found["w"], wanted["w"], rtol=0, atol=1e-7)
    assert found["tied"] is found["w"] and found["n"] == 0
    assert torch.equal(found["v"].signbit(), given[0]["v"].signbit())
    assert all(torch.equal(x, given[0][n]) for n, x in mean_of([given[0]] * 3).items())
    with pytest.raises(UsageError):
        mean_of([])


@pytest.mark.parametrize("by", [Mean(), Slerp(0.5), Ties(0.5)], ids=str)
def test_tensors_merge_by_their_names_whatever_these_are(by):
    """Neither the order of a file nor a name that is no weight or bias matters."""
    names = ("cls_token", "pos_embed", "gamma", "0.layer_scale", "head.g")
    draw = torch.Generator().manual_seed(0)
    points = [{n: torch.randn(3, 2, generator=draw) for n in names} for _ in range(3)]
    base, a, b = points if by.needs_base else (None, *points[:2])
    found = merge([a, b], by=by, base=base)
    turned = merge([a, dict(reversed(b.items()))], by=by, base=base)
    assert set(found.merged) == set(names) and same_bits(found.state, turned.state)
    assert not any(torch.equal(found.state[n], a[n]) for n in names)


def test_parameters_are_merged_as_values():
    a, b = ({n: x.requires_grad_() for n, x in s.items()} for s in states(2))
    assert not any(x.requires_grad for x in merge([a, b], layers=["w"]).state.values())
    assert all(x.requires_grad for x in a.values())
