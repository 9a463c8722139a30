"""How hard a problem is and what its curve looks like are two things."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ridgeline.errors import UsageError
from ridgeline.measures import plateau
from ridgeline.theory import IllConditioned, ScalarChain


@pytest.mark.parametrize(
    ("degree", "start", "time", "end", "half"),
    [(10, 0.5, 3.24, 0.28, 0.77), (2, 0.5, 0.73, 0.02, 0.38), (20, 0.7, 1.72, 0.33, 0.81)],
)
def test_the_measured_numbers_of_the_chain(degree, start, time, end, half):
    problem = ScalarChain(degree, start)
    assert problem.time() == pytest.approx(time, abs=0.006)
    found = problem.plateau()
    assert found.end == pytest.approx(end, abs=0.01)
    assert found.half == pytest.approx(half, abs=0.01)


@pytest.mark.parametrize("degree", [1, 3, 10])
def test_the_time_is_that_of_the_integrated_flow(degree):
    problem = ScalarChain(degree, 0.5)

    def reached(_, w):
        return float(problem.loss(w[0])) - 0.01

    reached.terminal = True
    solved = solve_ivp(
        lambda _, w: degree * w ** (degree - 1) * (1 - w**degree),
        (0, 100),
        [0.5],
        events=reached,
        rtol=1e-10,
        atol=1e-12,
    )
    assert problem.time() == pytest.approx(float(solved.t[-1]), rel=1e-6)


@pytest.mark.parametrize("problem", [ScalarChain(10), ScalarChain(2), IllConditioned(1e3)])
def test_the_closed_plateau_is_that_of_a_fine_grid(problem):
    fine, exact = plateau(problem.curve(20001), threshold=0.02), problem.plateau()
    assert exact.end == pytest.approx(fine.end, abs=1e-4)
    assert exact.half == pytest.approx(fine.half, abs=1e-4)
    assert exact.area == pytest.approx(fine.area, rel=1e-5)


@pytest.mark.parametrize("condition", [1.0, 3.0, 100.0, 1e4])
@pytest.mark.parametrize("until", [0.3, 0.05, 0.01])
def test_steps_are_those_of_gradient_descent(condition, until):
    problem = IllConditioned(condition)
    at, curvature = np.array(problem.start), np.array(problem.curvature)
    steps = 0
    while 0.5 * (curvature * at**2).sum() > until:
        at -= curvature * at
        steps += 1
    assert problem.steps(until) == steps


def test_hard_and_convex_against_easy_and_flat():
    hard, easy = IllConditioned(1e6), ScalarChain(20, 0.7)
    assert hard.steps() > 1.6e6 and hard.plateau().end < 0.011
    assert (
        easy.time() < ScalarChain(10).time() and easy.plateau().end > ScalarChain(10).plateau().end
    )
    t = hard.curve().t
    np.testing.assert_allclose(hard.curve().mean, 0.5 * (1 - t) ** 2)


def test_nothing_to_do_and_nonsense():
    assert ScalarChain(2, 0.99).time() == 0 and IllConditioned(10).steps(1.0) == 0
    for wrong in ((0, 0.5), (3, 0.0), (3, 1.0)):
        with pytest.raises(UsageError):
            ScalarChain(*wrong)
    with pytest.raises(UsageError):
        IllConditioned(0.5)
    for problem in (ScalarChain(3).time, IllConditioned().steps):
        with pytest.raises(UsageError):
            problem(0.0)
