"""What a bundle takes along besides the notebook and its modules: the kernel's environment, and on a cluster the data.

A rim: asks the kernel's interpreter and looks into the notebook's folder. On this machine steps run beside the data and with
the kernel's own packages, so only the record of the environment is kept; on a cluster data travel as a layer of their own, which
two bundles with the same data share.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.engine.packages import environment_of
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.pipeline.environment import to_json
from jupyter_mlops.registry.bundles import Packed
from jupyter_mlops.registry.datafiles import Data, data_files
from jupyter_mlops.registry.localmodules import local_modules

if TYPE_CHECKING:
    from jupyter_mlops.engine.kernels import Kernel
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.pipeline.pipeline import Pipeline
    from jupyter_mlops.settings import Settings


def pack(
    settings: Settings, notebook: Notebook, pipeline: Pipeline, folder: Path, kernel: Kernel | None, *, with_data: bool
) -> Packed:
    """What a run's bundle takes along; nothing of the environment where there is no kernel to ask."""
    data = data_beside(settings, notebook, folder) if with_data else Data({}, {})
    document = environment(settings, notebook, pipeline, folder, kernel, data if with_data else None)
    return Packed(canonical(document) if document else b"", data.files)


def environment(
    settings: Settings, notebook: Notebook, pipeline: Pipeline, folder: Path, kernel: Kernel | None, data: Data | None = None
) -> dict[str, Any] | None:
    """``environment`` of ``convert --json``; None where the kernel cannot be asked.

    Args:
        settings: for the folder of remembered answers.
        notebook: whose environment it is.
        pipeline: its plan.
        folder: of the notebook.
        kernel: whose interpreter is asked; None: there is none.
        data: what travels to a cluster, and what would not fit; None: it is not said.
    """
    found = None
    if kernel is not None:
        modules = local_modules([cell.source for cell in notebook.code], folder)
        found = environment_of(kernel, notebook, pipeline, modules, folder, settings.storage.cache)
    if found is None:
        return None
    said = {} if data is None else {"data": list(data.files), "left": data.left}
    return {**to_json(found), **said}


def data_beside(settings: Settings, notebook: Notebook, folder: Path) -> Data:
    """Data files that the cells and local modules name."""
    sources = [cell.source for cell in notebook.code]
    modules = local_modules(sources, folder)
    sources += [path.read_text(encoding="utf-8", errors="replace") for path in modules.values() if path.suffix == ".py"]
    return data_files(sources, folder, settings.workspace.ignore, modules)
