"""What the layers of an image tell of its Python: which one ``python3`` is, and the packages that are installed for it.

Only names are read, one header of a tar after the other: what lies in the files is passed over. A later layer hides what an earlier
one has, by the marks (``.wh.``) of the image specification.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
import zlib
from collections.abc import Mapping
from typing import BinaryIO

INSTALLED = re.compile(
    r"(?P<prefix>.*?)/?lib(?:64)?/python3(?:\.(?P<minor>\d+))?/(?:site|dist)-packages/"
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[^/-]+)(?:-py3\.\d+)?\.(?:dist-info|egg-info)(?:/|$)"
)
PYTHON = re.compile(r"python3?(?:\.(\d+))?$")
HIDES, HIDES_ALL = ".wh.", ".wh..wh..opq"
LINKS = 8
"""Links followed from ``python3`` to the program."""

Package = tuple[str, str, str, str]
"""Prefix, minor version or '', name as it is compared, version."""


class Tree:
    """Layers of one image, the lowest first."""

    def __init__(self) -> None:
        self._links: dict[str, str] = {}
        """Programs called python: path → what it links to, '' for a file."""

        self._packages: dict[str, Package] = {}
        """Folder or file with a package's metadata → the package."""

    def take(self, layer: BinaryIO) -> None:
        """Read a layer to its end, compressed with gzip or not at all.

        Raises:
            ValueError: it is neither.
        """
        try:
            with tarfile.open(fileobj=layer, mode="r|*") as archive:
                for member in archive:
                    self._entry(posixpath.normpath(member.name).lstrip("/"), member)
                    archive.members = []  # type: ignore[attr-defined,unused-ignore]  # it would keep every header
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise ValueError(f"a layer is not read: {error}") from error

    def _entry(self, path: str, member: tarfile.TarInfo) -> None:
        folder, name = posixpath.split(path)
        if name == HIDES_ALL:
            self._hide(folder)
        elif name.startswith(HIDES):
            self._hide(posixpath.join(folder, name.removeprefix(HIDES)))
        elif PYTHON.fullmatch(name) and folder.endswith("bin"):
            self._links[path] = member.linkname if member.issym() or member.islnk() else ""
        elif found := INSTALLED.match(path):
            about = (found["prefix"], found["minor"] or "", normal(found["name"]), found["version"])
            self._packages[path[: found.end()].rstrip("/")] = about

    def _hide(self, path: str) -> None:
        for known in (self._links, self._packages):
            for name in [name for name in known if name == path or name.startswith(f"{path}/")]:
                del known[name]

    def python(self, search: str) -> tuple[str, str] | None:
        """Minor version and prefix of ``python3`` along a ``PATH``; None where there is none, or it does not tell its version."""
        for folder in search.split(":"):
            path = posixpath.join(folder, "python3").lstrip("/")
            if path in self._links and (minor := self._minor(path)):
                return f"3.{minor}", posixpath.dirname(posixpath.dirname(path))
        return None

    def _minor(self, path: str) -> str | None:
        for _ in range(LINKS):
            if (found := PYTHON.fullmatch(posixpath.basename(path))) and found[1]:
                return found[1]
            target = self._links.get(path)
            if not target:
                return None
            path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target)).lstrip("/")
        return None

    def packages(self, python: str, prefix: str) -> Mapping[str, str]:
        """Package → version for an interpreter. Debian's in ``usr`` also looks into ``usr/local``."""
        prefixes = {prefix, "usr/local", "usr"} if prefix in {"usr", "bin", ""} else {prefix}
        minor = python.partition(".")[2]
        fitting = [one for one in self._packages.values() if one[0] in prefixes and one[1] in {"", minor}]
        fitting.sort(key=lambda one: one[0] == "usr/local")
        return {name: version for _, _, name, version in fitting}


def normal(name: str) -> str:
    """A distribution's name as names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
