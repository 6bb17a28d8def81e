"""What a model's files say of themselves, by reading a few kilobytes out of its layers, wherever they are.

Layers are tars without compression, so that a member's bytes stand at a place that the headers before it tell. A part has no
digest: what is read here is to be looked at, and whoever loads a model fetches and verifies all of it.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.artifact import layers_of
from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.modelpack import layer_path, model_repository
from jupyter_mlops.oci.names import MODELPACK_MANIFEST, OCI_LAYER
from jupyter_mlops.oci.store import Descriptor, Manifest, Store
from jupyter_mlops.registry.models import ModelVersion
from jupyter_mlops.registry.tensors import LIMIT, Header, read_header

AHEAD = 32 << 10
"""Bytes that one request takes at least: the headers of small files stand near to one another, and so do a header's tensors."""

SUFFIX = ".safetensors"
RAW = ".raw"
"""End of the media type of a layer that is a file and no archive (model-spec)."""


class RangeFile(io.RawIOBase):
    """A blob as a file in which one can go to any place; it asks for what is read, and a little ahead."""

    def __init__(self, store: Store, repository: str, blob: Descriptor) -> None:
        super().__init__()
        self._store, self._repository, self._blob = store, repository, blob
        self._at, self._start, self._kept = 0, 0, b""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is asked for."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._blob.size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer at the end.

        Raises:
            Corrupt: more are wanted than any header has.
            NotFound, NotAllowed, Unavailable: as ``Store.read_range``.
        """
        left = max(self._blob.size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > LIMIT:
            raise Corrupt(f"{self._blob.digest} in {self._repository} claims a header of {wanted} bytes", code="bad-layer")
        if not self._start <= self._at <= self._at + wanted <= self._start + len(self._kept):
            self._start = self._at
            self._kept = self._store.read_range(self._repository, self._blob.digest, self._at, min(max(wanted, AHEAD), left))
        data = self._kept[self._at - self._start :][:wanted]
        self._at += len(data)
        return data


def headers_of(store: Store, version: ModelVersion) -> Mapping[str, Header]:
    """Path → header of each safetensors file of a version; empty if it has none.

    Raises:
        Corrupt: code ``bad-tensors``: a file is no such file. ``bad-layer``: a layer is no tar.
        NotFound, NotAllowed, Unavailable: as ``Store.read_range``.
    """
    repository = model_repository(version.name)
    index = store.get_manifest(repository, version.digest)
    found: dict[str, Header] = {}
    for path, layer in _layers(store, repository, index):
        for name, place, size, file in _members(store, repository, path, layer):
            if name.endswith(SUFFIX):
                file.seek(place)
                found[name] = read_header(file, size, f"{name} of {version.name}:{version.tag}")
    return dict(sorted(found.items()))


def _layers(store: Store, repository: str, index: Manifest) -> Iterator[tuple[str, Descriptor]]:
    """The layers that may hold such a file, with what they hold as far as that is said: the ModelPack tells the name of one file.

    Layers that other tools compressed are left out: no part of them can be read.
    """
    children = list(children_of(index.document))
    for child in children:
        if child.artifact_type == MODELPACK_MANIFEST:
            layers = layers_of(store.get_manifest(repository, child.digest))
            named = [(layer_path(layer.annotations), layer) for layer in layers if layer.media_type.endswith((".tar", RAW))]
            yield from ((path, layer) for path, layer in named if path.endswith((SUFFIX, "/weights.tar")))
            return
    for child in children:
        if (child.platform or {}).get("os") == "linux":
            layers = layers_of(store.get_manifest(repository, child.digest))
            yield from (("", layer) for layer in layers if layer.media_type == OCI_LAYER)
            return


def _members(store: Store, repository: str, path: str, layer: Descriptor) -> Iterator[tuple[str, int, int, RangeFile]]:
    """Name, place and size of each file in a layer; between two of them what they hold is passed over."""
    if layer.media_type.endswith(RAW):  # of other tools: the file itself
        yield path.removeprefix("models/"), 0, layer.size, RangeFile(store, repository, layer)
        return
    file = RangeFile(store, repository, layer)
    opened: Any = file
    try:
        with tarfile.open(fileobj=opened, mode="r:") as archive:
            end = 0
            for member in archive:
                if member.size < 0 or member.offset < end:
                    raise tarfile.ReadError("its members overlap")
                end = member.offset_data + member.size
                if end > layer.size:
                    raise tarfile.ReadError(f"{member.name[:100]!r} would end at byte {end} of {layer.size}")
                if member.isreg() and not member.issparse():
                    yield member.name.removeprefix("models/"), member.offset_data, member.size, file
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise Corrupt(f"{layer.digest} in {repository} is no tar: {error}", code="bad-layer", fix="Register it again.") from error
