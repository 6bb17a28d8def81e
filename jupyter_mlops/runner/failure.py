"""Why a step ended: the exact cell and line, a traceback without our frames, and the message the platform keeps.

The line is that of the statement of the cell that failed, also when the exception came out of a function, of this cell or
of another: the traceback tells the rest.
"""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import MlopsError, NotStorable
from jupyter_mlops.runner.sources import binding_line, naming_place

LIMIT = 4096
"""Bytes of a termination message, as Kubernetes has it."""

EXIT_USER, EXIT_REFUSED, EXIT_PLATFORM = 1, 2, 3
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_TOP = ("<module>", "<cell line: 1>")
_MAGIC_BODY = ("<timed exec>", "<timed eval>", "<magic-timeit>", "<string>")
_SKIPPED = ("/IPython/", "/jupyter_mlops/runner/", "/traitlets/", "<decorator-gen")


class Terminated(BaseException):
    """SIGTERM: somebody stopped the run."""


@dataclass(frozen=True)
class Failure:
    """The end of a step, in the form of the termination message."""

    code: str
    message: str
    blame: str = "user"
    cell: int | None = None
    line: int | None = None
    step: str = ""
    error: str = ""
    traceback: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    fix: str = ""
    ran: bool = True
    """False: refused before a cell ran. Decides the exit code, and is not part of the message."""

    @property
    def exit_code(self) -> int:
        """1 the notebook's code, 2 refused before it ran, 3 the platform or ours."""
        if self.blame != "user":
            return EXIT_PLATFORM
        return EXIT_USER if self.ran else EXIT_REFUSED

    def to_json(self) -> dict[str, Any]:
        """As in ``docs/formats.md``."""
        return {
            "code": self.code, "blame": self.blame, "message": self.message, "cell": self.cell, "line": self.line,
            "step": self.step, "error": self.error, "traceback": self.traceback, "names": self.names, "fix": self.fix,
        }  # fmt: skip


def of_error(
    error: MlopsError, step: str, sources: Mapping[int, str] | None = None, cells: Iterable[int] = (), *, ran: bool = False
) -> Failure:
    """A failure that one of our errors says.

    Args:
        error: what happened.
        step: where.
        sources: the cells, to find the line that binds the name which the error is about.
        cells: those of the step, to find the line that names what cannot be handed on where no cell is known.
        ran: whether cells of the step have run.
    """
    where = error.where
    cell, line = where.cell, where.line
    if cell is None and isinstance(error, NotStorable) and where.field:
        cell, line = naming_place(sources or {}, cells, where.field)
    elif line is None and where.cell is not None and where.field and sources:
        line = binding_line(sources.get(where.cell, ""), where.field)
    kind = type(error).__name__
    return Failure(error.code, error.message, error.blame, cell, line, step, kind, fix=error.fix, ran=ran)


def of_exception(
    error: BaseException, step: str, cell: int, files: Mapping[str, int], names: Mapping[str, Any], source: str
) -> Failure:
    """A failure of a cell; ``files`` tells which code file is which cell."""
    kind = "SyntaxError" if isinstance(error, SyntaxError) else type(error).__name__
    line = line_of(error, cell, files, source)
    said = _said(error)
    place = f"cell {cell}" if line is None else f"cell {cell}, line {line}"
    known = {"code": error.code, "fix": error.fix, "message": error.message} if isinstance(error, MlopsError) else {}
    return Failure(
        code=str(known.get("code", "step-failed")),
        message=str(known.get("message", f"{kind} in {place}: {said}" if said else f"{kind} in {place}")),
        cell=cell,
        line=line,
        step=step,
        error=kind,
        traceback=frames_of(error, files),
        names={name: type(value).__name__ for name, value in names.items()},
        fix=str(known.get("fix", _fix_of(error))),
    )


def _fix_of(error: BaseException) -> str:
    """What helps against an exception of the notebook's own code."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return "Correct the cell and run again."
    missing = error.name.partition(".")[0]
    if "KUBERNETES_SERVICE_HOST" in os.environ:  # set in every pod
        image = os.environ.get("MLOPS_IMAGE")
        return (
            f"Run it in an image that has {missing}: set `image` of the target or of the step"
            f"{f' (it was {image})' if image else ''}, or put {missing}.py beside the notebook if it is a module of yours."
        )
    return f"Install it into the kernel's environment (pip install {missing}), or put {missing}.py beside the notebook."


def line_of(error: BaseException, cell: int, files: Mapping[str, int], source: str) -> int | None:
    """Line of the cell, from 1: that of the last of its own frames, or of the syntax error."""
    if isinstance(error, SyntaxError) and (error.filename is None or error.filename in files or error.__traceback__ is None):
        return error.lineno
    line, magic = None, source.lstrip().startswith("%%")
    top = source[: len(source) - len(source.lstrip())].count("\n")
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if frame.f_code.co_name not in _TOP:
            continue
        if files.get(name) == cell:
            line = number
        elif magic and name in _MAGIC_BODY:
            line = number + 1 + top  # the body of a cell magic starts below its line
    if line is None and isinstance(error, SyntaxError):
        return error.lineno
    return line


def frames_of(error: BaseException, files: Mapping[str, int]) -> list[str]:
    """The traceback as lines, innermost last; cells by number, ours and IPython's frames left out."""
    found = []
    for part in traceback.extract_tb(error.__traceback__):
        if any(word in part.filename.replace("\\", "/") for word in _SKIPPED):
            continue
        place = f"cell {files[part.filename]}" if part.filename in files else part.filename
        found.append(f"{place}, line {part.lineno}, in {part.name}" + (f": {part.line}" if part.line else ""))
    said = _said(error)
    return [*found, f"{type(error).__name__}: {said}" if said else type(error).__name__]


def write_termination(failure: Failure, path: Path) -> None:
    """Write the message, shortened to what the platform keeps. Raises OSError."""
    path.write_bytes(shortened(failure))


def shortened(failure: Failure, limit: int = LIMIT) -> bytes:
    """JSON of at most ``limit`` bytes: names go first, then the middle of the traceback, then the end of the texts."""
    document = failure.to_json()

    def data() -> bytes:
        return json.dumps(document, separators=(",", ":")).encode()

    while len(data()) > limit and document["names"]:
        document["names"] = dict(list(document["names"].items())[: len(document["names"]) // 2])
    while len(data()) > limit and len(document["traceback"]) > 1:
        del document["traceback"][len(document["traceback"]) // 2 - 1]
    for key in ("traceback", "message", "fix", "error"):
        while len(data()) > limit and document[key]:
            document[key] = document[key][: len(document[key]) // 2]
    return data()


def _said(error: BaseException) -> str:
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:  # noqa: BLE001  (an exception of the notebook that cannot say itself)
        text = ""
    return ANSI.sub("", text or "")[:2000]
