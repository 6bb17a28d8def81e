"""A team's registry as other people's tools meet it: TLS by a certificate of our own, a token for each, one that may only read."""

import shutil
import subprocess

import pytest

from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.rights import parse_rights
from jupyter_mlops.registry.users import add
from jupyter_mlops.testing.embedded import embedded_registry

pytestmark = pytest.mark.skipif(
    shutil.which("skopeo") is None or shutil.which("openssl") is None,
    reason="NOT RUN: skopeo or openssl is not on PATH: how other tools log in to our server is NOT tested on this machine",
)

KIND = "application/vnd.oci.image.layer.v1.tar"
REQUEST = "openssl req -x509 -newkey rsa:2048 -nodes -keyout own.key -out ca.crt -days 2 -subj /CN=127.0.0.1"


@pytest.fixture
def trusted(tmp_path):
    """A folder with the certificate as skopeo wants it, and beside it the key."""
    folder = tmp_path / "trusted"
    folder.mkdir()
    subprocess.run(
        [*REQUEST.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True, timeout=60
    )
    (folder / "own.key").rename(tmp_path / "own.key")
    return folder


def test_skopeo_with_tls_and_tokens(tmp_path, trusted):
    source = Layout(tmp_path / "source")
    layer = source.put_blob("m", b"x" * 300_000, KIND)
    pushed = push_artifact(source, "m", "application/vnd.example.v1+json", {"a": 1}, [layer], tags=["v1"])
    users = tmp_path / "users"
    add(users, "anna", "writes", parse_rights("write"))
    add(users, "ci", "reads", parse_rights("read"))

    def skopeo(*words):
        done = subprocess.run(["skopeo", *words], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
        return done.returncode, done.stderr

    with embedded_registry(tmp_path / "registry", users=users, certificate=trusted / "ca.crt", key=tmp_path / "own.key") as address:
        there = f"docker://{address.partition('//')[2]}/team/m:v1"
        push = ["copy", "--preserve-digests", "--dest-cert-dir", str(trusted), f"oci:{tmp_path}/source/m:v1", there]
        pull = ["copy", "--preserve-digests", "--src-cert-dir", str(trusted), there, f"oci:{tmp_path}/back:v1"]
        code, said = skopeo(*push, "--dest-creds", "ci:reads")
        assert code != 0
        assert "may only read" in said
        assert skopeo(*push, "--dest-creds", "anna:wrong")[0] != 0
        assert not (tmp_path / "registry" / "team").exists()
        assert skopeo(*push, "--dest-creds", "anna:writes") == (0, "")
        assert skopeo(*pull)[0] != 0
        assert skopeo(*pull, "--src-creds", "ci:reads") == (0, "")
    assert Layout(tmp_path / "registry").get_manifest("team/m", "v1").descriptor.digest == pushed.descriptor.digest
    assert Layout(tmp_path).get_manifest("back", "v1").data == pushed.data
