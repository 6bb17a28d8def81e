"""Logins kept where Docker keeps them: tried first, beside whatever else the file holds, readable for the owner alone."""

import base64
import json
import os
import stat

import pytest

from jupyter_mlops.errors import Conflict, NotAllowed, NotFound, PlatformError, Unavailable, WrongUsage
from jupyter_mlops.oci.credentials import credential_for
from jupyter_mlops.registry.logins import DOCKER_HUB, host_of, log_in, log_out
from jupyter_mlops.registry.rights import parse_rights
from jupyter_mlops.registry.users import add
from jupyter_mlops.testing.embedded import embedded_registry

HELPER = """#!/bin/sh
store=$(dirname "$0")/kept
case "$1" in
  store) cat > "$store" ;;
  erase) cat > "$store.erased"; rm -f "$store" ;;
  get) [ -f "$store" ] && sed 's/"ServerURL": "[^"]*", //' "$store" || { echo not found; exit 1; } ;;
esac
"""


@pytest.fixture
def registry(tmp_path):
    users = tmp_path / "users"
    add(users, "anna", "right", parse_rights("write"))
    with embedded_registry(tmp_path / "registry", users=users) as address:
        yield address


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Docker's file, and nobody else's; our client looks where the environment of this process says."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker" / "config.json"


def helper(tmp_path, monkeypatch, script=HELPER):
    program = tmp_path / "bin" / "docker-credential-ours"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program.parent / "kept"


def test_a_login_is_kept_beside_all_that_was_there(registry, config):
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {"other.example": {"auth": "eDp5"}}, "proxies": {"a": 1}}))
    config.chmod(0o644)
    host = registry.partition("//")[2]
    assert log_in(registry, "anna", "right") == str(config)
    document = json.loads(config.read_text())
    assert document["proxies"] == {"a": 1}
    assert set(document["auths"]) == {"other.example", host}
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert base64.b64decode(credential_for(host).basic) == b"anna:right"
    assert log_out(registry) == str(config)
    assert json.loads(config.read_text()) == {"auths": {"other.example": {"auth": "eDp5"}}, "proxies": {"a": 1}}
    with pytest.raises(NotFound, match="no login"):
        log_out(registry)


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, {"auths": {}}, {"auths": {"x": {"auth": "eDp5"}}}])
def test_a_login_that_is_not_taken_leaves_no_trace(registry, config, before):
    if before is not None:
        config.parent.mkdir()
        config.write_text(json.dumps(before))
    with pytest.raises(NotAllowed) as refused:
        log_in(registry, "anna", "wrong-secret")
    assert "wrong-secret" not in str(refused.value) + refused.value.fix
    assert (json.loads(config.read_text()) if config.exists() else None) == before
    with pytest.raises(Unavailable):
        log_in("http://127.0.0.1:9", "anna", "x")
    assert (json.loads(config.read_text()) if config.exists() else None) == before


@pytest.mark.parametrize("general", [True, False])
def test_a_program_keeps_it_where_the_file_says_so(registry, config, tmp_path, monkeypatch, general):
    kept = helper(tmp_path, monkeypatch)
    host = registry.partition("//")[2]
    config.parent.mkdir()
    config.write_text(json.dumps({"credsStore": "ours"} if general else {"credHelpers": {host: "ours"}}))
    before = config.read_bytes()
    assert log_in(registry, "anna", "right") == "docker-credential-ours"
    assert json.loads(kept.read_text()) == {"ServerURL": host, "Username": "anna", "Secret": "right"}
    assert config.read_bytes() == before, "the secret is the program's alone"
    assert log_out(registry) == "docker-credential-ours"
    assert not kept.exists()
    with pytest.raises(NotAllowed):
        log_in(registry, "anna", "wrong")
    assert not kept.exists(), "and it is asked to forget what the registry did not take"


@pytest.mark.parametrize("script", ["#!/bin/sh\necho the-secret; exit 3\n", None])
def test_a_program_that_fails_is_named_and_what_it_wrote_is_not(registry, config, tmp_path, monkeypatch, script):
    if script:
        helper(tmp_path, monkeypatch, script)
    config.parent.mkdir()
    config.write_text('{"credsStore": "ours"}')
    with pytest.raises(PlatformError, match="docker-credential-ours") as failed:
        log_in(registry, "anna", "the-secret")
    assert "the-secret" not in str(failed.value) + failed.value.fix


def test_a_file_that_is_read_first_is_named(registry, config, tmp_path):
    first = tmp_path / "xdg" / "containers" / "auth.json"
    host = registry.partition("//")[2]
    first.parent.mkdir(parents=True)
    first.write_text(json.dumps({"auths": {host: {"auth": base64.b64encode(b"old:old").decode()}}}))
    environ = {name: value for name, value in os.environ.items() if name != "DOCKER_CONFIG"} | {"HOME": str(tmp_path / "home")}
    with pytest.raises(Conflict, match=r"auth\.json"):
        log_in(registry, "anna", "right", environ)
    assert not (tmp_path / "home" / ".docker" / "config.json").exists()
    assert config.exists() is False


def test_a_link_stays_a_link(registry, config, tmp_path):
    real = tmp_path / "real.json"
    real.write_text("{}")
    config.parent.mkdir()
    config.symlink_to(real)
    log_in(registry, "anna", "right")
    assert config.is_symlink()
    assert "auths" in json.loads(real.read_text())


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_a_file_that_is_none_is_not_written_over(registry, config, text):
    config.parent.mkdir()
    config.write_text(text)
    with pytest.raises(PlatformError, match=str(config)):
        log_in(registry, "anna", "right")
    assert config.read_text() == text


def test_docker_hub_has_the_name_that_docker_gives_it(config):
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {DOCKER_HUB: {"auth": "eDp5"}, "a": {}}}))
    assert log_out("https://docker.io") == str(config)
    assert json.loads(config.read_text()) == {"auths": {"a": {}}}


@pytest.mark.parametrize("address", ["registry.example.com", "https://h/base", "https://me:pw@h", "ftp://h", "https://"])
def test_what_is_no_registry(address):
    with pytest.raises(WrongUsage) as refused:
        host_of(address)
    assert refused.value.code == "invalid-address"


@pytest.mark.parametrize(("user", "password"), [("", "x"), ("x", ""), ("a:b", "x")])
def test_what_is_no_login(registry, config, user, password):
    with pytest.raises(WrongUsage, match="user name"):
        log_in(registry, user, password)
    assert not config.exists()
