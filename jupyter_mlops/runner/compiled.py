"""Code of modules, compiled where the run was submitted, for the time in which a step starts.

A container is new each time, and what it unpacks has no compiled files: compiling our code and IPython's takes longer than
importing everything. So the bundle brings it compiled, by name and by the hash of the source: where the step's file is that very
text, the code is taken, else Python does what it always does. This is Python's own rule for hash-based ``.pyc`` files (PEP 552);
they only come from elsewhere. An IPython that the image has is as good: where it is the same, so is its code.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

FILE = "vnd.jupyter-mlops.bundle.compiled.v1"
"""The layer's media type, under which the bootstrap leaves it beside the unpacked ones."""

HASH = 8
"""Bytes of the hash of a source."""

_UNCHECKED = (1).to_bytes(4, "little")
"""Flags of a compiled file that holds for its source; whether it does has been found out."""


def use(bundle: Path, *, shared: bool) -> None:
    """Let imports take their code from an unpacked bundle, if it has some for this very Python.

    Args:
        bundle: its folder.
        shared: other steps will come to the same folder, as on a person's machine; they find our code as compiled files.
    """
    if sys.flags.optimize:
        return
    with suppress(OSError):
        data = zlib.decompress((bundle / FILE).read_bytes())
        if data[: len(MAGIC_NUMBER)] == MAGIC_NUMBER:
            table = marshal.loads(data[len(MAGIC_NUMBER) :])  # noqa: S302  (its digest was verified, as that of all our code)
            install(table)
            if shared and not sys.dont_write_bytecode:
                _lay_down(table, bundle)


def install(table: Mapping[str, bytes]) -> None:
    """Let imports take their code from a table, where it fits.

    Args:
        table: name of a module → hash of its source, then its code as ``marshal`` writes it, of this very Python.
    """
    read = SourceFileLoader.get_data

    def get_data(self: SourceFileLoader, path: str) -> bytes:
        known = table.get(self.name)
        if known and path.endswith(".pyc") and source_hash(read(self, self.path)) == known[:HASH]:
            return MAGIC_NUMBER + _UNCHECKED + known
        return read(self, path)

    SourceFileLoader.get_data = get_data  # type: ignore[method-assign,assignment]


@contextmanager
def aside() -> Iterator[None]:
    """While the notebook's code runs, imports are Python's own alone."""
    hook = vars(SourceFileLoader).get("get_data")
    if hook is None:
        yield
        return
    del SourceFileLoader.get_data
    try:
        yield
    finally:
        SourceFileLoader.get_data = hook  # type: ignore[method-assign]


def _lay_down(table: Mapping[str, bytes], bundle: Path) -> None:
    """Write the code of what is in the bundle's folder beside its source, and remove the layer. Raises OSError."""
    for name, known in table.items():
        place = bundle / "lib" / name.replace(".", "/")
        source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if source.is_file() and source_hash(source.read_bytes()) == known[:HASH]:
            target = Path(cache_from_source(str(source)))
            target.parent.mkdir(exist_ok=True)
            fresh = target.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(MAGIC_NUMBER + _UNCHECKED + known)
            fresh.replace(target)
    (bundle / FILE).unlink(missing_ok=True)
