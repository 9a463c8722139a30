"""What an explanation says, as tables and figures."""

from typing import TYPE_CHECKING, Any

from ridgeline.charts import Table
from ridgeline.explanations.words import explained, metrics_of
from ridgeline.report.figures import Figure
from ridgeline.report.panels import profile_figure
from ridgeline.report.summary import envelope, plain, summarise

if TYPE_CHECKING:
    from ridgeline.explanations import Explanation

__all__ = ["explanation_figures", "explanation_tables", "summarise_explanation"]


def explanation_tables(found: "Explanation") -> list[Table]:
    """Paths by their shapes, and layers by what they matter."""
    rows = []
    for name, one in found.profiles.items():
        for metric in metrics_of(one):
            shape = one.plateau(metric=metric)
            rise = one.monotonicity(metric=metric).largest_rise
            rows.append([name, metric, shape.end, shape.half, shape.area, rise])
    columns = ["path", "metric", "plateau ends", "half at", "area", "largest rise"]
    tables = [Table("Paths", columns, rows, "Positions in units of t.")]
    if found.layers:
        columns = ["layer", "loss at its start", "± (95 %)", "error at its start", "loss half way"]
        rows = [
            [x.name, x.cost, 1.96 * x.stderr]
            + ["-" if y is None else y for y in (x.error, x.halfway)]
            for x in found.matter()
        ]
        note = "Less those at the end; all other layers at their end."
        tables.append(Table("Layers", columns, rows, note))
    return tables


def explanation_figures(found: "Explanation") -> list[Figure]:
    """The line and its variants, and one layer at a time."""
    figures = [
        profile_figure(found.profiles, name="paths", title="The line and its variants"),
    ]
    if found.layers:
        figures.append(
            profile_figure(found.layers, name="layers", title="One layer at a time, from its start")
        )
    return figures


def summarise_explanation(found: "Explanation") -> dict[str, Any]:
    """An explanation in plain values: strict JSON, of a stated format.

    Returns:
        ``format``, ``version``, ``said`` (heading to sentences), ``profiles.<path>`` and
        ``layers.<layer>`` as `summarise` gives them, ``matter`` (layers, most important first),
        ``saved.<metric>`` {share, interval}, ``distance``, ``gauss``, ``dominant``, ``why_not``.
    """
    saved = {m: found.saved(m) for m in metrics_of(found.uniform)}
    gauss = found.gauss
    return envelope(
        "explanation",
        said=explained(found),
        profiles={name: summarise(one) for name, one in found.profiles.items()},
        layers={name: summarise(one) for name, one in found.layers.items()},
        matter=plain([vars(layer) for layer in found.matter()]),
        saved=plain(
            {m: {"share": s[0], "interval": list(s[1])} for m, s in saved.items() if s is not None}
        ),
        distance=found.distance,
        start_norm=found.start_norm,
        gauss=plain({"mean": gauss.mean, "stderr": gauss.stderr}) if gauss else None,
        dominant=plain(vars(found.dominant)) if found.dominant else None,
        why_not=dict(found.why_not),
    )
