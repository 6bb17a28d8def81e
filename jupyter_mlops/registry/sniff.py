"""Which format a model's file is in, told by its first bytes: a name says what somebody wished, and decides who gets to load it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jupyter_mlops.errors import PlatformError, WrongUsage
from jupyter_mlops.formats.allowed import judge, loader_of
from jupyter_mlops.registry.tensors import read_header

START = 64 << 10
"""Bytes of a file that are looked at."""

KINDS = "skops, ONNX, safetensors, XGBoost (.json, .ubj), LightGBM's text, PyTorch (.pt), joblib and pickles"

_COMPRESSED = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"]\x00\x00", b"\x04\x22\x4d\x18")
"""How joblib's compressed files begin: zlib, gzip, bz2, xz, lzma, lz4."""

_PICKLE = frozenset(b"\x02\x03\x04\x05")
"""Protocols of pickle that say so in the file's second byte."""

_ONNX = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
"""Fields of ``ModelProto`` (onnx.proto3)."""

_GRAPH, _VERSION = 7, 1


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A format by its name in the card, and whether loading the file can run code of its own."""

    format: str
    pickle: bool = False
    ends: tuple[str, ...] = ()
    """Ends of names by which its reader, or a scan, knows it; none: any will do."""


def sniff(path: Path) -> Sniffed:
    """The format of a file.

    Raises:
        WrongUsage: code ``unknown-model-file``: none that is known.
        Corrupt: code ``bad-tensors``: it is called safetensors and is none.
        PlatformError: code ``unreadable``.
    """
    try:
        with path.open("rb") as file:
            size, start = path.stat().st_size, file.read(START)
            found = _by_start(path, start) or (Sniffed("onnx") if _is_onnx(file, size) else None)
            if found is None and (path.suffix == ".safetensors" or _is_tensors(start, size)):
                file.seek(0)
                read_header(file, size, path.name)
                found = Sniffed("safetensors")
        found = found or _pickle(path, start)
    except OSError as error:
        raise PlatformError(f"cannot read {path}: {error.strerror}", code="unreadable", fix="Check the file.") from error
    if found is None:
        raise WrongUsage(f"{path} is no model in a format that is known", code="unknown-model-file", fix=f"Known are {KINDS}.")
    return found


def _by_start(path: Path, start: bytes) -> Sniffed | None:
    """What has a mark of its own."""
    if start.startswith(b"PK\x03\x04"):
        return _archive(path)
    if start.startswith((b"tree\nversion=v", b"tree\r\nversion=v")):
        return Sniffed("lightgbm")
    text = start.lstrip()
    if text.startswith(b"{") and text[1:].lstrip().startswith((b'"learner"', b'"version"', b'"Config"')) and b'"learner"' in start:
        return Sniffed("xgboost", ends=(".json",))
    if start.startswith(b"{L") and start[10:17] == b"learner":
        return Sniffed("xgboost", ends=(".ubj",))
    return None


def _archive(path: Path) -> Sniffed | None:
    """Zip files: skops, TorchScript and what torch.save writes."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] or name for name in archive.namelist()} | set(archive.namelist())
            if "schema.json" in names:
                return Sniffed("skops") if "__loader__" in json.loads(archive.read("schema.json")) else None
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError):
        return None
    if "constants.pkl" in names:
        return Sniffed("torchscript", pickle=True, ends=(".torchscript",))
    return Sniffed("torch", pickle=True, ends=(".pt", ".pth")) if "data.pkl" in names else None


def _is_tensors(start: bytes, size: int) -> bool:
    """Whether a file without the name begins as such a file does."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def _is_onnx(file: BinaryIO, size: int) -> bool:
    """Whether its outermost fields are those of ONNX, of which none is passed by reading it: graphs have gigabytes."""
    at, seen = 0, set()
    while at < size:
        file.seek(at)
        head = file.read(20)
        tag, used = _varint(head, 0)
        value, end = _varint(head, used)
        field, wire = tag >> 3, tag & 7
        if not used or not end or field not in _ONNX or wire not in {0, 2}:
            return False
        seen.add(field)
        if field == _VERSION and not (wire == 0 and 0 < value < 1000):  # noqa: PLR2004 - versions are two digits today
            return False
        at += end + (value if wire else 0)
    return at == size and {_GRAPH, _VERSION} <= seen


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of protobuf and where it ends; 0 as the end: it is none."""
    value = 0
    for place in range(at, min(at + 10, len(data))):
        value |= (data[place] & 0x7F) << 7 * (place - at)
        if data[place] < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return value, place + 1
    return 0, 0


def _pickle(path: Path, start: bytes) -> Sniffed | None:
    """A pickle, and what reads it: told by the names that it holds, and nothing of it is loaded.

    A plain one is read as such even if it is an estimator, since joblib would read other operations in the same bytes.
    """
    named = loader_of(path.name)
    plain = start[:1] == b"\x80" and start[1:2] != b"" and start[1] in _PICKLE
    packed = start.startswith(_COMPRESSED)
    if not (plain or packed or named):
        return None
    verdict = judge(path, "joblib" if packed else named or "pickle")
    names = (*verdict.allowed, *verdict.refused)
    if not plain and not names:
        return None
    if named == "torch" or any(name.startswith("torch.") for name in names):
        return Sniffed("torch", pickle=True, ends=(".pt", ".pth"))
    by_joblib = packed or named == "joblib" or any(name.startswith("joblib.") for name in names)
    if by_joblib:
        return Sniffed("sklearn", pickle=True, ends=(".joblib",))
    return Sniffed("python", pickle=True, ends=(".pkl", ".pickle"))
