"""J4: convolutional networks, without normalisation and with BatchNorm."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ridgeline.charts import Table
from ridgeline.studies.common import mean_sd
from ridgeline.studies.jordan2022.pairs import RESET, WAYS, Pair, between, compared, pairs
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Mean
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS"]


def convolutional(bench: Bench) -> Finding:
    """VGG without normalisation is repaired; of ResNet with BatchNorm statistics are recomputed."""
    vgg, resnet = (
        _pairs(bench, population, ways) for population, ways in (("vgg", WAYS), ("resnet", RESET))
    )
    return Finding(
        tables=[
            _table("VGG without normalisation", vgg, WAYS),
            _table("ResNet-20 with BatchNorm", resnet, RESET),
        ],
        cases={
            "J4a": compared(vgg, "aligned, repaired", "aligned"),
            "J4b": [pair.judged("aligned") for pair in resnet],
            "J4c": compared(resnet, "aligned, statistics recomputed", "aligned"),
            "J4d": compared(resnet, "aligned, statistics recomputed", "statistics recomputed"),
        },
        words=[
            "Where BatchNorm follows every layer, recomputing its running statistics is the whole "
            "repair: it sets mean and variance of every channel. Without it the statistics of the "
            "midpoint are the mean of the ends', as are all its other numbers.",
            "What repairs VGG corrects all its layers, the last too; the authors' code corrects "
            "the convolutions.",
        ],
    )


def _pairs(bench: Bench, population: str, ways: Mapping[str, Any]) -> list[Pair]:
    couples = pairs(bench.runs(population))
    found = []
    for i, (a, b) in enumerate(couples):
        bench.tell(population, i, len(couples))
        found.append(between(bench, a, b, ways))
    return found


def _table(title: str, some: Sequence[Pair], ways: Mapping[str, Any]) -> Table:
    rows = [
        ["mean of the ends", *(mean_sd(p.ends(split) for p in some) for split in ("test", "train"))]
    ]
    rows += [
        [way, *(mean_sd(p.accuracy(way, split) for p in some) for split in ("test", "train"))]
        for way in ways
    ]
    return Table(
        title=title,
        columns=["midpoint", "test accuracy (%)", "training accuracy (%)"],
        rows=rows,
        note="Mean ± standard deviation (number of pairs).",
    )


def _lifts(
    id: str, text: str, place: str, sides: str, source: Literal["paper", "derived"] = "paper"
) -> Claim:
    place = f"{place}; threshold ours"
    test = Difference(f"accuracy at the midpoint, {sides} (points)", "above", 5)
    return Claim(id=id, text=text, place=place, source=source, test=test)


ITEMS = (
    Item(
        name="convolutional",
        id="J4",
        title="VGG and ResNet",
        asks="Does repairing do the same in convolutional networks?",
        measure=convolutional,
        settings=(),
        populations=("vgg", "resnet"),
        reported="VGG11 on CIFAR-10: 10.0 % as they are, 61.3 % aligned, 88.2 % repaired, ends "
        "92.2 %. ResNet-20 on Fashion-MNIST: 10 to 13 % aligned, 78 to 94 % with statistics "
        "recomputed, by width.",
        claims=(
            _lifts(
                "J4a",
                "Repairing lifts VGG far above alignment alone",
                "table of VGGs, authors' data",
                "VGG, repaired less aligned alone",
            ),
            Claim(
                id="J4b",
                text="With interpolated statistics aligned ResNet loses most at the midpoint",
                place="authors' notebooks of ResNet-20: 11.7 to 34.8 %, by width; threshold ours",
                test=Mean("accuracy at the midpoint, aligned (%)", "below", 40),
            ),
            _lifts(
                "J4c",
                "Recomputing statistics lifts aligned ResNet far above alignment alone",
                "table of ResNets, authors' data",
                "ResNet, statistics recomputed less interpolated",
            ),
            _lifts(
                "J4d",
                "It does not do without alignment",
                "table of VGGs, authors' data, for VGG",
                "ResNet, statistics recomputed, aligned less not aligned",
                source="derived",
            ),
        ),
    ),
)
