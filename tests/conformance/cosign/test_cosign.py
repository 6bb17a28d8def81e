"""Signatures are cosign's own: it verifies ours, we verify its, and neither takes what is bent."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_mlops.errors import NotAllowed
from jupyter_mlops.oci.artifact import artifact_document
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import OCI_EMPTY
from jupyter_mlops.registry import signing
from jupyter_mlops.registry.envelope import BUNDLE
from jupyter_mlops.registry.keys import new_key, private_key, public_key
from jupyter_mlops.registry.signing import sign, verified
from jupyter_mlops.testing.embedded import embedded_registry
from tests.conformance.cosign.program import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MODEL = "models/churn"
NO_LOG = ("--insecure-ignore-tlog=true", "--allow-http-registry")


@dataclass
class Scene:
    """A registry with ``churn:v1`` and ``churn:v2``, its server, and cosign at home in an empty folder."""

    program: Path
    folder: Path
    store: Layout
    host: str

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        command, environ = [str(self.program), *words], environment(self.folder)
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=120, check=False)

    def digest(self, tag: str = "v1") -> str:
        return self.store.get_manifest(MODEL, tag).descriptor.digest

    def where(self, tag: str = "v1") -> str:
        return f"{self.host}/{MODEL}@{self.digest(tag)}"

    def verify(self, key: str, tag: str = "v1") -> bool:
        return self("verify", "--key", key, *NO_LOG, self.where(tag)).returncode == 0


@pytest.fixture
def scene(cosign: Path, tmp_path: Path):
    store = Layout(tmp_path / "registry")
    for number in (1, 2):
        folder = tmp_path / f"model{number}"
        folder.mkdir()
        (folder / "mlops.json").write_text("{}")
        (folder / "weights").write_bytes(bytes([number]) * 1000)
        publish_model(store, "churn", folder, key=str(number), annotations={}, metrics={})
    new_key(tmp_path / "ours")
    new_key(tmp_path / "other")
    with embedded_registry(tmp_path / "registry", None) as address:
        yield Scene(cosign, tmp_path, store, address.partition("//")[2])


def test_cosign_verifies_what_we_signed(scene: Scene) -> None:
    assert not scene.verify("ours.pub")
    sign(scene.store, MODEL, "v1", private_key(scene.folder / "ours"))
    assert scene.verify("ours.pub")
    assert not scene.verify("other.pub")
    assert not scene.verify("ours.pub", "v2")


def test_we_verify_what_cosign_signed(scene: Scene) -> None:
    assert scene("generate-key-pair").returncode == 0
    assert scene("signing-config", "create", "--out", "alone.json").returncode == 0  # no log and no clock of others
    done = scene("sign", "--key", "cosign.key", "--signing-config", "alone.json", "--allow-http-registry", scene.where())
    assert done.returncode == 0, done.stderr
    theirs = public_key(scene.folder / "cosign.pub")
    [found] = verified(scene.store, MODEL, "v1", [theirs])
    assert (found.by, found.predicate) == ("cosign.pub", signing.MEANT)
    with pytest.raises(NotAllowed):
        verified(scene.store, MODEL, "v1", [public_key(scene.folder / "ours.pub")])
    with pytest.raises(NotAllowed):
        verified(scene.store, MODEL, "v2", [theirs])


def test_cosign_reads_where_a_version_comes_from(scene: Scene) -> None:
    statement = {
        "_type": signing.STATEMENT, "predicateType": signing.PROVENANCE,
        "subject": [{"name": "churn", "digest": {"sha256": scene.digest().partition(":")[2]}}],
        "predicate": {
            "buildDefinition": {"buildType": "https://example.org/x", "externalParameters": {}},
            "runDetails": {"builder": {"id": "https://example.org/y"}},
        },
    }  # fmt: skip
    config = scene.store.put_blob(MODEL, canonical(statement), signing.IN_TOTO)
    subject = scene.store.get_manifest(MODEL, "v1").descriptor
    scene.store.put_manifest(MODEL, artifact_document(signing.IN_TOTO, config, [], subject=subject))
    sign(scene.store, MODEL, "v1", private_key(scene.folder / "ours"), provenance=True)
    words = ("verify-attestation", "--type", "slsaprovenance1", "--key", "ours.pub", *NO_LOG, scene.where())
    done = scene(*words)
    assert done.returncode == 0, done.stderr
    payload = json.loads(done.stdout.splitlines()[0])["payload"]
    assert json.loads(base64.b64decode(payload)) == statement


BENT = {
    "payload": lambda envelope: envelope.update(payload=base64.b64encode(b"{}").decode()),
    "type": lambda envelope: envelope.update(payloadType="application/json"),
    "signature": lambda envelope: envelope["signatures"][0].update(sig=base64.b64encode(b"0" * 70).decode()),
}


@pytest.mark.parametrize("part", BENT)
def test_neither_takes_what_is_bent(part: str, scene: Scene) -> None:
    key = private_key(scene.folder / "ours")
    with scene.store.open_blob(MODEL, sign(scene.store, MODEL, "v1", key).document["layers"][0]["digest"]) as stream:
        bundle = json.loads(stream.read())
    BENT[part](bundle["dsseEnvelope"])
    config = scene.store.put_blob(MODEL, b"{}", OCI_EMPTY)
    layer = scene.store.put_blob(MODEL, canonical(bundle), BUNDLE)
    notes = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": signing.MEANT}
    subject = scene.store.get_manifest(MODEL, "v2").descriptor
    scene.store.put_manifest(MODEL, artifact_document(BUNDLE, config, [layer], subject=subject, annotations=notes))
    assert not scene.verify("ours.pub", "v2")
    with pytest.raises(NotAllowed):
        verified(scene.store, MODEL, "v2", [key.public])
