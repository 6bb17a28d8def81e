"""What ``%mlops`` takes: the command line's own words, parsed without ever ending the kernel.

``argparse`` prints and exits, which in a kernel would end up as a traceback of ``SystemExit``. Here a wrong option is a
``WrongUsage`` like any other error, and ``--help`` a page like any other.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from jupyter_mlops.errors import WrongUsage


class HelpAsked(Exception):
    """``--help`` was given; ``text`` is what to show."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Parser(argparse.ArgumentParser):
    """``argparse`` that raises instead of printing and exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage with the usage line as the fix."""
        raise WrongUsage(f"{self.prog}: {message}", fix=f"{self.prog} --help shows what it takes.")

    def print_help(self, file: Any = None) -> None:
        """Carry the help text out."""
        del file
        raise HelpAsked(self.format_help())


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def _port(text: str) -> int:
    number = int(text)
    highest = 65535
    if not 1 <= number <= highest:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to {highest}, not {number}")
    return number


def build() -> tuple[Parser, Mapping[str, Parser]]:
    """The parser of ``%mlops`` and those of its commands, by name."""
    parser = Parser(prog="%mlops", description="From this notebook to a pipeline, a model and an endpoint.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    def command(name: str, about: str, example: str) -> Parser:
        return commands.add_parser(
            name, help=about, description=about, epilog=f"example: {example}", formatter_class=argparse.RawDescriptionHelpFormatter
        )

    made = {
        "convert": _convert(command("convert", "Show the pipeline of a notebook.", "%mlops convert -o workflow.yaml")),
        "preflight": _notebook(
            command("preflight", "Look at what a run would hand from step to step, in this kernel.", "%mlops preflight")
        ),
        "check": _check(command("check", "Run a notebook as one kernel and as a pipeline, and compare.", "%mlops check")),
        "run": _run(command("run", "Run a notebook as a pipeline and follow it.", "%mlops run -p trees=100")),
        "runs": _runs(command("runs", "List runs, show one, or delete one.", "%mlops runs --limit 5")),
        "logs": _logs(command("logs", "Show what a run printed.", "%mlops logs --step train")),
        "models": _models(command("models", "List registered models, or the versions of one.", "%mlops models churn")),
        "deploy": _deploy(command("deploy", "Serve a registered model and wait until it is ready.", "%mlops deploy churn:v2")),
        "predict": _predict(command("predict", "Call a service.", "%mlops predict churn --data X_test.head()")),
        "services": _services(command("services", "List services, or show one with its log.", "%mlops services churn")),
        "stop": _stop(command("stop", "Stop a run or a service.", "%mlops stop churn")),
        "targets": _targets(command("targets", "List where runs can go, or look whether one works.", "%mlops targets dev --check")),
        "use": _use(command("use", "Choose where commands go that name no target.", "%mlops use dev")),
    }
    return parser, made


def parse(line: str) -> argparse.Namespace:
    """The options of one ``%mlops`` line.

    Raises:
        WrongUsage: Not a command or option; the fix names the nearest.
        HelpAsked: ``--help``, or no command at all.
    """
    parser, commands = build()
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise WrongUsage(f"%mlops: {error}", fix="Close the quotation mark, or put a backslash before it.") from error
    if not words:
        raise HelpAsked(parser.format_help())
    command, rest = words[0], _python_kept(line, words)[1:]
    if command in commands:
        return commands[command].parse_args(rest, argparse.Namespace(command=command))
    if command.startswith("-"):
        return parser.parse_args(words)
    near = get_close_matches(command, commands, n=1)
    fix = f"Did you mean %mlops {near[0]}?" if near else f"Commands: {', '.join(commands)}."
    raise WrongUsage(f"%mlops has no command {command!r}", fix=fix)


def options(name: str) -> Sequence[str]:
    """The long and short options of a command, for completion."""
    _, commands = build()
    return tuple(commands[name]._option_string_actions) if name in commands else ()  # noqa: SLF001  (argparse offers no other way)


def assignments(pairs: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` pairs. Values stay text: the pipeline reads them by the type of each parameter.

    Raises:
        WrongUsage: No ``=`` in it, or no name before it.
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise WrongUsage(f"-p {pair}: not NAME=VALUE", fix="For example -p trees=100")
        values[name] = text
    return values


def _python_kept(line: str, words: list[str]) -> list[str]:
    """The words of the line, but what follows ``--data`` as one: it is Python, and its quotation marks belong to it."""
    if words[0] != "predict" or "--data" not in words:
        return words
    before, _, expression = line.partition("--data")
    return [*shlex.split(before), "--data", expression.strip()] if expression.strip() else words


def _targeted(parser: Parser) -> Parser:
    parser.add_argument(
        "--target", metavar="NAME", help="where: local, or a cluster of %%mlops targets; the default one if none is given"
    )
    return parser


def _notebook(parser: Parser) -> Parser:
    parser.add_argument("notebook", nargs="?", metavar="NOTEBOOK", help="path of a notebook; this one if none is given")
    return parser


def _convert(parser: Parser) -> Parser:
    _notebook(parser).add_argument("-o", "--output", metavar="FILE", help="write the Argo Workflow to this file, as YAML")
    return parser


def _check(parser: Parser) -> Parser:
    _notebook(parser)
    parser.add_argument(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="set a parameter; may be repeated"
    )
    parser.add_argument("--kernel", metavar="NAME", help="kernelspec to use instead of the notebook's")
    return parser


def _run(parser: Parser) -> Parser:
    _check(parser)
    parser.add_argument("--resume", metavar="RUN", help="take over finished steps of this run where nothing they depend on changed")
    _targeted(parser)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--detach", action="store_true", help="start it and go on")
    shown.add_argument("--widget", action="store_true", help="start it and go on, with a live view that can stop it")
    return parser


def _runs(parser: Parser) -> Parser:
    parser.add_argument("run", nargs="?", metavar="RUN", help="name of a run to show")
    parser.add_argument("--limit", type=positive, default=10, metavar="N", help="list this many (default 10)")
    parser.add_argument("--delete", action="store_true", help="delete RUN with its logs and state; models it made stay")
    return _targeted(parser)


def _logs(parser: Parser) -> Parser:
    parser.add_argument("run", nargs="?", metavar="RUN", help="name of a run; the newest if none is given")
    parser.add_argument("--step", metavar="NAME", help="only this step")
    parser.add_argument("--tail", type=positive, default=200, metavar="N", help="last lines only (default 200)")
    return _targeted(parser)


def _models(parser: Parser) -> Parser:
    parser.add_argument("model", nargs="?", metavar="NAME", help="show the versions of this model")
    return _targeted(parser)


def _namespaced(parser: Parser) -> Parser:
    parser.add_argument("--namespace", metavar="NAME", help="namespace of the service on this machine")
    return _targeted(parser)


def _deploy(parser: Parser) -> Parser:
    parser.add_argument("model", metavar="MODEL", help="NAME, NAME:TAG or NAME@DIGEST")
    parser.add_argument("--name", metavar="NAME", help="name of the service; the model's if none is given")
    parser.add_argument("--port", type=_port, metavar="N", help="listen on this port of 127.0.0.1; a free one if none is given")
    parser.add_argument("--gpu", type=positive, default=0, metavar="N", help="on a cluster: this many GPUs")
    parser.add_argument("--detach", action="store_true", help="do not wait until it is ready")
    return _namespaced(parser)


def _predict(parser: Parser) -> Parser:
    parser.add_argument("service", metavar="SERVICE", help="name of a service")
    parser.add_argument("--into", metavar="NAME", help="keep the predictions in this variable")
    _namespaced(parser)
    parser.add_argument(
        "--data", metavar="EXPRESSION", help="rows to send: a Python expression, last on the line; else the recorded sample"
    )
    return parser


def _services(parser: Parser) -> Parser:
    parser.add_argument("service", nargs="?", metavar="SERVICE", help="show this one, with the end of its log")
    return _namespaced(parser)


def _stop(parser: Parser) -> Parser:
    parser.add_argument("name", metavar="RUN|SERVICE", help="name of a run or a service")
    parser.add_argument("--delete", action="store_true", help="delete it as well")
    return _namespaced(parser)


def _targets(parser: Parser) -> Parser:
    parser.add_argument("name", nargs="?", metavar="NAME", help="show what is known of this one")
    parser.add_argument("--check", action="store_true", help="look now whether it works")
    return parser


def _use(parser: Parser) -> Parser:
    parser.add_argument("name", metavar="NAME", help="local, or a cluster of %%mlops targets")
    return parser
