"""What oras, written by others, reads in a reference, a challenge and a login is what we read."""

import base64
import json

import pytest

from jupyter_mlops.oci.credentials import credential_for
from jupyter_mlops.oci.login import parse_challenge
from jupyter_mlops.oci.reference import split_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4
REFERENCES = [
    "churn:v1",
    "models/churn:v1",
    "models/churn:v1.linux-amd64",
    "a/b/c/d:latest",
    "team-x/models/churn_model:1.0_rc-2",
    f"models/churn@{DIGEST}",
    f"churn@{DIGEST}",
    "datasets/a.b__c:_internal",
]


@pytest.mark.parametrize("text", REFERENCES)
def test_references(text):
    from oras.container import Container

    ours, theirs = split_reference(text), Container(f"registry.example:5000/{text}")
    assert ours.repository == theirs.api_prefix
    assert ours.target == (theirs.digest or theirs.tag)


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"',
        'Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:org/repo:pull,push"',
        'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull"',
        'Bearer realm="http://127.0.0.1:5001/auth?a=b"',
        'Basic realm="Registry Realm"',
    ],
)
def test_challenges(header):
    from oras.auth.utils import parse_auth_header

    ours, theirs = parse_challenge(header), parse_auth_header(header)
    assert ours.scheme == header.partition(" ")[0].lower()
    for name in ("realm", "service", "scope"):
        assert ours.parameters.get(name) == getattr(theirs, name)


@pytest.mark.parametrize(
    "user",
    [
        "me",
        "org+robot",
        "$oauthtoken",
        "robot$project+name",
        "AWS",
        "_json_key",
        "00000000-0000-0000-0000-000000000000",
        "ümlaut@example.org",
    ],
)
@pytest.mark.parametrize("secret", ["simple", "with:colon", "+/=", "päss wörd"])
@pytest.mark.parametrize("as_text", [False, True])
def test_logins(user, secret, as_text, tmp_path):
    """Names of robots hold ``+`` and ``$``; they reach the registry as they were given, in either form of the file."""
    from oras.auth.utils import get_basic_auth

    encoded = get_basic_auth(user, secret)
    entry = {"username": user, "password": secret} if as_text else {"auth": encoded}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"quay.io": entry}}))
    found = credential_for("quay.io", "org/model", {"DOCKER_CONFIG": str(tmp_path)})
    assert found.basic == encoded
    assert base64.b64decode(found.basic).decode() == f"{user}:{secret}"
