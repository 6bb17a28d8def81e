"""The bootstrap as a container runs it: ``python -c``, a folder or a registry, verified, unpacked once."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.artifact import artifact_document
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import BUNDLE, BUNDLE_CODE, BUNDLE_COMPILED, BUNDLE_CONFIG, BUNDLE_IPYTHON
from jupyter_mlops.oci.store import Descriptor
from jupyter_mlops.runner import compiled
from jupyter_mlops.workflow.bootstrap import LIMIT, bootstrap_text
from tests.unit.runner.staging import Stage

MAIN = """
import json, sys
def main(argv, folder):
    print(json.dumps({"argv": argv, "folder": folder, "path": sys.path[0]}))
    return 7
"""


def tar(members: dict[str, bytes], *, link: str = "") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return gzip.compress(raw.getvalue(), mtime=0)


GOOD = {
    "lib/jupyter_mlops/__init__.py": b"",
    "lib/jupyter_mlops/runner/__init__.py": b"",
    "lib/jupyter_mlops/runner/start.py": MAIN.encode(),
}


def push(root: Path, layer: bytes) -> tuple[Layout, str]:
    store = Layout(root / "registry")
    config = store.put_blob("runs/x", canonical({"version": 1}), BUNDLE_CONFIG)
    blob = store.put_blob("runs/x", layer, BUNDLE_CODE)
    manifest = store.put_manifest("runs/x", artifact_document(BUNDLE, config, [blob]))
    return store, f"runs/x@{manifest.descriptor.digest}"


def start(root: Path, registry: str, bundle: str, **env: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key != "DOCKER_CONFIG"}
    quick = bootstrap_text().replace("TRIES = 6", "TRIES = 3")
    return subprocess.run(
        [sys.executable, "-c", quick, "--registry", registry, "--bundle", bundle, "--step", "s"],
        env={**inherited, "MLOPS_CACHE": str(root / "cache"), "MLOPS_TERMINATION": str(root / "term"), **env},
        cwd=root, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


class Registry(BaseHTTPRequestHandler):
    """The two reads of a distribution registry, with optional authentication."""

    server: Any

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        book = self.server.book
        book["asked"].append((self.path, self.headers.get("Authorization")))
        if book["faults"]:
            fault = book["faults"].pop(0)
            if fault == "reset":
                self.connection.close()
            elif fault == "short":
                self.send_response(200)
                self.send_header("Content-Length", "9")
                self.end_headers()
                self.wfile.write(b"1")
                self.close_connection = True
            else:
                self._answer(fault, b"")
            return
        if self.path.startswith("/token"):
            good = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:pw").decode()
            self._answer(200 if good else 401, b'{"token": "T"}')
        elif book["auth"] and self.headers.get("Authorization") != book["auth"]:
            self.send_response(401)
            self.send_header("WWW-Authenticate", book["challenge"])
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            body = book["blobs"].get(self.path.rpartition("/")[2])
            self._answer(200 if body is not None and self.path.startswith("/v2/base/runs/x/") else 404, body or b"")

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[ThreadingHTTPServer]:
    layer, config = tar(GOOD), canonical({"version": 1})
    document = canonical(
        artifact_document(
            BUNDLE,
            Descriptor(BUNDLE_CONFIG, digest_of(config), len(config)),
            [Descriptor(BUNDLE_CODE, digest_of(layer), len(layer))],
        )
    )
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.book = {
        "blobs": {digest_of(x): x for x in (layer, config, document)},
        "auth": "",
        "challenge": "",
        "asked": [],
        "faults": [],
    }
    server.bundle = f"runs/x@{digest_of(document)}"
    server.address_text = f"http://127.0.0.1:{server.server_port}/base"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def docker_config(folder: Path, host: str) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": base64.b64encode(b"me:pw").decode()}}}))
    return str(folder)


def test_it_fits_into_the_manifest() -> None:
    assert len(bootstrap_text().encode()) <= LIMIT


def test_it_unpacks_from_a_folder_and_hands_over(tmp_path: Path) -> None:
    store, bundle = push(tmp_path, tar(GOOD))
    done = start(tmp_path, store.address, bundle)
    assert done.returncode == 7, done.stderr
    said = json.loads(done.stdout)
    folder = tmp_path / "cache" / "bundles" / bundle.rpartition(":")[2]
    assert said == {
        "argv": ["--registry", store.address, "--bundle", bundle, "--step", "s"],
        "folder": str(folder),
        "path": f"{folder}/lib",
    }
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "something temporary was left"


def test_an_unpacked_bundle_is_used_again(tmp_path: Path) -> None:
    store, bundle = push(tmp_path, tar(GOOD))
    assert start(tmp_path, store.address, bundle).returncode == 7
    assert start(tmp_path, "file:///nowhere", bundle).returncode == 7


def test_from_a_registry(tmp_path: Path, registry: Any) -> None:
    done = start(tmp_path, registry.address_text, registry.bundle)
    assert done.returncode == 7, done.stderr
    assert all(auth is None for _, auth in registry.book["asked"])


def test_from_a_registry_with_a_password(tmp_path: Path, registry: Any) -> None:
    registry.book |= {"auth": "Basic " + base64.b64encode(b"me:pw").decode(), "challenge": 'Basic realm="r"'}
    config = docker_config(tmp_path / "docker", f"127.0.0.1:{registry.server_port}")
    assert start(tmp_path, registry.address_text, registry.bundle).returncode == 3
    assert start(tmp_path, registry.address_text, registry.bundle, DOCKER_CONFIG=config).returncode == 7


def test_from_a_registry_with_tokens(tmp_path: Path, registry: Any) -> None:
    realm = f"http://127.0.0.1:{registry.server_port}/token"
    registry.book |= {"auth": "Bearer T", "challenge": f'Bearer realm="{realm}",service="s",scope="repository:x:pull"'}
    config = docker_config(tmp_path / "docker", f"https://127.0.0.1:{registry.server_port}")
    done = start(tmp_path, registry.address_text, registry.bundle, DOCKER_CONFIG=config)
    assert done.returncode == 7, done.stderr
    asked = [path for path, _ in registry.book["asked"] if path.startswith("/token")]
    assert asked == ["/token?service=s&scope=repository%3Ax%3Apull"]


KEYS = ["HOST", "https://HOST", "http://HOST/", "https://HOST/v1/", "https://HOST/v2/", "HOST/runs", "HOST/runs/x"]


@pytest.mark.parametrize("key", KEYS)
def test_the_host_of_a_login_is_written_in_many_ways(key: str, tmp_path: Path, registry: Any) -> None:
    registry.book |= {"auth": "Basic " + base64.b64encode(b"me:pw").decode(), "challenge": 'Basic realm="r"'}
    config = docker_config(tmp_path / "docker", key.replace("HOST", f"127.0.0.1:{registry.server_port}"))
    assert start(tmp_path, registry.address_text, registry.bundle, DOCKER_CONFIG=config).returncode == 7


@pytest.mark.parametrize("key", ["other", "HOST/models"])
def test_a_login_goes_only_to_its_host(key: str, tmp_path: Path, registry: Any) -> None:
    registry.book |= {"auth": "Basic " + base64.b64encode(b"me:pw").decode(), "challenge": 'Basic realm="r"'}
    config = docker_config(tmp_path / "docker", key.replace("HOST", f"127.0.0.1:{registry.server_port}"))
    assert start(tmp_path, registry.address_text, registry.bundle, DOCKER_CONFIG=config).returncode == 3
    assert not [auth for _, auth in registry.book["asked"] if auth]


@pytest.mark.slow
@pytest.mark.parametrize("faults", [[503], [429, 500], ["reset"], ["short"], [502, "reset"]], ids=str)
def test_what_may_pass_is_tried_again(faults: list[Any], tmp_path: Path, registry: Any) -> None:
    registry.book["faults"] = list(faults)
    done = start(tmp_path, registry.address_text, registry.bundle)
    assert done.returncode == 7, done.stderr
    assert len(registry.book["asked"]) == len(faults) + 2


@pytest.mark.parametrize(("fault", "asked"), [(404, 1), (403, 1), (400, 1), (503, 3)])
def test_what_does_not_pass_is_said_in_one_line(fault: int, asked: int, tmp_path: Path, registry: Any) -> None:
    registry.book["faults"] = [fault] * 9
    done = start(tmp_path, registry.address_text, registry.bundle)
    assert done.returncode == 3
    assert len(registry.book["asked"]) == asked
    assert done.stderr.splitlines() == [json.loads((tmp_path / "term").read_text())["message"]]
    assert registry.address_text in done.stderr
    assert str(fault) in done.stderr


def test_the_layer_of_ipython_is_left_to_the_runner(tmp_path: Path) -> None:
    store = Layout(tmp_path / "registry")
    config = store.put_blob("runs/x", canonical({"version": 1}), BUNDLE_CONFIG)
    blobs = [store.put_blob("runs/x", tar(GOOD), BUNDLE_CODE), store.put_blob("runs/x", b"no tar", BUNDLE_IPYTHON)]
    manifest = store.put_manifest("runs/x", artifact_document(BUNDLE, config, blobs))
    assert start(tmp_path, store.address, f"runs/x@{manifest.descriptor.digest}").returncode == 7


def test_compiled_modules_are_left_packed_beside_the_code(tmp_path: Path) -> None:
    store = Layout(tmp_path / "registry")
    config = store.put_blob("runs/x", canonical({"version": 1}), BUNDLE_CONFIG)
    blobs = [store.put_blob("runs/x", tar(GOOD), BUNDLE_CODE), store.put_blob("runs/x", b"packed", BUNDLE_COMPILED)]
    manifest = store.put_manifest("runs/x", artifact_document(BUNDLE, config, blobs))
    done = start(tmp_path, store.address, f"runs/x@{manifest.descriptor.digest}")
    assert done.returncode == 7, done.stderr
    assert (Path(json.loads(done.stdout)["folder"]) / compiled.FILE).read_bytes() == b"packed"
    assert BUNDLE_COMPILED.endswith(f"/{compiled.FILE}")


def _damage(store: Layout, bundle: str) -> str:
    layer = store.get_manifest("runs/x", bundle.rpartition("@")[2]).document["layers"][0]["digest"]
    path = store.blob_path("runs/x", layer)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return bundle


FAULTS = {
    "no such manifest": lambda store, bundle: bundle.rpartition("@")[0] + "@sha256:" + "0" * 64,
    "damaged layer": _damage,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_loaded_is_said(fault: str, tmp_path: Path) -> None:
    store, bundle = push(tmp_path, tar(GOOD))
    done = start(tmp_path, store.address, FAULTS[fault](store, bundle))
    assert done.returncode == 3
    said = json.loads((tmp_path / "term").read_text())
    assert said["code"] == "no-bundle"
    assert said["blame"] == "platform"
    assert said["message"]
    assert said["fix"]
    assert len((tmp_path / "term").read_bytes()) <= 4096
    assert not list((tmp_path / "cache" / "bundles").iterdir())


@pytest.mark.parametrize(
    "layer",
    [tar({**GOOD, "../out": b"x"}), tar({**GOOD, "/abs": b"x"}), tar(GOOD, link="lib/link")],
    ids=["up", "absolute", "link"],
)
def test_nothing_is_unpacked_outside(layer: bytes, tmp_path: Path) -> None:
    store, bundle = push(tmp_path, layer)
    assert start(tmp_path, store.address, bundle).returncode == 3
    assert "bad member" in json.loads((tmp_path / "term").read_text())["message"]
    assert not (tmp_path / "cache" / "out").exists()
    assert not list((tmp_path / "cache" / "bundles").iterdir())


@pytest.mark.slow
def test_an_unreachable_registry_is_said(tmp_path: Path, registry: Any) -> None:
    registry.shutdown()
    registry.server_close()
    done = start(tmp_path, registry.address_text, registry.bundle)
    assert done.returncode == 3
    assert json.loads((tmp_path / "term").read_text())["code"] == "no-bundle"


def test_the_notebook_sees_a_kernel_and_no_bootstrap(tmp_path: Path) -> None:
    cells = [
        (
            "import sys, pickle\nclass C: pass\n"
            "print(sys.argv[0].endswith('ipykernel_launcher.py'), sys.path[0] == '', __name__, C.__module__, '__file__' in globals())\n"
            "print(any('bundles' in p for p in sys.path), 'start' in globals(), pickle.loads(pickle.dumps(C)) is C)"
        ),
        "import sys\nprint(sys.modules['__main__'].__dict__ is globals())",
    ]
    ran = Stage(tmp_path, cells).run()
    assert [one.code for one in ran] == [0, 0], ran[-1].stdout
    assert ran[0].stream(0) == "True True __main__ __main__ False\nFalse False True\n"
    assert ran[1].stream(1) == "True\n"
