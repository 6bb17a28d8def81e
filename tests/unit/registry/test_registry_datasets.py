"""Datasets: only what changed is stored, versions are compared and pulled whole, a card says what they are."""

import base64
import json
import os
from collections import Counter

import pytest

from jupyter_mlops.errors import Corrupt, NotFound, PlatformError, WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import DATASET, DATASET_CONFIG
from jupyter_mlops.registry.datasets import CARD_TYPE, Datasets, to_json
from jupyter_mlops.registry.index import Index
from jupyter_mlops.registry.layout import LayoutRegistry
from jupyter_mlops.runner import croissant
from jupyter_mlops.runner.dataset import publish_dataset, write_dataset


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


@pytest.fixture
def publish(layout, tmp_path):
    def publish(name, content, *, key=None):
        folder = tmp_path / f"in-{os.urandom(4).hex()}"
        folder.mkdir()
        if isinstance(content, dict):
            for path, text in content.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
            facts = {"version": 1, "rows": None, "columns": [], "source": "folder"}
        else:
            facts = write_dataset(content, folder).to_json()
        return publish_dataset(layout, name, folder, facts, key=key or folder.name, annotations={"run": "r-1"})

    return publish


def frame(columns):
    import pandas as pd  # half a second

    return pd.DataFrame(columns)


def blobs(layout):
    return {path.name for path in layout.root.rglob("blobs/sha256/*")}


def test_only_files_that_changed_are_stored_again(layout, publish):
    files = {f"part-{number:02}.csv": f"a\n{number}\n" for number in range(30)}
    publish("rides", files)
    before = blobs(layout)
    publish("rides", {**files, "part-07.csv": "a\nchanged\n", "sub/new.csv": "a\nnew\n"})
    added = {path: path.read_bytes() for path in layout.root.rglob("blobs/sha256/*") if path.name not in before}
    kinds = Counter(_kind(data) for data in added.values())
    assert kinds == {"data": 2, "card": 1, "manifest": 1}, "two files, the card, the manifest; the config is the same"
    before = blobs(layout)
    publish("copies", files)
    assert len([path for path in layout.root.glob("_blobs/sha256/*") if path.name not in before]) <= 3, "shared by other datasets"


def _kind(data):
    if data.startswith(b"{"):
        document = json.loads(data)
        return "card" if "@context" in document else "manifest" if "layers" in document else "config"
    return "data"


def test_the_same_call_again_is_the_same_version(publish):
    assert publish("rides", {"a.csv": "1"}, key="r/s/1") == publish("rides", {"a.csv": "1"}, key="r/s/1")
    assert publish("rides", {"a.csv": "1"}, key="r/s/2")[0] == "v2"


def test_versions_and_every_way_of_naming_one(layout, publish):
    (_, one), (_, two) = publish("rides", {"a.csv": "1"}), publish("rides", {"a.csv": "22"})
    datasets = Datasets(layout)
    assert [(each.tag, each.bytes, each.run) for each in datasets.versions("rides")] == [("v2", 2, "r-1"), ("v1", 1, "r-1")]
    for reference, digest in {
        "rides": two, "rides:latest": two, "rides:v1": one, f"rides@{one}": one, f"datasets/rides@{two}": two,
    }.items():  # fmt: skip
        assert datasets.find(reference).digest == digest
    assert datasets.find("rides:v1").reference == f"datasets/rides@{one}"
    assert set(to_json(datasets.find("rides"))) == {"name", "tag", "digest", "created", "bytes", "run", "rows", "columns"}
    for wrong, error in {
        "ride": NotFound, "rides:v3": NotFound, f"rides@sha256:{'0' * 64}": NotFound, "RIDES": WrongUsage,
    }.items():  # fmt: skip
        with pytest.raises(error):
            datasets.find(wrong)


def test_what_changed(layout, publish):
    publish("rides", {"same.csv": "1", "gone.csv": "2", "other.csv": "3"})
    publish("rides", {"same.csv": "1", "new.csv": "2", "other.csv": "33"})
    datasets = Datasets(layout)
    changes = datasets.diff(datasets.find("rides:v1"), datasets.find("rides:v2"))
    assert [file.path for file in changes.added] == ["new.csv"]
    assert [file.path for file in changes.removed] == ["gone.csv"]
    assert [(old.path, old.bytes, new.bytes) for old, new in changes.changed] == [("other.csv", 1, 2)]
    assert (changes.same, changes.columns, changes.rows) == (1, (), (None, None))


def test_columns_that_changed(layout, publish):
    publish("rows", frame({"a": [1], "b": ["x"], "c": [1.0]}))
    publish("rows", frame({"a": [1.5, 2], "b": ["x", "y"], "d": [True, False]}))
    datasets = Datasets(layout)
    changes = datasets.diff(datasets.find("rows:v1"), datasets.find("rows:v2"))
    assert [(name, was is None, now is None) for name, was, now in changes.columns] == [
        ("a", False, False), ("c", False, True), ("d", True, False),
    ]  # fmt: skip
    assert changes.rows == (1, 2)


def test_a_pull_is_whole(layout, publish, tmp_path):
    publish("rides", {"a.csv": "1", "sub/deep/b.csv": "2"})
    datasets = Datasets(layout)
    files = datasets.pull(datasets.find("rides"), tmp_path / "new" / "out")
    assert [file.path for file in files] == ["a.csv", "sub/deep/b.csv"]
    out = tmp_path / "new" / "out"
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {
        "a.csv", "sub/deep/b.csv", "croissant.json",
    }  # fmt: skip
    assert (out / "sub/deep/b.csv").read_text() == "2"
    with pytest.raises(WrongUsage, match="is there already"):
        datasets.pull(datasets.find("rides"), out)


def test_a_damaged_file_leaves_no_folder(layout, publish, tmp_path):
    publish("rides", {"a.csv": "1", "b.csv": "2"})
    datasets = Datasets(layout)
    path = layout.blob_path("datasets/rides", datasets.files(datasets.find("rides"))[1].digest)
    path.write_bytes(b"3")
    with pytest.raises(Corrupt):
        datasets.pull(datasets.find("rides"), tmp_path / "out" / "here")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(layout, publish, tmp_path):
    publish("rides", {"a.csv": "1"})
    (tmp_path / "file").write_text("")
    datasets = Datasets(layout)
    with pytest.raises(PlatformError, match="cannot write"):
        datasets.pull(datasets.find("rides"), tmp_path / "file" / "out")


@pytest.mark.parametrize("title", ["../up.csv", "/etc/passwd", "a/../../b", "a\\b"])
def test_a_file_that_would_lie_outside_is_refused(layout, tmp_path, title):
    layer = layout.put_blob("datasets/evil", b"x", "text/csv").__class__(
        "text/csv", layout.put_blob("datasets/evil", b"x", "text/csv").digest, 1, {"org.opencontainers.image.title": title}
    )
    push_artifact(layout, "datasets/evil", DATASET, {}, [layer], config_type=DATASET_CONFIG, tags=["v1"])
    datasets = Datasets(layout)
    with pytest.raises(Corrupt, match="file named"):
        datasets.pull(datasets.find("evil"), tmp_path / "out")
    assert not (tmp_path / "up.csv").exists()


def test_a_deleted_version_leaves_its_number_and_what_others_need(layout, publish, tmp_path):
    for text in ("1", "2", "3"):
        publish("rides", {"same.csv": "same", "a.csv": text})
    datasets = Datasets(layout)
    for tag, newest in (("v3", "v2"), ("v1", "v2")):
        datasets.delete("rides", tag, reason="a test")
        assert datasets.find("rides").tag == newest
        assert layout.get_manifest("datasets/rides", "latest").descriptor.digest == datasets.find("rides").digest
    LayoutRegistry(layout).collect("datasets/rides", grace=0)
    datasets.pull(datasets.find("rides:v2"), tmp_path / "out")
    assert publish("rides", {"a.csv": "4"})[0] == "v4", "a number is never used again"
    with pytest.raises(NotFound):
        datasets.delete("rides", "v3")


def test_lists_come_from_the_index(layout, publish, tmp_path, monkeypatch):
    publish("rides", {"a.csv": "1"})
    publish("group/rows", frame({"a": [1, 2]}))
    for name in ("rides", "group/rows"):
        os.utime(layout.folder(f"datasets/{name}") / "index.json", (1_700_000_000, 1_700_000_000))
    expected = Datasets(layout, index=Index(tmp_path / "empty")).list()
    assert [(one.name, one.facts["rows"]) for one in expected] == [("group/rows", 2), ("rides", None)]
    assert Datasets(Layout(layout.root)).list() == expected
    monkeypatch.setattr(Layout, "get_manifest", None)
    assert Datasets(Layout(layout.root)).list() == expected


# -- the card --------------------------------------------------------------------------------------------------------------


def card_of(layout, name):
    datasets = Datasets(layout)
    manifest = layout.get_manifest(f"datasets/{name}", datasets.find(name).digest)
    (layer,) = [layer for layer in manifest.document["layers"] if layer["mediaType"] == CARD_TYPE]
    with layout.open_blob(f"datasets/{name}", layer["digest"]) as stream:
        return json.loads(stream.read())


def test_the_card_of_a_frame(layout, publish):
    publish("rows", frame({"n": [1], "x": [1.5], "ok": [True], "who": ["me"]}))
    card = card_of(layout, "rows")
    assert (card["@type"], card["name"], card["version"]) == ("sc:Dataset", "rows", "1.0.0")
    assert card["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    (file,) = card["distribution"]
    (known,) = Datasets(layout).files(Datasets(layout).find("rows"))
    assert (file["contentUrl"], "sha256:" + file["sha256"], file["contentSize"]) == (known.path, known.digest, f"{known.bytes} B")
    (rows,) = card["recordSet"]
    assert [(field["name"], field["dataType"]) for field in rows["field"]] == [
        ("n", "sc:Integer"), ("x", "sc:Float"), ("ok", "sc:Boolean"), ("who", "sc:Text"),
    ]  # fmt: skip
    assert {field["source"]["fileObject"]["@id"] for field in rows["field"]} == {file["@id"]}
    names = [file["@id"], rows["@id"], *(field["@id"] for field in rows["field"])]
    assert len(set(names)) == len(names), "what is named is named once"


def test_the_card_of_files_has_no_columns(layout, publish):
    publish("photos", {"a.csv": "1", "b.csv": "2", "c.txt": "3"})
    card = card_of(layout, "photos")
    assert [file["@id"] for file in card["distribution"]] == ["a.csv", "b.csv", "c.txt"]
    assert "recordSet" not in card


def test_a_card_of_their_own_stays(layout, publish, tmp_path):
    publish("own", {"a.csv": "1", "croissant.json": '{"name": "mine"}'})
    datasets = Datasets(layout)
    assert [file.path for file in datasets.files(datasets.find("own"))] == ["a.csv", "croissant.json"]
    datasets.pull(datasets.find("own"), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "croissant.json").read_text()) == {"name": "mine"}


@pytest.mark.parametrize(
    ("datatype", "arrow", "expected"),
    [
        ("INT64", "", "sc:Integer"), ("UINT8", "", "sc:Integer"), ("FP32", "float", "sc:Float"), ("BOOL", "bool", "sc:Boolean"),
        ("BYTES", "timestamp[ns]", "sc:Date"), ("BYTES", "date32[day]", "sc:Date"), ("BYTES", "string", "sc:Text"), ("", "", "sc:Text"),
    ],
)  # fmt: skip
def test_types(datatype, arrow, expected):
    facts = {"columns": [{"name": "c", "datatype": datatype, "arrow": arrow}]}
    layer = croissant.Descriptor("text/csv", "sha256:" + "0" * 64, 1, {"org.opencontainers.image.title": "data.csv"})
    card = croissant.croissant("d", 1, "2026-01-01T00:00:00Z", [layer], facts)
    assert card["recordSet"][0]["field"][0]["dataType"] == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, which it uses
def test_the_card_is_taken_by_the_format_s_own_library(layout, publish, tmp_path):
    mlcroissant = pytest.importorskip(
        "mlcroissant", reason="mlcroissant is not installed: the card is compared with the format by hand"
    )
    publish("rows", frame({"n": [1, 2], "x": [1.5, 2.5], "who": ["me", "you"]}))
    datasets = Datasets(layout)
    datasets.pull(datasets.find("rows"), tmp_path / "out")
    found = mlcroissant.Dataset(str(tmp_path / "out" / "croissant.json"))
    assert [record["rows/n"] for record in found.records("rows")] == [1, 2]


def test_arrow_s_schema_is_kept(layout, publish):
    import numpy as np

    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: frames are written as CSV, without its schema")
    publish("rows", frame({"n": [1], "when": np.array(["2026-01-01"], "datetime64[ns]"), "who": ["me"]}))
    facts = Datasets(layout).find("rows").facts
    schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(base64.b64decode(facts["arrow"])))
    assert schema.names == ["n", "when", "who"]
    assert [column["arrow"] for column in facts["columns"]] == [str(field.type) for field in schema]
    assert [column["datatype"] for column in facts["columns"]] == ["INT64", "BYTES", "BYTES"]
    assert card_of(layout, "rows")["recordSet"][0]["field"][1]["dataType"] == "sc:Date"
