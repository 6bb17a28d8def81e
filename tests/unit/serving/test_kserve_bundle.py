"""What travels into the image: the same bytes each time, and a model server where nothing of ours is installed."""

import gzip
import io
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import time
import venv
from pathlib import Path

import pytest

from jupyter_mlops.errors import Corrupt, NotFound
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import SERVER
from jupyter_mlops.serving.kserve import pull
from jupyter_mlops.serving.kserve.bundle import REPOSITORY, push_server, server_bundle
from jupyter_mlops.workflow.bootstrap import bootstrap_text
from tests.unit.serving.support import Client, python_model


def names():
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(server_bundle().code))) as tar:
        return [member.name for member in tar if member.isreg()]


def test_it_is_the_same_each_time_and_small():
    first = server_bundle()
    server_bundle.cache_clear()
    assert server_bundle() == first
    assert len(first.code) < 600_000


def test_it_holds_the_server_and_pure_python_alone():
    found = names()
    assert {"serve.py", "lib/jupyter_mlops/runner/start.py", "lib/tornado/web.py", "lib/cloudpickle/cloudpickle.py"} <= set(found)
    assert {
        "lib/jupyter_mlops/serving/server/app.py",
        "lib/jupyter_mlops/serving/kserve/pull.py",
        "lib/jupyter_mlops/oci/tar.py",
    } <= set(found)
    assert all(name.endswith(".py") for name in found)
    assert not any("/test/" in name or "cluster" in name or name.endswith("/flow.py") for name in found)


def test_it_holds_what_the_bootstrap_of_steps_starts():
    called = re.search(r"from (jupyter_mlops\.runner\.\w+) import main", bootstrap_text())
    assert called
    assert f"lib/{called[1].replace('.', '/')}.py" in names()


def test_pushing_it_twice_makes_one_artifact(tmp_path):
    store = Layout(tmp_path / "registry")
    assert push_server(store) == push_server(store) == server_bundle().reference
    manifest = store.get_manifest(REPOSITORY, server_bundle().digest)
    assert manifest.document["artifactType"] == SERVER
    assert list(store.tags(REPOSITORY)) == [f"bundle-{server_bundle().digest[7:19]}"]


def double(rows):
    return [2 * row for row in rows]


@pytest.fixture
def registry(tmp_path):
    store = Layout(tmp_path / "registry")
    push_server(store)
    made = publish_model(
        store, "double", python_model(tmp_path / "double", double, name="double"), key="r/s/1", annotations={}, metrics={}
    )
    return store, f"models/double@{made.digest}"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Python with nothing installed."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return str(folder / "bin" / "python")


def in_pod(python, arguments, folder, **env):
    """Run as the init container does."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MLOPS_CACHE": str(folder / "cache"),
        "MLOPS_TERMINATION": str(folder / "said"),
        **env,
    }
    return subprocess.run(
        [python, "-c", bootstrap_text(), *arguments], env=environ, capture_output=True, text=True, cwd=folder, timeout=60
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_bare_python_fetches_model_and_server_and_serves(registry, bare, tmp_path):
    store, model = registry
    folder = tmp_path / "pod"
    folder.mkdir()
    done = in_pod(
        bare,
        ["--registry", store.address, "--bundle", server_bundle().reference, "--model", model, "--into", str(folder / "model")],
        folder,
    )
    assert done.returncode == 0, done.stderr
    assert "bytes of layers" in done.stderr
    place = folder / "cache" / "bundles" / server_bundle().digest.partition(":")[2]
    assert place.stat().st_mode & 0o777 == 0o755
    port = free_port()
    command = [
        bare,
        str(place / "serve.py"),
        str(folder / "model"),
        "--name",
        "twice",
        "--pickles",
        "any",
        "--version",
        "v1",
        "--host",
        "",
        "--port",
        str(port),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, cwd=folder, stdout=log, stderr=log)
    try:
        client = Client(port)
        assert ready(client, "twice"), (folder / "log").read_text()
        assert client.post("/v1/models/twice:predict", {"instances": [1, 2]}) == (200, {"predictions": [2, 4]})
        assert client.get("/v2")[1]["name"] == "jupyter-mlops"
    finally:
        process.terminate()
        assert process.wait(30) == 0


def ready(client, name, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if client.get(f"/v2/models/{name}/ready", raw=True)[0] == 200:
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def test_without_a_model_the_bundle_is_all(registry, bare, tmp_path):
    store, _ = registry
    done = in_pod(bare, ["--registry", store.address, "--bundle", server_bundle().reference], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the model server is in" in done.stderr


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("models/double@sha256:" + "0" * 64, "0000"),
        ("models/nothing@sha256:" + "0" * 64, "nothing"),
        ("services/server@{bundle}", "unpacked"),
    ],
)
def test_what_cannot_be_fetched_is_said_as_the_termination_message(registry, tmp_path, monkeypatch, model, words, capsys):
    store, _ = registry
    said = tmp_path / "said"
    monkeypatch.setenv("MLOPS_TERMINATION", str(said))
    name = model.format(bundle=server_bundle().digest)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    code = pull.main(["--registry", store.address, "--model", name, "--into", str(tmp_path / "into")], str(bundle))
    assert code == 3
    message = json.loads(said.read_text())
    assert message["message"].startswith("the model cannot be fetched: ")
    assert words in message["message"]
    assert "the model cannot be fetched" in capsys.readouterr().err
    assert not (tmp_path / "into").exists()


def test_a_second_start_of_the_pod_fetches_nothing(registry, tmp_path):
    store, model = registry
    folder = tmp_path / "into"
    assert pull.pulled(store.address, model, folder) > 0
    assert (folder / "models" / "mlops.json").is_file()
    assert pull.pulled(store.address, model, folder) == 0


def test_damage_is_found(registry, tmp_path):
    store, model = registry
    repository, _, digest = model.rpartition("@")
    image = next(
        child for child in store.get_manifest(repository, digest).document["manifests"] if child["platform"]["os"] == "linux"
    )
    layer = store.get_manifest(repository, image["digest"]).document["layers"][0]["digest"]
    blob = Path(store.address.removeprefix("file://")) / repository / "blobs" / "sha256" / layer.partition(":")[2]
    blob.chmod(0o644)
    blob.write_bytes(b"x" + blob.read_bytes()[1:])
    with pytest.raises(Corrupt):
        pull.pulled(store.address, model, tmp_path / "into")
    assert not (tmp_path / "into").exists()
    with pytest.raises(NotFound):
        pull.pulled(store.address, "models/double@sha256:" + "1" * 64, tmp_path / "into")


def test_the_python_that_runs_this_is_not_needed(bare):
    done = subprocess.run([bare, "-c", "import tornado"], capture_output=True, text=True)
    assert done.returncode != 0, "the interpreter of the test is not bare"
    assert sys.executable != bare
