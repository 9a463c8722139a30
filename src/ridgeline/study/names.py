"""Names of runs: for people, no two alike."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from ridgeline.dotted import leaves, without_options
from ridgeline.study.config import RunConfig

__all__ = ["names_of"]

TOLD = 40
"""Characters of what tells runs of one name apart."""


def names_of(runs: Iterable[RunConfig]) -> dict[str, str]:
    """A name for each hash, no two alike.

    A name that several have is followed by what differs among them, ``(net.bias=false)``, and by
    the hash where that is long or still not enough.
    """
    configs = {config.hash: config for config in runs}
    alike: dict[str, list[RunConfig]] = {}
    for config in configs.values():
        alike.setdefault(config.name, []).append(config)
    found: dict[str, str] = {}
    for name, same in alike.items():
        told = [name] if len(same) == 1 else [f"{name} ({what})" for what in _differing(same)]
        often = Counter(told)
        for config, text in zip(same, told, strict=True):
            found[config.hash] = text if often[text] == 1 else f"{name} ({config.hash[:8]})"
    return {run: found[run] for run in configs}


def _differing(configs: Sequence[RunConfig]) -> list[str]:
    """For each of some runs of one name, the values by which they differ, or the hash."""
    flat = [{without_options(p): v for p, v in leaves(c.full())} for c in configs]
    paths = dict.fromkeys(path for one in flat for path in one)
    differ = [path for path in paths if len({repr(one.get(path)) for one in flat}) > 1]
    said = [", ".join(f"{path}={json.dumps(one.get(path))}" for path in differ) for one in flat]
    return [s if s and len(s) <= TOLD else c.hash[:8] for s, c in zip(said, configs, strict=True)]
