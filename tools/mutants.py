"""Mutation testing: do the mirrored tests notice a slip?

``make mutants`` draws a sample of the functions that changed against main (``ARGS="--package
objective"`` of a package, ``ARGS=--all`` of all), makes one plausible slip in each, and runs the
tests that mirror its module until one fails. It prints the share that was caught, and those
that survived.

Neither mutmut nor cosmic-ray serves here: the first runs all tests that reach a function, in a
copy of the tree that knows nothing of a mirrored one; the second takes one command for all
mutants. Both start an interpreter, and torch with it, for every mutant; here each is a fork of
one that has torch.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from compileall import compile_dir
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)] * (str(ROOT) not in sys.path)

from tools.slips import Function, Slip, functions, slips  # noqa: E402 (found by the line above)

SOURCE, TESTS = ROOT / "src" / "ridgeline", ROOT / "tests"
SECONDS = 300
TOO_LONG = 1000
"""In the place of pytest's code; a signal's is negative."""


@dataclass(frozen=True)
class Outcome:
    """One slip, and what the tests said."""

    file: Path
    function: Function
    slip: Slip
    caught: bool | None
    """None if the tests took too long to tell."""
    by: str
    """The test that failed; empty if none did."""
    seconds: float

    def __str__(self) -> str:
        where = f"{self.file.relative_to(SOURCE)}:{self.slip.line} {self.function.name}"
        mark = {True: "caught", False: "SURVIVED", None: "too long"}[self.caught]
        return f"{mark:8} {where}  {self.slip.said[:120]}  [{self.by or 'no test'}]"


def mirrored(file: Path, function: Function) -> list[Path]:
    """The tests of a function: those of its module's name, else those that name the module.

    Args:
        file: Of the module.
        function: Whose tests of the package's folder are taken along, where they name it.
    """
    inside = file.relative_to(SOURCE)
    folder = TESTS / inside.parent
    own = folder / f"test_{inside.name}"
    package = TESTS / f"test_{inside.parent.name or inside.stem}.py"
    beside = [*sorted(folder.glob("test_*.py")), *([package] if package.exists() else [])]
    while not beside:
        folder = folder.parent
        beside = sorted(folder.glob("test_*.py"))
    name = function.name.rpartition(".")[2]
    words = [re.escape(name)] if not name.startswith("_") else []
    chosen = [own] if own.exists() else []
    if not chosen:
        dotted = ".".join(["ridgeline", *inside.with_suffix("").parts])
        public = re.search(r"__all__ = \[(.*?)\]", file.read_text(), re.S)
        words += [re.escape(dotted)]
        words += re.findall(r'"(\w+)"', public.group(1)) if public else []
    said = re.compile(rf"\b({'|'.join(words)})\b") if words else None
    chosen += [p for p in beside if p not in chosen and said and said.search(p.read_text())]
    return chosen or beside


def candidates(packages: list[str], base: str | None) -> list[tuple[Path, Function]]:
    """Functions that a sample is drawn from, sorted.

    Args:
        packages: Folders or modules of the source; all by default.
        base: The commit whose differences are looked at; everything if None.
    """
    changed = None if base is None else _changed(base)
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        inside = file.relative_to(SOURCE).as_posix()
        if packages and not any(f"{inside}/".startswith(f"{p.rstrip('/')}/") for p in packages):
            continue
        if file.name == "__init__.py" or (changed is not None and file not in changed):
            continue
        for function in functions(file.read_text()):
            lines = range(function.first, function.last + 1)
            if changed is None or any(line in changed[file] for line in lines):
                found.append((file, function))
    return found


def _changed(base: str) -> dict[Path, set[int]]:
    """Lines of each file that differ from a commit."""
    command = ["git", "-C", str(ROOT), "diff", "--unified=0", base, "--", str(SOURCE)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[Path, set[int]] = {}
    lines: set[int] = set()
    for line in text.splitlines():
        if line.startswith("+++ b/"):
            lines = found.setdefault(ROOT / line[6:], set())
        elif at := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start, count = int(at[1]), int(at[2] or 1)
            lines.update(range(start, start + count))
    return found


class Sandbox:
    """A copy of the source in which one file at a time is changed, and tests are run on it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        shutil.copytree(
            SOURCE, self.folder / "ridgeline", ignore=shutil.ignore_patterns("__pycache__")
        )
        # Compiled once; a file that is changed has another hash, and is compiled anew.
        mode = PycInvalidationMode.CHECKED_HASH
        compile_dir(self.folder / "ridgeline", quiet=1, invalidation_mode=mode)

    def run(self, tests: list[str], seconds: int) -> tuple[int, str]:
        """Return pytest's code and the first test that failed; `TOO_LONG` if time was up."""
        note = self.folder / "failed"
        note.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            os._exit(self._within(tests, note))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                return code, note.read_text() if note.exists() else ""
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return TOO_LONG, f"more than {seconds} s"

    def _within(self, tests: list[str], note: Path) -> int:
        import pytest
        import torch

        class Noting:
            def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
                if report.failed and not note.exists():
                    note.write_text(report.nodeid)

            def pytest_collectreport(self, report: pytest.CollectReport) -> None:
                if report.failed and not note.exists():
                    note.write_text(f"collecting {report.nodeid}")

        os.chdir(ROOT)
        torch.manual_seed(0)  # every fork has the same state, but no two runs of this
        sys.path.insert(0, str(self.folder))
        os.environ["PYTHONPATH"] = str(self.folder)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist"]
        return int(pytest.main([*options, *tests], plugins=[Noting()]))

    def put(self, file: Path, source: str) -> None:
        """Give a file of the copy another source."""
        (self.folder / "ridgeline" / file.relative_to(SOURCE)).write_text(source)


def tried(
    sandbox: Sandbox, file: Path, function: Function, seed: int, seconds: int
) -> Outcome | None:
    """Make one slip in a function and run its tests; None if there is no slip to make.

    A test that fails is run once more without the slip: one that fails there too is left out.
    """
    source = file.read_text()
    slip = next(slips(source, function, seed), None)
    if slip is None:
        return None
    start, chosen = time.monotonic(), [str(t) for t in mirrored(file, function)]
    unsound: list[str] = []
    while True:
        sandbox.put(file, slip.source)
        code, by = sandbox.run([*chosen, *(f"--deselect={t}" for t in unsound)], seconds)
        sandbox.put(file, source)
        caught = None if code == TOO_LONG else code not in (0, 5)
        if not caught or not by:
            break
        broken = by.removeprefix("collecting ")
        if sandbox.run([broken], seconds)[0] in (0, 5):
            break
        unsound.append(broken)
        chosen = [t for t in chosen if not t.endswith(broken)]
        if not chosen:
            return Outcome(file, function, slip, None, f"unsound: {broken}", seconds)
    return Outcome(file, function, slip, caught, by, time.monotonic() - start)


def main() -> int:
    """Draw, try and tell; 1 if fewer are caught than `--least` says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", action="append", default=[], help="a folder of src/ridgeline")
    parser.add_argument("--all", action="store_true", help="all functions, not what changed")
    parser.add_argument("--base", default="main", help="the commit to compare with")
    parser.add_argument("--count", type=int, default=20, help="functions in the sample")
    parser.add_argument("--skip", type=int, default=0, help="functions of the sample to leave out")
    parser.add_argument("--seed", type=int, default=0, help="of sample and slips")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for the tests of one slip")
    parser.add_argument("--least", type=float, default=0.0, help="share that must be caught")
    chosen = parser.parse_args()
    base = None if chosen.all or chosen.package else chosen.base
    pool = candidates(chosen.package, base)
    random.Random(chosen.seed).shuffle(pool)
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    import torch  # noqa: F401 (every fork has it then)

    sandbox, outcomes = Sandbox(), list[Outcome]()
    try:
        for file, function in pool[chosen.skip :]:
            if len(outcomes) == chosen.count:
                break
            found = tried(sandbox, file, function, chosen.seed, chosen.seconds)
            if found is not None:
                outcomes.append(found)
                print(f"{len(outcomes):3d} {found.seconds:5.0f} s {found}", flush=True)
    finally:
        shutil.rmtree(sandbox.folder)
    if not outcomes:
        print("No function to try.")
        return 0
    known = [x for x in outcomes if x.caught is not None]
    caught = sum(bool(x.caught) for x in known)
    share = caught / len(known) if known else 1.0
    print(f"{caught} of {len(known)} slips were caught: {share:.0%}, of {len(pool)} functions.")
    for outcome in outcomes:
        if not outcome.caught:
            print(f"  {outcome}")
    return int(share < chosen.least)


if __name__ == "__main__":
    sys.exit(main())
