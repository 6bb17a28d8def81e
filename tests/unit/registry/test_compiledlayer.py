"""Compiled modules as a layer: what a step imports, the same bytes each time, made once, and none where they would not fit."""

from __future__ import annotations

import gzip
import io
import marshal
import subprocess
import sys
import tarfile
import types
import zlib
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.tar import tar_chunks
from jupyter_mlops.registry import compiledlayer
from jupyter_mlops.registry.bundles import runner_layer
from jupyter_mlops.registry.compiledlayer import compiled_layer
from jupyter_mlops.registry.ipythonlayer import ipython_layer
from jupyter_mlops.runner.compiled import HASH

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, and nothing remembered."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    compiled_layer.cache_clear()
    yield tmp_path / "home" / "cache" / "layers"
    compiled_layer.cache_clear()


def table(layer: bytes) -> dict[str, bytes]:
    data = zlib.decompress(layer)
    assert data[:4] == MAGIC_NUMBER
    found: dict[str, bytes] = marshal.loads(data[4:])
    return found


def sources(*layers: bytes) -> dict[str, bytes]:
    """Name of a module → its source, in layers."""
    found: dict[str, bytes] = {}
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file and member.name.endswith(".py"):
                    name = member.name.removeprefix("lib/").removesuffix(".py").removesuffix("/__init__")
                    found[name.replace("/", ".")] = file.read()
    return found


def packed(**files: str) -> bytes:
    named: dict[str, Any] = {f"lib/jupyter_mlops/{name.replace('_', '/', 1)}.py": text.encode() for name, text in files.items()}
    return gzip.compress(b"".join(bytes(chunk) for chunk in tar_chunks(named)), mtime=0)


@pytest.mark.slow
def test_it_holds_what_a_step_imports_of_the_other_layers() -> None:
    layers = (runner_layer(), ipython_layer(THIS).data)
    found, known = table(compiled_layer(THIS, *layers)), sources(*layers)
    for name in (
        "jupyter_mlops.errors", "jupyter_mlops.runner.main", "jupyter_mlops.oci.remote", "jupyter_mlops.session.session",
        "cloudpickle.cloudpickle", "IPython.core.interactiveshell", "traitlets.traitlets",
    ):  # fmt: skip
        assert name in found
    assert not set(found) - set(known), "of the layers, and of nothing else"
    for name, entry in found.items():
        assert entry[:HASH] == source_hash(known[name])
        assert isinstance(marshal.loads(entry[HASH:]), types.CodeType)


@pytest.mark.slow
def test_it_is_the_same_each_time_and_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = (runner_layer(), ipython_layer(THIS).data)
    first = compiled_layer(THIS, *layers)
    [kept] = [path for path in fresh.iterdir() if path.read_bytes() == first]
    compiled_layer.cache_clear()
    monkeypatch.setattr(compiledlayer, "_made", None)
    assert compiled_layer(THIS, *layers) == first, "it was read, not made"
    monkeypatch.undo()
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(fresh.parents[1]))
    kept.write_bytes(b"damaged")
    compiled_layer.cache_clear()
    assert compiled_layer(THIS, *layers) == first, "it was made again, by another process"


def test_another_python_compiles_for_itself() -> None:
    assert compiled_layer("3.9", runner_layer(), b"") == b""


@pytest.mark.parametrize(
    "runner",
    [packed(runner_main="import nothing_of_that_name"), packed(runner_main="this is no Python"), packed(errors="")],
    ids=["import", "syntax", "module"],
)
def test_what_cannot_be_imported_makes_no_layer(runner: bytes, fresh: Path) -> None:
    assert compiled_layer(THIS, runner, b"") == b""
    assert not fresh.exists() or not list(fresh.iterdir()), "and is tried again"


def test_a_machine_that_starts_no_process_makes_no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(compiledlayer.subprocess, "run", refused)
    assert compiled_layer(THIS, runner_layer(), b"") == b""


@pytest.mark.slow
def test_without_ipython_ours_is_compiled() -> None:
    found = table(compiled_layer(THIS, runner_layer(), b""))
    assert "jupyter_mlops.runner.main" in found
    assert not [name for name in found if name.startswith("IPython")]
