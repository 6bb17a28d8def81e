"""Signatures as cosign checks them: by this key, over these bytes, about this digest; and nothing that is bent a little."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_mlops.errors import Conflict, NotAllowed, NotFound, PlatformError, StorageFull, WrongUsage
from jupyter_mlops.oci.artifact import artifact_document
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import OCI_EMPTY
from jupyter_mlops.registry import keys, signing
from jupyter_mlops.registry.copy import copy
from jupyter_mlops.registry.envelope import BUNDLE, encoded
from jupyter_mlops.registry.keys import PASSPHRASE, PrivateKey, PublicKey, new_key, private_key, public_key, trust, trusted
from jupyter_mlops.registry.signing import MEANT, checked, require, sign, verified

Bundle = dict[str, Any]
MODEL = "models/churn"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[PrivateKey, PublicKey]:
    path = tmp_path_factory.mktemp("keys") / "own.key"
    public = new_key(path)
    return private_key(path), public_key(public)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    path = tmp_path_factory.mktemp("keys") / "other.key"
    new_key(path)
    return private_key(path)


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    """``churn:v1`` and ``churn:v2``."""
    layout = Layout(tmp_path / "registry")
    for number in (1, 2):
        folder = tmp_path / f"model{number}"
        folder.mkdir()
        (folder / "mlops.json").write_text(json.dumps({"version": 1, "format": "numpy", "file": "w.npy", "number": number}))
        (folder / "w.npy").write_bytes(bytes([number]) * 100)
        publish_model(layout, "churn", folder, key=str(number), annotations={}, metrics={})
    return layout


def digest_of(store: Layout, tag: str = "v1") -> str:
    return store.get_manifest(MODEL, tag).descriptor.digest


def bundle_of(store: Layout, key: PrivateKey, tag: str = "v1") -> Bundle:
    manifest = sign(store, MODEL, tag, key)
    with store.open_blob(MODEL, manifest.document["layers"][0]["digest"]) as stream:
        return dict(json.loads(stream.read()))


def test_what_is_signed_is_verified(store: Layout, pair: tuple[PrivateKey, PublicKey]) -> None:
    private, public = pair
    manifest = sign(store, MODEL, "v1", private)
    [found] = verified(store, MODEL, "v1", [public])
    assert (found.by, found.predicate) == ("own.key.pub", MEANT)
    assert found.statement["subject"] == [{"name": MODEL, "digest": {"sha256": digest_of(store).partition(":")[2]}}]
    assert found.to_json() == {"by": "own.key.pub", "predicate": MEANT, "created": found.created}
    document = manifest.document
    assert document["artifactType"] == document["layers"][0]["mediaType"] == BUNDLE
    assert document["config"]["mediaType"] == OCI_EMPTY
    assert document["subject"]["digest"] == digest_of(store)
    assert document["annotations"]["dev.sigstore.bundle.content"] == "dsse-envelope"
    assert document["annotations"]["dev.sigstore.bundle.predicateType"] == MEANT


def test_signing_twice_gives_two_and_both_hold(store: Layout, pair: tuple[PrivateKey, PublicKey], other: PrivateKey) -> None:
    private, public = pair
    sign(store, MODEL, "v1", other)
    sign(store, MODEL, "v1", private)
    assert len(verified(store, MODEL, "v1", [public])) == 1
    assert len(verified(store, MODEL, "v1", [public, other.public])) == 2


def test_who_did_not_sign_is_told(store: Layout, pair: tuple[PrivateKey, PublicKey], other: PrivateKey) -> None:
    private, public = pair
    with pytest.raises(NotAllowed, match="is not signed") as caught:
        verified(store, MODEL, "v1", [public])
    assert caught.value.code == "not-signed"
    sign(store, MODEL, "v1", private)
    with pytest.raises(NotAllowed, match=r"is signed, and not by own$") as caught:
        verified(store, MODEL, "v1", [other.public])
    assert caught.value.code == "wrong-signature"
    with pytest.raises(NotAllowed, match="is not signed"):
        verified(store, MODEL, "v2", [public])
    with pytest.raises(NotFound):
        verified(store, MODEL, "v9", [public])


def _payload(change: Callable[[Bundle], None]) -> Callable[[Bundle], None]:
    """Bend the statement and keep the signature."""

    def bend(bundle: Bundle) -> None:
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        change(statement)
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(canonical(statement)).decode()

    return bend


def _set(path: str, value: Any) -> Callable[[Bundle], None]:
    def bend(bundle: Bundle) -> None:
        *way, last = path.split(".")
        place: Any = bundle
        for part in way:
            place = place[int(part)] if part.isdigit() else place[part]
        place[int(last) if last.isdigit() else last] = value

    return bend


BENT: dict[str, Callable[[Bundle], Any]] = {
    "another predicate": _payload(lambda statement: statement.update(predicateType="https://example.org")),
    "another subject": _payload(lambda statement: statement.update(subject=[{"name": "x", "digest": {"sha256": "0" * 64}}])),
    "no subject": _payload(lambda statement: statement.pop("subject")),
    "another type of payload": _set("dsseEnvelope.payloadType", "application/json"),
    "another type of bundle": _set("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1"),
    "no type of bundle": lambda bundle: bundle.pop("mediaType"),
    "no envelope": lambda bundle: bundle.pop("dsseEnvelope"),
    "no signature": _set("dsseEnvelope.signatures", []),
    "an empty signature": _set("dsseEnvelope.signatures.0.sig", ""),
    "a signature that is no base64": _set("dsseEnvelope.signatures.0.sig", "!!!!"),
    "a payload that is no base64": _set("dsseEnvelope.payload", "{}"),
    "signatures that are no list": _set("dsseEnvelope.signatures", 7),
    "an envelope that is a list": _set("dsseEnvelope", []),
}


@pytest.mark.parametrize("case", BENT)
def test_what_is_bent_is_no_signature(case: str, store: Layout, pair: tuple[PrivateKey, PublicKey]) -> None:
    private, public = pair
    bundle = bundle_of(store, private)
    assert checked(bundle, "", digest_of(store), public) is not None
    BENT[case](bundle)
    assert checked(bundle, "", digest_of(store), public) is None


def test_a_signature_of_one_version_is_none_of_another(store: Layout, pair: tuple[PrivateKey, PublicKey]) -> None:
    """Attached to another version as it is: the referrer says so, the statement does not."""
    private, public = pair
    bundle = bundle_of(store, private, "v1")
    config = store.put_blob(MODEL, b"{}", OCI_EMPTY)
    layer = store.put_blob(MODEL, canonical(bundle), BUNDLE)
    subject = store.get_manifest(MODEL, "v2").descriptor
    store.put_manifest(MODEL, artifact_document(BUNDLE, config, [layer], subject=subject))
    with pytest.raises(NotAllowed) as caught:
        verified(store, MODEL, "v2", [public])
    assert caught.value.code == "wrong-signature"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_no_changed_byte_is_signed(pair: tuple[PrivateKey, PublicKey], place: float, mask: int) -> None:
    private, public = pair
    data = bytearray(encoded("application/vnd.in-toto+json", b'{"subject": [{"digest": {"sha256": "abc"}}]}'))
    signature = private.sign(bytes(data))
    assert public.made(signature, bytes(data))
    data[int(place * len(data))] ^= mask
    assert not public.made(signature, bytes(data))


def test_the_encoding_is_that_of_the_specification() -> None:
    """The example of DSSE's protocol."""
    assert encoded("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20), st.binary(max_size=20), st.text(max_size=20), st.binary(max_size=20))
def test_no_two_envelopes_are_encoded_alike(kind: str, payload: bytes, other_kind: str, other_payload: bytes) -> None:
    same = (kind, payload) == (other_kind, other_payload)
    assert (encoded(kind, payload) == encoded(other_kind, other_payload)) == same


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"no json", b'{"mediaType": "' + BUNDLE.encode() + b'"}'])
def test_a_bundle_of_somebody_elses_making_hides_no_good_one(
    content: bytes, store: Layout, pair: tuple[PrivateKey, PublicKey]
) -> None:
    private, public = pair
    config = store.put_blob(MODEL, b"{}", OCI_EMPTY)
    layer = store.put_blob(MODEL, content, BUNDLE)
    subject = store.get_manifest(MODEL, "v1").descriptor
    store.put_manifest(MODEL, artifact_document(BUNDLE, config, [layer], subject=subject))
    sign(store, MODEL, "v1", private)
    assert len(verified(store, MODEL, "v1", [public])) == 1


def test_a_copy_has_its_signatures(store: Layout, tmp_path: Path, pair: tuple[PrivateKey, PublicKey]) -> None:
    private, public = pair
    sign(store, MODEL, "v1", private)
    elsewhere = Layout(tmp_path / "elsewhere")
    copy(store, elsewhere, MODEL, "v1")
    assert len(verified(elsewhere, MODEL, digest_of(store), [public])) == 1


def test_where_a_version_comes_from_is_signed_only_where_it_is_told(store: Layout, pair: tuple[PrivateKey, PublicKey]) -> None:
    private, public = pair
    with pytest.raises(NotFound) as caught:
        sign(store, MODEL, "v1", private, provenance=True)
    assert caught.value.code == "no-provenance"
    digest = digest_of(store)
    statement = {
        "_type": signing.STATEMENT, "predicateType": signing.PROVENANCE, "predicate": {"buildDefinition": {}},
        "subject": [{"name": "m", "digest": {"sha256": digest.partition(":")[2]}}],
    }  # fmt: skip
    config = store.put_blob(MODEL, canonical(statement), signing.IN_TOTO)
    subject = store.get_manifest(MODEL, "v1").descriptor
    store.put_manifest(MODEL, artifact_document(signing.IN_TOTO, config, [], subject=subject))
    sign(store, MODEL, "v1", private, provenance=True)
    [found] = verified(store, MODEL, "v1", [public])
    assert (found.predicate, found.statement) == (signing.PROVENANCE, statement)


# -- keys ------------------------------------------------------------------------------------------------------------------------


def test_keys_are_files_that_openssl_and_we_read(tmp_path: Path) -> None:
    public = new_key(tmp_path / "a.key")
    assert public == tmp_path / "a.key.pub"
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a.key").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert private_key(tmp_path / "a.key").public.hint == public_key(public).hint
    with pytest.raises(Conflict, match="is there already"):
        new_key(tmp_path / "a.key")


def test_a_passphrase_is_asked_for_or_comes_from_the_environment(tmp_path: Path) -> None:
    new_key(tmp_path / "a.key", "secret")
    assert b"ENCRYPTED" in (tmp_path / "a.key").read_bytes()
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "secret"

    by_hand = private_key(tmp_path / "a.key", ask, {})
    assert prompts == [f"Passphrase of {tmp_path / 'a.key'}: "]
    assert private_key(tmp_path / "a.key", environ={PASSPHRASE: "secret"}).public.hint == by_hand.public.hint
    for environ in ({PASSPHRASE: "wrong"}, {}):
        with pytest.raises(WrongUsage) as caught:
            private_key(tmp_path / "a.key", environ=environ)
        assert caught.value.code == "wrong-passphrase"
        assert "wrong" not in caught.value.message.replace("wrong-passphrase", "")


RSA = """
import sys
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pathlib import Path
for name, key in (("rsa", rsa.generate_private_key(65537, 2048)), ("p384", ec.generate_private_key(ec.SECP384R1()))):
    pem = form.Encoding.PEM
    Path(sys.argv[1], name).write_bytes(key.private_bytes(pem, form.PrivateFormat.PKCS8, form.NoEncryption()))
    Path(sys.argv[1], f"{name}.pub").write_bytes(key.public_key().public_bytes(pem, form.PublicFormat.SubjectPublicKeyInfo))
"""


def test_other_keys_are_refused(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", RSA, str(tmp_path)], check=True)
    new_key(tmp_path / "good")
    (tmp_path / "text").write_text("no key")
    for name in ("rsa", "p384", "text", "good.pub"):
        with pytest.raises(WrongUsage) as caught:
            private_key(tmp_path / name)
        assert caught.value.code == "not-a-key"
    for name in ("rsa.pub", "p384.pub", "text", "good"):
        with pytest.raises(WrongUsage) as caught:
            public_key(tmp_path / name)
        assert caught.value.code == "not-a-key"
    for read in (private_key, public_key):
        with pytest.raises(NotFound, match="cannot be read"):
            read(tmp_path / "nothing")


def test_trusted_keys(tmp_path: Path, store: Layout) -> None:
    home = tmp_path / "home"
    assert trusted(home) == []
    public = new_key(tmp_path / "a.key")
    assert trust(home, public) == trust(home, public) == home / "trusted-keys" / "a.key.pub"
    assert [key.name for key in trusted(home)] == ["a.key.pub"]
    (tmp_path / "else").mkdir()
    with pytest.raises(Conflict, match="another key named"):
        trust(home, new_key(tmp_path / "else" / "a.key"))
    with pytest.raises(WrongUsage):
        trust(home, tmp_path / "a.key")
    digest = digest_of(store)
    require("allow", home, store, MODEL, digest)
    with pytest.raises(NotAllowed) as caught:
        require("refuse", home, store, MODEL, digest)
    assert caught.value.code == "not-signed"
    sign(store, MODEL, "v1", private_key(tmp_path / "a.key"))
    require("refuse", home, store, MODEL, digest)
    with pytest.raises(NotAllowed):
        require("refuse", tmp_path / "nobody", store, MODEL, digest)


def test_places_that_cannot_be_written_are_said(tmp_path: Path) -> None:
    public = new_key(tmp_path / "a.key")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFull):
        trust(tmp_path / "file", public)
    with pytest.raises(StorageFull):
        new_key(tmp_path / "file" / "b.key")


def test_without_cryptography_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ec", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(PlatformError) as caught:
        new_key(tmp_path / "a.key")
    assert (caught.value.code, caught.value.fix) == ("no-cryptography", "pip install 'jupyter-mlops[sign]'")
    assert not list(tmp_path.iterdir())
    assert keys.TRUSTED == "trusted-keys"
