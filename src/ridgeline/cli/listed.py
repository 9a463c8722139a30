"""``ridgeline reproduce --list``: papers, items, and what an item needs of a scale."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ridgeline.cli.consoles import progress_bar
from ridgeline.cli.streams import tell_json
from ridgeline.studies import catalogue
from ridgeline.study.papers import Item, Paper
from ridgeline.study.plan import closure
from ridgeline.study.preflight import missing
from ridgeline.study.reproduction import needed
from ridgeline.study.scales import Scale

__all__ = ["list_papers"]


def list_papers(chosen: argparse.Namespace) -> int:
    """Papers and items, all or those named; what they need of a scale is told of named ones.

    Args:
        chosen: Parsed options.

    Returns:
        The exit code.

    Raises:
        UnknownName: If a paper or an item is not known.
    """
    wanted: dict[str, list[str]] = {}
    named = [word for word in chosen.what if word != "all"]
    for word in named or catalogue.PAPERS:
        name, item = catalogue.parted(word)
        wanted.setdefault(name, []).append(item)
    listed = []
    with progress_bar() as progress:  # runs of every scale are laid out to be counted
        for done, (name, items) in enumerate(wanted.items()):
            progress("reading papers", done, len(wanted))
            listed.append(_listed(name, *_chosen(name, items)))
    if chosen.json:
        tell_json(listed)
        return 0
    for one in listed:
        _say(one, in_full=bool(named))
    return 0


def _chosen(name: str, items: Sequence[str]) -> tuple[Paper, Sequence[Item]]:
    paper = catalogue.paper(name)
    some = {one.name: one for item in items if item for one in paper.find(item)}
    return paper, paper.items if "" in items else tuple(some.values())


def _say(one: Mapping[str, Any], *, in_full: bool) -> None:
    print(f"{one['name']}: {one['title']}\n  {one['authors']}; {one['where']}")
    for scale in one["scales"]:
        minutes = scale["minutes"]
        takes = f"{minutes:g} min measured" if minutes is not None else "time not measured"
        print(f"  scale {scale['name']}: {scale['runs']} runs, {takes}; {scale['about']}")
        if in_full:
            print(f"      {scale['file']}")
    for item in one["items"]:
        at = ", ".join(f"{n} runs at {s}" for s, n in item["runs"].items() if n is not None)
        claims = f"{len(item['claims'])} claims"
        print(f"    {one['name']}/{item['name']} ({item['id']}): {item['asks']}")
        print(f"        {claims}; {at if item['populations'] else 'no runs needed'}")
        if in_full:
            print(f"        populations: {', '.join(item['populations']) or 'none'}")
            settings = item["settings"]
            told = "not declared" if settings is None else ", ".join(settings) or "none"
            print(f"        settings under measure: {told}")
    print()


def _listed(study: str, paper: Paper, items: Sequence[Item]) -> dict[str, Any]:
    files = catalogue.scales(study)
    scales = {name: catalogue.scale(study, name) for name in files}
    return {
        "name": paper.name,
        "title": paper.title,
        "authors": paper.authors,
        "where": paper.where,
        "about": paper.about,
        "scales": [_scale(name, scale, files[name], items) for name, scale in scales.items()],
        "items": [
            {
                "name": item.name,
                "id": item.id,
                "title": item.title,
                "asks": item.asks,
                "populations": list(item.populations),
                "settings": None if item.settings is None else list(item.settings),
                "claims": [claim.id for claim in item.claims],
                "runs": {
                    name: None if missing(item, scale) else _runs([item], scale)
                    for name, scale in scales.items()
                },
            }
            for item in items
        ],
    }


def _scale(name: str, scale: Scale, file: Path, items: Sequence[Item]) -> dict[str, Any]:
    return {
        "name": name,
        "about": " ".join(scale.about.split()),
        "minutes": scale.minutes,
        "runs": _runs(items, scale),
        "file": str(file),
    }


def _runs(items: Sequence[Item], scale: Scale) -> int:
    return len(closure(needed(items, scale)))
