"""Other people's tools read what we write, and we read what they wrote: oras (Python), skopeo and crane.

oras is a dependency and always tested; skopeo and crane where they are on PATH (else a loud skip).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.models import Models
from jupyter_mlops.testing.embedded import embedded_registry

TOKEN = "a-token-for-the-test"


def tool(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on PATH: what it reads is NOT tested on this machine")
    return path


def call(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.joblib").write_bytes(os.urandom(50_000))
    (folder / "mlops.json").write_text('{"version": 1}')
    (folder / "sub" / "vocabulary.txt").write_text("ä b c")
    return folder


@pytest.fixture
def layout(tmp_path, folder):
    layout = Layout(tmp_path / "registry")
    publish_model(layout, "churn", folder, key="r/s/0", annotations={"format": "sklearn"}, metrics={"accuracy": 0.9})
    return layout


@pytest.fixture
def host(layout):
    with embedded_registry(layout.root, TOKEN) as address:
        yield address.removeprefix("http://")


@pytest.fixture
def open_host(layout):
    with embedded_registry(layout.root) as address:
        yield address.removeprefix("http://")


def index_digest(layout, tag="v1", name="churn"):
    return layout.get_manifest(f"models/{name}", tag).descriptor.digest


# -- oras ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def oras(host):
    from oras.provider import Registry

    registry = Registry(hostname=host, insecure=True, auth_backend="basic")
    registry.auth.set_basic_auth("mlops", TOKEN)
    return registry


def test_oras_pulls_the_modelpack(oras, host, folder, tmp_path):
    pulled = oras.pull(f"{host}/models/churn:v1.modelpack", outdir=str(tmp_path / "pulled"))
    assert sorted(Path(path).name for path in pulled) == ["config.tar", "model.joblib.tar"]
    for path in pulled:
        call("tar", "-xf", path, "-C", tmp_path / "pulled")
    assert contents(tmp_path / "pulled" / "models") == contents(folder)


def test_oras_pushes_and_we_read(oras, host, layout, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("from oras")
    answer = oras.push(f"{host}/notes/mine:v1", files=["notes.txt"], manifest_annotations={"who": "oras"})
    assert answer.status_code == 201
    manifest = layout.get_manifest("notes/mine", "v1")
    assert dict(manifest.descriptor.annotations) == {"who": "oras"}
    with layout.open_blob("notes/mine", manifest.document["layers"][0]["digest"]) as stream:
        assert stream.read() == b"from oras"
    assert oras.get_tags(f"{host}/notes/mine") == ["v1"]


def test_oras_is_refused_with_another_token(host):
    from oras.provider import Registry

    registry = Registry(hostname=host, insecure=True, auth_backend="basic")
    registry.auth.set_basic_auth("mlops", "wrong")
    with pytest.raises(Exception, match=r"401|[Uu]nauthorized|uthenticat"):
        registry.get_manifest(f"{host}/models/churn:v1.modelpack")


# -- skopeo ----------------------------------------------------------------------------------------------------------------


def test_skopeo_reads_the_folder(layout):
    skopeo = tool("skopeo")
    for tag in ("v1", "latest", "v1.modelpack"):
        raw = call(skopeo, "inspect", "--raw", f"oci:{layout.folder('models/churn')}:{tag}")
        assert raw.encode() == layout.get_manifest("models/churn", tag).data


def test_skopeo_copies_an_image_from_the_folder_with_its_digest(layout, folder, tmp_path):
    skopeo = tool("skopeo")
    call(
        skopeo,
        "--override-arch",
        "arm64",
        "copy",
        "--preserve-digests",
        f"oci:{layout.folder('models/churn')}:v1",
        f"dir:{tmp_path / 'image'}",
    )
    copied = (tmp_path / "image" / "manifest.json").read_bytes()
    children = [child.digest for child in children_of(layout.get_manifest("models/churn", "v1").document)]
    assert f"sha256:{hashlib.sha256(copied).hexdigest()}" == children[1]
    for layer in json.loads(copied)["layers"]:
        with tarfile.open(tmp_path / "image" / layer["digest"][7:]) as archive:
            archive.extractall(tmp_path / "files", filter="data")
    assert contents(tmp_path / "files" / "models") == contents(folder)


def test_skopeo_copies_through_the_server_and_back(layout, host, tmp_path):
    skopeo = tool("skopeo")
    login = ("--src-tls-verify=false", "--src-creds", f"mlops:{TOKEN}")
    call(skopeo, "copy", "--preserve-digests", *login, f"docker://{host}/models/churn:v1.modelpack", f"oci:{tmp_path / 'out'}:x")
    assert Layout(tmp_path).get_manifest("out", "x").data == layout.get_manifest("models/churn", "v1.modelpack").data
    login = ("--dest-tls-verify=false", "--dest-creds", f"mlops:{TOKEN}")
    call(skopeo, "copy", "--preserve-digests", *login, f"oci:{tmp_path / 'out'}:x", f"docker://{host}/models/back:x")
    assert index_digest(layout, "x", "back") == index_digest(layout, "v1.modelpack")


def test_skopeo_keeps_the_digest_of_the_index(layout, host, tmp_path):
    skopeo = tool("skopeo")
    version = tuple(map(int, re.findall(r"\d+", call(skopeo, "--version"))[:2]))
    login = ("--src-tls-verify=false", "--src-creds", f"mlops:{TOKEN}")
    source, target = f"docker://{host}/models/churn:v1", f"oci:{tmp_path / 'out'}:v1"
    if version >= (1, 14):
        call(skopeo, "copy", "--all", "--preserve-digests", *login, source, target)
        assert Layout(tmp_path).get_manifest("out", "v1").descriptor.digest == index_digest(layout)
    else:  # it writes every index anew, without annotations; what the index holds is kept
        call(skopeo, "copy", "--all", *login, source, f"dir:{tmp_path / 'out'}")
        kept = {child["digest"] for child in json.loads((tmp_path / "out" / "manifest.json").read_text())["manifests"]}
        assert kept == {child.digest for child in children_of(layout.get_manifest("models/churn", "v1").document)}


# -- crane -----------------------------------------------------------------------------------------------------------------


def test_crane_reads_and_copies_with_the_digest(layout, open_host, folder, tmp_path):
    crane = tool("crane")
    assert (
        call(crane, "manifest", f"{open_host}/models/churn:v1").encode().rstrip(b"\n")
        == layout.get_manifest("models/churn", "v1").data
    )
    assert call(crane, "ls", f"{open_host}/models/churn").split() == ["latest", "v1", "v1.modelpack"]
    call(crane, "copy", f"{open_host}/models/churn:v1", f"{open_host}/models/copy:v1")
    assert index_digest(layout, name="copy") == index_digest(layout)
    Models(layout).extract(Models(layout).find("copy"), tmp_path / "copied")
    assert contents(tmp_path / "copied" / "models") == contents(folder)


def test_crane_exports_the_files(open_host, folder, tmp_path):
    crane = tool("crane")
    call(crane, "export", "--platform", "linux/arm64", f"{open_host}/models/churn:v1", tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert contents(tmp_path / "out" / "models") == contents(folder)


def test_crane_pulls_into_a_layout_and_pushes_it_back(layout, open_host, tmp_path):
    crane = tool("crane")
    call(crane, "pull", "--format=oci", f"{open_host}/models/churn:v1", tmp_path / "pulled")
    (entry,) = json.loads((tmp_path / "pulled" / "index.json").read_text())["manifests"]
    assert entry["digest"] == index_digest(layout)
    call(crane, "push", "--index", tmp_path / "pulled", f"{open_host}/models/again:v1")
    assert layout.tags("models/again") == ["v1"]


def test_crane_deletes_by_digest(layout, open_host):
    crane = tool("crane")
    call(crane, "delete", f"{open_host}/models/churn@{index_digest(layout)}")
    assert layout.tags("models/churn") == ["v1.modelpack"]
