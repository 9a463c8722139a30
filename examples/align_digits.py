"""Two networks that were trained apart: the barrier between them, aligned, and repaired.

Run it from anywhere with ``python align_digits.py``; it takes well under a minute on one core.
"""

import ridgeline as rl


def main() -> dict[str, rl.Profile]:
    """Train, align, repair, and print the barrier of each."""
    digits = rl.data.load("digits")
    model = rl.nets.fcn(64, 128, 128, 10)

    # 1. Two networks, alike in everything but the seed.
    a, b = (
        rl.train(
            rl.nets.fcn(64, 128, 128, 10, seed=seed),
            digits["train"],
            rl.Recipe(length="15ep"),
            seed=seed,
        ).final
        for seed in (0, 1)
    )

    # 2. Which units may be permuted? Found by tracing, proved by evaluation.
    symmetry = rl.symmetries(model, digits["train"].inputs[:2])
    print(symmetry)

    # 3. Carry b, by a permutation, to where its weights are nearest those of a.
    aligned = rl.align(a, b, symmetry)
    print(aligned)

    # 4. The line between them: as they are, aligned, and aligned and repaired.
    objective = rl.Objective(model, digits["test"], metrics={"error": rl.error})
    repair = rl.Repair(data=digits["train"].inputs)
    profiles = {
        "as they are": rl.profile(rl.Line(a, b), objective, points=11),
        "aligned": rl.profile(rl.Line(a, aligned.state), objective, points=11),
        "aligned and repaired": rl.profile(
            rl.Line(a, aligned.state), objective, points=11, repair=repair
        ),
    }
    for name, found in profiles.items():
        loss, error = found.barrier(), found.barrier(metric="error")
        print(f"{name}: {loss.height:.2f} in loss, {error.height:.3f} in error")

    # 5. One network of the two: the mean of the aligned states, repaired.
    merged = rl.merge([a, aligned.state]).state
    merged = rl.repaired(merged, a, aligned.state, 0.5, objective, repair)
    wrong = objective(merged)["error"].mean()
    print(f"merged: test error {float(wrong):.3f}")
    return profiles


if __name__ == "__main__":
    main()
