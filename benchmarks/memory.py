"""Peak memory of a profile, beside the size of what it must hold. One process each."""

import json
import resource
import subprocess
import sys

MIB = 2**20


def child(name: str) -> None:
    """Build a work, note the peak, profile, note the peak again."""
    import torch

    import ridgeline as rl
    from ridgeline.nets import fcn, resnet20

    torch.set_num_threads(1)
    if name == "mlp":
        model, shape, make = (
            fcn(784, 2048, 2048, 10),
            (784,),
            lambda s: fcn(784, 2048, 2048, 10, seed=s),
        )
    else:
        model, shape, make = resnet20(), (3, 32, 32), lambda s: resnet20(seed=s)
    a, b = make(0).state_dict(), make(1).state_dict()
    warm = rl.Objective(fcn(8, 8, 2), (torch.zeros(4, 8), torch.zeros(4, dtype=torch.long)))
    tiny = fcn(8, 8, 2).state_dict()
    # The libraries' own memory at first use, the tracer's among it, is not the profile's.
    rl.profile(rl.Line(tiny, fcn(8, 8, 2, seed=1).state_dict()), warm, points=3, strategy="shared")
    data = torch.randn(2000, *shape), torch.randint(0, 10, (2000,))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    objective = rl.Objective(model, data)
    found = rl.profile(rl.Line(dict(a), dict(b)), objective, points=5)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    state = sum(x.nbytes for x in a.values())
    print(
        json.dumps(
            {
                "state": state / MIB,
                "activations of a chunk": objective.rows * objective.activation_bytes / MIB,
                "rows": objective.rows,
                "growth": (after - before) / MIB,
                "strategy": found.provenance["splits"]["data"]["strategy"],
            }
        )
    )


def main() -> list[dict]:
    """Both works, as a table."""
    print("\n### Peak memory\n\nGrowth of the peak during Objective and profile, in MiB; the model")
    print("and the two states are held before. The bound is one more state and one chunk.\n")
    print("| work | one state | largest activation of a chunk | growth | strategy |")
    print("|---|---|---|---|---|")
    rows = []
    for name, title in (("mlp", "MLP 784-2048-2048-10"), ("resnet", "ResNet-20")):
        command = [sys.executable, "-m", "benchmarks.memory", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append({"work": title, **row})
        print(
            f"| {title} | {row['state']:.1f} | {row['activations of a chunk']:.1f} "
            f"({row['rows']} rows) | {row['growth']:.1f} | {row['strategy']} |"
        )
    return rows


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else main()
