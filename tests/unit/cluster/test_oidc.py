"""A kubeconfig's OpenID Connect provider, as the official client has it: a token that ended is renewed at the provider."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import PODS
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.errors import NotAllowed
from tests.unit.cluster.answering import Asked, Reply, answering, kubeconfig, status


def jwt(name: str, end: float) -> str:
    """A token of this name that ends at a time; its signature is nobody's business here."""
    parts = ({"alg": "none"}, {"sub": name, "exp": end})
    head, claims = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{claims}.c2ln"


FAR, PAST = 4e9, 1e9
POD = {"kind": "Pod", "metadata": {"name": "p"}}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def user(issuer: str, certificate: Path, token: str) -> dict[str, Any]:
    config = {
        "idp-issuer-url": issuer,
        "client-id": "mlops",
        "client-secret": "secret-of-the-client",
        "id-token": token,
        "refresh-token": "refresh-1",
        "idp-certificate-authority-data": base64.b64encode(certificate.read_bytes()).decode(),
    }
    return {"auth-provider": {"name": "oidc", "config": config}}


def only(token: str) -> Any:
    return lambda asked: (
        Reply(body=POD) if asked.headers.get("authorization") == f"Bearer {token}" else status(401, "Unauthorized", "no")
    )


def test_a_token_that_counts_is_used(tmp_path: Path, certificates: Path) -> None:
    token = jwt("ann", FAR)
    with answering(only(token)) as server:
        environ = kubeconfig(tmp_path, server.url, user("https://nowhere.invalid", certificates / "good.pem", token))
        assert connect(environ=environ).get(PODS, "p")


def test_a_token_that_ended_is_renewed_and_kept(tmp_path: Path, certificates: Path) -> None:
    fresh = jwt("ann", FAR)

    def provider(asked: Asked) -> Reply:
        if asked.path == "/.well-known/openid-configuration":
            return Reply(body={"token_endpoint": f"https://{asked.headers['host']}/token"})
        assert b"refresh-1" in asked.body
        return Reply(body={"id_token": fresh, "refresh_token": "refresh-2", "access_token": "a", "token_type": "Bearer"})

    pem = certificates / "good.pem"
    with answering(provider, pem) as issuer, answering(only(fresh)) as server:
        environ = kubeconfig(tmp_path, server.url, user(issuer.url, pem, jwt("ann", PAST)))
        cluster = connect(environ=environ)
        assert cluster.get(PODS, "p")
        assert cluster.get(PODS, "p")
        assert [asked.path for asked in issuer.asked] == ["/.well-known/openid-configuration", "/token"]
        written = Path(environ["KUBECONFIG"]).read_text()
        assert fresh in written, "the next process need not renew it"
        assert "refresh-2" in written, "providers take each refresh token once"


def test_a_provider_that_does_not_renew(tmp_path: Path, certificates: Path) -> None:
    pem = certificates / "good.pem"
    with answering(lambda _: Reply(400, b"{}"), pem) as issuer, answering(only("x")) as server:
        environ = kubeconfig(tmp_path, server.url, user(issuer.url, pem, jwt("ann", PAST)))
        with pytest.raises(NotAllowed) as info:
            connect(environ=environ).get(PODS, "p")
    assert info.value.code == "cluster-login"
    assert "Log in" in info.value.fix
    assert "secret-of-the-client" not in str(info.value)


def test_a_provider_that_is_away(tmp_path: Path, certificates: Path) -> None:
    with answering(only("x")) as server:
        environ = kubeconfig(tmp_path, server.url, user("https://127.0.0.1:9", certificates / "good.pem", jwt("ann", PAST)))
        with pytest.raises(NotAllowed, match="the login of the context test failed") as info:
            connect(environ=environ).get(PODS, "p")
    assert info.value.code == "cluster-login"
