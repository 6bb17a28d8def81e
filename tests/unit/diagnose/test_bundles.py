"""What the bootstrap says when it cannot fetch its bundle, and the setting of the target that helps."""

from __future__ import annotations

import json

import pytest

from jupyter_mlops.diagnose.ending import ending
from jupyter_mlops.diagnose.owner import Owner
from tests.unit.diagnose.making import says

AT = "https://r.example:5000/team"
CERTIFICATE = (
    "URLError: <urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate "
    "(_ssl.c:992)>"
)

# What Python said (3.10 to 3.13), our code, words of message and fix.
SAID = [
    (CERTIFICATE, "registry-certificate", [f"does not trust the certificate of {AT}", "configmap registry-ca", "setting `ca`"]),
    ("URLError: <urlopen error [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:992)>", "registry-plain-http", ["http://"]),
    ("URLError: <urlopen error [SSL: RECORD_LAYER_FAILURE] record layer failure (_ssl.c:1006)>", "registry-plain-http", ["HTTPS"]),
    ("HTTPError: HTTP Error 401: Unauthorized", "registry-login", [f"{AT} does not let its pod in", "setting `pull_secret`"]),
    ("HTTPError: HTTP Error 403: Forbidden", "registry-login", ["create secret docker-registry"]),
    ("URLError: <urlopen error [Errno -2] Name or service not known>", "registry-unreachable", ["`registry_here`"]),
    ("URLError: <urlopen error [Errno -3] Temporary failure in name resolution>", "registry-unreachable", ["as pods reach it"]),
    ("URLError: <urlopen error [Errno 111] Connection refused>", "registry-unreachable", [f"does not reach {AT}"]),
    ("TimeoutError: The read operation timed out", "registry-unreachable", ["timed out"]),
    ("HTTPError: HTTP Error 404: Not Found", "no-bundle", ["404", "its own fix"]),
    ("ValueError: sha256:ab is damaged", "no-bundle", ["damaged", "its own fix"]),
]


@pytest.mark.parametrize("owner", [Owner("step", "train", "ml"), Owner("service", "iris", "ml")], ids=["step", "service"])
@pytest.mark.parametrize(("why", "code", "parts"), SAID, ids=[row[0][:60] for row in SAID])
def test_why_a_bundle_did_not_come(owner: Owner, why: str, code: str, parts: list[str]) -> None:
    message = f"cannot load the bundle from {AT}: {why}"
    left = json.dumps({"code": "no-bundle", "blame": "platform", "message": message, "fix": "its own fix"})
    cause = says(ending(owner, "main", 3, "Error", left), code, parts, "platform")
    assert why[:20].replace("<", "(") in " ".join(cause.facts).replace("<", "("), "the words themselves are a fact"


def test_what_a_step_says_of_another_thing_stays() -> None:
    left = json.dumps(
        {"code": "registry-login", "blame": "platform", "message": f"cannot load the bundle from {AT}: x", "fix": "f"}
    )
    says(ending(Owner("step", "train", "ml"), "main", 3, "Error", left), "registry-login", ["cannot load", "f"])
