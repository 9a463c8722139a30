"""J4: convolutional networks, without normalisation and with BatchNorm."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from ridgeline.charts import Table
from ridgeline.frame import Asked, Frame, mean
from ridgeline.frame.show import mean_sd
from ridgeline.studies.jordan2022.pairs import RESET, WAYS, lifts, midpoints
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]

RECOMPUTED = "statistics recomputed"


def convolutional(bench: Bench) -> Frame:
    """VGG without normalisation is repaired; of ResNet with BatchNorm statistics are recomputed."""
    vgg = midpoints(bench, "vgg", WAYS).derive(network="vgg")
    resnet = midpoints(bench, "resnet", RESET).derive(network="resnet")
    return (vgg + resnet).noted(
        "Where BatchNorm follows every layer, recomputing its running statistics is the whole "
        "repair: it sets mean and variance of every channel. Without it the statistics of the "
        "midpoint are the mean of the ends', as are all its other numbers.",
        "What repairs VGG corrects all its layers, the last too; the authors' code corrects "
        "the convolutions.",
    )


def _table(title: str, network: str, ways: Mapping[str, Any]) -> Callable[[Frame], Table]:
    def show(frame: Frame) -> Table:
        found = frame.where(network=network).by("way")
        ends = [mean_sd(found["naive"][name]) for name in ("ends", "train_ends")]
        rows = [["mean of the ends", *ends]]
        rows += [
            [way, *(mean_sd(found[way][name]) for name in ("accuracy", "train"))] for way in ways
        ]
        return Table(
            title=title,
            columns=["midpoint", "test accuracy (%)", "training accuracy (%)"],
            rows=rows,
            note="Mean ± standard deviation (number of pairs).",
        )

    return show


def _lifts(
    id: str, text: str, place: str, test: Asked, source: Literal["paper", "derived"] = "paper"
) -> Claim:
    return Claim(id, text, f"{place}; threshold ours", test, source)


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
        show=(
            _table("VGG without normalisation", "vgg", WAYS),
            _table("ResNet-20 with BatchNorm", "resnet", RESET),
        ),
        claims=(
            _lifts(
                *("J4a", "Repairing lifts VGG far above alignment alone"),
                "table of VGGs, authors' data",
                lifts(
                    "VGG, repaired less aligned alone",
                    *("aligned, repaired", "aligned"),
                    network="vgg",
                )
                > 5,
            ),
            Claim(
                *("J4b", "With interpolated statistics aligned ResNet loses most at the midpoint"),
                "authors' notebooks of ResNet-20: 11.7 to 34.8 %, by width; threshold ours",
                mean(
                    *("judged", "accuracy at the midpoint, aligned (%)"),
                    way="aligned",
                    network="resnet",
                )
                < 40,
            ),
            _lifts(
                *("J4c", "Recomputing statistics lifts aligned ResNet far above alignment alone"),
                "table of ResNets, authors' data",
                lifts(
                    "ResNet, statistics recomputed less interpolated",
                    *(f"aligned, {RECOMPUTED}", "aligned"),
                    network="resnet",
                )
                > 5,
            ),
            _lifts(
                *("J4d", "It does not do without alignment"),
                "table of VGGs, authors' data, for VGG",
                lifts(
                    "ResNet, statistics recomputed, aligned less not aligned",
                    *(f"aligned, {RECOMPUTED}", RECOMPUTED),
                    network="resnet",
                )
                > 5,
                "derived",
            ),
        ),
    ),
)
