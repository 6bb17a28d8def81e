"""Finds the command, reads its arguments, runs it, and turns every outcome into one of the exit codes.

0: done. 1: the run or the call failed. 2: refused, or used in a wrong way. 130: interrupted while waiting.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import Bug, MlopsError, WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

INTERRUPTED = 130
"""What a shell reports for a command ended by Ctrl+C."""

COMMANDS: dict[str, str] = {
    "convert": "show a notebook as a pipeline, or write it as an Argo Workflow",
    "steps": "list the steps of a notebook; split, join or rename them",
    "import": "turn a notebook or pipeline of another tool into a notebook for this one",
    "check": "run a notebook both ways, as one kernel and as a pipeline, and compare",
    "diff": "show what a change of a notebook does to its pipeline",
    "run": "run a notebook as a pipeline and wait for it",
    "runs": "list runs, or show one",
    "logs": "print what the steps of a run printed",
    "stop": "stop a run",
    "resume": "run a notebook again, taking over the steps of a run that are as they were",
    "pause": "let a run start no further step",
    "unpause": "let a paused run go on",
    "approve": "let a run go on that waits for a person",
    "delete": "delete a run and its state; models that it made stay",
    "models": "list registered models, show one, set aliases, delete versions",
    "datasets": "list recorded datasets, show, pull or compare versions, delete one",
    "lineage": "show what made a version of a model or dataset, or what was made of it",
    "deploy": "serve a registered model",
    "services": "list services; stop, start or delete one; show its log",
    "predict": "call a service",
    "targets": "list where runs can go, check one, set or choose it",
    "registry": "serve the registry of this machine, keep it in order, copy from and to others",
    "doctor": "check this machine",
}
"""Command → what it does; each is the module of that name, with ``_`` behind a word of Python's own."""

TOP_EXAMPLES = """\
examples:
  jupyter mlops convert churn.ipynb            what the notebook becomes
  jupyter mlops run churn.ipynb -p trees=50    run it, with another parameter
  jupyter mlops models                         what it registered
  jupyter mlops deploy churn                   serve the newest version
  jupyter mlops predict churn                  call it with the rows it was trained on
  jupyter mlops run churn.ipynb --target dev   the same on a cluster; `jupyter mlops targets` lists them

`jupyter mlops COMMAND --help` tells more. Every command takes --json, for scripts.
exit codes: 0 done, 1 the run or the call failed, 2 refused or wrong usage"""


class Command(Protocol):
    """What a command's module holds."""

    EXAMPLES: str
    TARGETED: bool
    """Whether it takes ``--target``; a command that has no such attribute is about this machine."""

    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console, Workbench], int]


class Parser(argparse.ArgumentParser):
    """argparse, with errors in the form of this project: what is wrong, and what to do."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing a usage text of many lines."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            word = unknown.split()[0]
            near = get_close_matches(word.partition("=")[0], list(self._option_string_actions), 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise WrongUsage(f"{self.prog} does not take {word}", fix=f"{meant}See {self.prog} --help.")
        raise WrongUsage(f"{self.prog}: {message}", fix=f"See {self.prog} --help.")


def execute(argv: Sequence[str]) -> int:
    """Run one command line."""
    console = Console(sys.stdout, sys.stderr, as_json="--json" in argv)
    try:
        return _dispatch(argv, console)
    except MlopsError as error:
        return report(error, console)
    except KeyboardInterrupt:
        console.note("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`… | head`): what it wanted, it has. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  (the last place that can turn a bug into words)
        return report(_bug(error), console)


def report(error: MlopsError, console: Console) -> int:
    """Say an error, in words on standard error and, with ``--json``, as JSON on standard output."""
    console.error(error)
    if console.as_json:
        console.emit({"error": error.to_dict()})
    return error.exit_code


def _dispatch(argv: Sequence[str], console: Console) -> int:
    name, rest = (argv[0], list(argv[1:])) if argv else ("--help", [])
    if name in {"-h", "--help", "help"}:
        console.line(_overview())
        return 0
    if name in {"-V", "--version"}:
        import jupyter_mlops

        console.line(jupyter_mlops.__version__)
        return 0
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise WrongUsage(f"there is no command {name!r}", fix=f"{meant}The commands are {', '.join(COMMANDS)}.")
    command = cast("Command", import_module(f"jupyter_mlops.cli.{name}{'_' * iskeyword(name)}"))
    targeted = getattr(command, "TARGETED", False)
    try:
        arguments = _parser(name, command, targeted=targeted).parse_args(rest)
    except SystemExit as done:  # argparse printed the help
        return int(done.code or 0)
    bench = _bench(arguments.home)
    if targeted:
        arguments.aim = f" --target {arguments.target}" if arguments.target else ""
        bench = bench.at(arguments.target)
    return command.run(arguments, console, bench)


def _parser(name: str, command: Command, *, targeted: bool) -> Parser:
    parser = Parser(
        prog=f"jupyter mlops {name}",
        description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".",
        epilog=f"examples:\n{command.EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.configure(parser)
    if targeted:
        add_target(parser)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else on standard output")
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="folder of runs, models and services (default: JUPYTER_MLOPS_HOME)"
    )
    return parser


def add_target(parser: argparse.ArgumentParser) -> None:
    """The option that says where."""
    parser.add_argument(
        "--target",
        metavar="NAME",
        help="local, or a cluster of `jupyter mlops targets` (default: as `targets use` says, else local)",
    )


def _bench(home: Path | None) -> Workbench:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.settings import Settings

    settings = Settings()
    if home is not None:
        settings = replace(settings, storage=replace(settings.storage, home=home.expanduser().resolve()))
    return Workbench(settings)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return (
        "usage: jupyter mlops COMMAND …\n\nFrom notebook cells to pipelines, models and endpoints.\n\n"
        f"commands:\n{listed}\n\n{TOP_EXAMPLES}"
    )


def _bug(error: Exception) -> Bug:
    """Keep the traceback in a file: a person reports it, a terminal does not need it."""
    import tempfile
    import traceback

    handle, path = tempfile.mkstemp(prefix="jupyter-mlops-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exception(type(error), error, error.__traceback__, file=file)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Bug(f"something that jupyter-mlops does not know went wrong: {said}", fix=f"Please report it with {path}.")
