"""Other people's tools and we, on the cluster's registries: each reads what the other wrote, and digests stay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import uuid
from pathlib import Path

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import METRICS
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry.copy import copy
from jupyter_mlops.registry.models import Models

pytestmark = pytest.mark.cluster


@pytest.fixture(params=["CLUSTER_REGISTRY", "CLUSTER_REGISTRY_OCI11"])
def store(request):
    host = os.environ.get(request.param)
    if not host:
        pytest.skip(f"{request.param} IS NOT SET: that registry is not tested")
    return Remote(f"http://{host}/h-registry/{uuid.uuid4().hex[:12]}")


@pytest.fixture
def place(store):
    """As tools name a repository below the store's base."""
    return store.address.removeprefix("http://")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(os.urandom(2_000_000))
    (folder / "mlops.json").write_text('{"version": 1}')
    return folder


@pytest.fixture
def made(store, folder):
    return publish_model(store, "churn", folder, key="k", annotations={"format": "f"}, metrics={"m": 0.5})


def call(name, *command, cwd=None):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} IS NOT ON PATH: what it reads and writes is not tested")
    done = subprocess.run([path, *map(str, command)], capture_output=True, text=True, timeout=60, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_oras_reads_ours(store, place, made, folder, tmp_path):
    pulled = tmp_path / "pulled"
    pulled.mkdir()
    call("oras", "pull", "--plain-http", f"{place}/models/churn:v1.modelpack", "-o", pulled)
    for archive in pulled.glob("*.tar"):
        with tarfile.open(archive) as members:
            members.extractall(tmp_path / "files", filter="data")
    assert contents(tmp_path / "files" / "models") == contents(folder)
    found = json.loads(call("oras", "discover", "--plain-http", "--format", "json", f"{place}/models/churn:v1"))
    assert [each["artifactType"] for each in found.get("referrers") or found["manifests"]] == [METRICS]


def test_oras_copies_ours_with_all_that_is_about_it(store, place, made):
    call("oras", "cp", "-r", "--from-plain-http", "--to-plain-http", f"{place}/models/churn:v1", f"{place}/models/copy:v1")
    assert store.get_manifest("models/copy", "v1").descriptor.digest == made.digest
    assert len(store.referrers("models/copy", made.digest, METRICS)) == 1
    assert Models(store).find("copy").metrics == {"m": 0.5}


def test_we_read_what_oras_pushed_and_attached(store, place, tmp_path):
    (tmp_path / "notes.txt").write_text("from oras")
    call("oras", "push", "--plain-http", f"{place}/notes/mine:v1", "notes.txt:text/plain", cwd=tmp_path)
    call(
        "oras",
        "attach",
        "--plain-http",
        "--artifact-type",
        "application/x.note",
        f"{place}/notes/mine:v1",
        "notes.txt:text/plain",
        cwd=tmp_path,
    )
    manifest = store.get_manifest("notes/mine", "v1")
    with store.open_blob("notes/mine", manifest.document["layers"][0]["digest"]) as stream:
        assert stream.read() == b"from oras"
    (about,) = store.referrers("notes/mine", manifest.descriptor.digest, "application/x.note")
    assert store.get_manifest("notes/mine", about.digest).descriptor.digest == about.digest


def test_crane_reads_copies_and_deletes_ours(store, place, made, folder, tmp_path):
    assert json.loads(call("crane", "manifest", "--insecure", f"{place}/models/churn:v1"))["annotations"]
    call("crane", "copy", "--insecure", f"{place}/models/churn:v1", f"{place}/models/copied:v1")
    assert store.get_manifest("models/copied", "v1").descriptor.digest == made.digest
    call("crane", "export", "--insecure", "--platform", "linux/arm64", f"{place}/models/churn:v1", tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as members:
        members.extractall(tmp_path / "out", filter="data")
    assert contents(tmp_path / "out" / "models") == contents(folder)
    call("crane", "delete", "--insecure", f"{place}/models/copied@{made.digest}")
    assert "v1" not in store.tags("models/copied")


def test_we_read_what_crane_pushed_from_our_folder(store, place, folder, tmp_path):
    local = Layout(tmp_path / "local")
    made = publish_model(local, "churn", folder, key="k", annotations={}, metrics={})
    single = Layout(tmp_path / "single")
    copy(local, single, "models/churn", made.digest, into="m", tags=["candidate"])
    call("crane", "push", "--insecure", "--index", single.folder("m"), f"{place}/models/pushed:v1")
    manifest = store.get_manifest("models/pushed", "v1")
    assert manifest.document["manifests"]
    assert store.get_manifest("models/pushed", made.digest).descriptor.digest == made.digest


def test_skopeo_both_ways(store, place, made, tmp_path):
    insecure = ("--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests")
    call("skopeo", "copy", *insecure, f"docker://{place}/models/churn:v1.modelpack", f"oci:{tmp_path / 'out'}:x")
    assert Layout(tmp_path).get_manifest("out", "x").data == store.get_manifest("models/churn", "v1.modelpack").data
    call("skopeo", "copy", *insecure, f"oci:{tmp_path / 'out'}:x", f"docker://{place}/models/back:x")
    assert store.get_manifest("models/back", "x").data == store.get_manifest("models/churn", "v1.modelpack").data
