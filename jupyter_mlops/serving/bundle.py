"""What an interpreter without this package needs to run the model server: our own modules and three pure-Python packages.

One list for every place: a folder on this machine (``local/bundle.py``), an artifact in a cluster's registry
(``kserve/bundle.py``). Compiled parts stay behind: tornado has one, and does without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from jupyter_mlops.errors import PlatformError

VENDORED = ("tornado", "prometheus_client", "cloudpickle")
OURS = ("__init__.py", "_version.py", "errors.py", "serving/__init__.py")
ROOMS = ("serving/server", "formats")
SKIPPED = frozenset({"test", "__pycache__"})


def server_files() -> Iterator[tuple[str, Path]]:
    """Name in the bundle → file. Raises PlatformError if a package is not installed."""
    ours = folder_of("jupyter_mlops")
    for own in OURS:
        if (ours / own).is_file():
            yield f"jupyter_mlops/{own}", ours / own
    for room in ROOMS:
        for path in (ours / room).glob("*.py"):
            yield f"jupyter_mlops/{room}/{path.name}", path
    for package in VENDORED:
        folder = folder_of(package)
        for path in folder.rglob("*.py"):
            name = path.relative_to(folder)
            if not SKIPPED & set(name.parts):
                yield f"{package}/{name.as_posix()}", path


def folder_of(package: str) -> Path:
    """Where a package lies, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PlatformError(f"the package '{package}' is not installed", fix=f"pip install {package}")
    return Path(next(iter(spec.submodule_search_locations)))
