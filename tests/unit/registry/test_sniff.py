"""The format of a file is told by its bytes, whatever it is called."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np  # noqa: TID253 - arrays for the files
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Corrupt, MlopsError, WrongUsage
from jupyter_mlops.registry.sniff import Sniffed, sniff


def field(number: int, value: int | bytes) -> bytes:
    """A field of protobuf."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def zipped(**files: bytes | str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), data)
    return target.getvalue()


ONNX = field(1, 8) + field(2, b"pytorch") + field(7, b"g" * 300) + field(8, b"\x10\x11")
LARGE_ONNX = field(1, 8) + field(7, b"g" * 200_000)
XGBOOST = b'{"learner":{"attributes":{}},"version":[2,0,3]}'
TREE = b"tree\nversion=v4\nnum_class=1\n"
TENSORS = safetensors.numpy.save({"a": np.zeros(3)})

KNOWN = {
    "onnx": (ONNX, "model.onnx", Sniffed("onnx")),
    "onnx without a name": (ONNX, "model", Sniffed("onnx")),
    "a large onnx": (LARGE_ONNX, "weights.bin", Sniffed("onnx")),
    "xgboost": (XGBOOST, "model.json", Sniffed("xgboost")),
    "xgboost, version first": (b'{ "version": [3], "learner": {}}', "model.bst", Sniffed("xgboost")),
    "xgboost, UBJSON": (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", "model.ubj", Sniffed("xgboost")),
    "lightgbm": (TREE, "model.txt", Sniffed("lightgbm")),
    "lightgbm from windows": (TREE.replace(b"\n", b"\r\n"), "model", Sniffed("lightgbm")),
    "safetensors": (TENSORS, "model.safetensors", Sniffed("safetensors")),
    "safetensors without a name": (TENSORS, "weights", Sniffed("safetensors")),
    "skops": (zipped(schema_DOT_json=json.dumps({"__loader__": "ObjectNode"})), "model.zip", Sniffed("skops")),
    "torch": (zipped(archive__data_DOT_pkl=pickle.dumps({})), "model.bin", Sniffed("torch", pickle=True)),
    "torchscript": (zipped(a__data_DOT_pkl=b"", a__constants_DOT_pkl=b""), "model.pt", Sniffed("torchscript", pickle=True)),
    "a pickle": (pickle.dumps({"a": [1]}), "model", Sniffed("python", pickle=True)),
    "a pickle called onnx": (pickle.dumps({"a": [1]}), "model.onnx", Sniffed("python", pickle=True)),
    "an old pickle by its name": (pickle.dumps({"a": np.float64(1)}, protocol=0), "model.pkl", Sniffed("python", pickle=True)),
}


def told(path: Path) -> Sniffed:
    """Without the ends of names, which the test of imports is about."""
    found = sniff(path)
    assert found.ends or not found.pickle
    return replace(found, ends=())


@pytest.mark.parametrize(("data", "name", "expected"), KNOWN.values(), ids=KNOWN)
def test_what_is_known(data: bytes, name: str, expected: Sniffed, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert told(tmp_path / name) == expected


def test_an_estimator_by_joblib(tmp_path: Path) -> None:
    """Whether packed or not, and whatever its name."""
    joblib, linear = pytest.importorskip("joblib"), pytest.importorskip("sklearn.linear_model")
    model = linear.LinearRegression().fit(np.arange(6).reshape(3, 2), [1, 2, 3])
    for name, compress in (("a.joblib", 0), ("b.pkl", 0), ("c.bin", 3), ("d.gz", ("gzip", 3))):
        joblib.dump(model, tmp_path / name, compress=compress)
        assert told(tmp_path / name) == Sniffed("sklearn", pickle=True), name
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(model))
    assert told(tmp_path / "plain.pkl") == Sniffed("python", pickle=True)


UNKNOWN = {
    "nothing": b"",
    "text": b"hello, I am a model",
    "JSON": b'{"a": 1}',
    "JSON that says learner": b'{"a": "learner"}',
    "torch.export": zipped(serialized_exported_program_DOT_json="{}"),
    "another zip": zipped(readme_DOT_txt="hello"),
    "a zip with a schema": zipped(schema_DOT_json="[]"),
    "half a zip": zipped(readme_DOT_txt="hello")[:40],
    "half an onnx": ONNX[:-1],
    "an onnx with more": ONNX + b"x",
    "no graph": field(1, 8) + field(2, b"pytorch"),
    "no version": field(7, b"g" * 20),
    "a field that is none": ONNX + field(9, b"x"),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "gzip of nothing of use": gzip.compress(b"hello"),
}


@pytest.mark.parametrize("data", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("name", ["model.onnx", "model.json", "model"])
def test_what_is_unknown_is_refused_with_what_is_known(data: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WrongUsage, match="no model") as refused:
        sniff(tmp_path / name)
    assert (refused.value.code, "safetensors" in refused.value.fix) == ("unknown-model-file", True)


def test_what_is_called_safetensors_has_to_be_it(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(Corrupt) as refused:
        sniff(tmp_path / "a.safetensors")
    assert refused.value.code == "bad-tensors"


@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"\x80\x04", b"{L", b"\x08\x08:", b"x\x9c", b"\x1f\x8b"]))
def test_junk_never_escapes(data: bytes, start: bytes) -> None:
    """It has a format, or an error of ours says that it has none."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        path.write_bytes(start + data)
        try:
            found = sniff(path).format
        except MlopsError as error:
            found = error.code
        assert found
