"""The outputs of a cell as nbformat 4 says them: streams joined, displays updated in place, results, errors.

What a front end does with messages is done here, since nobody else sees them: ``clear_output`` (also the delayed kind),
``update_display`` of a display made by an earlier cell, text of one stream in one piece. A display that an earlier *step* made is
not here: such an update is kept in ``updates`` for whoever puts the notebook together, which finds the display by the
``transient`` id that its output carries (a notebook file has no such field, so that it is taken out there).
"""

from __future__ import annotations

import threading
from typing import Any

Output = dict[str, Any]


class Outputs:
    """Outputs of the cells of one step; text goes to the log at the same time."""

    def __init__(self) -> None:
        self._cells: dict[int, list[Output]] = {}
        self.updates: dict[str, Output] = {}
        self._current: list[Output] = []
        self._clear_next = False
        self._displays: dict[str, list[Output]] = {}
        self._lock = threading.RLock()
        self._open: Output | None = None
        self._pieces: list[str] = []
        """Text of the output ``_open`` that is not in it yet: joined at each print it would cost the square of its length."""

    @property
    def cells(self) -> dict[int, list[Output]]:
        """Cell → its outputs."""
        with self._lock:
            self._settle()
            return self._cells

    def begin(self, cell: int) -> None:
        """Outputs belong to this cell from now on."""
        with self._lock:
            self._settle()
            self._current = self._cells.setdefault(cell, [])
            self._clear_next = False

    def stream(self, name: str, text: str) -> None:
        """Text on ``stdout`` or ``stderr``."""
        with self._lock:
            if self._clear_next:
                self._before_output()
            last = self._current[-1] if self._current else None
            if last is None or last["output_type"] != "stream" or last["name"] != name:
                self._settle()
                last = {"output_type": "stream", "name": name, "text": ""}
                self._current.append(last)
            elif last is not self._open:
                self._settle()
            self._open = last
            self._pieces.append(text)

    def display(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None = None) -> None:
        """A display; one with an id can be updated."""
        with self._lock:
            self._before_output()
            output = {"output_type": "display_data", "data": data, "metadata": metadata}
            self._current.append(output)
            if display_id:
                output["transient"] = {"display_id": display_id}
                self._displays.setdefault(display_id, []).append(output)

    def update(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str) -> None:
        """Change every display of this id, in whatever cell and step; nothing if there is none."""
        with self._lock:
            self.updates[display_id] = {"data": data, "metadata": metadata}
            for output in self._displays.get(display_id, ()):
                output["data"], output["metadata"] = data, metadata

    def result(self, count: int, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """The value of a cell's last expression."""
        with self._lock:
            self._before_output()
            self._current.append({"output_type": "execute_result", "execution_count": count, "data": data, "metadata": metadata})

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """The exception at which a cell stopped."""
        with self._lock:
            self._before_output()
            self._current.append({"output_type": "error", "ename": name, "evalue": value, "traceback": traceback})

    def clear(self, *, wait: bool) -> None:
        """Remove the cell's outputs, at once or when the next one comes."""
        with self._lock:
            if wait:
                self._clear_next = True
            else:
                self._settle()
                self._current.clear()

    def _settle(self) -> None:
        """Put the pieces of text into their output."""
        if self._open is not None and self._pieces:
            self._open["text"] += "".join(self._pieces)
        self._open, self._pieces = None, []

    def _before_output(self) -> None:
        self._settle()
        if self._clear_next:
            self._current.clear()
            self._clear_next = False
