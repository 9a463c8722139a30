"""Minibatches, and the loss on one."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.errors import StateMismatch, UsageError


def objective_of(n=10, **more):
    x = torch.arange(float(n))[:, None].expand(n, 3).contiguous()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
    return model, rl.Objective(model, (x, torch.arange(n) % 2), **more)


def drawn(objective, rows, count, **more):
    source = rl.minibatches(objective, rows, **more)
    return [next(source).inputs[:, 0].tolist() for _ in range(count)]


def test_an_epoch_is_an_order_of_all_samples_and_its_last_rest_is_left_out():
    _, objective = objective_of()
    batches = drawn(objective, 4, 4)
    assert all(len(b) == 4 for b in batches)
    assert len({*batches[0], *batches[1]}) == 8
    assert batches[:2] != batches[2:]
    assert sorted(drawn(objective, 99, 1)[0]) == list(range(10))
    epoch = drawn(objective, 5, 2)
    assert sorted(epoch[0] + epoch[1]) == list(range(10))


@pytest.mark.parametrize("passed", [0, 1, 2, 5])
def test_batches_that_are_passed_over_are_those_that_would_have_come(passed):
    _, objective = objective_of()
    whole = drawn(objective, 4, 8)
    assert drawn(objective, 4, 3, start=passed) == whole[passed : passed + 3]


def test_targets_go_with_their_inputs():
    _, objective = objective_of()
    batch = next(rl.minibatches(objective, 6))
    assert torch.equal(batch.targets, batch.inputs[:, 0].long() % 2)


def test_seed_and_purpose_name_the_order_and_nothing_else_does():
    _, objective = objective_of()
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first = drawn(objective, 5, 3, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(9)
    assert drawn(objective, 5, 3, seed=1) == first
    assert drawn(objective, 5, 3, seed=2) != first
    assert drawn(objective, 5, 3, seed=1, purpose="other") != first


def test_a_batch_of_nothing_is_refused_at_once():
    _, objective = objective_of()
    for rows in (0, 2.5):
        with pytest.raises(UsageError, match=rf"at least one sample.*Got {rows}"):
            rl.minibatches(objective, rows)


def test_the_loss_of_a_batch_is_a_tensor_with_a_history():
    model, objective = objective_of()
    batch = objective.samples[:4]
    state = {n: p.detach().clone().requires_grad_() for n, p in model.named_parameters()}
    loss = rl.batch_loss(objective, state, batch)
    want = nn.functional.cross_entropy(model(batch.inputs), batch.targets)
    torch.testing.assert_close(loss, want)
    loss.backward()
    want.backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(state[name].grad, p.grad)


def test_without_gradients_there_is_no_history_and_no_refusal():
    model, objective = objective_of(loss=rl.error)
    state = dict(model.named_parameters())
    with torch.no_grad():
        assert not rl.batch_loss(objective, state, objective.samples).requires_grad
    with pytest.raises(UsageError, match="smooth loss"):
        rl.batch_loss(objective, state, objective.samples)


def test_a_tensor_that_is_missing_is_not_taken_from_the_model():
    model, objective = objective_of()
    with pytest.raises(StateMismatch, match="bias"):
        rl.batch_loss(objective, {"weight": model.weight}, objective.samples)


def test_statistics_are_gathered_on_the_batch_where_the_policy_recomputes_them():
    x = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    data = (x, torch.arange(12) % 2)
    losses = {}
    for policy in ("recompute", "keep"):
        objective = rl.Objective(model, data, statistics=policy)
        losses[policy] = float(
            rl.batch_loss(objective, model.state_dict(), objective.samples[:6]).detach()
        )
        alone = rl.Objective(model, (x[:6], data[1][:6]), statistics=policy)
        want = float(alone(model.state_dict())["loss"].mean())
        assert losses[policy] == pytest.approx(want, rel=1e-5)
    assert losses["recompute"] != pytest.approx(losses["keep"], rel=1e-3)
