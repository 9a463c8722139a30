"""Summaries, sentences, tables, figures, terminal output and pages of what was measured.

Names are imported when they are first used: plotting costs nothing to those who do not plot.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ridgeline.report.aligned import (
        aligned_sentences,
        alignment_figure,
        alignment_headline,
        alignment_tables,
        barrier_table,
        summarise_alignment,
    )
    from ridgeline.report.bars import layers_figure
    from ridgeline.report.charts import chart_figure, chart_table
    from ridgeline.report.contours import surface_figure
    from ridgeline.report.dots import scores_figure
    from ridgeline.report.explained import (
        explanation_figures,
        explanation_tables,
        summarise_explanation,
    )
    from ridgeline.report.figures import Figure
    from ridgeline.report.learning import learning_figure
    from ridgeline.report.markdown import to_markdown
    from ridgeline.report.merged import (
        Scores,
        distinct,
        score_sentence,
        score_table,
        summarise_merge,
    )
    from ridgeline.report.page import Card, Page, Section, verdict_card, write_page
    from ridgeline.report.panels import profile_figure
    from ridgeline.report.printed import render_table
    from ridgeline.report.summary import summarise, summarise_surface
    from ridgeline.report.tables import (
        Table,
        rows,
        surface_rows,
        to_json,
        write_csv,
        write_parquet,
    )
    from ridgeline.report.terminal import (
        render_inspection,
        render_layers,
        render_profile,
        text_plot,
    )
    from ridgeline.report.verdicts import render_verdicts, verdict_table, verdicts_markdown
    from ridgeline.report.words import headline, measures_table, sentences

__all__ = [
    "Card",
    "Figure",
    "Page",
    "Scores",
    "Section",
    "Table",
    "aligned_sentences",
    "alignment_figure",
    "alignment_headline",
    "alignment_tables",
    "barrier_table",
    "chart_figure",
    "chart_table",
    "distinct",
    "explanation_figures",
    "explanation_tables",
    "headline",
    "layers_figure",
    "learning_figure",
    "measures_table",
    "profile_figure",
    "render_inspection",
    "render_layers",
    "render_profile",
    "render_table",
    "render_verdicts",
    "rows",
    "score_sentence",
    "score_table",
    "scores_figure",
    "sentences",
    "summarise",
    "summarise_alignment",
    "summarise_explanation",
    "summarise_merge",
    "summarise_surface",
    "surface_figure",
    "surface_rows",
    "text_plot",
    "to_json",
    "to_markdown",
    "verdict_card",
    "verdict_table",
    "verdicts_markdown",
    "write_csv",
    "write_page",
    "write_parquet",
]

_HOME = {
    "aligned": (
        *("aligned_sentences", "alignment_figure", "alignment_headline", "alignment_tables"),
        *("barrier_table", "summarise_alignment"),
    ),
    "bars": ("layers_figure",),
    "charts": ("chart_figure", "chart_table"),
    "contours": ("surface_figure",),
    "dots": ("scores_figure",),
    "explained": (
        *("explanation_figures", "explanation_tables"),
        "summarise_explanation",
    ),
    "figures": ("Figure",),
    "learning": ("learning_figure",),
    "markdown": ("to_markdown",),
    "merged": (
        *("Scores", "distinct", "score_sentence", "score_table"),
        "summarise_merge",
    ),
    "page": ("Card", "Page", "Section", "verdict_card", "write_page"),
    "panels": ("profile_figure",),
    "printed": ("render_table",),
    "summary": ("summarise", "summarise_surface"),
    "tables": ("Table", "rows", "surface_rows", "to_json", "write_csv", "write_parquet"),
    "terminal": ("render_inspection", "render_layers", "render_profile", "text_plot"),
    "verdicts": ("render_verdicts", "verdict_table", "verdicts_markdown"),
    "words": ("headline", "measures_table", "sentences"),
}
_WHERE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ridgeline.report' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"ridgeline.report.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
