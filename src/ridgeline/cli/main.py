"""``ridgeline``: parse, hand over to a verb, and turn every outcome into an exit code."""

import argparse
import sys
from collections.abc import Sequence

from ridgeline import __version__
from ridgeline.cli import options
from ridgeline.errors import RidgelineError, UsageError

__all__ = ["main", "parser"]

EXITS = """exit codes:
  0    done
  1    a fault of Ridgeline's own, with its traceback
  2    the command was wrong: an option, a name, a grid
  3    the input was refused: a checkpoint, data, a model, a place to write to
  130  interrupted (Ctrl-C); what was finished is written and says so
  143  terminated (SIGTERM); the same
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="ridgeline",
        description="Traces, measures and explains the loss barriers between neural networks.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"ridgeline {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    options.add_verbs(verbs)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words after ``ridgeline``; those of the process by default.

    Returns:
        The exit code.
    """
    chosen = parser().parse_args(arguments)
    try:
        return options.run(chosen)
    except UsageError as refusal:
        return _refuse(refusal, 2)
    except RidgelineError as refusal:
        return _refuse(refusal, 2 if isinstance(refusal, LookupError) else 3)
    except KeyboardInterrupt:
        print("ridgeline: interrupted; nothing half-written is left.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `ridgeline ... | head`
        sys.stderr.close()
        return 0


def _refuse(refusal: RidgelineError, code: int) -> int:
    cause = refusal.__cause__
    if cause is not None and type(refusal).__name__ == "ForwardFailed":
        import traceback

        traceback.print_exception(cause)
    print(f"ridgeline: {refusal}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
