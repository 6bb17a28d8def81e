"""What safetensors files say of themselves: read by range out of layers, and refused where they claim what cannot be."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253 - the arrays of its oracle
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Corrupt, NotFound
from jupyter_mlops.oci.artifact import artifact_document
from jupyter_mlops.oci.connection import Answer
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import FILEPATH, publish_model
from jupyter_mlops.oci.names import MODEL, MODELPACK_CONFIG, MODELPACK_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.oci.store import Store
from jupyter_mlops.oci.tar import tar_chunks
from jupyter_mlops.registry.models import Models, ModelVersion
from jupyter_mlops.registry.ranges import RangeFile, headers_of
from jupyter_mlops.registry.tensors import LIMIT, Header, read_header
from jupyter_mlops.testing.embedded import embedded_registry

LARGE = {"embed.weight": np.zeros((3000, 1000), "float32"), "head.bias": np.arange(7, dtype="int64")}
SMALL = {"w": np.ones((2, 3), "float16"), "nothing": np.zeros((0, 4), "float64"), "one": np.array(3, "float32")}


def publish(store: Store, folder: Path) -> None:
    """``net:v1``: a large file with a layer of its own, a small one among others in a layer, and something else."""
    (folder / "sub").mkdir(parents=True)
    safetensors.numpy.save_file(LARGE, folder / "model.safetensors", {"format": "pt"})
    safetensors.numpy.save_file(SMALL, folder / "sub" / "small.safetensors")
    (folder / "aaa.bin").write_bytes(bytes(3_000_000))
    (folder / "zzz.onnx").write_bytes(bytes(9_000_000))
    publish_model(store, "net", folder, key="1", annotations={"format": "safetensors"}, metrics={})


@pytest.fixture(params=["folder", "registry"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Both adapters."""
    if request.param == "folder":
        yield Layout(tmp_path / "registry")
        return
    with embedded_registry(tmp_path / "registry") as address:
        yield Remote(address)


def test_headers_are_read_where_they_lie(store: Store, tmp_path: Path) -> None:
    publish(store, tmp_path / "in")
    found = headers_of(store, Models(store).find("net"))
    assert list(found) == ["model.safetensors", "sub/small.safetensors"]
    large, small = found.values()
    assert {one.name: (one.dtype, one.shape, one.bytes) for one in large.tensors} == {
        "embed.weight": ("F32", (3000, 1000), 12_000_000),
        "head.bias": ("I64", (7,), 56),
    }
    assert (large.parameters, large.metadata, large.dtypes) == (3_000_007, {"format": "pt"}, {"F32": 3_000_000, "I64": 7})
    assert {one.name: (one.dtype, one.shape, one.count) for one in small.tensors} == {
        "w": ("F16", (2, 3), 6),
        "nothing": ("F64", (0, 4), 0),
        "one": ("F32", (), 1),
    }


def test_little_goes_over_the_wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-four megabytes lie in the registry; of its blobs a few kilobytes come, in a few requests."""
    with embedded_registry(tmp_path / "registry") as address:
        publish(Remote(address), tmp_path / "in")
        version = Models(Remote(address)).find("net")
        came, read = [], Answer.read

        def counting(self: Answer, count: int | None = None) -> bytes:
            data = read(self, count)
            came.append(len(data))
            return data

        monkeypatch.setattr(Answer, "read", counting)
        monkeypatch.setattr(Answer, "readinto", None)  # by which whole blobs are read
        assert len(headers_of(Remote(address), version)) == 2
        assert sum(came) < 200_000
        assert len(came) < 12


def test_a_model_of_others_without_a_modelpack(tmp_path: Path) -> None:
    """Every layer of its image is looked through."""
    store, files = Layout(tmp_path), {"x.bin": bytes(100_000), "model.safetensors": safetensors.numpy.save(SMALL)}
    layers = [store.put_blob("models/net", tar_chunks({name: files[name]}, prefix="models/"), OCI_LAYER) for name in files]
    image = store.put_manifest("models/net", artifact_document(None, store.put_blob("models/net", b"{}", OCI_CONFIG), layers))
    child = {**to_dict(image.descriptor), "platform": {"os": "linux", "architecture": "amd64"}}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": MODEL, "manifests": [child]}
    store.put_manifest("models/net", index, tags=["v1"])
    found = headers_of(store, Models(store).find("net"))
    assert {name: header.parameters for name, header in found.items()} == {"model.safetensors": 7}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("application/vnd.cncf.model.weight.v1.raw", {"model.safetensors": 7}), ("application/vnd.cncf.model.weight.v1.tar+gzip", {})],
)
def test_layers_of_other_tools(kind: str, expected: dict[str, int], tmp_path: Path) -> None:
    """A ModelPack may have files as they are; what is compressed cannot be looked into, which is no error."""
    store = Layout(tmp_path)
    blob = store.put_blob("models/net", safetensors.numpy.save(SMALL), kind)
    layer = replace(blob, annotations={FILEPATH: "model.safetensors"})
    config = store.put_blob("models/net", b"{}", MODELPACK_CONFIG)
    pack = store.put_manifest("models/net", artifact_document(MODELPACK_MANIFEST, config, [layer]))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": MODEL, "manifests": [to_dict(pack.descriptor)]}
    store.put_manifest("models/net", index, tags=["v1"])
    version = ModelVersion("net", "v1", store.get_manifest("models/net", "v1").descriptor.digest)
    assert {name: header.parameters for name, header in headers_of(store, version).items()} == expected


# -- what cannot be --------------------------------------------------------------------------------------------------------


def written(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    """A file; ``length``: what it claims of its header instead of the truth."""
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(data) if length is None else length).to_bytes(8, "little") + data + body


def of(**said: Any) -> dict[str, Any]:
    return {"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **said}}


BAD = {
    "nothing": (b"", "it has 0 bytes"),
    "too short": (b"1234567", "it has 7 bytes"),
    "length past the end": (written({}, length=1000), "1000 bytes, and the file has"),
    "length past the end of the world": (written({}, length=2**64 - 1), "bytes, and the file has"),
    "not JSON": (written(b"{'a': 1}"), "not JSON"),
    "not text": (written(b"\xff\xfe\x00"), "not JSON"),
    "deeper than anything": (written(b"[" * 100_000), "not JSON"),
    "a list": (written([]), "not an object"),
    "a name twice": (written(b'{"a": {}, "a": {}}'), "twice"),
    "metadata of numbers": (written({"__metadata__": {"a": 1}}), "metadata"),
    "metadata as a list": (written({"__metadata__": ["a"]}), "metadata"),
    "a tensor that is none": (written({"t": 5}), "no type, shape and place"),
    "no type": (written(of(dtype=None), bytes(8)), "no type, shape and place"),
    "a shape of text": (written(of(shape=["2"]), bytes(8)), "no type, shape and place"),
    "a negative shape": (written(of(shape=[-2]), bytes(8)), "no type, shape and place"),
    "a shape of truths": (written(of(shape=[True, 2]), bytes(8)), "no type, shape and place"),
    "one offset": (written(of(data_offsets=[8]), bytes(8)), "no type, shape and place"),
    "backwards": (written(of(data_offsets=[8, 0]), bytes(8)), "no type, shape and place"),
    "more bytes than its shape has": (written(of(shape=[1]), bytes(8)), "F32 [1] has 8 bytes"),
    "past the end": (written(of(), bytes(7)), "end at byte 8 of 7"),
    "bytes that nobody owns": (written(of(), bytes(9)), "end at byte 8 of 9"),
    "a hole in front": (written(of(data_offsets=[8, 16]), bytes(16)), "begins at byte 8"),
    "no tensor for its bytes": (written({}, bytes(9)), "end at byte 0 of 9"),
    "two in one place": (written({**of(), "u": of()["t"]}, bytes(8)), "begins at byte 0, and what is before ends at 8"),
}


@pytest.mark.parametrize(("data", "why"), BAD.values(), ids=BAD)
def test_a_bad_header_is_refused_and_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Corrupt, match=why.replace("[", r"\[")) as refused:
        read_header(io.BytesIO(data), len(data), "a.safetensors of net:v1")
    assert (refused.value.code, "a.safetensors of net:v1" in str(refused.value)) == ("bad-tensors", True)


@pytest.mark.parametrize("length", [LIMIT + 1, 100_000_000])
def test_a_header_that_is_too_long_is_not_even_read(length: int) -> None:
    """Of a file that would have room for it."""
    source = io.BytesIO(length.to_bytes(8, "little"))
    with pytest.raises(Corrupt, match=f"{length} bytes, more than"):
        read_header(source, 1 << 40, "a file")
    assert source.tell() == 8


def test_a_bad_file_in_a_registry_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model.safetensors").write_bytes(written({}, length=5000))
    publish_model(store, "net", tmp_path / "in", key="1", annotations={}, metrics={})
    with pytest.raises(Corrupt, match=r"model\.safetensors of net:v1"):
        headers_of(store, Models(store).find("net"))


shapes = st.lists(st.integers(0, 4), max_size=3)
tensors = st.dictionaries(st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"), shapes, max_size=6)


@given(tensors, st.sampled_from(["float32", "int8", "uint16", "bool"]), st.dictionaries(st.text(max_size=4), st.text(max_size=4)))
def test_what_the_library_writes_is_read(shapes: dict[str, list[int]], dtype: str, metadata: dict[str, str]) -> None:
    arrays = {name: np.zeros(shape, dtype) for name, shape in shapes.items()}
    data = safetensors.numpy.save(arrays, metadata or None)
    header = read_header(io.BytesIO(data), len(data), "it")
    assert {one.name: list(one.shape) for one in header.tensors} == shapes
    assert header.parameters == sum(array.size for array in arrays.values())
    assert header.metadata == metadata
    assert Header.to_json(header)["parameters"] == header.parameters


@given(st.binary(max_size=200))
def test_junk_never_escapes(data: bytes) -> None:
    """Either it is such a file, or it is refused as damaged."""
    for each in (data, written(data, b"x" * 8)):
        with suppress(Corrupt):
            assert read_header(io.BytesIO(each), len(each), "it").parameters >= 0


# -- layers ----------------------------------------------------------------------------------------------------------------


def layered(tmp_path: Path, layer: bytes) -> Any:
    """The headers of a model whose one layer is these bytes."""
    store = Layout(tmp_path)
    blob = store.put_blob("models/net", layer, OCI_LAYER)
    image = store.put_manifest("models/net", artifact_document(None, store.put_blob("models/net", b"{}", OCI_CONFIG), [blob]))
    child = {**to_dict(image.descriptor), "platform": {"os": "linux", "architecture": "amd64"}}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": MODEL, "manifests": [child]}
    store.put_manifest("models/net", index, tags=["v1"])
    return headers_of(store, Models(store).find("net"))


def member(name: str, size: bytes, kind: bytes = b"0") -> bytes:
    """A header of a tar with any size in it."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT))
    block[124:136], block[156:157] = size.ljust(12, b"\0"), kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "layer",
    [
        b"no tar at all" * 100,
        member("models/a", b"\xff" * 12) + bytes(2000),
        member("models/a", b"\xff" * 12, b"x") + bytes(2000),
        member("models/a", b"77777777777", b"x") + bytes(2000),
        member("models/model.safetensors", b"77777777777") + bytes(2000),
        member("models/a", b"77777777777") + bytes(2000),
    ],
    ids=["junk", "negative size", "negative record", "record larger than the layer", "file larger than the layer", "other file"],
)
def test_a_layer_that_is_no_tar_is_refused(tmp_path: Path, layer: bytes) -> None:
    with pytest.raises(Corrupt) as refused:
        layered(tmp_path, layer)
    assert refused.value.code in {"bad-layer", "bad-tensors"}


def test_a_record_as_large_as_a_model_is_not_read_into_memory(tmp_path: Path) -> None:
    """Long names stand in records before a file: one of a gigabyte is no name."""
    store = Layout(tmp_path)
    blob = store.put_blob("models/net", member("models/a", b"200000000", b"x") + bytes(64 << 20), OCI_LAYER)
    file = RangeFile(store, "models/net", blob)
    assert file.seek(-5, io.SEEK_END) == blob.size - 5
    assert file.read(50) == bytes(5)
    file.seek(0)
    with pytest.raises(Corrupt, match="claims a header"):
        file.read()


def test_a_blob_that_went_is_said(tmp_path: Path) -> None:
    store = Layout(tmp_path / "registry")
    publish(store, tmp_path / "in")
    version = Models(store).find("net")
    for path in (tmp_path / "registry" / "models" / "net" / "blobs" / "sha256").iterdir():
        if path.stat().st_size > 1 << 20:
            path.unlink()
    with pytest.raises(NotFound):
        headers_of(store, version)
