"""Ainsworth 2022 at its smallest scale, its counter-example by hand, and how runs are paired."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ridgeline.data import Split
from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.measures import Curve
from ridgeline.profiles import Profile
from ridgeline.studies import catalogue, matched, pairs
from ridgeline.studies.ainsworth2022 import interpolation, many, special, split
from ridgeline.study.bench import Bench
from ridgeline.symmetry import symmetries
from whole import check_whole, scale_of

NAME = "ainsworth2022"


@pytest.fixture
def bench(found, store):
    return Bench(found.scale, store, item="interpolation")


def test_every_item_is_measured_and_every_claim_gets_a_verdict_or_a_reason(found):
    check_whole(found, [f"A{i}" for i in range(1, 9)])


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_scales_have_what_items_need(name):
    scale = scale_of(NAME, name)
    for setting in ("activation_samples", "straight_through_steps", "straight_through_rate"):
        assert scale.setting(setting) > 0
    runs = scale.populations["widths"].runs
    assert scale.setting("width") in {run.net.options["widths"][1] for run in runs}
    parties = len(scale.populations["many"].runs) // max(scale.setting("counts"))
    assert parties >= 5


@pytest.mark.parametrize("name", ["laptop", "paper"])
def test_every_cell_has_five_pairs_with_seeds_of_their_own(name):
    specs = catalogue.scale(NAME, name).populations
    for population in ("interpolation", "widths", "depths"):
        seeds = {}
        for run in specs[population].runs:
            seeds.setdefault(str(run.net.options["widths"]), set()).add(run.seed)
        assert all(len(own) >= 10 for own in seeds.values()), population
    halves = [{run.seed for run in specs[name].runs} for name in ("split-a", "split-b")]
    assert len(halves[0]) == len(halves[1]) == 5
    assert not halves[0] & halves[1]


def test_the_acceptance_is_at_the_scale_it_names():
    """Fashion-MNIST whole, 784-512-512-512-10, Adam 1e-3 along a cosine, batches of 500."""
    run = catalogue.scale(NAME, "laptop").populations["interpolation"].runs[0]
    assert run.data.set == "fashion-mnist"
    assert run.net.options["widths"] == [784, 512, 512, 512, 10]
    recipe = run.training
    assert (recipe.batch_size, recipe.optimiser.learning_rate) == (500, 1e-3)
    assert recipe.schedule.kind == "cosine"


# --- the counter-example ---------------------------------------------------------------------


def by_hand(which, x):
    """The networks of the paper's code, written out: leaky(leaky(x K0 + b0) K1 + b1) K2."""
    k0, b0, k1, b1 = {
        "a": ([[-1, 0], [0, -1]], [1, 0], [[-1, 0], [0, 1]], [1, 0]),
        "b": ([[1, 0], [0, 1]], [0, 1], [[1, 0], [0, -1]], [0, 1]),
    }[which]
    h = x @ np.array(k0) + b0
    h = np.where(h > 0, h, 0.01 * h) @ np.array(k1) + b1
    return np.where(h > 0, h, 0.01 * h) @ np.array([[-1], [-1]])


@pytest.mark.parametrize("which", ["a", "b"])
def test_the_counter_examples_weights_are_the_papers(which):
    x, y = special.data(3)
    model = special.network()
    model.load_state_dict(special.state(which))
    out = model(x).detach()
    np.testing.assert_allclose(out.numpy(), by_hand(which, x.numpy()), atol=1e-15)
    assert float(special.wrong(out, y).mean()) < 0.02


def test_all_four_permutations_leave_a_barrier(found):
    """Acceptance: ends nearly right, 75 % halfway whatever the permutation."""
    symmetry = symmetries(special.network(), special.data(0)[0][:2])
    moves = list(special.elements(symmetry))
    b = special.state("b")
    tensors = [torch.cat([x.flatten() for x in move(b).values()]) for move in moves]
    assert len(moves) == 4
    assert len({tuple(t.tolist()) for t in tensors}) == 4
    assert torch.equal(tensors[0], torch.cat([x.flatten() for x in b.values()]))
    (answer,) = (a for a in found.answers if a.item.id == "A5")
    assert [(v.outcome, v.measured.n) for v in answer.verdicts] == [("holds", 5)] * 2
    halfway = [float(row[2].split()[0]) for row in answer.tables[0].rows]
    assert halfway == pytest.approx([75] * 4, abs=3)


# --- pairs -----------------------------------------------------------------------------------


def run(seed, diverged=False):
    return SimpleNamespace(seed=seed, diverged=diverged)


def test_each_run_is_in_one_pair_with_its_neighbour_by_seed():
    runs = [run(s) for s in (3, 0, 2, 1, 6, 7)]
    assert [p.group for p in pairs.apart(runs)] == ["0-1", "2-3", "6-7"]
    runs[0].diverged = True
    assert [p.group for p in pairs.apart(runs)] == ["0-1", "6-7"]
    with pytest.raises(UsageError, match="paired by their seeds"):
        pairs.apart([run(0), run(2), run(5)])
    with pytest.raises(UsageError, match="diverged"):
        pairs.apart([run(0), run(1, diverged=True)])


def planted(seed, loss):
    """A run on two classes, three samples of one to one of the other: guessing costs 0.562 nats."""
    data = Split(torch.zeros(4, 1), torch.tensor([0, 0, 0, 1]))
    return SimpleNamespace(seed=seed, diverged=False, loss=loss, train=data)


def test_pairs_of_which_one_learned_nothing_decide_nothing():
    losses = (0.1, 0.2, 0.1, 0.5624, np.nan, 0.1)
    made = pairs.apart([planted(s, loss) for s, loss in enumerate(losses)])
    assert [pair.learned for pair in made] == [True, False, False]
    rows = pairs.rows({0.0: made * 2}).derive(train=0.0, left=pairs.of_learned("train"))
    np.testing.assert_equal(rows["left"][:3], [0, np.nan, np.nan])
    matched_rows = rows.derive(way="weight matching")
    assert claim("A1b").test.decide(matched_rows).outcome == "undecided"
    assert claim("A1b").test.decide(matched_rows.derive(left=0.0)).outcome == "holds"


def claim(name):
    return next(c for item in catalogue.paper(NAME).items for c in item.claims if c.id == name)


def test_what_matching_leaves_is_compared_pair_by_pair_over_training():
    rows = Frame.of(
        {"at": at, "first": at == 0, "last": at == 2, "trained": at > 0, "way": way}
        | {"group": group, "judged": 5.0 * group + (2 - at if way == "weight matching" else 9.0)}
        for way in ("naive", "weight matching")
        for at in (0.0, 1.0, 2.0)
        for group in range(6)
    )
    found = claim("A4a").decide(rows, "").measured
    assert (found.outcome, found.n, found.estimate) == ("holds", 6, 2.0)
    trend = claim("A4b").test.cases(rows)
    assert set(trend["x"]) == {1.0, 2.0}  # not of networks that have not begun
    assert len(trend["x"]) == 12


def test_halves_are_paired_with_other_first_weights():
    alike = split.paired([run(0), run(1), run(2)], [run(0), run(1), run(2)])
    assert [p.group for p in alike] == ["0-1", "1-2", "2-0"]
    apart = split.paired([run(0), run(1)], [run(5), run(6)])
    assert [p.group for p in apart] == ["0-5", "1-6"]
    with pytest.raises(UsageError, match="weights of their own"):
        split.paired([run(0)], [run(0)])


def test_a_matched_network_is_the_same_function_and_nearer(bench):
    pair = pairs.apart(bench.runs("interpolation"))[0]
    objective = pair.a.objective("test")
    a, b = pair.states

    def carried(way):
        return matched.carried(pair, matched.matched_orders(bench, pair, way))

    for way in (matched.WEIGHTS, matched.ACTIVATIONS, matched.STRAIGHT_THROUGH):
        moved = carried(way)
        torch.testing.assert_close(objective(moved)["loss"], objective(b)["loss"])
    moved = carried(matched.WEIGHTS)
    assert sum(float((a[n] - moved[n]).square().sum()) for n in a) < sum(
        float((a[n] - b[n]).square().sum()) for n in a
    )
    assert carried(matched.NAIVE) is b


def test_parties_share_no_network():
    runs = [run(s) for s in (4, 0, 3, 1, 2, 5, 6)]
    assert [[r.seed for r in p] for p in many.parties(runs, 3)] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(UsageError, match="one party"):
        many.parties(runs, 8)


# --- numbers ---------------------------------------------------------------------------------


def test_calibration_error_of_planted_probabilities():
    """Four sure of 0.8, three of them right; two sure of 0.6, both wrong."""
    sure = torch.tensor([0.8, 0.8, 0.8, 0.8, 0.6, 0.6], dtype=torch.float64)
    p = torch.stack([sure, 1 - sure], 1)
    targets = torch.tensor([0, 0, 0, 1, 1, 1])
    assert split.calibration_error(p, targets) == pytest.approx((4 * 0.05 + 2 * 0.6) / 6)
    assert split.calibration_error(torch.eye(3), torch.arange(3)) == 0
    assert split.calibration_error(torch.eye(3), torch.tensor([1, 2, 0])) == 1


def test_a_dip_is_the_test_loss_halfway_below_the_ends():
    t = np.linspace(0, 1, 3)
    curves = {
        name: {"loss": Curve.exact(t, values), "error": Curve.exact(t, values)}
        for name, values in {"train": [0, 1, 0], "test": [1.0, 0.5, 2.0]}.items()
    }
    line = Profile(t, curves)
    assert interpolation.dip(line) == pytest.approx(-1.0)
    assert pairs.height(line, kind="mean") == 1
    assert pairs.points_of(line, "train") == 100
