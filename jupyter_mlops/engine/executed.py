"""The executed notebook: what ran, with the outputs that the steps have reported.

The notebook is taken from the bundle, since that is what ran, whatever has been saved since. Pure: where notebooks and
reports come from and where the result goes is each engine's own matter.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any


class ExecutedNotebook:
    """The executed notebook of one run as it grows."""

    def __init__(self) -> None:
        self._source: Mapping[str, Any] = {}
        self._outputs: dict[int, Mapping[str, Any]] = {}
        self._ended: dict[int, Mapping[str, Any]] = {}
        self._branches: dict[int, dict[int, Mapping[str, Any]]] = {}

    @property
    def known(self) -> bool:
        """Whether there is a notebook yet."""
        return bool(self._source)

    def take_notebook(self, document: Mapping[str, Any]) -> None:
        """Take a notebook as what ran; what was taken once stays."""
        if not self._source and isinstance(document.get("cells"), list):
            self._source = document

    def take_outputs(self, reported: Mapping[str, Any], branch: int | None = None) -> None:
        """Take over what a step has reported: outputs by cell, and what became of earlier displays.

        A cell that ran in several branches shows the outputs of all, in the order of the items.
        """
        own = {int(key): cell for key, cell in reported.items() if key.isdecimal() and isinstance(cell, Mapping)}
        if branch is not None:
            for index, cell in own.items():
                self._branches.setdefault(index, {})[branch] = cell
                own[index] = _one_after_the_other(self._branches[index])
        updates = reported.get("updates")
        if isinstance(updates, Mapping):
            for index in self._outputs.keys() - own.keys():
                self._outputs[index] = _updated(self._outputs[index], updates)
        self._outputs |= own

    def end_cell(self, cell: int, message: str) -> None:
        """Say in the notebook that a cell was cut short, where the step itself could not."""
        self._ended[cell] = {"output_type": "error", "ename": "StepEnded", "evalue": message, "traceback": [message]}

    def data(self) -> bytes | None:
        """The file's bytes; None while there is nothing to show."""
        if not self._source or not (self._outputs or self._ended):
            return None
        document = copy.deepcopy(dict(self._source))
        for index, cell in enumerate(document["cells"]):
            if not isinstance(cell, dict) or cell.get("cell_type") != "code":
                continue
            ran = self._outputs.get(index, {})
            cell["execution_count"] = ran.get("execution_count")
            cell["outputs"] = [_plain(output) for output in ran.get("outputs") or ()]
            if index in self._ended and not any(output.get("output_type") == "error" for output in cell["outputs"]):
                cell["outputs"].append(self._ended[index])
        return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _one_after_the_other(branches: Mapping[int, Mapping[str, Any]]) -> Mapping[str, Any]:
    """One cell's outputs in several branches."""
    ordered = [branches[number] for number in sorted(branches)]
    return {**ordered[0], "outputs": [output for cell in ordered for output in cell.get("outputs") or ()]}


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
