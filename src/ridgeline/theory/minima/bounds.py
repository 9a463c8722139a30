"""Bounds on how often minima drawn at random are the feet of a star (theorems 8 and 10)."""

from ridgeline.errors import UsageError

__all__ = ["star_bound"]


def star_bound(teachers: int, neurons: int, feet: int = 2) -> float:
    """Return the least probability that minima drawn at random have a centre, by theorem 10.

    ``1 - M ((M^k - 1) / M^k)^(m - k M)``; for two feet it is theorem 8: a chain of two pieces.

    Args:
        teachers: M.
        neurons: m.
        feet: k.

    Returns:
        At least 0, where the theorem says nothing.

    Raises:
        UsageError: If there are fewer neurons than a minimum has.
    """
    if not 1 <= teachers <= neurons or feet < 1:
        raise UsageError(
            "A star has a foot at least, and a minimum a neuron for each of the teacher's.",
            got=f"{feet} feet, {neurons} neurons, M = {teachers}",
        )
    if neurons < feet * teachers:
        return 0.0
    missed = (1 - teachers**-feet) ** (neurons - feet * teachers)
    return max(0.0, 1 - teachers * missed)
