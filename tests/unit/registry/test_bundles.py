"""Bundles: named before they are pushed, the same for the same notebook, small, and holding what the imports need."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import BUNDLE, BUNDLE_CODE, BUNDLE_COMPILED, BUNDLE_IPYTHON, BUNDLE_LEXERS, BUNDLE_RUNNER
from jupyter_mlops.pipeline.pipeline import Options, Parameter, Pipeline, Step
from jupyter_mlops.registry import localmodules
from jupyter_mlops.registry.bundles import bundle_reference, push_bundle, runner_layer, source_digest
from jupyter_mlops.registry.compiledlayer import compiled_layer
from jupyter_mlops.registry.ipythonlayer import ipython_layer
from jupyter_mlops.registry.localmodules import local_modules

CELLS = ("import helper\nlr = 0.1", "print(lr)")


def notebook(*sources: str, **metadata: Any) -> Notebook:
    cells = [Cell(index, "code", source, f"id{index}", metadata) for index, source in enumerate(sources or CELLS)]
    return Notebook("nb", tuple(cells), {"kernelspec": {"name": "python3"}, "language_info": {"version": "3.11.7"}})


def pipeline(**changes: Any) -> Pipeline:
    options = Options(env={"A": "1"}, secrets=({"env": "B", "secret": "s", "key": "k"},), outputs=("model:m",))
    steps = (Step("one", (0,), options=options), Step("two", (1,), needs=("one",)))
    return replace(Pipeline("nb", "nb.ipynb", steps, parameters=(Parameter("lr", "float", 0.1, 0, 2),), python="3.11"), **changes)


def members(store: Layout, reference: str) -> dict[str, bytes]:
    repository, _, digest = reference.partition("@")
    found: dict[str, bytes] = {}
    layers = store.get_manifest(repository, digest).document["layers"]
    for layer in (layer for layer in layers if layer["mediaType"].endswith(".tar+gzip")):
        with store.open_blob(repository, layer["digest"]) as stream, tarfile.open(fileobj=io.BytesIO(stream.read())) as archive:
            found |= {member.name: archive.extractfile(member).read() for member in archive if member.isreg()}  # type: ignore[union-attr]
    return found


def test_the_name_is_known_before_anything_is_written(tmp_path: Path) -> None:
    store = Layout(tmp_path / "registry")
    reference = bundle_reference(notebook(), pipeline())
    assert not (tmp_path / "registry").exists()
    assert push_bundle(store, notebook(), pipeline()) == reference
    assert push_bundle(store, notebook(), pipeline()) == reference
    manifest = store.get_manifest("runs/nb", f"bundle-{reference.rpartition(':')[2][:12]}")
    assert reference == f"runs/nb@{manifest.descriptor.digest}"
    assert manifest.document["artifactType"] == BUNDLE
    compiled = [BUNDLE_COMPILED] if sys.version_info[:2] == (3, 11) else []
    layers = [BUNDLE_CODE, BUNDLE_RUNNER, BUNDLE_IPYTHON, BUNDLE_LEXERS, *compiled]
    assert [layer["mediaType"] for layer in manifest.document["layers"]] == layers


def test_what_is_inside(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("V = 1\n")
    store = Layout(tmp_path / "registry")
    found = members(store, push_bundle(store, notebook(), pipeline(), tmp_path))
    plan = json.loads(found["plan.json"])
    assert plan["steps"][0] == {"name": "one", "cells": [0], "outputs": ["model:m"], "declared": ["A", "B"], "secrets": ["B"]}
    assert plan["parameters"] == [{"name": "lr", "type": "float", "default": 0.1, "cell": 0}]
    assert (plan["version"], plan["pipeline"], plan["notebook"], plan["python"]) == (1, "nb", "nb.ipynb", "3.11")
    assert [cell["source"] for cell in json.loads(found["notebook.ipynb"])["cells"]] == list(CELLS)
    assert found["files/helper.py"] == b"V = 1\n"
    for name in (
        "jupyter_mlops/errors.py",
        "jupyter_mlops/oci/layout.py",
        "jupyter_mlops/session/state.py",
        "cloudpickle/__init__.py",
    ):
        assert f"lib/{name}" in found
    assert not [name for name in found if "/server/" in name or "settings" in name or name.endswith(".pyc")]


def test_it_is_small() -> None:
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    ipython = ipython_layer(this).data
    compiled = compiled_layer(this, runner_layer(), ipython)
    assert compiled
    assert len(runner_layer()) + len(ipython) + len(compiled) < 2_600_000, "what the container of a step fetches"


SAME = {
    "time stamps of cells": lambda: notebook(execution={"iopub.execute_input": "2024-01-01"}, collapsed=True),
    "version of the kernel": lambda: replace(
        notebook(), metadata={"kernelspec": {"name": "python3"}, "language_info": {"version": "3.13"}}
    ),
    "outputs of the document": lambda: replace(notebook(), raw={"cells": [{"outputs": ["x"], "execution_count": 7}]}),
}
OTHER = {
    "source": lambda: notebook("import helper", "print(2)"),
    "tags": lambda: notebook(tags=["skip"]),
}


@pytest.mark.parametrize("what", SAME)
def test_running_a_notebook_does_not_change_its_bundle(what: str) -> None:
    assert bundle_reference(SAME[what](), pipeline()) == bundle_reference(notebook(), pipeline())
    assert source_digest(SAME[what]()) == source_digest(notebook())


@pytest.mark.parametrize("what", OTHER)
def test_what_it_does_changes_it(what: str) -> None:
    assert bundle_reference(OTHER[what](), pipeline()) != bundle_reference(notebook(), pipeline())
    assert source_digest(OTHER[what]()) != source_digest(notebook())


def test_the_plan_changes_the_bundle_and_not_the_source() -> None:
    assert bundle_reference(notebook(), pipeline(python="3.12")) != bundle_reference(notebook(), pipeline())


MODULES: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "plain": ("import a", {"a.py": ""}, {"a.py"}),
    "from": ("from a import x", {"a.py": "x = 1"}, {"a.py"}),
    "dotted": ("import p.q", {"p/__init__.py": "", "p/q.py": ""}, {"p/__init__.py", "p/q.py"}),
    "transitive": (
        "import a",
        {"a.py": "import b", "b.py": "from c import z", "c.py": "z = 1", "d.py": ""},
        {"a.py", "b.py", "c.py"},
    ),
    "cyclic": ("import a", {"a.py": "import b", "b.py": "import a"}, {"a.py", "b.py"}),
    "inside a function": ("def f():\n    import a", {"a.py": ""}, {"a.py"}),
    "package over module": ("import a", {"a.py": "", "a/__init__.py": ""}, {"a/__init__.py"}),
    "namespace package": ("import n.m", {"n/m.py": ""}, {"n/m.py"}),
    "data in a package": ("import p", {"p/__init__.py": "", "p/words.txt": "x"}, {"p/__init__.py", "p/words.txt"}),
    "caches stay": ("import p", {"p/__init__.py": "", "p/__pycache__/x.pyc": "", "p/.hidden": ""}, {"p/__init__.py"}),
    "import path": ("import sys\nsys.path.append('src')\nimport a", {"src/a.py": ""}, {"src/a.py"}),
    "beside a magic": ("%matplotlib inline\n!ls\nimport a", {"a.py": ""}, {"a.py"}),
    "in a broken cell": ("import a\nx = (", {"a.py": ""}, {"a.py"}),
    "not there": ("import numpy, nowhere", {"a.py": ""}, set()),
    "outside": ("import sys\nsys.path.append('..')\nimport a", {"b.py": ""}, set()),
    "relative is not local": ("from . import a", {"a.py": ""}, set()),
}


@pytest.mark.parametrize("case", MODULES)
def test_local_modules(case: str, tmp_path: Path) -> None:
    source, files, expected = MODULES[case]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert set(local_modules([source], tmp_path)) == expected


def test_too_large_modules_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big.py").write_text("x = 1\n" * 100)
    monkeypatch.setattr(localmodules, "TOTAL", 100)
    with pytest.raises(WrongUsage, match=r"big\.py") as caught:
        local_modules(["import big"], tmp_path)
    assert caught.value.code == "modules-too-large"
    assert caught.value.fix
