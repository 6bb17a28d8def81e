"""The executed notebook on this machine, as it grows: a file that is replaced as a whole, so that no editor reads half of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jupyter_mlops.engine.executed import ExecutedNotebook
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


class Executed(ExecutedNotebook):
    """The executed notebook of one run, in the hands of its only writer."""

    def __init__(self, target: Path) -> None:
        super().__init__()
        self._target = target

    def use(self, candidates: Sequence[Path]) -> None:
        """Take the first notebook that can be read; what was taken once stays."""
        for path in candidates:
            if not self.known:
                self.take_notebook(read_json(path))

    def add(self, folder: Path, branch: int | None = None) -> None:
        """Take over what a step, or a branch of one, has reported in ``outputs.json``."""
        self.take_outputs(read_json(folder / "outputs.json"), branch)

    def write(self) -> None:
        """Replace the file, if there is anything to show."""
        data = self.data()
        if data is not None:
            replace_file(self._target, data)
