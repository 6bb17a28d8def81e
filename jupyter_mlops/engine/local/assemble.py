"""The executed notebook: what ran, with the outputs that the steps have reported, as it grows.

The notebook is taken from the bundle, since that is what ran, whatever has been saved since. It is replaced as a whole, so
that an editor that has it open never reads half of it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.local.folder import replace_file
from jupyter_mlops.engine.local.observe import read_json
from jupyter_mlops.engine.local.request import Request


def notebooks(bundle: str, request: Request) -> tuple[Path, ...]:
    """Where the notebook of a run is found: in the unpacked bundle once a step has fetched it, else where it was submitted.

    Args:
        bundle: ``<repository>@sha256:…`` as the Workflow names it, or ''.
        request: what the submitter said.
    """
    hexadecimal = bundle.rpartition("sha256:")[2]
    unpacked = request.settings.storage.cache / "bundles" / hexadecimal / "notebook.ipynb"
    return (*((unpacked,) if hexadecimal else ()), *((Path(request.notebook),) if request.notebook else ()))


class Executed:
    """The executed notebook of one run, in the hands of its only writer."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._source: Mapping[str, Any] = {}
        self._outputs: dict[int, Mapping[str, Any]] = {}
        self._ended: dict[int, Mapping[str, Any]] = {}

    def use(self, candidates: Sequence[Path]) -> None:
        """Take the first notebook that can be read; what was taken once stays."""
        for path in candidates:
            if not self._source and isinstance((found := read_json(path)).get("cells"), list):
                self._source = found

    def add(self, folder: Path) -> None:
        """Take over what a step has reported in ``outputs.json``."""
        reported = read_json(folder / "outputs.json")
        own = {int(key): cell for key, cell in reported.items() if key.isdecimal() and isinstance(cell, Mapping)}
        updates = reported.get("updates")
        if isinstance(updates, Mapping):
            for index in self._outputs.keys() - own.keys():
                self._outputs[index] = _updated(self._outputs[index], updates)
        self._outputs |= own

    def end_cell(self, cell: int, message: str) -> None:
        """Say in the notebook that a cell was cut short, where the step itself could not."""
        self._ended[cell] = {"output_type": "error", "ename": "StepEnded", "evalue": message, "traceback": [message]}

    def write(self) -> None:
        """Replace the file, if there is anything to show."""
        if not self._source or not (self._outputs or self._ended):
            return
        document = copy.deepcopy(dict(self._source))
        for index, cell in enumerate(document["cells"]):
            if not isinstance(cell, dict) or cell.get("cell_type") != "code":
                continue
            ran = self._outputs.get(index, {})
            cell["execution_count"] = ran.get("execution_count")
            cell["outputs"] = [_plain(output) for output in ran.get("outputs") or ()]
            if index in self._ended and not any(output.get("output_type") == "error" for output in cell["outputs"]):
                cell["outputs"].append(self._ended[index])
        replace_file(self._target, (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())


def _updated(cell: Mapping[str, Any], updates: Mapping[str, Any]) -> Mapping[str, Any]:
    """A cell's outputs with what a later step has made of its displays."""
    outputs = [{**output, **updates.get(_display_id(output), {})} for output in cell.get("outputs") or ()]
    return {**cell, "outputs": outputs}


def _display_id(output: Mapping[str, Any]) -> str:
    transient = output.get("transient")
    return str(transient.get("display_id") or "") if isinstance(transient, Mapping) else ""


def _plain(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output as a notebook file has it."""
    return {key: value for key, value in output.items() if key != "transient"}
