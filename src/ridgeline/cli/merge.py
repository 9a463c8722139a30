"""``ridgeline merge``: checkpoints into one, aligned before and repaired after if asked."""

import argparse
import json
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ridgeline import io, report
from ridgeline.cli.align import repair_of
from ridgeline.cli.matching import both, check_options, check_written
from ridgeline.cli.merging import merger
from ridgeline.cli.setting import (
    Setting,
    load_points,
    progress_bar,
    stderr_console,
    stdout_console,
    words,
)
from ridgeline.cli.strategies import MIXED, prepared
from ridgeline.cli.symmetric import TAKES
from ridgeline.cli.together import check_many, many_of
from ridgeline.errors import UsageError
from ridgeline.matching import align, align_many
from ridgeline.merging import Merged, merge
from ridgeline.repairs import repaired_among
from ridgeline.report import Scores
from ridgeline.state import State

__all__ = ["run"]

Tell = Callable[[str, int, int], None]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_written(chosen, report=chosen.report)
    weights = _weights(chosen.weights)
    _check(chosen, weights)
    setting = Setting(chosen)
    given = load_points(setting, chosen.states, chosen.key)
    base = load_points(setting, [chosen.base], None)[0] if chosen.base else None
    with progress_bar() as tell:
        said: list[str] = []
        carried = _aligned(chosen, setting, given, base, tell, said) if chosen.align else given
        by = merger(chosen, setting, carried, tell)
        layers = _layers(words(chosen.layers))
        result = merge(carried, by=by, weights=weights, layers=layers, base=base)
        made = {"merged": result.state}
        if chosen.repair:
            tell("repair", 0, 1)
            made["merged and repaired"] = _repaired(chosen, setting, carried, result, weights)
            tell("repair", 1, 1)
        final = list(made.values())[-1]
        names = report.distinct([str(path) for path in chosen.states])
        scores = _scores(setting, dict(zip(names, given, strict=True)), made, tell)
    about = setting.about(chosen)
    told = report.summarise_merge(result, scores, said) | {"provenance": about}
    with both(chosen, lambda folder: _write(told, scores, chosen, folder)):
        if chosen.out:
            first = chosen.states[0]
            kept = io.in_format_of(first, final, model=setting.model, key=chosen.key)
            header = {"ridgeline.merged": json.dumps({"by": chosen.by, "of": chosen.states})}
            io.save(kept, chosen.out, metadata=header, overwrite=chosen.overwrite)
    _tell_result(chosen, told, scores)
    return 0


def _check(chosen: argparse.Namespace, weights: list[float] | None) -> None:
    """Refuse options that do not fit each other before any work."""
    check_options(chosen, {"t": ("slerp",), "scale": ("task-arithmetic", "ties", "dare"),
                           "keep": ("ties",), "drop": ("dare",)}, chosen.by)  # fmt: skip
    if chosen.align:
        check_many(chosen)
    else:
        _check_not_aligned(chosen)
    if chosen.repair in ("forward", "closed-form") and len(chosen.states) < 2:
        raise UsageError(
            "A repair sets the statistics of layers to the mean of those of the checkpoints.",
            got="one checkpoint",
            remedy="Give two or more, or recompute running statistics alone: --repair statistics.",
        )
    if chosen.repair and chosen.data is None:
        raise UsageError("A repair looks at data.", got="--repair without --data")
    if chosen.repair and weights is not None and min(weights) < 0:
        raise UsageError("A repair is between the ends.", got=f"--weights {chosen.weights}")


def _check_not_aligned(chosen: argparse.Namespace) -> None:
    """Refuse options of an alignment that was not asked for."""
    names = ["align_by", "align_many", *TAKES, "symmetry", "example", "without"]
    given = [f"--{n.replace('_', '-')}" for n in names if getattr(chosen, n) is not None]
    if given:
        raise UsageError(
            f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} for aligning.",
            got="no --align",
            remedy="Add --align.",
        )


def _weights(text: str | None) -> list[float] | None:
    try:
        return [float(word) for word in words(text) or []] or None
    except ValueError as error:
        raise UsageError(
            "--weights is a list of numbers with commas between them.", got=repr(text)
        ) from error


def _layers(patterns: list[str] | None) -> Callable[[str], bool] | None:
    if patterns is None:
        return None
    return lambda layer: any(fnmatchcase(layer, pattern) for pattern in patterns)


def _aligned(
    chosen: argparse.Namespace,
    setting: Setting,
    given: list[State],
    base: State | None,
    tell: Tell,
    said: list[str],
) -> list[State]:
    """The states in one frame: the base's, the first's, or for three and more a common one."""
    if base is None and len(given) < 2:
        return given
    symmetry, by = prepared(chosen, setting, chosen.align_by or "weights", tell, said)
    if base is None and len(given) == 2:
        found = align(given[0], given[1], symmetry, by=by, seed=chosen.seed, progress=tell)
        said.append(str(found).splitlines()[0])
        said += [MIXED] if found.transform is None else []
        return [given[0], found.state]
    everyone = given if base is None else [base, *given]
    many = many_of(chosen, by)
    together = align_many(everyone, symmetry, by=many, seed=chosen.seed, progress=tell)
    said += [str(together), *together.matched.notes]
    return list(together.states if base is None else together.states[1:])


def _repaired(
    chosen: argparse.Namespace,
    setting: Setting,
    carried: list[State],
    result: Merged,
    weights: list[float] | None,
) -> State:
    """The merge with the statistics of its layers set to the mean of the checkpoints'."""
    ends = carried if len(carried) > 1 else carried * 2
    shares = [1.0] * len(ends)
    # Running statistics alone are recomputed for the state as it is, wherever it lies.
    if chosen.repair != "statistics":
        shares = weights or ([1 - chosen.t, chosen.t] if chosen.t is not None else shares)
    objective = next(iter(setting.objectives.values()))
    return repaired_among(result.state, ends, shares, objective, repair_of(chosen, setting))


def _scores(
    setting: Setting, given: dict[str, State], made: dict[str, State], tell: Tell
) -> Scores | None:
    """Loss and metrics of what was given and what was made, sample by sample."""
    if not setting.objectives:
        return None
    everyone = given | made
    values: dict[str, dict[str, dict[str, Any]]] = {}
    for split, objective in setting.objectives.items():
        for k, (name, state) in enumerate(everyone.items()):
            tell(f"evaluating ({split})", k, len(everyone))
            found = objective(state)
            values.setdefault(name, {})[split] = {m: x.double().numpy() for m, x in found.items()}
        tell(f"evaluating ({split})", len(everyone), len(everyone))
    return Scores(tuple(given), tuple(made), values)


def _write(
    told: dict[str, Any], scores: Scores | None, chosen: argparse.Namespace, folder: Path
) -> None:
    assert scores is not None  # a report without data was refused
    table = report.score_table(scores)
    page = report.Page(
        title=f"{len(chosen.states)} checkpoints merged by {chosen.by}",
        lead=report.score_sentence(scores),
        sections=[report.Section("Before and after", text=told["said"], tables=[table])],
        provenance=told["provenance"],
    )
    report.to_json(told, folder / "merge.json")
    report.write_page(page, folder)


def _tell_result(chosen: argparse.Namespace, told: dict[str, Any], scores: Scores | None) -> None:
    if chosen.json:
        print(json.dumps(told, allow_nan=False))
    else:
        console = stdout_console(wide=True)
        for sentence in told["said"]:
            console.print(sentence, highlight=False, markup=False)
        if scores is not None:
            report.render_table(report.score_table(scores), console)
    for made in (chosen.out, chosen.report and Path(chosen.report) / "report.html"):
        if made:
            print(f"written: {made}", file=sys.stderr)
