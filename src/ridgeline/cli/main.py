"""``ridgeline``: parse, hand over to a verb, and turn every outcome into an exit code."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress

from ridgeline import __version__
from ridgeline.cli import options
from ridgeline.cli.signals import Terminated, terminable
from ridgeline.cli.streams import json_alone, silence_broken, stand_in, told_once
from ridgeline.errors import UNWRITTEN, Argument, RidgelineError, UsageError, Verb

__all__ = ["main", "parser"]

CALLED = {f"weights='{over}'": "mean_over" for over in ("samples", "tokens")}
"""Arguments whose option has another name: `--weights` are those of a merge."""
EXITS = """exit codes:
  0    done
  1    a fault of Ridgeline's own, with its traceback
  2    the command was wrong: an option, a name, a grid
  3    the input was refused: a checkpoint, data, a model, a place to write to
  130  interrupted (Ctrl-C); what was finished is written and says so
  141  whoever read the output stopped reading (a closed pipe)
  143  terminated (SIGTERM); as 130
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
    verbs = top.add_subparsers(
        dest="verb", metavar="VERB", required=True, parser_class=options.Parser
    )
    options.add_verbs(verbs)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words after ``ridgeline``; those of the process by default.

    Returns:
        The exit code.
    """
    stand_in()
    try:
        try:
            with terminable():
                return _run(arguments)
        finally:
            sys.stdout.flush()  # what fails here would else fail after the exit code was chosen
    except BrokenPipeError:  # `ridgeline ... | head`
        silence_broken()
        return 141
    except OSError as error:
        if error.errno not in UNWRITTEN or isinstance(error, RidgelineError):
            raise
        silence_broken()
        where = f"'{error.filename}'" if error.filename else "standard output"
        remedy = "Check the space left there, or send it elsewhere."
        said = f"What a command tells must be written. Got {error.strerror} for {where}. {remedy}"
        with suppress(OSError):  # where standard error is what is full, the code alone tells
            print(f"ridgeline: {said}", file=sys.stderr)
        silence_broken()
        return 3


def _run(arguments: Sequence[str] | None) -> int:
    chosen = parser().parse_args(arguments)
    try:
        alone = json_alone(for_good=arguments is None)
        with told_once(), alone if getattr(chosen, "json", False) else nullcontext():
            return options.run(chosen)
    except UsageError as refusal:
        return _refuse(refusal, chosen, 2)
    except RidgelineError as refusal:
        return _refuse(refusal, chosen, 2 if isinstance(refusal, LookupError) else 3)
    except KeyboardInterrupt as stop:
        print("ridgeline: interrupted; nothing half-written is left.", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130


def _refuse(refusal: RidgelineError, chosen: argparse.Namespace, code: int) -> int:
    cause = refusal.__cause__
    if cause is not None and type(refusal).__name__ == "ForwardFailed":
        import traceback

        traceback.print_exception(cause)
    print(f"ridgeline: {_in_options(refusal, chosen)}", file=sys.stderr)
    if "`forward=" in str(refusal):
        wrapped = "wrap the model in a module whose own forward does that, and name it by --model"
        print(f"On the command line: {wrapped}.", file=sys.stderr)
    return code


def _in_options(refusal: RidgelineError, chosen: argparse.Namespace) -> str:
    """A refusal in the command's words: its arguments are options, where the verb has them."""

    def word(part: Argument | Verb) -> str:
        if isinstance(part, Verb):
            return " ".join(["ridgeline", part.name, *map(_option, part.arguments)])
        known = hasattr(chosen, CALLED.get(str(part), part.name))
        return _option(part) if known else str(part)

    return refusal.worded(word)


def _option(part: Argument) -> str:
    flag = f"--{CALLED.get(str(part), part.name).replace('_', '-')}"
    return flag if part.value is True else f"{flag} {part.value}"


if __name__ == "__main__":
    sys.exit(main())
