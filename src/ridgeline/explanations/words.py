"""What an explanation says, in plain sentences."""

from ridgeline.explanations.evidence import Evidence, Layer
from ridgeline.numerals import change, number, plus_minus, position
from ridgeline.profiles import Profile

__all__ = ["explained", "metrics_of"]

NOTEWORTHY = 0.05
"""A share of the area below which a variant is said to change nothing."""


def explained(found: Evidence) -> dict[str, list[str]]:
    """Return what an explanation says.

    Args:
        found: From `ridgeline.explain`.

    Returns:
        Heading to sentences, in the order to be read.
    """
    said = {
        "Monotone or not": _monotone(found),
        "Plateaus": _plateaus(found),
        "The part of the biases": _biases(found),
        "The part of the initialisation": _start(found),
        "Layers": _layers(found),
        "What would shorten it": _shorter(found),
    }
    return {heading: sentences for heading, sentences in said.items() if sentences}


def _monotone(found: Evidence) -> list[str]:
    sentences = []
    for metric in metrics_of(found.uniform):
        seen = found.uniform.monotonicity(metric=metric)
        if seen.strict:
            sentences.append(f"The {metric} falls all the way.")
        elif seen.between is not None:
            start, end = (position(t) for t in seen.between)
            size = f"{plus_minus(seen.largest_rise, seen.stderr)} from t = {start} to {end}"
            within = (
                f"{'within' if seen.holds else 'more than'} the tolerance of {seen.tolerance:g}"
            )
            if seen.verdict == "undecided":
                within = "which includes zero: these samples do not say whether it is monotone"
            elif not seen.holds and seen.verdict == "monotone":
                within = "which is the rounding of its numbers"
            sentences.append(f"The {metric} rises by {size}, {within}.")
    moved = f"Training moved the weights by {number(found.distance)}"
    if found.start_norm:
        moved += f", {number(found.distance / found.start_norm)} times the norm of the start"
    if found.gauss is not None:
        turns = plus_minus(found.gauss.mean, found.gauss.stderr)
        moved += (
            f"; along the line the outputs turn by {turns} radians on average (turning angles; "
            "0 is a straight path)"
        )
    return [*sentences, f"{moved}."]


def _plateaus(found: Evidence) -> list[str]:
    sentences = []
    for metric in metrics_of(found.uniform):
        seen = found.uniform.plateau(metric=metric)
        at_chance = found.uniform.curve(metric).chance is not None
        level = f"chance ({number(seen.reference)})" if at_chance else f"{number(seen.reference)}"
        stays = (
            f"The {metric} stays within {100 * seen.threshold:g} % of {level} until "
            f"t = {position(seen.end)}"
            if seen.end > seen.start
            else f"The {metric} has no plateau at {level}"
        )
        half = (
            "never comes down to half of it"
            if seen.half != seen.half
            else f"is at half of it at t = {position(seen.half)}"
        )
        sentences.append(
            f"{stays}, {half}, and the area under it is {number(seen.area)} "
            f"({number(100 * seen.relative_area)} % of a curve that never falls)."
        )
    return sentences


def _biases(found: Evidence) -> list[str]:
    sentences = []
    for metric in metrics_of(found.uniform):
        saved = found.saved(metric)
        if saved is None:
            continue
        share, (low, high) = saved
        ends = sorted((100 * abs(low), 100 * abs(high)))
        told = f"{100 * abs(share):.0f} % (95 % interval {ends[0]:.0f} to {ends[1]:.0f} %)"
        if low > NOTEWORTHY:
            sentences.append(
                f"Biases that keep pace with the signal (t to the power of their layer) take away "
                f"{told} of the area under the {metric}: that much of it is due to their pace."
            )
        elif high < -NOTEWORTHY:
            sentences.append(
                f"Biases that keep pace with the signal add {told} to the area under the {metric}."
            )
        elif not (low > -NOTEWORTHY and high < NOTEWORTHY):
            sentences.append(
                f"Whether biases that keep pace with the signal change the area under the {metric} "
                f"cannot be told from these samples: it is {change(share, 0)} (95 % interval: "
                f"{change(low, 0)} to {change(high, 0)})."
            )
        else:
            sentences.append(
                f"Biases that keep pace with the signal leave the area under the {metric} nearly "
                f"as it is ({change(share, 1)}; 95 % interval: {change(low, 1)} to "
                f"{change(high, 1)}): it is not their pace that holds it up."
            )
    if dominant := found.dominant:
        sentences.append(
            f"At t = {position(dominant.at)} {100 * dominant.share:.0f} % of the samples are "
            f"predicted as class {dominant.label}, the one of the largest last bias "
            f"({100 * dominant.final:.0f} % at the end)."
        )
        if dominant.crossing == dominant.crossing and dominant.crossing > 0:
            sentences[-1] += (
                f" The signal outgrows that bias from t = {position(dominant.crossing)} on."
            )
    reasons: dict[str, list[str]] = {}
    for what, why in found.why_not.items():
        reasons.setdefault(why, []).append(what)
    whys = [f"Not measured: {' and '.join(what)}: {why}" for why, what in reasons.items()]
    return [*sentences, *whys]


def _start(found: Evidence) -> list[str]:
    sentences = []
    for metric, areas in ((m, found.areas(m)) for m in metrics_of(found.uniform)):
        uniform, zero = areas.get("uniform rates"), areas.get("from zero weights")
        if not uniform or zero is None:
            continue
        change = zero / uniform - 1
        if abs(change) < NOTEWORTHY:
            word = "as good as the same: so much of the curve is a matter of the minimum alone"
        else:
            word = f"{100 * abs(change):.0f} % {'more' if change > 0 else 'less'}"
        sentences.append(
            f"On the line from zero weights the area under the {metric} is {number(zero)}, {word}."
        )
    return sentences


def _layers(found: Evidence) -> list[str]:
    order = found.matter()
    if not order:
        return []
    most, least = order[0], order[-1]
    said = f"Put back to its start while the others stay at their end, {_costs(most, 'most')}"
    return [f"{said}; {_costs(least, 'least')}." if len(order) > 1 else f"{said}."]


def _costs(layer: Layer, how: str) -> str:
    wrong = f" and {100 * layer.error:+.1f} points of error" if layer.error is not None else ""
    return f"{layer.name} costs {how}: {plus_minus(layer.cost, layer.stderr)} in loss{wrong}"


def _shorter(found: Evidence) -> list[str]:
    metric = "error" if "error" in metrics_of(found.uniform) else "loss"
    areas = found.areas(metric)
    uniform = areas.pop("uniform rates")
    better = {name: a for name, a in areas.items() if a < (1 - NOTEWORTHY) * uniform}
    if not better:
        return [f"None of the paths that were tried has a clearly smaller area of {metric}."]
    listed = ", ".join(
        f"{name} ({number(a)})" for name, a in sorted(better.items(), key=lambda item: item[1])
    )
    return [f"Area of {metric} {number(uniform)} at uniform rates; less on: {listed}."]


def metrics_of(profile: Profile) -> list[str]:
    """Metrics of which less is better."""
    return [m for m, c in next(iter(profile.curves.values())).items() if not c.higher_is_better]
