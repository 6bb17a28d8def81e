"""``jupyter mlops predict``: call a service with rows of a file, or with those recorded at training."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import NotFound, Where, WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops predict churn                             the rows recorded at training
  jupyter mlops predict churn --data rows.json            [{"age": 42, …}, …] or {"instances": […]}
  echo '[[5.1, 3.5, 1.4, 0.2]]' | jupyter mlops predict iris --data -
  jupyter mlops predict churn --json | jq .predictions"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("--data", metavar="FILE", help="rows as JSON; - is standard input")
    parser.add_argument("--namespace", metavar="NAMESPACE", help="namespace (default: default)")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Call and print."""
    data = None if arguments.data is None else rows(arguments.data)
    found = bench.predict(arguments.service, data, arguments.namespace)
    if console.as_json:
        console.emit({"predictions": found.predictions, "milliseconds": found.milliseconds})
        return 0
    for prediction in found.predictions:
        console.line(prediction if isinstance(prediction, str) else json.dumps(prediction, ensure_ascii=False))
    count = len(found.predictions)
    console.note(f"{count} prediction{'' if count == 1 else 's'} in {found.milliseconds:.1f} ms")
    return 0


def rows(source: str) -> Any:
    """The JSON document of a file or of standard input. Raises NotFound or WrongUsage."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return json.loads(text)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"no file {source}", fix="Give a file with rows as JSON, or - for standard input.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        name = "standard input" if source == "-" else source
        raise WrongUsage(f"{name} is not JSON: {error}", fix='Write rows like [{"age": 42}, …].', where=Where(line=line)) from error
