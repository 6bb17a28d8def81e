"""Whom one trusts besides keys: the files that say so, what is refused there, and what the command line asks for. No server runs.

What they sign and how it is checked is shown in ``tests/conformance/sigstore``, against a real sigstore.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.cli import main
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, PlatformError, StorageFull, WrongUsage
from jupyter_mlops.registry import keyless as module
from jupyter_mlops.registry.identities import SUFFIX, TRUSTED, Identity, identity, root_of, trust_identity
from jupyter_mlops.registry.keyless import TOKEN, Keyless, keyless
from jupyter_mlops.registry.keys import new_key, trust, trusted

ME = Identity("me@example.org", "https://accounts.google.com")
WORKFLOW = Identity(
    "https://github.com/team/models/.github/workflows/train.yml@refs/heads/main", "https://token.actions.githubusercontent.com"
)


def shipped() -> Path:
    """The root of trust of the public sigstore that its library ships."""
    import sigstore

    [found] = (Path(sigstore.__file__).parent / "_store").glob("*tuf-repo-cdn.sigstore.dev/trusted_root.json")
    return found


def test_who_is_trusted_is_found_again_beside_keys(tmp_path: Path) -> None:
    private = Identity(ME.who, ME.issuer, root_of(shipped()))
    kept = [trust_identity(tmp_path, each) for each in (ME, WORKFLOW, private)]
    assert len(set(kept)) == 3, "the same name with another root is another file"
    assert kept[0].name.startswith("me@example.org-")
    assert kept[0].stat().st_mode & 0o022 == 0
    trust(tmp_path, new_key(tmp_path / "own.key"))
    found = trusted(tmp_path)
    assert {each for each in found if isinstance(each, Identity)} == {ME, WORKFLOW, private}
    assert [each.name for each in found if not isinstance(each, Identity)] == ["own.key.pub"]
    assert trust_identity(tmp_path, ME) == kept[0], "once more is no harm"


@given(st.text(min_size=1), st.text(min_size=1))
def test_every_name_has_a_file(tmp_path_factory: pytest.TempPathFactory, who: str, issuer: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in who + issuer):
        return
    home = tmp_path_factory.mktemp("home")
    path = trust_identity(home, Identity(who, issuer))
    assert path.parent == home / TRUSTED
    assert identity(path) == Identity(who, issuer)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"identity": "me"}', '"me"', "null"])
def test_a_file_that_names_nobody_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / TRUSTED).mkdir()
    (tmp_path / TRUSTED / f"x{SUFFIX}").write_text(text)
    with pytest.raises(WrongUsage) as refused:
        trusted(tmp_path)
    assert refused.value.code == "not-an-identity"


def test_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / TRUSTED).write_text("a file where the folder should be")
    with pytest.raises(StorageFull):
        trust_identity(tmp_path, ME)


def test_a_root_of_trust(tmp_path: Path) -> None:
    root = json.loads(shipped().read_text())
    config = {"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json", "trustedRoot": root}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert root_of(tmp_path / "config.json") == root_of(shipped())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "-----BEGIN PUBLIC KEY-----", '{"mediaType": "application/vnd.dev.sigstore.clienttrustconfig"}']
)
def test_a_file_that_is_no_root(text: str, tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text(text)
    with pytest.raises(WrongUsage) as refused:
        root_of(tmp_path / "root.json")
    assert refused.value.code == "wrong-trust-root"
    with pytest.raises(NotFound):
        root_of(tmp_path / "nowhere")


def test_a_root_that_is_broken(tmp_path: Path) -> None:
    root = json.loads(shipped().read_text())
    root["tlogs"] = "none"
    (tmp_path / "root.json").write_text(json.dumps(root))
    with pytest.raises(PlatformError) as refused:
        root_of(tmp_path / "root.json")
    assert refused.value.code == "wrong-trust-root"


@pytest.mark.parametrize(
    "bundle",
    [{}, {"verificationMaterial": None}, {"verificationMaterial": {"publicKey": {"hint": "x"}}}, {"verificationMaterial": {"certificate": {"rawBytes": "AAAA"}}},
     {"verificationMaterial": []}, {"mediaType": 7, "verificationMaterial": {}}],
)  # fmt: skip
def test_what_is_no_bundle_is_nobody_s(bundle: dict[str, Any]) -> None:
    assert ME.payload(bundle) is None


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sigstore.sign", None)
    module_cache = root_of.__globals__["_verifier"]
    module_cache.cache_clear()
    for act in (lambda: keyless(None), lambda: ME.payload({"verificationMaterial": {"certificate": {}}})):
        with pytest.raises(PlatformError) as refused:
            act()
        assert (refused.value.code, refused.value.fix) == ("no-sigstore", "pip install 'jupyter-mlops[keyless]'")


def config(tmp_path: Path) -> Path:
    """A trust configuration whose servers are nowhere."""
    since = {"start": "2020-01-01T00:00:00Z"}
    service = [{"url": "http://127.0.0.1:9", "majorApiVersion": 1, "validFor": since, "operator": "x"}]
    signing = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": service, "oidcUrls": service,
               "rekorTlogUrls": service, "tsaUrls": service, "rekorTlogConfig": {"selector": "ANY"}, "tsaConfig": {"selector": "ANY"}}  # fmt: skip
    whole = {"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json", "trustedRoot": json.loads(shipped().read_text()),
             "signingConfig": signing}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(whole))
    return tmp_path / "config.json"


def test_where_a_token_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config(tmp_path)
    asked: list[str] = []

    def sign_in(url: str) -> str:
        asked.append(url)
        return "of the browser"

    assert keyless(path, sign_in, {TOKEN: " of the variable\n"}).token == "of the variable"
    monkeypatch.setattr(module, "_ambient", lambda: "of the place")
    assert keyless(path, sign_in, {}).token == "of the place"
    monkeypatch.setattr(module, "_ambient", lambda: "")
    assert asked == []
    assert keyless(path, sign_in, {}).token == "of the browser"
    assert asked == ["http://127.0.0.1:9"]
    with pytest.raises(WrongUsage) as refused:
        keyless(path, None, {})
    assert refused.value.code == "no-identity"


@pytest.mark.parametrize("token", ["", "junk", "a.b.c"])
def test_a_token_that_is_none(token: str, tmp_path: Path) -> None:
    by = keyless(config(tmp_path), environ={TOKEN: "x"})
    by.token = token
    with pytest.raises(NotAllowed) as refused:
        by.bundle(b"{}")
    assert refused.value.code == "wrong-identity"


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        keyless(tmp_path / "nowhere", environ={TOKEN: "x"})
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(WrongUsage) as refused:
        keyless(tmp_path / "junk", environ={TOKEN: "x"})
    assert refused.value.code == "wrong-trust-root"


def test_the_public_one_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    from sigstore.models import ClientTrustConfig

    def production() -> None:
        raise OSError("no route")

    monkeypatch.setattr(ClientTrustConfig, "production", production)
    with pytest.raises(MlopsError, match="the public sigstore cannot be reached: no route"):
        keyless(None, environ={TOKEN: "x"})


def test_a_token_is_not_told() -> None:
    assert "hush" not in repr(Keyless(None, "hush"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sign", "churn:v1"], "sign takes a private key, or --keyless"),
        (["sign", "churn:v1", "--key", "own.key", "--keyless"], "sign takes a private key, or --keyless"),
        (["verify", "churn:v1", "--identity", "me@example.org"], "alone says too little"),
        (["trust", "me@example.org"], "alone says too little"),
        (["trust", "me@example.org", "--issuer", "https://x", "--trust-config", "nowhere.json"], "nowhere.json cannot be read"),
        (["verify", "churn:v1"], "nobody is trusted here"),
    ],
)
def test_the_command_line_says_what_is_missing(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "mlops"))
    monkeypatch.delenv(TOKEN, raising=False)
    assert main(["models", *words]) == 2
    assert told in capsys.readouterr().err


def test_the_command_line_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    assert main(["models", "trust", ME.who, "--issuer", ME.issuer]) == 0
    assert capsys.readouterr().out == "what me@example.org (https://accounts.google.com) signs is trusted on this machine, by you\n"
    assert list(trusted(tmp_path)) == [ME]
