"""Which Python an image has: from its name, from its configuration in the target's registry, or not known."""

from __future__ import annotations

import json

import pytest

from jupyter_mlops.oci.names import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.settings import Target
from jupyter_mlops.targets.image import python_of
from jupyter_mlops.testing.embedded import embedded_registry


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "minor"),
    [
        ("python:3.11", "3.11"),
        ("docker.io/library/python:3.12-slim", "3.12"),
        ("10.0.0.1:5000/python:3.10.4@sha256:abc", "3.10"),
        ("python:3", None),
        ("python:latest", None),
        ("team/mypython:3.11", None),
        ("team/cpython:3.11", None),
        ("pytorch/pytorch:2.4", None),
        ("", None),
    ],
)
def test_by_its_name(image, minor):
    assert python_of(Target("dev"), image) == minor


@pytest.fixture
def registry(tmp_path):
    with embedded_registry(tmp_path / "registry") as address:
        yield address


def put(address, tag, environ, *, index=False, repository="team/image"):
    """An image whose configuration has these variables."""
    store = open_store(address)
    config = store.put_blob(repository, json.dumps({"config": {"Env": environ}}).encode(), OCI_CONFIG)
    described = {"mediaType": OCI_CONFIG, "digest": config.digest, "size": config.size}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": []}
    made = store.put_manifest(repository, document, tags=[] if index else [tag])
    if index:
        platform = {"os": "linux", "architecture": "amd64"}
        child = {"mediaType": OCI_MANIFEST, "digest": made.descriptor.digest, "size": made.descriptor.size, "platform": platform}
        store.put_manifest(repository, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}, tags=[tag])
    return made.descriptor.digest


@pytest.mark.parametrize(
    ("environ", "minor"),
    [(["A=1", "PYTHON_VERSION=3.12.4"], "3.12"), (["PYTHON_VERSION=3.9"], "3.9"), (["X=PYTHON_VERSION=3.9"], None), (None, None)],
)
@pytest.mark.parametrize("index", [False, True])
def test_by_its_configuration(registry, environ, minor, index):
    put(registry, "v1", environ, index=index)
    host = registry.partition("://")[2]
    assert python_of(Target("dev", registry=registry), f"{host}/team/image:v1") == minor


def test_by_digest_and_through_a_mirror(registry):
    digest = put(registry, "latest", ["PYTHON_VERSION=3.13.1"])
    host = registry.partition("://")[2]
    target = Target("dev", registry=registry, mirrors={"quay.io/": f"{host}/"})
    assert python_of(target, "quay.io/team/image") == "3.13"
    assert python_of(target, f"{host}/team/image@{digest}") == "3.13"


def test_the_registrys_folder_is_part_of_its_name(registry):
    put(registry, "v1", ["PYTHON_VERSION=3.12.4"], repository="base/team/image")
    host = registry.partition("://")[2]
    assert python_of(Target("dev", registry=f"{registry}/base"), f"{host}/base/team/image:v1") == "3.12"
    assert python_of(Target("dev", registry=f"{registry}/base"), f"{host}/other/team/image:v1") is None


@pytest.mark.slow
def test_what_cannot_be_read_is_not_known(registry):
    host = registry.partition("://")[2]
    assert python_of(Target("dev", registry=registry), f"{host}/team/none:v1") is None
    away = Target("dev", registry="http://127.0.0.1:1")
    assert python_of(away, "127.0.0.1:1/team/image:v1") is None
