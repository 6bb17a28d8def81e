"""Which notebook is this kernel running? Nobody tells it, so the traces that front ends leave are read in turn.

Jupyter Server puts the session's path into ``JPY_SESSION_NAME``, VS Code puts it into the namespace. Neither follows a
renamed file, and a console or a plain IPython has none: then the person names the path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_mlops.errors import NotFound, WrongUsage

VSCODE = "__vsc_ipynb_file__"
SESSION = "JPY_SESSION_NAME"
FIX = "Give the path: %mlops run path/to/notebook.ipynb"


def find_notebook(explicit: str | None, namespace: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Path:
    """Path of the saved notebook to work on.

    Args:
        explicit: The path that was given, relative to the kernel's working folder; it alone counts if there is one.
        namespace: The user's namespace, where VS Code leaves its trace.
        environ: The kernel's environment, where Jupyter Server leaves its trace.

    Raises:
        NotFound: There is no file there (renamed or moved since the kernel started), or no trace at all.
        WrongUsage: The path does not end in ``.ipynb``.
    """
    if explicit is not None:
        return _checked(Path(explicit).expanduser())
    traces = list(_traces(namespace, environ))
    for path in traces:
        if path.is_file():
            return path
    if traces:
        message = f"this kernel was started for {traces[0].name}, which is not there any more"
        raise NotFound(message, fix=f"It was renamed or moved. {FIX}")
    raise NotFound("this kernel does not know which notebook it runs", fix=FIX)


def saved(path: Path, now: float | None = None) -> str:
    """What is run, in words: the saved copy, and how old it is, since an unsaved change is not part of it."""
    age = max(0.0, (time.time() if now is None else now) - path.stat().st_mtime)
    return f"the copy of {path.name} saved {_ago(age)}; changes made since are not in it"


def _traces(namespace: Mapping[str, object], environ: Mapping[str, str]) -> Iterator[Path]:
    """Candidates, best first.

    The session's name may be relative to the server's root, which the kernel does not know: the working folder is the
    notebook's own, so its file name is looked for there too.
    """
    found = [namespace.get(VSCODE), environ.get(SESSION)]
    for name in found:
        if isinstance(name, str) and name.endswith(".ipynb"):
            yield Path(name)
            if not Path(name).is_absolute():
                yield Path(Path(name).name)


def _checked(path: Path) -> Path:
    if path.suffix != ".ipynb":
        raise WrongUsage(f"{path} is not a notebook", fix="Give a file that ends in .ipynb.")
    if not path.is_file():
        raise NotFound(f"no notebook at {path}", fix=f"The path is taken from {Path.cwd()}.")
    return path


_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def _ago(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
