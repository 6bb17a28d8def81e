"""``jupyter mlops models show``: one version with its card, its datasets and its tensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253 - the arrays of the files
import pytest
import safetensors.numpy

from jupyter_mlops.cli.modelshow import short
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.lineage import Lineage
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.provenance import Made, Thing, record_lineage
from jupyter_mlops.registry.trained import datasets_of
from jupyter_mlops.runner.dataset import publish_dataset

CARD = {
    "version": 1, "format": "safetensors", "file": "model.safetensors", "pickle": False, "class": "torch.nn.Linear", "python": "3.12.1",
    "packages": {"torch": "2.9.0"},
    "signature": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}], "outputs": []},
}  # fmt: skip


@pytest.fixture
def store(mlops_home: Path) -> Layout:
    return Layout(mlops_home / "registry")


@pytest.fixture
def net(store: Layout, tmp_path: Path) -> Thing:
    """``net:v1``, made by run r1 of ``rides:v1``; the same run registered ``clean:v1``."""
    folder = tmp_path / "in"
    folder.mkdir()
    arrays = {f"layer.{number}": np.zeros((1000, 10), "float32") for number in range(30)}
    safetensors.numpy.save_file(arrays, folder / "model.safetensors", {"format": "pt"})
    (folder / "mlops.json").write_text(json.dumps(CARD))
    made = publish_model(store, "net", folder, key="1", annotations={"format": "safetensors", "run": "r1"}, metrics={"loss": 0.25})
    model = Thing("models/net", made.tag, made.digest)
    things = []
    for name in ("rides", "clean"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_text(name)
        notes = {"run": "r1"} if name == "clean" else {}
        tag, digest = publish_dataset(store, name, tmp_path / name, {"source": "frame"}, key=name, annotations=notes)
        things.append(Thing(f"datasets/{name}", tag, digest))
    record_lineage(store, Made("p", "r1", inputs=(things[0],), outputs=(model, things[1])))
    return model


def test_a_version_is_shown_whole(net: Thing, mlops: Callable[..., Any]) -> None:
    shown = mlops("models", "show", "net").out
    for line in (
        f"net:v1  {net.digest}",
        "format     safetensors, torch.nn.Linear",
        "made with  Python 3.12.1, torch 2.9.0",
        "metric     loss = 0.25",
        "input      x: FP32 [-1, 3]",
        "dataset    rides:v1  loaded",
        "dataset    clean:v1  registered by the same run",
        "model.safetensors: 300K parameters in 30 tensors (F32 300K)",
        "  format = pt",
        "1000 x 10",
        "and 10 more",
    ):
        assert line in shown


def test_as_json_it_is_complete(net: Thing, mlops: Callable[..., Any]) -> None:
    found = mlops("models", "show", "net:latest", "--json").json
    assert (found["name"], found["tag"], found["digest"], found["card"]) == ("net", "v1", net.digest, CARD)
    assert [(one["name"], one["tag"], one["how"]) for one in found["datasets"]] == [
        ("rides", "v1", "loaded"),
        ("clean", "v1", "registered"),
    ]
    header = found["tensors"]["model.safetensors"]
    assert (header["parameters"], len(header["tensors"]), header["metadata"]) == (300_000, 30, {"format": "pt"})


def test_what_cannot_be_shown_is_said(store: Layout, tmp_path: Path, mlops: Callable[..., Any]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model.safetensors").write_bytes(b"\xff" * 100)
    publish_model(store, "bad", tmp_path / "in", key="1", annotations={}, metrics={})
    damaged = mlops("models", "show", "bad")
    assert damaged.code == 1
    assert "model.safetensors of bad:v1 is no safetensors file" in damaged.err
    assert mlops("models", "show", "nothing").code != 0
    assert "show NAME[:TAG]" in mlops("models", "show", "a", "b").err


def test_datasets_follow_the_statement_and_not_the_card(net: Thing, store: Layout) -> None:
    """Without a statement nothing is claimed."""
    version = Models(store).find("net")
    assert [(one.name, one.how) for one in datasets_of(Lineage(store), version)] == [("rides", "loaded"), ("clean", "registered")]
    for referrer in store.referrers("models/net", net.digest, "application/vnd.in-toto+json"):
        store.delete("models/net", referrer.digest)
    assert datasets_of(Lineage(store), version) == ()


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0"), (999, "999"), (1000, "1K"), (7_241_732_096, "7.24B"), (1_500_000, "1.5M"), (10**16, "1e+04T")]
)
def test_numbers_as_people_say_them(count: int, expected: str) -> None:
    assert short(count) == expected
