"""What repairing brings back halfway between deep networks that Adam trained.

    python -m benchmarks.repair            # five pairs, about two minutes

Ten hidden layers of 128 units, 20,000 images of Fashion-MNIST, Adam at 1e-3 with a cosine, batches
of 500, ten epochs, weights drawn with variance 1 / fan-in. Accuracy on 5,000 test images, halfway
between independent networks: as they are, aligned by weights and by activations, repaired or not.
"""

import numpy as np
import torch

from benchmarks.harness import machine
from ridgeline import data, nets
from ridgeline.matching import ActivationMatching, WeightMatching, align
from ridgeline.objective import Objective, error
from ridgeline.repairs import Repair, midpoint
from ridgeline.symmetry import symmetries
from ridgeline.training import Adam, Cosine, Member, Recipe, train_many

WIDTHS = (784, *[128] * 10, 10)
PAIRS = 5


def main() -> None:
    torch.set_num_threads(1)
    found = data.load("fashion-mnist?train=20000&test=5000")
    train, test = found["train"], found["test"]
    recipe = Recipe(
        length="10ep", batch_size=500, optimiser=Adam(learning_rate=1e-3), schedule=Cosine()
    )
    members = [
        Member(nets.fcn(*WIDTHS, scale=0.5**0.5, seed=seed), recipe, seed=seed)
        for seed in range(2 * PAIRS)
    ]
    ends = [run.final for run in train_many(members, train, test=test)]
    net, seen = nets.fcn(*WIDTHS), train.inputs[:10000]
    at = Objective(net, (seen, train.targets[:10000]))
    asked = Objective(net, (test.inputs, test.targets), metrics={"error": error})
    symmetry, repair = symmetries(net, seen[:2]), Repair(seen)
    ways = {
        "as they are": None,
        "weights": WeightMatching(),
        "activations": ActivationMatching(model=net, data=seen, by="correlation"),
    }
    rows: dict[str, list[list[float]]] = {way: [] for way in ways}
    for a, b in zip(ends[::2], ends[1::2], strict=True):
        for way, by in ways.items():
            end = b if by is None else align(a, b, symmetry, by=by).state
            middles = midpoint(a, end, at), midpoint(a, end, at, repair=repair)
            rows[way].append([100 * (1 - float(asked(m)["error"].mean())) for m in middles])
    print(f"{PAIRS} pairs on {machine()}; accuracy halfway in %, mean ± standard deviation")
    for way, values in rows.items():
        plain, mended = np.array(values).T
        print(f"{way:12}", *(f"{x.mean():5.1f} ± {x.std(ddof=1):4.1f}" for x in (plain, mended)))


if __name__ == "__main__":
    main()
