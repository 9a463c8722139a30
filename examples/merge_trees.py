"""Two ensembles of soft trees, fitted to unlike halves of a table, merged to one that beats both.

One half has 90 % of the first class and 10 % of the second, the other the rest. Neither party
sees the other's rows: what they exchange is a fitted ensemble.

    python examples/merge_trees.py
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import ridgeline as rl
from ridgeline.data.corruption import skewed


def main() -> dict[str, float]:
    """Fit, align, merge; accuracies on rows that nobody saw."""
    x, digit = load_digits(return_X_y=True)
    x, y = x[:, x.std(0) > 1], digit % 2  # pixels that are not always dark; odd or even
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.5, random_state=0)

    halves = (rows.numpy() for rows in skewed(torch.tensor(y_train), 0.9, seed=0))
    a, b = (
        rl.SoftTreeClassifier(trees=64, epochs=20, batch_size=64, random_state=seed).fit(
            x_train[rows], y_train[rows]
        )
        for seed, rows in enumerate(halves)
    )

    aligned = rl.align(a, b)  # b's function, its trees where they lie nearest to those of a
    print(aligned.aligned_)

    made = {
        "first half alone": a,
        "second half alone": b,
        "merged as they are": rl.merge([a, b]),
        "aligned, then merged": rl.merge([a, aligned]),
    }
    found = {name: float(one.score(x_test, y_test)) for name, one in made.items()}
    for name, accuracy in found.items():
        print(f"{name:>22}: test accuracy {accuracy:.3f}")
    return found


if __name__ == "__main__":
    main()
