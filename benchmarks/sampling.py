"""How few samples a barrier takes at a given precision, on real data."""

import time

import ridgeline as rl
from ridgeline.nets import fcn


def main() -> list[dict]:
    """Two networks of two seeds on Fashion-MNIST, 60,000 samples, 25 points."""
    try:
        split = rl.data.load("fashion-mnist")["train"]
    except rl.errors.DataError as missing:
        print(f"\nprecision: {missing}")
        return []
    make = lambda seed: fcn(784, 256, 256, 10, seed=seed)  # noqa: E731
    a, b = (
        rl.train.train(make(s), *split, epochs=2, learning_rate=0.05, seed=s).final for s in (0, 1)
    )
    objective = rl.Objective(make(0), split)
    line = rl.Line(a, b)
    start = time.perf_counter()
    whole = rl.profile(line, objective, points=25)
    took = time.perf_counter() - start
    truth = whole.barrier().height
    print(f"\n### Precision\n\nTrue barrier {truth:.4f}, all 60,000 samples: {took:.2f} s.\n")
    print("| half-width | samples | times fewer evaluations | wall ratio | interval | holds it |")
    print("|---|---|---|---|---|---|")
    rows = []
    for share in (0.05, 0.02, 0.01):
        start = time.perf_counter()
        found = rl.profile(
            line, objective, points=25, precision=rl.Precision(half_width=share, relative=True)
        )
        wall = time.perf_counter() - start
        n = found.curve().n
        low, high = found.barrier().interval()
        rows.append({"half-width": share, "samples": n, "fewer": len(objective) / n})
        print(
            f"| {share:.0%} | {n:,} | {len(objective) / n:.1f} | {took / wall:.1f} "
            f"| {low:.4f} to {high:.4f} | {'yes' if low <= truth <= high else 'no'} |"
        )
    return rows


if __name__ == "__main__":
    main()
