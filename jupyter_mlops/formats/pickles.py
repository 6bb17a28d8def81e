"""What a pickle would call when it is loaded: the dotted names of all globals in it, found without calling any.

A pickle is a program whose only way out is to name a function or class and to call it. So the program is run with stand-ins: each
name gives an inert class that takes any call and does nothing, and is written down. Names that are put together at run time are
found so too, which reading the bytes for words would miss. What cannot be followed to its end is unreadable, never harmless.
joblib's files (arrays between the operations, a compression around them) and the archives of torch are read as well.

Read is what the loader would read: joblib passes over the bytes of an array, where another loader would take the same bytes for
operations. So the loader has to be named, and whatever leaves in doubt where an array ends makes the file unreadable.
"""

from __future__ import annotations

import bz2
import copyreg
import gzip
import io
import lzma
import pickle
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal, cast

ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"
"""Whose array lies in the file right behind it, outside of the pickle's own operations."""

ITEM = re.compile(r"[<>=|]?(?P<kind>[biufcmMSUV])(?P<size>\d{1,9})")
"""A type of numpy's with its size in bytes (in characters for ``U``), as pickles of types say it."""

OF_STATE = frozenset("SUV")
"""Kinds whose size the state of the type has the last word on."""

PART, FIELDS, SIZE = 2, 4, 5
"""Places in the state of a type of numpy's: of its part where it is an array, its fields, its size (``dtype.__reduce__``)."""

Loader = Literal["pickle", "joblib", "torch"]

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Globals:
    """The names in a file, and why it could not be read to its end; '' where it could."""

    names: frozenset[str] = frozenset()
    unreadable: str = ""

    def __or__(self, other: Globals) -> Globals:
        """Both."""
        return Globals(self.names | other.names, self.unreadable or other.unreadable)


class _UnreadableError(Exception):
    """The file is no pickle that can be followed."""


class _Inert:
    """Stands for an object that nobody makes: takes arguments, state, items, and does nothing with them."""

    path = ""

    given: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *given: Any, **_: Any) -> None:
        self.given = given  # what made it, of which a type of numpy's tells its size

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """See the class."""

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def append(self, _: Any) -> None:
        """See the class."""

    def extend(self, _: Any) -> None:
        """See the class."""

    def add(self, _: Any) -> None:
        """See the class."""


_Steps: Any = vars(pickle)["_Unpickler"]
"""The reader of pickles that is written in Python: its operations can be replaced one by one."""


class _Reader(_Steps):  # type: ignore[misc]
    """Runs a pickle with stand-ins."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Steps.dispatch)

    def __init__(self, file: BinaryIO, names: set[str], *, arrays: bool) -> None:
        super().__init__(file, encoding="bytes")
        self._file, self._names, self._arrays = file, names, arrays
        self._made: dict[str, type[_Inert]] = {}

    def find_class(self, module: Any, name: Any) -> Any:
        """Write the name down; the same stand-in for the same name."""
        path = f"{_text(module)}.{_text(name)}"
        self._names.add(path)
        if path not in self._made:
            self._made[path] = type("Inert", (_Inert,), {"path": path})
        return self._made[path]

    def persistent_load(self, _: Any) -> Any:
        """What a library keeps beside the pickle, such as the storages of torch."""
        return _Inert()

    def get_extension(self, code: int) -> None:
        """A number that a process registered for a name."""
        module, name = copyreg._inverted_registry.get(code, ("?", f"extension-{code}"))  # type: ignore[attr-defined]  # noqa: SLF001
        self.append(self.find_class(module, name))

    def load_build(self) -> None:
        """State for the last object; where that stands for an array of joblib's, its bytes follow."""
        state = self.stack.pop()
        last = self.stack[-1]
        if not isinstance(last, _Inert):
            raise _UnreadableError(f"gives state to a {type(last).__name__}")
        merged = isinstance(last.state, dict) and isinstance(state, dict)
        last.state = {**last.state, **state} if merged else state  # as an object's attributes are
        if self._arrays and last.path == ARRAY:
            self._array(last.state)
            self.stack[-1] = self.find_class("numpy", "ndarray")()

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, state: dict[Any, Any]) -> None:
        """Pass over an array, or read the pickle that stands for one of objects."""
        facts = {_text(key): value for key, value in state.items()}
        kind = facts["dtype"]
        if _has_objects(kind):
            _Reader(self._file, self._names, arrays=False).load()
            return
        if facts.get("numpy_array_alignment_bytes") is not None:
            self._skip(self._file.read(1)[0])
        count = 1
        for length in facts["shape"]:
            count *= length
        self._skip(count * _item_size(kind))

    def _skip(self, size: int) -> None:
        while size > 0:
            data = self._file.read(min(size, CHUNK))
            if not data:
                raise _UnreadableError("ends in an array")
            size -= len(data)


def _text(word: Any) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)


def _item_size(kind: _Inert) -> int:
    """Bytes of an item of a numpy type, as its pickle says: ``dtype('f8')``, for records ``dtype('V12')`` and their state."""
    found = ITEM.fullmatch(_text(kind.given[0]))
    if found is None:
        raise _UnreadableError(f"has an array of {_text(kind.given[0])}, whose size it does not say")
    size = int(found["size"]) * (4 if found["kind"] == "U" else 1)
    if found["kind"] in OF_STATE and isinstance(kind.state, tuple) and len(kind.state) > SIZE and kind.state[SIZE] >= 0:
        size = int(kind.state[SIZE])
    return size


def _has_objects(kind: Any) -> bool:
    """Whether items of a numpy type are, or hold, objects of Python."""
    if not isinstance(kind, _Inert) or not kind.given:
        raise _UnreadableError("has an array of a type that it does not say")
    if _text(kind.given[0]).lstrip("<>=|").startswith("O"):
        return True
    parts = kind.state if isinstance(kind.state, tuple) else ()
    fields = parts[FIELDS] if len(parts) > FIELDS and isinstance(parts[FIELDS], dict) else {}
    inner = [field[0] for field in fields.values()]
    if len(parts) > PART and isinstance(parts[PART], tuple) and parts[PART]:
        inner.append(parts[PART][0])
    return any(_has_objects(one) for one in inner)


def _old_xz(file: BinaryIO) -> lzma.LZMAFile:
    return lzma.LZMAFile(file, format=lzma.FORMAT_ALONE)


COMPRESSED: tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ", lzma.LZMAFile),
    (b"\x5d\x00", _old_xz),
)
"""First bytes → how a file that joblib has compressed is read; zlib has its own."""


class _Zlib(io.RawIOBase):
    """A stream of zlib, as joblib writes with ``compress=3``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._zlib, self._left = file, zlib.decompressobj(), b""

    def readable(self) -> bool:
        """See :class:`io.RawIOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See :class:`io.RawIOBase`."""
        while not self._left and not self._zlib.eof:
            data = self._zlib.unconsumed_tail or self._file.read(CHUNK)
            if not data:
                break
            self._left = self._zlib.decompress(data, CHUNK)
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def globals_of(path: Path, loader: Loader) -> Globals:
    """All names in a file, uncalled.

    Args:
        path: the file.
        loader: what it would be loaded with: ``pickle`` (cloudpickle too), ``joblib``, or ``torch`` for an archive of torch's.

    Raises:
        OSError: it cannot be read at all.
    """
    with path.open("rb") as file:
        if loader == "torch":
            return _of_archive(file)
        if loader == "pickle":
            return _of_stream(file, arrays=False)
        first = file.read(6)
        file.seek(0)
        with _opened(file, first) as stream:
            return _of_stream(stream, arrays=True)


@contextmanager
def _opened(file: BinaryIO, first: bytes) -> Iterator[BinaryIO]:
    for magic, opener in COMPRESSED:
        if first.startswith(magic):
            with opener(file) as stream:
                yield cast("BinaryIO", io.BufferedReader(stream, CHUNK))
            return
    if first[:1] == b"\x78" and int.from_bytes(first[:2], "big") % 31 == 0:  # the check of a header of zlib, RFC 1950
        yield cast("BinaryIO", io.BufferedReader(_Zlib(file), CHUNK))
        return
    yield file


def _of_archive(file: BinaryIO) -> Globals:
    """Of a zip of torch's: each pickle in it; other archives have none, and say so."""
    found = Globals()
    try:
        with zipfile.ZipFile(file) as archive:
            pickles = [name for name in archive.namelist() if name.endswith(".pkl")]
            for name in pickles:
                with archive.open(name) as stream:
                    found |= _of_stream(cast("BinaryIO", io.BufferedReader(cast("Any", stream), CHUNK)), arrays=False)
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:
        return found | Globals(unreadable=f"is a broken archive: {error}")
    return found if pickles else Globals(unreadable="is an archive without a pickle")


def _of_stream(stream: BinaryIO, *, arrays: bool) -> Globals:
    names: set[str] = set()
    try:
        _Reader(stream, names, arrays=arrays).load()
    except Exception as error:  # noqa: BLE001 - whatever a broken program makes of its reader, it is unreadable
        why = str(error) if isinstance(error, _UnreadableError) else f"is no pickle that can be followed: {error}"
        return Globals(frozenset(names), why or "is no pickle that can be followed")
    return Globals(frozenset(names))
