"""What a bundle takes along besides the notebook and its modules: the kernel's environment, and on a cluster the data.

A rim: asks the kernel's interpreter and looks into the notebook's folder. On this machine steps run beside the data and with
the kernel's own packages, so only the record of the environment is kept, and a package that is missing is told before
anything runs. On a cluster the image has the packages, and the step compares; data travel as a layer of their own, which two
bundles with the same data share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.engine.packages import environment_of
from jupyter_mlops.errors import Diagnostic, NotFound, PlatformError, Refused, Where
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.pipeline.environment import Environment, Use, surely_missing, to_json
from jupyter_mlops.registry.bundles import Packed
from jupyter_mlops.registry.datafiles import LIMIT, Data, data_files
from jupyter_mlops.registry.localmodules import local_modules

if TYPE_CHECKING:
    from jupyter_mlops.engine.kernels import Kernel
    from jupyter_mlops.notebook.document import Cell, Notebook
    from jupyter_mlops.pipeline.pipeline import Pipeline
    from jupyter_mlops.settings import Settings


LISTED = 12
"""Files named in a message at most."""


def pack(settings: Settings, notebook: Notebook, pipeline: Pipeline, folder: Path, kernel: Kernel | None, *, local: bool) -> Packed:
    """What a run's bundle takes along; nothing of the environment where there is no kernel to ask.

    Raises:
        Refused: code ``missing-packages``: a run on this machine would stop at these imports.
    """
    data = Data({}, {}) if local else _data(settings, notebook, folder)
    found = None if kernel is None else _ask(settings, notebook, pipeline, folder, kernel)
    if found is None:
        return Packed(b"", data.files)
    missing = surely_missing(found, pipeline, notebook.code)
    if local and kernel is not None and missing:
        raise _missing(missing, kernel, pipeline.notebook)
    said = {} if local else {"left": data.left}
    return Packed(canonical({**to_json(found), **said}), data.files)


def pack_for_others(
    settings: Settings, notebook: Notebook, pipeline: Pipeline, folder: Path, tell: Callable[[Diagnostic], None]
) -> Packed:
    """What a bundle takes along that others will submit: as a run's where the kernel can be asked, else the data alone.

    ``tell`` hears of it where the environment stays unknown: the Workflow works without it, and compares no packages.
    """
    from jupyter_mlops.engine.kernels import find_kernel

    why = "its interpreter does not answer"
    try:
        packed = pack(settings, notebook, pipeline, folder, find_kernel(notebook.kernel), local=False)
        if packed.environment:
            return packed
    except (NotFound, PlatformError) as error:
        packed, why = data_only(settings, notebook, folder), error.message
    said = f"which packages the notebook's kernel imports is not known, and no step compares them: {why}"
    tell(Diagnostic("environment-unknown", "info", said, None, None, "Convert where the notebook's kernel is installed."))
    return packed


def data_only(settings: Settings, notebook: Notebook, folder: Path) -> Packed:
    """What a bundle takes along that is made without asking a kernel: the same on every machine with the same folder."""
    return Packed(b"", _data(settings, notebook, folder).files)


def described(settings: Settings, notebook: Notebook, pipeline: Pipeline, folder: Path) -> dict[str, Any] | None:
    """``environment`` of ``convert --json``, with the data that would travel; None where the kernel cannot be asked."""
    from jupyter_mlops.engine.kernels import find_kernel

    try:
        found = _ask(settings, notebook, pipeline, folder, find_kernel(notebook.kernel), keep=False)
    except (NotFound, PlatformError, Refused):
        return None
    data = _data(settings, notebook, folder)
    return None if found is None else {**to_json(found), "data": list(data.files), "left": data.left}


def lacking(settings: Settings, notebook: Notebook, pipeline: Pipeline, folder: Path) -> tuple[Diagnostic, ...]:
    """Imports at which a run on this machine would be refused; nothing where the kernel cannot be asked."""
    from jupyter_mlops.engine.kernels import find_kernel

    try:
        kernel = find_kernel(notebook.kernel)
        found = _ask(settings, notebook, pipeline, folder, kernel, keep=False)
    except (NotFound, PlatformError):
        return ()
    missing = () if found is None else surely_missing(found, pipeline, notebook.code)
    return _missing(missing, kernel, pipeline.notebook).diagnostics if missing else ()


def left_behind(environment: Mapping[str, Any] | None, code: Iterable[Cell] = ()) -> tuple[Diagnostic, ...]:
    """What of the data that the notebook names does not travel, since it is too much.

    Args:
        environment: what a bundle holds, or would hold.
        code: the notebook's cells, to find the line that names the biggest of them; a pattern or a module may name it instead.
    """
    from jupyter_mlops.runner.sources import said_at

    left: Mapping[str, int] = (environment or {}).get("left") or {}
    if not left:
        return ()
    biggest = sorted(left, key=lambda name: -left[name])
    named = ", ".join(f"{name} ({_size(left[name])})" for name in biggest[:LISTED]) + (" and more" if len(left) > LISTED else "")
    fix = (
        f"Read it from a bucket, or log_dataset it: {LIMIT >> 20} MiB of data travel with a notebook, whatever its file_limit, "
        "which is for what steps write."
    )
    sources = {cell.index: cell.source for cell in code}
    cell, line = next(filter(None, (said_at(sources, sources, name) for name in biggest[:LISTED])), (None, None))
    return (Diagnostic("data-left", "warning", f"too large to travel to a cluster: {named}", cell, line, fix),)


def _size(count: int) -> str:
    """Bytes in words."""
    return f"{count / (1 << 20):.0f} MiB" if count >= 1 << 20 else f"{count} bytes"


def _ask(
    settings: Settings, notebook: Notebook, pipeline: Pipeline, folder: Path, kernel: Kernel, *, keep: bool = True
) -> Environment | None:
    modules = local_modules([cell.source for cell in notebook.code], folder)
    return environment_of(kernel, notebook, pipeline, modules, folder, settings.storage.cache, keep=keep)


def _data(settings: Settings, notebook: Notebook, folder: Path) -> Data:
    """Data files that the cells and local modules name."""
    sources = [cell.source for cell in notebook.code]
    modules: Mapping[str, Path] = local_modules(sources, folder)
    sources += [path.read_text(encoding="utf-8", errors="replace") for path in modules.values() if path.suffix == ".py"]
    return data_files(sources, folder, settings.workspace.ignore, modules)


def _missing(uses: tuple[Use, ...], kernel: Kernel, notebook: str) -> Refused:
    """The refusal of a run that would stop at an import."""
    names = list(dict.fromkeys(use.top for use in uses))
    fix = (
        f"Install it: {kernel.command[-1]} -m pip install {' '.join(names)} (a package may be called otherwise than its module), "
        "or choose another kernel with --kernel."
    )
    found = tuple(
        Diagnostic(
            "missing-package", "error", f"{use.module} is not installed in the kernel {kernel.name}", use.cell, use.line, fix
        )
        for use in uses
    )
    message = f"the kernel {kernel.name} lacks what the notebook imports: {', '.join(names)}"
    return Refused(message, "missing-packages", fix, Where(notebook, uses[0].cell, uses[0].line), found)
