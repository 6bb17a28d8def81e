"""``jupyter mlops predict``: call a service with rows of a file, or with those recorded at training."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import NotFound

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

EXAMPLES = """\
  jupyter mlops predict churn                             the rows recorded at training
  jupyter mlops predict churn --data rows.json            [{"age": 42, …}, …] or {"instances": […]}
  jupyter mlops predict churn --data rows.csv             with a header
  echo '[[5.1, 3.5, 1.4, 0.2]]' | jupyter mlops predict iris --data -
  jupyter mlops predict churn --json | jq .predictions"""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("--data", metavar="FILE", help="rows as JSON, or as CSV with a header; - is standard input")
    parser.add_argument("--namespace", metavar="NAMESPACE", help="namespace on this machine (default: default)")


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


def rows(source: str) -> bytes:
    """What a file or standard input holds; the model's signature decides how it is read. Raises NotFound."""
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"no file {source}", fix="Give a file with rows as JSON or CSV, or - for standard input.") from error
