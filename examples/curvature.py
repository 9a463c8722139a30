"""Curvature along a line: the largest eigenvalue of the Hessian between two networks.

Run it with ``python examples/curvature.py``; it takes some seconds.
"""

from scipy.sparse.linalg import eigsh

import ridgeline as rl

POSITIONS = (0.0, 0.5, 1.0)


def main() -> dict[str, list[float]]:
    """Return the top eigenvalue at each position, of all weights and of each layer's alone."""
    digits, model = rl.data.load("digits"), rl.nets.fcn(64, 16, 10)
    recipe = rl.Recipe(length="5ep")
    nets = [rl.nets.fcn(64, 16, 10, seed=s) for s in (0, 1)]
    a, b = (rl.train(net, digits["train"], recipe, seed=s).final for s, net in enumerate(nets))
    objective, line = rl.Objective(model, digits["train"]), rl.Line(a, b)

    print("top eigenvalue of the Hessian at t =", *POSITIONS)
    found = {}
    for layer, names in {"all": None, **rl.state.layers(a)}.items():
        operators = [rl.hessian(objective, line(t), names=names) for t in POSITIONS]
        found[layer] = [
            float(eigsh(h, k=1, which="LA", return_eigenvectors=False, tol=1e-3)[0])
            for h in operators
        ]
        print(f"{layer:>5}", *(f"{x:8.3f}" for x in found[layer]))
    return found


if __name__ == "__main__":
    main()
