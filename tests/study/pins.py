"""Configs whose hashes are committed in hashes.json, and the command that adds new ones.

python tests/study/pins.py      writes configs that are not in the file yet; changes none
"""

import json
from pathlib import Path

from ridgeline.nets import catalogue
from ridgeline.study.config import DataConfig, NetConfig, RunConfig, SkewConfig, SpawnConfig
from ridgeline.study.spec import load_spec
from ridgeline.training import (
    EMA,
    L1,
    OPTIMISERS,
    SCHEDULES,
    SGD,
    SWA,
    Adam,
    Augment,
    Grafted,
    Keep,
    Library,
    Radius,
    Recipe,
    Relabel,
)

HERE = Path(__file__).parent
FILE = HERE / "hashes.json"
SPECS = sorted((HERE.parents[1] / "examples" / "specs").glob("*.toml"))
NEEDED = {
    "fcn": {"widths": [4, 3, 2]},
    "autoencoder": {"widths": [4, 2]},
    "masked_fcn": {"widths": [4, 3, 2], "fixed": 1},
    "transformer": {"vocabulary": 8, "length": 4},
    "soft_trees": {"features": 4, "outputs": 2},
}
"""Options that have no default."""


def run(net=None, training=None, **options):
    return RunConfig(
        net=net or NetConfig(options={"widths": [4, 3, 2]}),
        data=options.pop("data", DataConfig(set="digits")),
        training=training or Recipe(length="2ep"),
        **options,
    )


def configs():
    """By name: one of every kind, so that every default is in the file, and the examples'."""
    found = {"plain": run(), "seeded": run(seed=7)}
    for kind in catalogue.KINDS:
        found[f"net {kind}"] = run(NetConfig(kind=kind, options=NEEDED.get(kind, {})))
    for kind, rule in OPTIMISERS.items():
        extra = {"name": "torch.optim:Adagrad"} if rule is Library else {}
        if rule is Grafted:
            extra = {"length": SGD(learning_rate=0.5), "direction": Adam(learning_rate=0.125)}
        training = Recipe(length="2ep", optimiser=rule(learning_rate=0.25, **extra))
        found[f"optimiser {kind}"] = run(training=training)
    for kind, schedule in SCHEDULES.items():
        training = Recipe(length="2ep", schedule=schedule(warm_up="3it"))
        found[f"schedule {kind}"] = run(training=training)
    found["average ema"] = run(training=Recipe(length="2ep", average=EMA()))
    found["average swa"] = run(training=Recipe(length="2ep", average=SWA()))
    penalties = {"radius": Radius(radius=4, strength=0.5), "l1": L1(strength=0.125)}
    for kind, penalty in penalties.items():
        found[f"penalty {kind}"] = run(training=Recipe(length="2ep", penalty=penalty))
    found["relabel"] = run(training=Recipe(length="2ep", relabel=Relabel(share=0.5, until="1ep")))
    anew = {"optimiser": "reset", "length": "full"}
    found["other data"] = run(
        data=DataConfig(set="digits", label_noise=1.0),
        spawn=SpawnConfig(at="1ep", seed=0, data=DataConfig(set="digits"), **anew),
    )
    found["some layers"] = run(spawn=SpawnConfig(at="1ep", seed=0, layers=("fc1",), **anew))
    found["everything"] = run(
        NetConfig(options={"widths": [4, 3, 2], "scale": 0.5}, seed=3),
        Recipe(
            length="2ep5it",
            optimiser=SGD(learning_rate=0.1, momentum=0.9),
            augment=Augment(crop=2),
            clip=1.0,
            keep=Keep(at=("1ep",), geometric=4),
        ),
        data=DataConfig(set="digits", label_noise=0.1, skew=SkewConfig(part="a")),
        spawn=SpawnConfig(at="1ep", seed=1),
    )
    for spec in SPECS:
        runs = load_spec(spec).runs
        found[f"{spec.stem} first"], found[f"{spec.stem} last"] = runs[0], runs[-1]
    return found


if __name__ == "__main__":
    pinned = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name, config in configs().items():
        entry = {"hash": config.hash, "defining": config.defining(), "full": config.full()}
        pinned.setdefault(name, entry)
    lines = (f"{json.dumps(name)}: {json.dumps(pinned[name])}" for name in pinned)
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
