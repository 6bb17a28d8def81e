"""``jupyter mlops registry …``: the embedded registry served over HTTP, kept in order, and copied from and to others."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli import housekeeping, logins
from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops registry serve                     on a free port of this machine, with a password
  jupyter mlops registry serve --port 5000
  jupyter mlops registry serve --no-auth           for a test on a machine that you alone use
  jupyter mlops registry token anna --users FILE   a team's registry: a token for each, then
  jupyter mlops registry token ben --users FILE --write 'models/team-b-*' --read '**'
  jupyter mlops registry serve --host 0.0.0.0 --users FILE --tls-cert cert.pem --tls-key key.pem
  jupyter mlops registry usage                     what each repository takes
  jupyter mlops registry gc --dry-run              what nothing leads to any more
  jupyter mlops registry fsck --repair             look at every byte, and mend what can be mended
  jupyter mlops registry copy models/churn:v3 https://registry.example.com/ml/churn
  jupyter mlops registry login registry.example.com --username anna"""

HIGHEST_PORT = 65535


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments: a verb, and what it takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON and nothing else")
    common.add_argument("--home", type=Path, metavar="DIR", default=argparse.SUPPRESS, help="folder that the registry is in")

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[common], allow_abbrev=False)

    _configure_serve(verb("serve", "serve the registry of this machine over HTTP until interrupted"))
    token = verb("token", "make a token for somebody, for serve --users")
    token.add_argument("name", metavar="NAME", help="whose it is")
    token.add_argument("--users", type=Path, required=True, metavar="FILE", help="file of users; made if need be")
    token.add_argument("--read-only", action="store_true", help="it may only read")
    for right, also in (("write", "read and write"), ("read", "read")):
        token.add_argument(
            f"--{right}", action="append", default=[], metavar="PATTERN",
            help=f"repositories that it may {also}, and no others: models/churn, models/team-*, datasets/**; repeatable",
        )  # fmt: skip
    housekeeping.configure(verb)
    logins.configure(verb)


def _configure_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--port", type=int, default=0, metavar="N", help="port (default: a free one)")
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen at (default: this machine alone)")
    serve.add_argument("--users", type=Path, metavar="FILE", help="who may log in, as `registry token` writes it")
    serve.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM file of the certificate, to serve HTTPS")
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM file of its key")
    serve.add_argument("--no-auth", action="store_true", help="ask for no password: every user of this machine may read and write")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Do what the verb says."""
    verbs: dict[str, Callable[[argparse.Namespace, Console, Workbench], int]] = {
        "serve": _serve,
        "token": _token,
        **housekeeping.VERBS,
        **logins.VERBS,
    }
    return verbs[arguments.verb](arguments, console, bench)


def _serve(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Serve until interrupted."""
    if not 0 <= arguments.port <= HIGHEST_PORT:
        raise WrongUsage(f"{arguments.port} is not a port", fix=f"Give a number from 0 to {HIGHEST_PORT}; 0 chooses a free one.")
    if arguments.no_auth and arguments.users:
        raise WrongUsage("--no-auth and --users contradict each other", fix="Leave one of them out.")
    if (arguments.tls_cert is None) != (arguments.tls_key is None):
        raise WrongUsage("HTTPS needs a certificate and its key", fix="Give --tls-cert and --tls-key.")
    from jupyter_mlops.registry.access import new_token
    from jupyter_mlops.registry.server import Options, serve

    token = None if arguments.no_auth or arguments.users else new_token()
    options = Options(
        bench.settings.storage.registry,
        arguments.port,
        token,
        arguments.host,
        arguments.users,
        arguments.tls_cert,
        arguments.tls_key,
    )
    serve(options, lambda url: _ready(url, token, console, users=arguments.users))
    console.note("stopped")
    return 0


def _ready(url: str, token: str | None, console: Console, *, users: Path | None) -> None:
    """Say where it is and how to get in; with ``--json`` as one line, while it goes on."""
    from jupyter_mlops.registry.access import LOOPBACK, USER

    if console.as_json:
        console.emit({"url": url, "user": USER if token else None, "token": token})
        return
    console.line(f"registry at {url}")
    console.out.flush()
    scheme, _, host = url.partition("://")
    if token is not None:
        plain = "--plain-http " if scheme == "http" else ""
        console.note(f"  log in: echo {token} | docker login --username {USER} --password-stdin {host}")
        console.note(f"      or: oras login {plain}--username {USER} --password {token} {host}")
    elif users is not None:
        console.note(f"  who may log in: {users}")
    else:
        console.note("It asks for no password: every user of this machine may read, write and delete.")
    if scheme == "http" and host.rpartition(":")[0].strip("[]") not in LOOPBACK:
        console.note("It speaks plain HTTP: passwords cross the network unless something before it speaks TLS.")
    console.note("Ctrl+C ends it; the folder stays.")


def _token(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Make a token, and show it this once."""
    del bench
    from jupyter_mlops.registry.access import new_token
    from jupyter_mlops.registry.rights import parse_rights, rights_of
    from jupyter_mlops.registry.users import add

    if arguments.read_only and arguments.write:
        raise WrongUsage("--read-only and --write do not go together", fix="Name with --read what it may read.")
    token, rights = new_token(), rights_of(read=arguments.read, write=arguments.write)
    if not rights.rules:
        rights = parse_rights("read" if arguments.read_only else "write")
    add(arguments.users, arguments.name, token, rights)
    if console.as_json:
        console.emit({"user": arguments.name, "token": token, "write": rights.may_write, "rights": rights.text})
        return 0
    console.line(token)
    wholly = {"read": "read", "write": "read and write"}
    may = wholly.get(rights.text) or ", ".join(f"{wholly[rule.right]} {rule.pattern}" for rule in rights.rules)
    console.note(f"{arguments.name} may {may}. The token is shown this once; the file keeps only its hash.")
    return 0
