"""Every error that leaves this package, in one tree, so that each surface shows the same four things.

A message alone does not help the person who reads it. Each error says *what* happened (the message), *who* can change it
(``blame``), *where* it is (``where``: notebook, cell, line, field) and *how* to get on (``fix``). The command line, the
REST interface, the magics and the panels print these and nothing else; a traceback is for the log. No error of a library
crosses a port: an adapter catches it and raises one of these with ``from``.

    MlopsError                  never raised itself
    ├── Refused                 the notebook or document is not taken; carries all diagnostics          exit 2, HTTP 422
    ├── WrongUsage              an argument that cannot be right: name, parameter, option               exit 2, HTTP 400
    ├── NotFound                no such run, model, service, kernel                                      exit 2, HTTP 404
    ├── Conflict                it exists, is busy, or the port is taken                                 exit 2, HTTP 409
    ├── StepFailed              the notebook's own code raised                                           exit 1, HTTP 422
    ├── NotStorable             a value that a later step asks for cannot be handed on                   exit 1, HTTP 422
    ├── NotAllowed              policy forbids it: an untrusted pickle, a foreign kubeconfig             exit 2, HTTP 403
    ├── PredictionRejected      the model server does not take this input                                exit 1, HTTP 400
    ├── PlatformError           the machine, registry or cluster: disk full, unreachable, corrupt        exit 1, HTTP 502
    │   ├── StorageFull                                                                                  HTTP 507
    │   ├── Corrupt             bytes that do not have their digest                                      HTTP 502
    │   └── Unavailable         does not answer; trying again can help                                   HTTP 503
    └── Bug                     ours; please report it                                                   exit 1, HTTP 500

This module is standard library only and imports nothing: it travels in the bundle of a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

Blame = Literal["user", "platform", "us"]


@dataclass(frozen=True)
class Where:
    """A place that a person can go to.

    ``cell`` counts all cells of the notebook from 0, ``line`` the lines of that cell from 1; None where it does not apply.
    """

    notebook: str | None = None
    cell: int | None = None
    line: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        """As people read it: ``churn.ipynb, cell 3, line 2``."""
        parts = [
            self.notebook,
            None if self.cell is None else f"cell {self.cell}",
            None if self.line is None else f"line {self.line}",
            self.field,
        ]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Diagnostic:
    """One finding about a notebook. ``severity`` error refuses it; warning and info do not."""

    code: str
    severity: Literal["error", "warning", "info"]
    message: str
    cell: int | None = None
    line: int | None = None
    fix: str = ""

    @property
    def docs(self) -> str:
        """Where the documentation speaks of it."""
        return f"docs/notebooks.md#{self.code}"


def placed(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings, those about a whole cell (its tags, its metadata) on the cell's first line."""
    return [replace(d, line=1) if d.cell is not None and d.line is None else d for d in found]


@dataclass
class MlopsError(Exception):
    """Base of the tree. ``code`` is stable (kebab-case), for scripts and documentation; the message is for people."""

    message: str
    code: str = ""
    fix: str = ""
    where: Where = field(default_factory=Where)

    default_code: ClassVar[str] = "error"
    blame: ClassVar[Blame] = "user"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Fill the class's own code and make ``str(error)`` the message."""
        super().__init__(self.message)
        if not self.code:
            self.code = self.default_code

    __hash__ = Exception.__hash__

    def __str__(self) -> str:
        """Message and place, one line."""
        place = str(self.where)
        return f"{self.message} ({place})" if place else self.message

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that REST, ``--json`` and the panels share."""
        return {
            "code": self.code,
            "blame": self.blame,
            "message": self.message,
            "fix": self.fix,
            "notebook": self.where.notebook,
            "cell": self.where.cell,
            "line": self.where.line,
            "field": self.where.field,
        }


@dataclass
class Refused(MlopsError):
    """The notebook or document is not taken. ``diagnostics`` holds every finding, not only the first."""

    diagnostics: tuple[Diagnostic, ...] = ()
    default_code = "refused"
    status = 422
    exit_code = 2
    __hash__ = Exception.__hash__

    def to_dict(self) -> dict[str, Any]:
        """With all diagnostics, each in the form of the ``convert --json`` contract."""
        found = [
            {
                "code": d.code,
                "severity": d.severity,
                "cell": d.cell,
                "line": d.line,
                "message": d.message,
                "fix": d.fix,
                "docs": d.docs,
            }
            for d in self.diagnostics
        ]
        return {**super().to_dict(), "diagnostics": found}


class WrongUsage(MlopsError):
    """An argument that cannot be right."""

    default_code = "wrong-usage"
    status = 400
    exit_code = 2


class NotFound(MlopsError):
    """No such run, model, service, kernel or file; the fix lists what there is."""

    default_code = "not-found"
    status = 404
    exit_code = 2


class Conflict(MlopsError):
    """It exists already, is busy, or the port is taken."""

    default_code = "conflict"
    status = 409
    exit_code = 2


class NotAllowed(MlopsError):
    """Policy forbids it."""

    default_code = "not-allowed"
    status = 403
    exit_code = 2


class StepFailed(MlopsError):
    """The notebook's own code raised; ``where`` names cell and line."""

    default_code = "step-failed"
    status = 422


class NotStorable(MlopsError):
    """A value that a later step asks for cannot be handed on; the message names it and its type."""

    default_code = "not-storable"
    status = 422


class PredictionRejected(MlopsError):
    """The model server does not take this input; the message names the columns or the field."""

    default_code = "prediction-rejected"
    status = 400


class PlatformError(MlopsError):
    """The machine, the registry or the cluster."""

    default_code = "platform"
    blame = "platform"
    status = 502


class StorageFull(PlatformError):
    """No room left where the registry or a run writes."""

    default_code = "storage-full"
    status = 507


class Corrupt(PlatformError):
    """Bytes that do not have the digest under which they were asked for."""

    default_code = "corrupt"


class Unavailable(PlatformError):
    """Does not answer, or not in time; trying again can help."""

    default_code = "unavailable"
    status = 503


class Bug(MlopsError):
    """Ours. The fix asks to report it with the log."""

    default_code = "bug"
    blame = "us"
    status = 500
