"""A registry on a disk that is full: each request says so, nothing that was there is lost, and with room again all goes on.

The disk is a real one, of four MiB. ``test_oci_layout`` has the same for the folder without its server.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import OCI_MANIFEST
from jupyter_mlops.registry.fsck import check
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.registry.registry_client import KIND, Client, digest

MIB = 1 << 20
BALLAST = "ballast"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four MiB, where root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a tmpfs")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> None:
    """Leave not one page."""
    with (disk / BALLAST).open("wb", buffering=0) as file:
        for size in (64 << 10, 4 << 10, 1):
            while True:
                try:
                    if file.write(b"x" * size) < size:
                        break
                except OSError:
                    break


def document(layer: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": KIND, "config": layer, "layers": [layer], **more}


class Scene:
    """``a:v1`` with one referrer, an upload that has begun, and a disk without room."""

    def __init__(self, client: Client, disk: Path) -> None:
        self.client, self.disk = client, disk
        self.layer = client.push(b"{}")
        self.manifest = json.dumps(document(self.layer)).encode()
        assert client.put(self.manifest, "v1")[0].status == 201
        self.subject = {"mediaType": OCI_MANIFEST, "digest": digest(self.manifest), "size": len(self.manifest)}
        self.referrer = json.dumps(document(self.layer, subject=self.subject)).encode()
        assert client.put(self.referrer, digest(self.referrer))[0].status == 201
        started, _ = client("POST", "/v2/a/blobs/uploads/")
        self.upload = started.headers["Location"]
        assert client("PATCH", self.upload, b"begun")[0].status == 202

    def more(self, number: int = 0) -> bytes:
        """A manifest that is not there yet."""
        return json.dumps(document(self.layer, annotations={"n": str(number), "pad": "x" * 20_000})).encode()

    def reads(self) -> None:
        """All that was there can be read."""
        for path, body in (
            ("/v2/a/manifests/v1", self.manifest),
            (f"/v2/a/manifests/{digest(self.referrer)}", self.referrer),
            (f"/v2/a/blobs/{self.layer['digest']}", b"{}"),
        ):
            assert self.client("GET", path)[1] == body, path
        assert json.loads(self.client("GET", "/v2/a/tags/list")[1])["tags"] == ["v1"]
        assert json.loads(self.client("GET", "/v2/_catalog")[1])["repositories"] == ["a"]
        [found] = json.loads(self.client("GET", f"/v2/a/referrers/{digest(self.manifest)}")[1])["manifests"]
        assert found["digest"] == digest(self.referrer)


@pytest.fixture
def scene(disk: Path) -> Iterator[Scene]:
    with embedded_registry(disk / "registry") as address:
        yield Scene(Client(address), disk)


DATA = b"y" * 100_000
WRITES: dict[str, Callable[[Scene], Any]] = {
    "a blob in one request": lambda it: it.client("POST", f"/v2/a/blobs/uploads/?digest={digest(DATA)}", DATA),
    "a piece": lambda it: it.client("PATCH", it.upload, DATA),
    "the last piece": lambda it: it.client("PUT", f"{it.upload}?digest={digest(b'begun' + DATA)}", DATA),
    "a manifest": lambda it: it.client.put(it.more(), digest(it.more())),
    "a manifest with a tag": lambda it: it.client.put(it.more(), "v2"),
    "a referrer": lambda it: it.client.put(
        json.dumps(document(it.layer, subject=it.subject, annotations={"pad": "x" * 20_000})).encode(), "v3"
    ),
    "a blob of another repository": lambda it: it.client("POST", f"/v2/b/blobs/uploads/?digest={digest(DATA)}", DATA),
}


@pytest.mark.parametrize("what", WRITES)
def test_it_says_that_the_disk_is_full(what: str, scene: Scene) -> None:
    fill(scene.disk)
    answer, body = WRITES[what](scene)
    assert answer.status == 507, body
    told = json.loads(body)["errors"][0]["message"]
    assert "Traceback" not in told
    assert str(scene.disk / "registry") in told
    scene.reads()
    (scene.disk / BALLAST).unlink()
    answer, body = WRITES[what](scene)
    assert answer.status in {201, 202}, body
    assert list(check(Layout(scene.disk / "registry"))) == []


def test_an_upload_goes_on_where_it_was(scene: Scene) -> None:
    """What did not fit was not received, whatever part of it reached the disk; nothing else can be made of it."""
    fill(scene.disk)
    assert scene.client("PATCH", scene.upload, DATA)[0].status == 507
    told, _ = scene.client("GET", scene.upload)
    assert told.headers["Range"] == "0-4"
    claimed, _ = scene.client("PUT", f"{scene.upload}?digest={digest(b'begun' + DATA)}")
    assert claimed.status == 400, "the digest of what was not received"
    (scene.disk / BALLAST).unlink()
    started, _ = scene.client("POST", "/v2/a/blobs/uploads/")
    place = started.headers["Location"]
    assert scene.client("PATCH", place, b"begun")[0].status == 202
    fill(scene.disk)
    assert scene.client("PATCH", place, DATA, Content_Range=f"5-{4 + len(DATA)}")[0].status == 507
    (scene.disk / BALLAST).unlink()
    assert scene.client("PATCH", place, DATA, Content_Range=f"5-{4 + len(DATA)}")[0].status == 202
    done, body = scene.client("PUT", f"{place}?digest={digest(b'begun' + DATA)}")
    assert done.status == 201, body


def test_what_frees_room_works_without_any(scene: Scene) -> None:
    """Who deletes because the disk is full must not be told that it is full."""
    extra = scene.client.push(DATA)
    scene.client.put(scene.more(), "v2")
    fill(scene.disk)
    assert scene.client("DELETE", scene.upload)[0].status == 204
    assert scene.client("DELETE", f"/v2/a/blobs/{extra['digest']}")[0].status == 202
    assert scene.client("DELETE", "/v2/a/manifests/v2")[0].status == 202
    scene.reads()
