"""What lies around a notebook on this machine: the one place where conversion looks at a folder and at installed modules.

Conversion starts no interpreter. Whether a module is installed is known where the notebook's kernel is ``python3``, which in
Jupyter is the Python that Jupyter runs with; for any other kernel, and for images of a cluster, the run tells.
"""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.pipeline.surroundings import Surroundings

OWN_KERNELS = frozenset({"", "python3"})


def surroundings(notebook: Notebook, folder: Path, *, local: bool) -> Surroundings:
    """The surroundings of a notebook in a folder; ``local`` if it is to run on this machine."""
    known = local and notebook.kernel in OWN_KERNELS
    return Surroundings(partial(_has_file, folder), partial(_has_module, folder) if known else None)


def _has_file(folder: Path, path: str) -> bool:
    try:
        return (folder / path).exists()
    except OSError:  # a name that no file can have
        return False


def _has_module(folder: Path, name: str) -> bool:
    """Beside the notebook, in a folder of it (which it may put on the import path), or installed."""
    beside = (f"{name}.py", f"{name}/", f"*/{name}.py", f"*/{name}/__init__.py")
    if any(next(folder.glob(pattern), None) for pattern in beside):
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
