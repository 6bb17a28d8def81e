"""Keys, signatures and trust by the command line; and a machine that serves nothing that no trusted key signed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.made import note_made
from jupyter_mlops.oci.modelpack import publish_model
from tests.unit.serving.support import linear_model

Command = Callable[..., Any]


@pytest.fixture
def model(mlops_home: Path, tmp_path: Path) -> None:
    """``linear:v1``."""
    store = Layout(mlops_home / "registry")
    made = publish_model(store, "linear", linear_model(tmp_path / "linear"), key="1", annotations={"format": "numpy"}, metrics={})
    note_made(store, made.digest)


@pytest.mark.usefixtures("model")
def test_from_a_key_to_a_service(mlops: Command, environment: dict[str, str]) -> None:
    made = mlops("models", "key", "team.key")
    assert made.code == 0
    assert "team.key signs" in made.out
    environment["JUPYTER_MLOPS_UNSIGNED"] = "refuse"
    refused = mlops("deploy", "linear")
    assert refused.code == 2
    assert "is not signed" in refused.err
    signed = mlops("models", "sign", "linear:v1", "--key", "team.key", "--json")
    assert signed.json["tag"] == "v1"
    assert signed.json["signature"].startswith("sha256:")
    assert "is signed, and not by anybody who is trusted here" in mlops("deploy", "linear").err
    assert mlops("models", "key", "team.key.pub", "--trust").code == 0
    found = mlops("models", "verify", "linear:v1", "--json").json
    assert [one["by"] for one in found["signatures"]] == ["team.key.pub"]
    assert "linear:v1 is signed by team.key.pub, 20" in mlops("models", "verify", "linear", "--key", "team.key.pub").out
    assert mlops("deploy", "linear").code == 0
    assert mlops("predict", "linear").code == 0
    assert mlops("services", "delete", "linear").code == 0


WRONG = {
    "no key to sign with": (("sign", "linear:v1"), "sign takes a private key", "--key FILE"),
    "a key that is not there": (("sign", "linear:v1", "--key", "none"), "the key none cannot be read", "PEM"),
    "a public key to sign with": (("sign", "linear:v1", "--key", "k.pub"), "no private key", "models key"),
    "no version": (("sign", "linear:v9", "--key", "k"), "v9", "v1"),
    "nothing trusted": (("verify", "linear:v1"), "nobody is trusted here", "--trust"),
    "not signed": (("verify", "linear:v1", "--key", "k.pub"), "is not signed", "models sign"),
    "nothing to vouch for": (
        ("sign", "linear:v1", "--key", "k", "--provenance"),
        "nothing is said of where",
        "without --provenance",
    ),
    "a key that is there": (("key", "k"), "is there already", "another name"),
    "trust in a private key": (("key", "k", "--trust"), "no public key", "models key"),
}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("case", WRONG)
def test_wrong_words(case: str, mlops: Command) -> None:
    mlops("models", "key", "k")
    words, said, fix = WRONG[case]
    found = mlops("models", *words)
    assert found.code == 2, found.err
    assert said in found.err
    assert fix in found.err


def test_a_passphrase_is_never_shown(mlops: Command, environment: dict[str, str], tmp_path: Path) -> None:
    environment["JUPYTER_MLOPS_KEY_PASSPHRASE"] = "hunter2"
    made = mlops("models", "key", "locked.key")
    assert made.code == 0
    assert b"ENCRYPTED" in (tmp_path / "locked.key").read_bytes()
    assert "hunter2" not in made.out + made.err
