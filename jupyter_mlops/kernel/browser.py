"""What the browser asks of a live kernel: a preflight, answered as JSON beside the cells, without a trace in the session.

The question comes as a user expression of Jupyter's protocol: no name is bound, no output is shown, the history stays as it is. It
brings the steps and links that the panel shows, so that the answer is about those, saved or not, and nothing is planned here.
Names, types, sizes and steps go back; never a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.kernel.preflight import Crossing, Preflight, advice, joined, preflight
from jupyter_mlops.pipeline.pipeline import Link, Pipeline, Step


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON document; Jupyter shows it by its kind."""

    document: Mapping[str, Any]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude
        return {"application/json": dict(self.document), "text/plain": ""}

    def __repr__(self) -> str:
        return ""


def answer(question: str) -> Answer:
    """Examine what the running kernel would hand from step to step.

    Args:
        question: JSON of ``steps`` and ``links`` as a conversion has them, and ``notebook``, the file's name.

    Raises:
        PlatformError: this is no IPython kernel.
    """
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is None:
        raise PlatformError("preflight looks into an IPython kernel, and this is none", fix="Use a notebook's kernel.")
    asked = json.loads(question)
    found = preflight(_pipeline(asked), shell.user_ns, shell)
    return Answer(report(found, str(asked["notebook"])))


def report(found: Preflight, notebook: str) -> dict[str, Any]:
    """A preflight as the panel takes it: ``{"crossings", "absent"}``."""
    return {"crossings": [_told(one, notebook) for one in found.crossings], "absent": list(found.absent)}


def _told(crossing: Crossing, notebook: str) -> dict[str, Any]:
    said, steps = advice(crossing, notebook), joined(crossing)
    return {
        "names": list(crossing.names),
        "types": list(crossing.types),
        "size": crossing.size,
        "made": list(crossing.made),
        "needed": list(crossing.needed),
        "reason": crossing.reason,
        "warning": "" if said is None else said[0],
        "fix": _fix(crossing, said),
        "join": None if steps is None else list(steps),
    }


def _fix(crossing: Crossing, said: tuple[str, str] | None) -> str:
    """What to do besides making steps one, for which the panel has a button."""
    if said is None or crossing.reason:
        return ""
    return f"Or make less of {' and '.join(crossing.names)} in {crossing.made[0]}." if joined(crossing) else said[1]


def _pipeline(asked: Mapping[str, Any]) -> Pipeline:
    steps = tuple(Step(one["name"], tuple(one["cells"])) for one in asked["steps"])
    links = tuple(Link(one["from"], one["to"], tuple(one["names"]), one["kind"]) for one in asked["links"])
    return Pipeline("", str(asked["notebook"]), steps, links)
