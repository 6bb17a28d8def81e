"""A fresh machine for a test: a home of its own, a copy of the examples, and the command line as a person calls it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
JUPYTER = Path(sys.executable).parent / "jupyter"
PATIENCE = 120.0


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out[-3000:]}\n--- err\n{self.err[-3000:]}"


class Machine:
    """One home below ``folder``; leave with ``clean``, which ends whatever still runs in it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.work = folder / "examples"
        self.home.mkdir(parents=True)
        shutil.copytree(ROOT / "examples", self.work, ignore=shutil.ignore_patterns(".*", "readings.csv"))
        self.env = {
            "PATH": f"{JUPYTER.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "JUPYTER_MLOPS_HOME": str(self.home / "mlops"),
            "LANG": "C.UTF-8",
        }

    def run(self, *words: object, cwd: Path | None = None, stdin: str | None = None, prefix: tuple[str, ...] = ()) -> Done:
        """``jupyter mlops WORDS``."""
        command = [*prefix, str(JUPYTER), "mlops", *map(str, words)]
        done = subprocess.run(
            command, cwd=cwd or self.work, env=self.env, input=stdin, capture_output=True, text=True, timeout=PATIENCE
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ask(self, *words: object, code: int = 0, **options: Any) -> Any:
        """The JSON answer of a command that must end with ``code``; nothing of ours may look like a crash."""
        done = self.run(*words, "--json", **options)
        assert done.code == code, done
        assert "Traceback (most recent call last)" not in done.err, done
        return done.json

    def processes(self) -> dict[int, str]:
        """Processes that carry this home in their environment, with their command lines."""
        mark = f"JUPYTER_MLOPS_HOME={self.env['JUPYTER_MLOPS_HOME']}".encode()
        found = {int(entry.name): _command(entry, mark) for entry in Path("/proc").glob("[0-9]*")}
        return {pid: command for pid, command in found.items() if command and pid != os.getpid()}

    def quiet(self, patience: float = 20.0) -> dict[int, str]:
        """What still runs after a while; {} when the machine is quiet."""
        end = time.monotonic() + patience
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def clean(self) -> None:
        """Stop services and runs by their names, then whatever is left by its id."""
        for service in self.run("services", "--json").json.get("services", []):
            self.run("services", "delete", service["name"])
        for run in self.run("runs", "--json").json.get("runs", []):
            self.run("stop", run["name"])
        for pid in self.quiet(5.0):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)


def _command(entry: Path, mark: bytes) -> str:
    """Command line of a process that has the mark in its environment, else ''."""
    try:
        if mark in (entry / "environ").read_bytes():
            return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        pass  # it ended, or belongs to somebody else
    return ""
