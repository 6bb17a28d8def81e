from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster import plugin
from jupyter_mlops.cluster.plugin import run_plugin
from jupyter_mlops.errors import NotAllowed, WrongUsage

V1 = "client.authentication.k8s.io/v1"
ENVIRON = {"PATH": os.environ["PATH"]}


def program(folder: Path, body: str) -> str:
    file = folder / "login"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def spec(command: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": V1, "command": command, **more}


def printed(version: str = V1, **status: Any) -> str:
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})


@pytest.mark.parametrize("end", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789Z", "2026-01-01T02:00:00.5+02:00"])
def test_a_token_with_its_end(tmp_path: Path, end: str) -> None:
    command = program(tmp_path, f"echo '{printed(token='t', expirationTimestamp=end)}'")
    given = run_plugin(spec(command), {}, str(tmp_path), ENVIRON)
    assert (given.token, given.expires) == ("t", 1767225600.0)
    assert "'t'" not in repr(given)


def test_a_certificate(tmp_path: Path) -> None:
    command = program(tmp_path, f"echo '{printed(clientCertificateData='cert', clientKeyData='key')}'")
    given = run_plugin(spec(command), {}, str(tmp_path), ENVIRON)
    assert (given.certificate, given.key, given.token, given.expires) == ("cert", "key", "", None)


def test_arguments_environment_and_the_question(tmp_path: Path) -> None:
    command = program(
        tmp_path,
        f"echo \"$@|$REGION|$KUBERNETES_EXEC_INFO\" > {tmp_path}/told; echo '{printed(token='t')}'",
    )
    cluster = {
        "server": "https://x",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}],
    }
    asked = spec(command, args=["get", 1], env=[{"name": "REGION", "value": "eu"}], provideClusterInfo=True)
    run_plugin(asked, cluster, str(tmp_path), {**ENVIRON, "REGION": "us"})
    arguments, region, told = (tmp_path / "told").read_text().strip().split("|")
    assert (arguments, region) == ("get 1", "eu")
    assert json.loads(told) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": "https://x", "config": {"audience": "a"}}},
    }


def test_a_relative_command_is_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    program(tmp_path, f"echo '{printed(token='t')}'")
    assert run_plugin(spec("./login"), {}, str(tmp_path), ENVIRON).token == "t"


def test_the_older_version_is_spoken_too(tmp_path: Path) -> None:
    beta = "client.authentication.k8s.io/v1beta1"
    command = program(tmp_path, f"echo '{printed(version=beta, token='t')}'")
    assert run_plugin({**spec(command), "apiVersion": beta}, {}, str(tmp_path), ENVIRON).token == "t"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "echo 'Error: the SSO session has expired, run aws sso login' >&2; exit 255",
            "ended with 255: Error: the SSO session has expired",
        ),
        ("exit 1", r"it ended with 1$"),
        ("echo no json", "printed no ExecCredential"),
        ("echo '{}'", "printed no ExecCredential"),
        ("echo '[]'", "printed no ExecCredential"),
        (f"echo '{printed()}'", "neither a token nor a certificate"),
        (f"echo '{printed(clientCertificateData='c')}'", "neither a token nor a certificate"),
        (
            f"echo '{printed(version='client.authentication.k8s.io/v1beta1', token='t')}'",
            "speaks client.authentication.k8s.io/v1beta1",
        ),
        (f"echo '{printed(token='t', expirationTimestamp='soon')}'", "printed no ExecCredential"),
    ],
)
def test_a_plugin_that_does_not_log_in(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(NotAllowed, match=message) as info:
        run_plugin(spec(program(tmp_path, body)), {}, str(tmp_path), ENVIRON)
    assert info.value.code == "cluster-login"
    assert "login" in info.value.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (spec("no-such-program-anywhere"), "it is not installed"),
        (spec("/"), "Permission denied|Is a directory"),
        (spec("true", interactiveMode="Always"), "asks questions in a terminal"),
    ],
)
def test_a_plugin_that_does_not_run(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(NotAllowed, match=message):
        run_plugin(given, {}, str(tmp_path), ENVIRON)


def test_how_to_install_it_is_the_fix(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed) as info:
        run_plugin(spec("no-such-program-anywhere", installHint="Install it from example.com"), {}, str(tmp_path), ENVIRON)
    assert info.value.fix == "Install it from example.com"


def test_one_that_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "PATIENCE", 0.1)
    with pytest.raises(NotAllowed, match="did not end"):
        run_plugin(spec(program(tmp_path, "exec sleep 60")), {}, str(tmp_path), ENVIRON)


def test_one_that_reads_gets_nothing(tmp_path: Path) -> None:
    command = program(tmp_path, f"cat; echo '{printed(token='t')}'")
    assert run_plugin(spec(command), {}, str(tmp_path), ENVIRON).token == "t"


def test_what_it_says_is_shown_without_tokens(tmp_path: Path) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    with pytest.raises(NotAllowed) as info:
        run_plugin(spec(program(tmp_path, f"echo 'refused {token}' >&2; exit 1")), {}, str(tmp_path), ENVIRON)
    assert token not in info.value.message
    assert "refused …" in info.value.message


@pytest.mark.parametrize("given", [{}, {"command": "x"}, {"apiVersion": V1}, {"apiVersion": V1, "command": ["x"]}])
def test_a_kubeconfig_that_names_no_program(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(WrongUsage) as info:
        run_plugin(given, {}, str(tmp_path), ENVIRON)
    assert info.value.code == "kubeconfig-invalid"
