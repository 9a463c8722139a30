"""The figure of docs/soft-trees.md: a soft split, a soft tree, and what an ensemble learns.

python -m tools.soft_trees_figure
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import numpy as np
import torch
from matplotlib import pyplot as plt
from sklearn.datasets import make_moons

import ridgeline as rl
from ridgeline.nets import SoftTrees

PLACE = Path(__file__).parents[1] / "docs" / "images" / "soft-trees.png"


def tree() -> SoftTrees:
    """One oblivious tree of depth 2: first x1 is asked, then x2."""
    net = SoftTrees(2, 1, trees=1, depth=2)
    net.load_state_dict(
        {
            "weight": torch.tensor([[[-6.0, 0.0], [0.0, -3.0]]]),
            "bias": torch.zeros(1, 2),
            "leaves": torch.tensor([[[1.0], [0.0], [0.35], [0.8]]]),
        }
    )
    return net.requires_grad_(False)


def main() -> None:
    figure, (split, one, many) = plt.subplots(1, 3, figsize=(10.5, 3.1), layout="constrained")
    x = np.linspace(-2, 2, 401)
    for steepness, style in ((2, ":"), (6, "-"), (60, "--")):
        label = f"w = -{steepness}" + (", nearly hard" if steepness > 10 else "")
        split.plot(x, 1 / (1 + np.exp(np.clip(steepness * x, -60, 60))), style, label=label)
    split.set(
        xlabel="a column of the table, x", ylabel="share that goes left", title="A soft split"
    )
    split.legend(frameon=False, loc="upper right", fontsize=8)

    axis = np.linspace(-1.5, 1.5, 121)
    grid = torch.tensor(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2), dtype=torch.float32)
    values = tree()(grid).reshape(121, 121).numpy()
    drawn = one.pcolormesh(axis, axis, values, cmap="viridis", rasterized=True)
    figure.colorbar(drawn, ax=one)
    for place, leaf in zip(((-1, -1), (-1, 1), (1, -1), (1, 1)), range(4), strict=True):
        one.annotate(f"leaf {leaf}", place, ha="center", va="center", color="white")
    one.set(xlabel="x1, asked first", ylabel="x2, asked second", title="A tree of depth 2")

    points, labels = make_moons(400, noise=0.2, random_state=0)
    made = rl.SoftTreeClassifier(trees=64, epochs=200, learning_rate=0.02, random_state=0)
    made.fit(points, labels)
    wide, high = np.linspace(-1.8, 2.8, 121), np.linspace(-1.4, 1.9, 121)
    asked = np.stack(np.meshgrid(wide, high), -1).reshape(-1, 2)
    chance = made.predict_proba(asked)[:, 1].reshape(121, 121)
    many.contourf(wide, high, chance, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.7)
    many.scatter(*points.T, c=labels, cmap="RdBu_r", s=6, edgecolors="k", linewidths=0.2)
    many.set(title="64 trees: probability of red", xticks=[], yticks=[])
    figure.savefig(PLACE, dpi=110)
    print(PLACE)


if __name__ == "__main__":
    main()
