"""Signing without keys against a real sigstore: ours and cosign's agree, a bent bundle is nobody's, and faults leave nothing."""

from __future__ import annotations

import copy
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli import main
from jupyter_mlops.errors import MlopsError, NotAllowed, Unavailable
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.identities import Identity, root_of, trust_identity
from jupyter_mlops.registry.keyless import TOKEN, Keyless, certified, keyless
from jupyter_mlops.registry.keys import new_key, private_key, trust
from jupyter_mlops.registry.signing import require, sign, verified
from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.registries import free_port
from tests.conformance.cosign.program import environment, source
from tests.conformance.official.program import missing
from tests.conformance.sigstore.stack import Sigstore, build, sigstore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning"),  # of the authority's own certificate
]

MODEL = "models/churn"
ME, YOU = "me@example.org", "you@example.org"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := missing():
        pytest.skip(f"NOT RUN: {reason}: signatures without keys are NOT made on this machine")
    folder = tmp_path_factory.mktemp("sigstore")
    failure = build(folder)
    assert not failure, failure
    return folder


@pytest.fixture(scope="module")
def theirs(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sigstore]:
    with sigstore(programs, tmp_path_factory.mktemp("runs")) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    """``churn:v1`` and ``churn:v2``."""
    layout = Layout(tmp_path / "mlops" / "registry")
    for number in (1, 2):
        folder = tmp_path / f"model{number}"
        folder.mkdir()
        (folder / "mlops.json").write_text("{}")
        (folder / "weights").write_bytes(bytes([number]) * 1000)
        publish_model(layout, "churn", folder, key=str(number), annotations={}, metrics={})
    return layout


def digest_of(store: Layout, tag: str = "v1") -> str:
    return store.get_manifest(MODEL, tag).descriptor.digest


def someone(stack: Sigstore, who: str = ME, **more: Any) -> Keyless:
    return keyless(stack.config, environ={TOKEN: stack.provider.token(who, **more)})


def identity(stack: Sigstore, who: str = ME, issuer: str = "") -> Identity:
    return Identity(who, issuer or stack.provider.url, root_of(stack.config))


def signed_bundle(store: Layout, stack: Sigstore) -> dict[str, Any]:
    with store.open_blob(MODEL, sign(store, MODEL, "v1", someone(stack)).document["layers"][0]["digest"]) as stream:
        return dict(json.loads(stream.read()))


def test_who_signed_is_known(store: Layout, theirs: Sigstore) -> None:
    by = someone(theirs)
    sign(store, MODEL, "v1", by)
    assert by.who == identity(theirs)
    [found] = verified(store, MODEL, "v1", [identity(theirs)])
    assert (found.by, found.predicate) == (f"{ME} ({theirs.provider.url})", "https://sigstore.dev/cosign/sign/v1")
    public = Identity(ME, theirs.provider.url)
    for others in ([identity(theirs, YOU)], [identity(theirs, issuer="https://accounts.google.com")], [public]):
        with pytest.raises(NotAllowed) as refused:
            verified(store, MODEL, "v1", others)
        assert refused.value.code == "wrong-signature"
    with pytest.raises(NotAllowed) as refused:
        verified(store, MODEL, "v2", [identity(theirs)])
    assert refused.value.code == "not-signed"


def test_keys_and_identities_are_trusted_side_by_side(store: Layout, theirs: Sigstore, tmp_path: Path) -> None:
    home = tmp_path / "mlops"
    public = new_key(tmp_path / "own.key")
    sign(store, MODEL, "v1", someone(theirs))
    sign(store, MODEL, "v2", private_key(tmp_path / "own.key"))
    for make in (lambda: trust(home, public), lambda: trust_identity(home, identity(theirs))):
        with pytest.raises(NotAllowed):
            [require("refuse", home, store, MODEL, digest_of(store, tag)) for tag in ("v1", "v2")]
        make()
    for tag in ("v1", "v2"):
        require("refuse", home, store, MODEL, digest_of(store, tag))


def test_cosign_agrees(store: Layout, theirs: Sigstore, cosign: Path, tmp_path: Path) -> None:
    """It verifies what we signed, and we what it signed, with the same root and the same identities."""
    config = json.loads(theirs.config.read_text())
    for name in ("trustedRoot", "signingConfig"):
        (tmp_path / f"{name}.json").write_text(json.dumps(config[name]))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [cosign, *words], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=120, check=False
        )

    with embedded_registry(store.root, None) as address:
        host = address.partition("//")[2]
        where = {tag: f"{host}/{MODEL}@{digest_of(store, tag)}" for tag in ("v1", "v2")}

        def takes(tag: str, who: str) -> bool:
            words = ("--certificate-identity", who, "--certificate-oidc-issuer", theirs.provider.url)
            done = run("verify", *words, "--trusted-root", "trustedRoot.json", "--allow-http-registry", where[tag])
            print(done.stderr)
            return done.returncode == 0

        sign(store, MODEL, "v1", someone(theirs))
        assert takes("v1", ME)
        assert not takes("v1", YOU)
        assert not takes("v2", ME)
        (tmp_path / "token").write_text(theirs.provider.token(YOU))
        words = ("--signing-config", "signingConfig.json", "--trusted-root", "trustedRoot.json", "--identity-token", "token")
        done = run("sign", *words, "--allow-http-registry", where["v2"])
        assert done.returncode == 0, done.stderr
    [found] = verified(store, MODEL, "v2", [identity(theirs, YOU)])
    assert found.by.startswith(YOU)
    with pytest.raises(NotAllowed):
        verified(store, MODEL, "v2", [identity(theirs)])


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from leaves(inner, (*path, key))


def test_a_bent_bundle_is_nobody_s(store: Layout, theirs: Sigstore) -> None:
    """Whatever of it is changed or left out: either the very statement that was signed comes out, or none."""
    bundle = signed_bundle(store, theirs)
    me = identity(theirs)
    meant = me.payload(bundle)
    assert meant
    refused = 0
    for path in leaves(bundle):
        for bend in (None, "", "AAAA", 7, [], {}, "bent"):
            bent = copy.deepcopy(bundle)
            holder = bent
            for key in path[:-1]:
                holder = holder[key]
            if bend is None:
                del holder[path[-1]]
            elif bend == "bent" and isinstance(holder[path[-1]], str):
                text = holder[path[-1]]
                middle = len(text) // 2
                holder[path[-1]] = text[:middle] + ("A" if text[middle : middle + 1] != "A" else "B") + text[middle + 1 :]
            else:
                holder[path[-1]] = bend
            found = me.payload(bent)
            assert found in (None, meant), path
            refused += found is None
    assert refused > 100


def test_parts_of_another_signature_do_not_fit(store: Layout, theirs: Sigstore) -> None:
    one = signed_bundle(store, theirs)
    other = json.loads(json.dumps(someone(theirs).bundle(b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x",'
                                                       b'"subject":[{"digest":{"sha256":"' + b"0" * 64 + b'"},"name":"x"}]}')))  # fmt: skip
    for part in ("certificate", "tlogEntries", "timestampVerificationData"):
        mixed = copy.deepcopy(one)
        mixed["verificationMaterial"][part] = other["verificationMaterial"][part]
        assert identity(theirs).payload(mixed) is None, part
    mixed = copy.deepcopy(one)
    mixed["dsseEnvelope"] = other["dsseEnvelope"]
    assert identity(theirs).payload(mixed) is None


@pytest.mark.parametrize(
    ("more", "code"),
    [({"lasts": -60}, "wrong-identity"), ({"audience": "another"}, "wrong-identity"), ({"verified": False}, "no-certificate")],
)
def test_a_token_that_says_too_little(more: dict[str, Any], code: str, store: Layout, theirs: Sigstore) -> None:
    by = someone(theirs, **more)
    with pytest.raises(MlopsError) as refused:
        sign(store, MODEL, "v1", by)
    assert refused.value.code == code
    assert by.token not in f"{refused.value} {refused.value.fix} {by!r}"
    assert store.referrers(MODEL, digest_of(store)) == []


@pytest.mark.parametrize("service", ["caUrls", "rekorTlogUrls", "tsaUrls"])
def test_a_server_that_is_gone(service: str, store: Layout, theirs: Sigstore, tmp_path: Path) -> None:
    """Nothing that could not be verified is kept, which that library would do without a clock."""
    config = json.loads(theirs.config.read_text())
    config["signingConfig"][service][0]["url"] = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "config.json").write_text(json.dumps(config))
    by = keyless(tmp_path / "config.json", environ={TOKEN: theirs.provider.token(ME)})
    with pytest.raises(Unavailable) as refused:
        sign(store, MODEL, "v1", by)
    assert refused.value.code == "no-certificate"
    assert store.referrers(MODEL, digest_of(store)) == []


def test_a_server_that_never_answers(store: Layout, theirs: Sigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.registry.keyless.PATIENCE", 1.0)
    config = json.loads(theirs.config.read_text())
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        config["signingConfig"]["caUrls"][0]["url"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "config.json").write_text(json.dumps(config))
        by = keyless(tmp_path / "config.json", environ={TOKEN: theirs.provider.token(ME)})
        with pytest.raises(Unavailable, match="no answer within 1 s"):
            sign(store, MODEL, "v1", by)
    assert store.referrers(MODEL, digest_of(store)) == []


def test_who_verifies_asks_nobody(store: Layout, theirs: Sigstore, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(store, MODEL, "v1", someone(theirs))

    def refuse(*_: Any) -> None:
        raise AssertionError("it wants to reach somebody")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert verified(store, MODEL, "v1", [identity(theirs)])
    assert Identity(ME, "https://github.com/login/oauth").payload(someone_s_bundle(store)) is None


def someone_s_bundle(store: Layout) -> dict[str, Any]:
    [referrer] = store.referrers(MODEL, digest_of(store))
    layer = store.get_manifest(MODEL, referrer.digest).document["layers"][0]["digest"]
    with store.open_blob(MODEL, layer) as stream:
        return dict(json.loads(stream.read()))


def test_the_command_line(
    store: Layout, theirs: Sigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "mlops"))
    token = theirs.provider.token(ME)
    monkeypatch.setenv(TOKEN, token)
    config, issuer = ("--trust-config", str(theirs.config)), ("--issuer", theirs.provider.url)
    assert main(["models", "verify", "churn:v1", "--identity", ME, *issuer, *config]) == 2
    assert "is not signed" in capsys.readouterr().err
    assert main(["models", "sign", "churn:v1", "--keyless", *config]) == 0
    assert capsys.readouterr().out == f"churn:v1 is signed by {ME} ({theirs.provider.url})\n"
    assert main(["models", "verify", "churn:v1", "--identity", ME, *issuer, *config]) == 0
    assert f"is signed by {ME}" in capsys.readouterr().out
    assert main(["models", "verify", "churn:v1", "--identity", YOU, *issuer, *config]) == 2
    assert "is signed, and not by" in capsys.readouterr().err
    assert main(["models", "verify", "churn:v1"]) == 2
    assert "nobody is trusted here" in capsys.readouterr().err
    assert main(["models", "trust", ME, *issuer, *config]) == 0
    assert "is trusted on this machine" in capsys.readouterr().out
    assert main(["models", "verify", "churn:v1", "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)["signatures"]
    assert told["by"] == f"{ME} ({theirs.provider.url})"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "mlops").rglob("*") if path.is_file())
    assert token.encode() not in kept


def test_a_signature_of_the_public_sigstore(cosign: Path) -> None:
    """One that a person made with it in 2025, which cosign keeps among its own tests; nobody is asked."""
    del cosign
    bundle = json.loads((source() / "pkg" / "cosign" / "testdata" / "oci-attestation.sigstore.json").read_text())
    from sigstore.models import Bundle

    by = certified(Bundle.from_json(json.dumps(bundle)).signing_certificate)
    assert by.issuer == "https://github.com/login/oauth"
    assert json.loads(by.payload(bundle) or b"{}")["predicateType"] == "https://cosign.sigstore.dev/attestation/v1"
    assert Identity(by.who, "https://accounts.google.com").payload(bundle) is None
    assert Identity(f"not-{by.who}", by.issuer).payload(bundle) is None
