"""The verb: several states merged into one."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import isfinite
from typing import Any, overload

import torch
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching.contract import check_strategy
from ridgeline.matching.fitted import E, are_fitted, states_in_one
from ridgeline.merging.merged import Merged
from ridgeline.merging.pool import Plan, Pool, Strategy, mean
from ridgeline.merging.strategies import Mean
from ridgeline.state import (
    State,
    as_complex,
    as_real,
    check_dequantised,
    check_finite,
    check_no_factors,
    check_same,
    check_states,
    detached,
    equal,
    identical,
    in_one_type,
    is_statistic,
    layers,
    non_finite,
    place,
    renewed,
    spectral_vectors,
    warn_of_identical,
    wide,
)

__all__ = ["Chosen", "merge"]

Chosen = Sequence[str] | Callable[[str], bool]
"""Names of layers (module prefixes) or single tensors, or a predicate of a layer's name."""


@overload
def merge(
    states: Sequence[Mapping[str, Tensor]],
    *,
    by: Strategy | None = None,
    weights: Sequence[float] | None = None,
    layers: Chosen | None = None,
    base: Mapping[str, Tensor] | None = None,
) -> Merged: ...
@overload
def merge(
    states: Sequence[E],
    *,
    by: Strategy | None = None,
    weights: Sequence[float] | None = None,
    layers: Chosen | None = None,
    base: E | None = None,
) -> E: ...
def merge(
    states: Any,
    *,
    by: Strategy | None = None,
    weights: Sequence[float] | None = None,
    layers: Chosen | None = None,
    base: Any = None,
) -> Any:
    """Merge states of one architecture into one.

    Floating tensors are merged in float64, one at a time, and given in their own type. Running
    statistics of normalisation layers are averaged whatever the strategy: they belong to no
    merged network and want to be recomputed. Labels (integer and boolean tensors) are never
    averaged: they are the base's if there is one, else those of the state that counts most, the
    first among equals. Names that share one tensor in every state share the
    merged one. States that are all equal (the base too) give that state bit for bit.

    Fitted estimators of soft trees give a fitted estimator, in the scaling of the first, whose
    ``merged_`` is the record.

    Args:
        states: One at least, or estimators; aligned first if they come from different
            initialisations.
        by: How; the mean by default.
        weights: One for each state. Means take them as shares; `TaskArithmetic`, `Dare` as
            factors.
        layers: What to merge: names of layers or tensors, or a predicate of the layer's name;
            everything else is the first state's. All by default.
        base: What the states were fine-tuned from, for the strategies that need it.

    Returns:
        The state, and what was done; or the estimator.

    Raises:
        UsageError: If there is no state, if weights, base and strategy do not fit, if no
            floating tensor is chosen.
        StateMismatch: If tensors differ in name, shape or dtype.
        NonFinite: If a state, or the merged one, holds NaN or infinity.
        QuantisedWeights: If weights are kept as codes beside scales.
        LowRankFactors: If adapters would be merged factor by factor.
        UnknownName: If a layer's name is of nothing.
    """
    everyone = states if base is None else [*states, base]
    if isinstance(states, Sequence) and are_fitted(everyone):
        *given, start = [*states_in_one(everyone), *([None] if base is None else [])]
        found = merge(given, by=by, weights=weights, layers=layers, base=start)
        made = states[0].with_state(found.state)
        made.merged_ = found
        return made
    by = by or Mean()
    like, start = _checked(states, base, by)
    given, start, infinite = _finite(tuple(map(as_real, like)), start and as_real(start))
    chosen = _chosen(given[0], layers)
    if not any(given[0][n].is_floating_point() for n in chosen):
        raise UsageError(
            "One floating tensor at least is merged; labels are not.",
            got=f"{len(chosen)} tensors, none of them floating",
        )
    everyone = given if start is None else (*given, start)
    moving = [n for n in given[0] if n in chosen]
    check_dequantised(everyone, moving)
    check_no_factors(everyone, moving)
    pool = Pool(given, start, _weights(weights, len(given)), _firsts(given, start, chosen))
    plan = by.plan(pool)
    state = _carry_out(pool, plan, chosen)
    check_finite(state, "the merged state")
    state = as_complex(_infinite(state, infinite), like[0])
    plan.notes += _on_vectors(state, like)
    merged = tuple(n for n in given[0] if n in chosen and given[0][n].is_floating_point())
    averaged, remarks = (
        _averaged(pool, state, merged),
        tuple(dict.fromkeys([*_alike(_comparable(states, like)), *plan.notes])),
    )
    return Merged(state, by, len(given), pool.weights, merged, averaged, remarks)


# --- checks ------------------------------------------------------------------------------


def _checked(
    states: Sequence[Mapping[str, Tensor]], base: Mapping[str, Tensor] | None, by: Strategy
) -> tuple[tuple[State, ...], State | None]:
    check_strategy(by, "plan", "Mean")
    given = check_states(states, stacklevel=3)
    if base is not None and not by.needs_base:
        raise UsageError(
            f"{type(by).__name__} knows no base.",
            got="a base",
            remedy="Leave it out, or merge it as one more state.",
        )
    if base is None:
        return given, None
    start, *given = in_one_type((detached(base, "the base"), *given), stacklevel=3)
    check_same(start, given[0], names=("the base", "state 0"))
    check_finite(start, "the base", among=given)
    return tuple(given), start


def _comparable(
    states: Sequence[Mapping[str, Tensor]], like: Sequence[State]
) -> list[Mapping[str, Tensor]]:
    """The states as they were given, where that is their type still."""
    pairs = zip(states, like, strict=True)
    return [s if all(x.dtype == w[n].dtype for n, x in s.items()) else w for s, w in pairs]


def _alike(states: Sequence[Mapping[str, Tensor]]) -> list[str]:
    """Return the note about states that are one, unless one was given twice by its name."""
    found = []
    for (i, a), (j, b) in combinations(enumerate(states), 2):
        if a is b:
            continue
        names = (f"state {i}", f"state {j}")
        if (how := identical(a, b)) == "memory":
            warn_of_identical(a, b, names=names, stacklevel=3)
        elif how == "values":
            found.append(f"{names[0].capitalize()} and {names[1]} have the same values.")
    return found


def _finite(
    states: tuple[State, ...], base: State | None
) -> tuple[tuple[State, ...], State | None, dict[str, Tensor]]:
    """The states with zeros where masks are infinite in all of them, and those infinities."""
    where = {n: x for n, x in states[0].items() if n in non_finite({n: x})}
    if not where:
        return states, base, {}

    def finite(state: State) -> State:
        return state | {n: state[n].masked_fill(state[n].isinf(), 0) for n in where}

    return tuple(map(finite, states)), base and finite(base), where


def _infinite(state: State, infinite: Mapping[str, Tensor]) -> State:
    return state | {n: torch.where(x.isinf(), x, state[n]) for n, x in infinite.items()}


def _on_vectors(state: State, like: Sequence[State]) -> list[str]:
    """Give a merged state the vectors of spectral normalisation of its own weights, and say so."""
    renewed(state, like[0])
    made = [n for n in spectral_vectors(state) if not equal(state[n], like[0][n])]
    if not made:
        return []
    more = f" and {len(made) - 4} more" if len(made) > 4 else ""
    return [
        "Vectors of spectral normalisation were computed of the merged weights: "
        f"{', '.join(made[:4])}{more}."
    ]


def _weights(weights: Sequence[float] | None, count: int) -> tuple[float, ...] | None:
    if weights is None:
        return None
    given = tuple(float(w) for w in weights)
    if len(given) != count or not all(map(isfinite, given)):
        raise UsageError(
            f"There is one finite weight for each of {count} states.", got=str(list(given))
        )
    return given


def _chosen(state: State, wanted: Chosen | None) -> frozenset[str]:
    """Names of the tensors to merge; those tied to them too."""
    if wanted is None:
        return frozenset(state)
    if isinstance(wanted, str):
        raise UsageError("Layers are a list of names.", got=repr(wanted), remedy=f"[{wanted!r}]")
    known = layers(state)
    picked: set[str] = set()
    if callable(wanted):
        picked = {n for layer, names in known.items() if wanted(layer) for n in names}
    else:
        for layer in wanted:
            inside = {n for n in state if n == layer or n.startswith(f"{layer}.")}
            if not inside:
                raise UnknownName("layer", layer, known)
            picked |= inside
    if not picked:
        raise UsageError("One layer at least is merged.", got="none of " + ", ".join(known))
    shared = {place(state[n]) for n in picked}
    return frozenset(n for n, x in state.items() if place(x) in shared)


# --- the work ----------------------------------------------------------------------------


def _place(states: Sequence[State], base: State | None, name: str) -> tuple[object, ...]:
    """Return a tensor's place in each state: equal for two names that are tied in all of them."""
    everyone = states if base is None else [*states, base]
    return tuple(place(s[name]) for s in everyone)


def _firsts(
    states: tuple[State, ...], base: State | None, chosen: frozenset[str]
) -> tuple[str, ...]:
    """The chosen coordinates, of each tie only the first name."""
    seen: dict[object, str] = {}
    vectors = spectral_vectors(states[0])
    for name, x in states[0].items():
        coordinate = not is_statistic(name) and name not in vectors
        if name in chosen and x.is_floating_point() and coordinate:
            seen.setdefault(_place(states, base, name), name)
    return tuple(seen.values())


def _carry_out(pool: Pool, plan: Plan, chosen: frozenset[str]) -> State:
    """The merged state, tensor by tensor."""
    first, vectors = pool.states[0], spectral_vectors(pool.states[0])
    made: dict[object, Tensor] = {}
    result: State = {}
    for name, x in first.items():
        if name not in chosen:
            result[name] = x
            continue
        key = _place(pool.states, pool.base, name)
        if key not in made:
            if x.is_floating_point():
                aside = is_statistic(name) or name in vectors
                value = mean(pool, name, plan.shares) if aside else plan.rule(name)
                made[key] = _settled(value, x)
            else:
                made[key] = _labels(pool, plan, name)
        result[name] = made[key]
    plan.notes += _remarks(pool, result, chosen)
    return result


def _settled(value: Tensor, like: Tensor) -> Tensor:
    """A merged value in the type of the states, one that is unchanged with its bits."""
    found = value.to(dtype=like.dtype, device=like.device).reshape(like.shape)
    same = wide(found) == wide(like)
    return torch.where(same, wide(like), wide(found)).to(like.dtype)  # minus zero stays so


def _labels(pool: Pool, plan: Plan, name: str) -> Tensor:
    if pool.base is not None:
        return pool.base[name]
    heaviest = max(range(len(pool.states)), key=lambda i: plan.shares[i])
    return pool.states[heaviest][name]


def _remarks(pool: Pool, result: State, chosen: frozenset[str]) -> list[str]:
    """Return what was done with labels, in words."""
    differ = [
        name
        for name, x in result.items()
        if name in chosen
        and not x.is_floating_point()
        and any(not equal(x, s[name]) for s in pool.states)
    ]
    if not differ:
        return []
    whose = "the base" if pool.base is not None else "the state that counts most"
    more = f" and {len(differ) - 5} more" if len(differ) > 5 else ""
    return [f"Labels that differ are of {whose}: {', '.join(differ[:5])}{more}."]


def _averaged(pool: Pool, result: State, merged: Sequence[str]) -> tuple[str, ...]:
    """Running statistics that are not those of any of the states."""
    return tuple(
        name
        for name in merged
        if is_statistic(name) and not any(equal(result[name], s[name]) for s in pool.states)
    )
