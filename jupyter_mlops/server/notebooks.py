"""Notebooks as Jupyter's contents service knows them: the only way in which the server reads a file of the user.

Contents may be remote, hidden, or guarded by a manager of the site, so content always comes from it. To *run* a notebook
the engine needs its folder on this machine: a manager that has none is told so, and a path never leaves the root.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

from jupyter_mlops.errors import NotAllowed, NotFound, PlatformError, Where, WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.notebook.document import Notebook

COLLABORATION = "RTC:"
"""Drive prefix that jupyter-collaboration puts before the paths of shared documents."""


def local_name(path: str) -> str:
    """The path below the root, without a drive. Raises WrongUsage if it is not a relative path of a notebook."""
    name = path.removeprefix(COLLABORATION).strip("/")
    if not name or "\0" in name or ".." in name.split("/"):
        raise WrongUsage(
            f"{path!r} is not a path below Jupyter's folder", fix="Send the path that the file browser shows.", where=_at("path")
        )
    if not name.endswith(".ipynb"):
        raise WrongUsage(f"{name} is not a notebook", fix="Choose a file that ends in .ipynb.", where=_at("path"))
    return name


async def read(contents: Any, path: str) -> Notebook:
    """The notebook at a path of the contents service. Raises NotFound, WrongUsage or Refused."""
    name = local_name(path)
    model = await _get(contents, name, content=True)
    if model.get("message"):  # the contents service validated it with nbformat, and keeps what it found here
        raise _invalid(name, str(model["message"]))
    return document(model["content"], name)


def document(content: Mapping[str, Any], path: str) -> Notebook:
    """A notebook from its JSON document. Raises Refused."""
    from jupyter_mlops.notebook.read import parse

    name = Path(path.removeprefix(COLLABORATION)).name
    return parse(json.dumps(_as_written(content)), name)


def validated(content: Mapping[str, Any], path: str) -> Notebook:
    """A notebook that came with a request: nobody has validated it yet. Raises Refused or WrongUsage."""
    from nbformat import ValidationError, validate

    found = document(content, path)
    try:
        validate(dict(content), relax_add_props=True)
    except ValidationError as error:
        raise _invalid(found.name, error.message) from error
    return found


async def folder_path(contents: Any, path: str) -> Path:
    """Where the notebook lies on this machine.

    Raises:
        NotFound: there is no such notebook, or it is hidden.
        NotAllowed: the path leads out of Jupyter's folder.
        PlatformError: the contents are not on this machine.
    """
    name = local_name(path)
    await _get(contents, name, content=False)
    root = getattr(contents, "root_dir", None)
    locate = getattr(contents, "_get_os_path", None)
    if not root or locate is None:
        raise PlatformError(
            "the notebooks of this Jupyter are not on this machine, so it cannot run one",
            code="remote-contents",
            fix="Download the notebook and run it where it is a file: jupyter mlops run NOTEBOOK.",
            where=Where(notebook=name),
        )
    return _inside(Path(locate(name)), Path(root), name)


async def folder_of(contents: Any, path: str) -> Path | None:
    """The notebook's folder on this machine, whose modules belong to its bundle; None where there is none."""
    try:
        return (await folder_path(contents, path)).parent
    except (NotFound, PlatformError):
        return None


def shown_path(contents: Any, path: str | None) -> str | None:
    """A path of this machine as the file browser shows it; None if it is not below Jupyter's folder."""
    root = getattr(contents, "root_dir", None)
    if not path or not root:
        return None
    try:
        return Path(path).resolve().relative_to(Path(root).resolve()).as_posix()
    except (ValueError, OSError):
        return None


def _inside(path: Path, root: Path, name: str) -> Path:
    """The real path, links followed."""
    found = path.resolve()
    if not found.is_relative_to(root.resolve()):
        raise NotAllowed(
            f"{name} is a link that leads out of Jupyter's folder",
            fix="Copy the notebook into the folder that Jupyter shows, or start Jupyter in the folder where it lies.",
            where=Where(notebook=name),
        )
    return found


async def _get(contents: Any, name: str, *, content: bool) -> Mapping[str, Any]:
    """The contents model, with errors of ours. Hidden files are refused even where the manager would give them."""
    try:
        hidden = any(part.startswith(".") for part in name.split("/")) or await ensure_async(contents.is_hidden(name))
        if hidden and not getattr(contents, "allow_hidden", False):
            raise _missing(name)
        model: Mapping[str, Any] = await ensure_async(contents.get(name, content=content, type="notebook"))
    except HTTPError as error:
        if error.status_code == HTTPStatus.NOT_FOUND:
            raise _missing(name) from error
        raise WrongUsage(
            f"{name} cannot be read: {error.log_message or error.reason}",
            fix="Open it in JupyterLab; if it opens there, save it again.",
            where=Where(notebook=name),
        ) from error
    return model


def _invalid(name: str, said: str) -> WrongUsage:
    return WrongUsage(
        f"{name} is not a valid notebook: {said.splitlines()[0]}",
        code="invalid-notebook",
        fix="Open it in JupyterLab and save it again.",
        where=Where(notebook=name),
    )


def _missing(name: str) -> NotFound:
    return NotFound(f"no notebook at {name}", fix="Check the path in the file browser; hidden files are not shown.")


def _as_written(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Undo the contents manager's silent upgrade as far as to know the version: an old file is refused wherever it is read."""
    metadata = content.get("metadata")
    written = metadata.get("orig_nbformat") if isinstance(metadata, Mapping) else None
    return {**content, "nbformat": written} if isinstance(written, int) else content


def _at(field: str) -> Where:
    return Where(field=field)
