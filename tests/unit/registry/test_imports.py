"""Models that were made elsewhere become versions: their files as they are, and a card."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253 - arrays for the files
import pytest
import safetensors.numpy

from jupyter_mlops.errors import Corrupt, MlopsError, NotFound, WrongUsage
from jupyter_mlops.formats.allowed import loader_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.imports import import_model
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.ranges import headers_of
from jupyter_mlops.serving.server.loaders import load

CONFIG = {"model_type": "bert", "architectures": ["BertModel"], "transformers_version": "4.57.1"}


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "registry")


def huggingface(folder: Path, config: Any = CONFIG, weights: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / ".gitattributes").write_text("* lfs")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "lock").write_text("")
    if weights:
        data = safetensors.numpy.save({"w": np.zeros((3, 4), "float32")}) if weights.endswith("tensors") else pickle.dumps({})
        (folder / weights).write_bytes(data)
    return folder


def brought(store: Layout, source: Path, into: Path) -> tuple[dict[str, Any], set[str]]:
    """The card of an import, and its files."""
    import_model(store, source, "net")
    version = Models(store).find("net")
    assert version.card["name"] == "net"
    assert version.format == version.card["format"]
    Models(store).extract(version, into)
    return dict(version.card), {path.relative_to(into / "models").as_posix() for path in into.rglob("*") if path.is_file()}


def test_a_folder_of_hugging_face(store: Layout, tmp_path: Path) -> None:
    card, files = brought(store, huggingface(tmp_path / "in"), tmp_path / "out")
    assert files == {"config.json", "tokenizer.json", "model.safetensors", "mlops.json"}
    assert (card["format"], card["file"], card["pickle"], card["class"]) == (
        "huggingface",
        "config.json",
        False,
        "transformers.BertModel",
    )
    assert card["packages"] == {"transformers": "4.57.1"}
    assert card["huggingface"] == {"model_type": "bert", "architectures": ["BertModel"], "tokenizer": True, "own_code": False}
    assert headers_of(store, Models(store).find("net"))["model.safetensors"].parameters == 12


def test_old_weights_and_own_code_are_marked(store: Layout, tmp_path: Path) -> None:
    config = {**CONFIG, "auto_map": {"AutoModel": "model.Mine"}}
    card, _ = brought(store, huggingface(tmp_path / "in", config, "pytorch_model.bin"), tmp_path / "out")
    assert (card["pickle"], card["huggingface"]["own_code"]) == (True, True)


def test_a_snapshot_of_the_hubs_cache_is_links(store: Layout, tmp_path: Path) -> None:
    """They lead to its blobs, and nowhere else."""
    cache = tmp_path / "models--a--b"
    real = huggingface(cache / "blobs")
    shot = cache / "snapshots" / "0123"
    shot.mkdir(parents=True)
    for path in real.iterdir():
        if path.is_file():
            (shot / path.name).symlink_to(Path("..", "..", "blobs", path.name))
    _, files = brought(store, shot, tmp_path / "out")
    assert files == {"config.json", "tokenizer.json", "model.safetensors", "mlops.json"}
    assert (tmp_path / "out" / "models" / "config.json").read_text() == json.dumps(CONFIG)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_that_leads_out_is_refused(what: str, store: Layout, tmp_path: Path) -> None:
    """Else a folder from the net would publish what lies beside it."""
    secret = tmp_path / "secret"
    if what == "file":
        secret.write_text("key")
    else:
        secret.mkdir()
        (secret / "id").write_text("key")
    huggingface(tmp_path / "in")
    (tmp_path / "in" / "vocab.txt").symlink_to(secret)
    with pytest.raises(WrongUsage, match="secret") as refused:
        import_model(store, tmp_path / "in", "net")
    assert refused.value.code == "unsafe-link"
    assert not Models(store).list()


def test_files(store: Layout, tmp_path: Path) -> None:
    """One file, told by what is in it; a pickle gets the name that tells scans who reads it."""
    joblib = pytest.importorskip("joblib")
    (tmp_path / "a.onnx").write_bytes(b"\x08\x08:\x02gg")
    (tmp_path / "b.txt").write_bytes(b"tree\nversion=v4\n")
    (tmp_path / "c.bin").write_bytes(pickle.dumps([1]))
    (tmp_path / "d.onnx").write_bytes(pickle.dumps([1]))
    joblib.dump({"a": np.arange(3)}, tmp_path / "e.pkl")
    expected = {
        "a.onnx": ("onnx", "a.onnx"), "b.txt": ("lightgbm", "b.txt"), "c.bin": ("python", "c.pkl"), "d.onnx": ("python", "d.pkl"),
        "e.pkl": ("sklearn", "e.joblib"),
    }  # fmt: skip
    for name, (format_, file) in expected.items():
        card, files = brought(store, tmp_path / name, tmp_path / "out" / name)
        assert (card["format"], card["file"]) == (format_, file)
        assert files == {file, "mlops.json"}
        assert card["pickle"] == (loader_of(file) is not None)
        assert (tmp_path / "out" / name / "models" / file).read_bytes() == (tmp_path / name).read_bytes()


X, Y = [[1.0, 1.5], [2, 2.5], [3, 0.5], [4, 1.0]] * 10, [0, 1, 0, 1] * 10


def xgboost(path: Path) -> Any:
    model = pytest.importorskip("xgboost").XGBClassifier(n_estimators=3).fit(X, Y)
    model.save_model(path.with_suffix(".json" if "json" in path.name else ".ubj"))
    path.with_suffix(".json" if "json" in path.name else ".ubj").rename(path)
    return model.predict(X)


def lightgbm(path: Path) -> Any:
    module = pytest.importorskip("lightgbm")
    booster = module.train({"objective": "regression", "verbose": -1, "min_data_in_leaf": 1}, module.Dataset(np.asarray(X), Y), 3)
    booster.save_model(str(path))
    return booster.predict(X)


def onnx(path: Path) -> Any:
    model = pytest.importorskip("sklearn.linear_model").LogisticRegression().fit(X, Y)
    graph = pytest.importorskip("skl2onnx").to_onnx(model, np.asarray(X, "float32"), options={"zipmap": False})
    path.write_bytes(graph.SerializeToString())
    return model.predict(X)


def skops(path: Path) -> Any:
    model = pytest.importorskip("sklearn.tree").DecisionTreeClassifier().fit(X, Y)
    pytest.importorskip("skops.io").dump(model, path)
    return model.predict(X)


def joblib(path: Path) -> Any:
    model = pytest.importorskip("sklearn.tree").DecisionTreeClassifier().fit(X, Y)
    pytest.importorskip("joblib").dump(model, path, compress=3)
    return model.predict(X)


def pickled(path: Path) -> Any:
    model = pytest.importorskip("sklearn.tree").DecisionTreeClassifier().fit(X, Y)
    path.write_bytes(pickle.dumps(model))
    return model.predict(X)


@pytest.mark.parametrize("name", ["json", "model.bin"])
@pytest.mark.parametrize("make", [xgboost, lightgbm, onnx, skops, joblib, pickled])
def test_what_a_framework_wrote_is_loaded_as_it_is_served(
    make: Callable[[Path], Any], name: str, store: Layout, tmp_path: Path
) -> None:
    """Under any name; a tree in a pickle is harmless by the list."""
    expected = make(tmp_path / name)
    card, _ = brought(store, tmp_path / name, tmp_path / "out")
    assert card["format"] == {"pickled": "python", "joblib": "sklearn"}.get(make.__name__, make.__name__)
    found = load(tmp_path / "out" / "models", card, "listed" if card["pickle"] else "never")(np.asarray(X))
    assert np.allclose(found, expected)


def test_each_import_is_a_version(store: Layout, tmp_path: Path) -> None:
    """Of which the second stores its files no second time."""
    folder = huggingface(tmp_path / "in")
    (folder / "large.safetensors").write_bytes(safetensors.numpy.save({"w": np.zeros(3_000_000, "float32")}))
    tags = [import_model(store, folder, "net").tag for _ in range(2)]
    assert tags == ["v1", "v2"]
    first, second = (Models(store).files(Models(store).find(f"net:{tag}")) for tag in tags)
    assert first["models/large.safetensors"] == second["models/large.safetensors"]


WRONG: list[tuple[Any, str, str]] = [
    ("no JSON", "model.safetensors", "not JSON"),
    ("[]", "model.safetensors", "names neither"),
    ({"a": 1}, "model.safetensors", "names neither"),
    (CONFIG, "", "no weights"),
]


@pytest.mark.parametrize(("config", "weights", "why"), WRONG)
def test_what_is_no_model_is_refused(config: Any, weights: str, why: str, store: Layout, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=why) as refused:
        import_model(store, huggingface(tmp_path / "in", config, weights), "net")
    assert refused.value.code == "unknown-model-file"
    assert not Models(store).list()


def test_other_errors(store: Layout, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    huggingface(tmp_path / "in")
    (tmp_path / "in" / "bad.safetensors").write_bytes(b"\xff" * 20)
    cases: list[tuple[str, str, type[MlopsError], str]] = [
        ("nothing", "net", NotFound, "no-such-file"),
        ("empty", "net", WrongUsage, "unknown-model-file"),
        ("in", "net", Corrupt, "bad-tensors"),
        ("in", "Net/1", WrongUsage, "invalid-name"),
    ]
    for source, name, kind, code in cases:
        with pytest.raises(kind) as refused:
            import_model(store, tmp_path / source, name)
        assert (refused.value.code, bool(refused.value.fix)) == (code, True)
