"""What scans found is kept beside a version, newest last, and read again from the registry alone."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import NotFound
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import SCAN
from jupyter_mlops.registry import verdicts
from jupyter_mlops.registry.copy import copy
from jupyter_mlops.registry.verdicts import CODE, newest, record, scanned

MODEL = "models/m"


class Opens:
    def __reduce__(self) -> Any:
        return open, ("/nowhere",)


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "mlops.json").write_text(json.dumps({"version": 1, "format": "python", "file": "weights.bin"}))
    (folder / "weights.bin").write_bytes(pickle.dumps(Opens()))
    layout = Layout(tmp_path / "registry")
    publish_model(layout, "m", folder, key="1", annotations={}, metrics={})
    return layout


def folder_with(folder: Path, card: Any, **files: bytes) -> Path:
    folder.mkdir()
    if card is not None:
        (folder / "mlops.json").write_text(card if isinstance(card, str) else json.dumps(card))
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder


HARMLESS, HARMFUL = pickle.dumps([1.5]), pickle.dumps(Opens())

FOLDERS: dict[str, tuple[Any, dict[str, bytes], dict[str, bool]]] = {
    "by its name": (None, {"model_pkl": HARMFUL, "a_txt": HARMFUL}, {"model.pkl": False}),
    "by its card": ({"format": "python", "file": "a.txt"}, {"a_txt": HARMFUL}, {"a.txt": False}),
    "harmless": ({"format": "sklearn", "file": "model.joblib"}, {"model_joblib": HARMLESS}, {"model.joblib": True}),
    "nothing to run": ({"format": "onnx", "file": "model.onnx"}, {"model_onnx": b"x"}, {}),
    "code beside it": ({"format": "mlflow", "file": "MLmodel"}, {"MLmodel": b"flavors: {}"}, {"MLmodel": False}),
    "format that is not known": ({"format": "zz", "file": "a.bin"}, {"a_bin": HARMFUL, "b_pkl": HARMLESS}, {"b.pkl": True}),
    "card that is none": ("[]", {"b_pkl": HARMFUL}, {"b.pkl": False}),
    "card that is no JSON": ("{", {"b_pkl": HARMFUL}, {"b.pkl": False}),
    "card that names a folder above": ({"format": "python", "file": "../x"}, {"b_pkl": HARMFUL}, {"b.pkl": False}),
    "empty": (None, {}, {}),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_what_is_found_in_a_folder(case: str, tmp_path: Path) -> None:
    card, files, expected = FOLDERS[case]
    found = scanned(folder_with(tmp_path / "in", card, **files))
    assert {file: verdict.harmless for file, verdict in found.items()} == expected


def test_code_beside_a_model_is_named(tmp_path: Path) -> None:
    found = scanned(folder_with(tmp_path / "in", {"format": "mlflow", "file": "MLmodel"}, MLmodel=b""))
    assert found["MLmodel"].refused == (CODE,)


def test_a_verdict_is_kept_once_and_read_again(store: Layout, tmp_path: Path) -> None:
    digest = store.get_manifest(MODEL, "v1").descriptor.digest
    assert newest(store, MODEL, digest) == {}
    found = scanned(tmp_path / "model")
    assert record(store, MODEL, "v1", found)
    assert not record(store, MODEL, "v1", found), "it is there"
    told = newest(Layout(store.root), MODEL, digest)
    assert (told["harmless"], told["version"], told["lists"]) == (False, 1, 1)
    assert told["files"]["weights.bin"]["refused"]
    assert told["scanner"].startswith("jupyter-mlops ")
    assert told["actor"]
    [referrer] = store.referrers(MODEL, digest, SCAN)
    assert referrer.annotations["io.github.jupyter-mlops.harmless"] == "false"
    with pytest.raises(NotFound):
        record(store, MODEL, "v9", found)


def test_the_newest_counts(store: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = store.get_manifest(MODEL, "v1").descriptor.digest
    times = iter(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
    monkeypatch.setattr(verdicts, "now", lambda: next(times))
    record(store, MODEL, "v1", scanned(tmp_path / "model"))
    monkeypatch.setattr(verdicts, "LISTS", 2)
    assert record(store, MODEL, "v1", {}), "by other lists it is another verdict"
    assert newest(store, MODEL, digest)["lists"] == 2


def test_a_damaged_verdict_hides_no_other(store: Layout, tmp_path: Path) -> None:
    subject = store.get_manifest(MODEL, "v1").descriptor
    record(store, MODEL, "v1", scanned(tmp_path / "model"))
    broken = push_artifact(store, MODEL, SCAN, {"time": "9999"}, subject=subject)
    store.blob_path(MODEL, broken.document["config"]["digest"]).unlink()
    assert newest(store, MODEL, subject.digest)["harmless"] is False


def test_a_copy_has_its_verdict(store: Layout, tmp_path: Path) -> None:
    record(store, MODEL, "v1", scanned(tmp_path / "model"))
    elsewhere = Layout(tmp_path / "elsewhere")
    copy(store, elsewhere, MODEL, "v1")
    assert newest(elsewhere, MODEL, store.get_manifest(MODEL, "v1").descriptor.digest)["harmless"] is False
