"""IPython and what it needs as layers of the bundle, for images that have Python and no IPython.

They are made from what is installed here: pure-Python files, with their licences, the same bytes each time. Only what a step uses
without a terminal: completion (jedi, parso), the process list (psutil) and, since IPython no longer loads it at once,
prompt_toolkit stay behind. There is no ``dist-info`` in them but one, so that nothing in a step takes it for installed. Where
IPython does not fit the pipeline's Python there is no layer but a reason, which a step that needs it repeats. What is seldom
asked for (``lexers``) is a second layer, which a step fetches only then.

Packing takes half a second, which no run on this machine may pay: the layers are kept beside unpacked bundles, under the names
of what is installed.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.tar import tar_chunks
from jupyter_mlops.registry.keptlayer import KeptLayer
from jupyter_mlops.registry.lexers import fetched_when_asked

if TYPE_CHECKING:
    from importlib.metadata import Distribution

OPTIONAL = frozenset({"jedi", "parso", "psutil"})
"""IPython asks for them and does without them."""

TERMINAL = frozenset({"prompt-toolkit", "wcwidth"})
"""Needed where IPython loads its terminal at once, as it did before version 9."""

INLINE = "matplotlib-inline"
"""The one package that is seen as installed: matplotlib 3.9 and newer finds this backend by its entry point only."""

LICENSES = "licenses-of-this-layer"
"""Folder in the layer; no module can have such a name."""

_LEFT_OUT = frozenset({".so", ".pyd", ".dylib", ".dll", ".pyc", ".pyi", ".png", ".svg"})
_NOWHERE = frozenset({"..", "tests", "sphinxext", "plugin"})
"""Folders of which nothing is taken: outside the packages, and what runs only beside pytest or Sphinx."""

_WINDOW = ("IPython", "terminal")
"""The folder of IPython's terminal, which cannot be imported without ``TERMINAL``."""

_VERSION = 5
"""Changes with what is taken into the layer."""


@dataclass(frozen=True, slots=True)
class IPythonLayer:
    """The bytes of the layer, or b'' and why there is none."""

    data: bytes = b""
    why: str = ""
    lexers: bytes = b""
    """Of the second layer; b'' where there is nothing to put into it."""

    @property
    def digest(self) -> str:
        """Of the bytes."""
        return digest_of(self.data)


@lru_cache(maxsize=8)
def ipython_layer(python: str) -> IPythonLayer:
    """The layer for steps of a Python minor version, e.g. ``3.11``."""
    found = importlib.util.find_spec("IPython")
    if found is None or found.origin is None:
        return IPythonLayer(why="IPython is not installed where the run was submitted")
    site = Path(found.origin).parents[1]
    installed = sorted(entry.name for entry in os.scandir(site) if entry.name.endswith(".dist-info"))
    place = (str(_VERSION), python, str(site), *installed)
    parts = [KeptLayer(kind, *place) for kind in ("ipython", "lexers")]
    data, lexers = (part.read() for part in parts)
    if data and lexers:
        return IPythonLayer(data, lexers=lexers)
    try:
        content = _files(python)
    except _DoesNotFitError as error:
        return IPythonLayer(why=str(error))
    seldom = fetched_when_asked(content)
    data = _packed({name: file for name, file in content.items() if name not in seldom})
    lexers = _packed({name: content[name] for name in seldom}) if seldom else b""
    for part, packed in zip(parts, (data, lexers), strict=True):
        part.write(packed)
    return IPythonLayer(data, lexers=lexers)


def _packed(content: dict[str, Path | bytes]) -> bytes:
    return gzip.compress(b"".join(bytes(chunk) for chunk in tar_chunks(content)), compresslevel=9, mtime=0)


class _DoesNotFitError(Exception):
    """Why there is no layer."""


def _files(python: str) -> dict[str, Path | bytes]:
    """Name in the layer → file, of IPython and all that it needs in that Python."""
    content: dict[str, Path | bytes] = {}
    terminal = _loads_terminal()
    for distribution in _needed(python):
        name = f"{distribution.metadata['Name']}-{distribution.version}"
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if not _NOWHERE.isdisjoint(file.parts) or file.suffix in _LEFT_OUT or not path.is_file():
                continue
            if file.parts[:2] == _WINDOW and not terminal:
                continue
            if file.parts[0].endswith(".dist-info"):
                if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")):
                    content[f"{LICENSES}/{name}/{file.name}"] = path
                elif distribution.metadata["Name"] == INLINE and file.name in {"METADATA", "entry_points.txt"}:
                    content[file.as_posix()] = path
            else:
                content[file.as_posix()] = path
    return content


def _needed(python: str) -> list[Distribution]:
    """IPython and what it requires, found here. Raises _DoesNotFitError."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement

    without, found, waiting = OPTIONAL | (frozenset() if _loads_terminal() else TERMINAL), {}, ["ipython"]
    while waiting:
        name = waiting.pop()
        try:
            known = found[name] = distribution(name)
        except PackageNotFoundError:
            raise _DoesNotFitError(f"IPython needs {name} in Python {python}, which is not installed here") from None
        _check_python(known, python)
        for text in known.requires or ():
            needed = Requirement(text)
            wanted = needed.name.lower().replace("_", "-")
            if wanted not in without and wanted not in found and (needed.marker is None or needed.marker.evaluate(_place(python))):
                waiting.append(wanted)
    return [found[name] for name in sorted(found)]


def _loads_terminal() -> bool:
    """Whether ``import IPython`` loads its terminal."""
    spec = importlib.util.find_spec("IPython")
    text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    return any(line.startswith(("from .terminal", "from IPython.terminal")) for line in text.splitlines())


def _place(python: str) -> dict[str, str]:
    """A step, as markers of requirements ask for it."""
    return {
        "python_version": python, "python_full_version": f"{python}.0", "implementation_name": "cpython", "os_name": "posix",
        "platform_python_implementation": "CPython", "platform_system": "Linux", "sys_platform": "linux", "extra": "",
    }  # fmt: skip


def _check_python(distribution: Distribution, python: str) -> None:
    """Raises _DoesNotFitError where it says that it needs another Python."""
    from packaging.specifiers import SpecifierSet

    asked = distribution.metadata["Requires-Python"] or ""
    if not SpecifierSet(asked).contains(f"{python}.99"):
        name = f"{distribution.metadata['Name']} {distribution.version}"
        raise _DoesNotFitError(f"{name}, which is installed here, needs Python {asked}; the pipeline has {python}")
