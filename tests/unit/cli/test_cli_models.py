"""``jupyter mlops models``: what differs, files, aliases with their history, and wrong words."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model


def card(number: int) -> dict[str, Any]:
    """Of version ``number``; the second has another scikit-learn and one column more."""
    names = ("age", "city")[:number]
    return {
        "version": 1,
        "format": "sklearn",
        "file": "model.joblib",
        "pickle": number == 1,
        "python": "3.11.7",
        "packages": {"scikit-learn": f"1.{number}"},
        "signature": {"inputs": [{"name": name, "datatype": "INT64"} for name in names], "outputs": []},
    }


@pytest.fixture
def registered(mlops_home: Path, tmp_path: Path) -> None:
    """``churn`` in two versions, whose weights and cards differ."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in (1, 2):
        (folder / "model.joblib").write_bytes(bytes([number]) * 10)
        (folder / "mlops.json").write_text(json.dumps(card(number)))
        publish_model(
            Layout(mlops_home / "registry"), "churn", folder, key=str(number), annotations={}, metrics={"auc": number / 10, "n": 5}
        )


@pytest.mark.usefixtures("registered")
def test_two_versions_are_compared(mlops: Callable[..., Any]) -> None:
    found = mlops("models", "diff", "churn:v1", "churn:v2", "--json").json
    changed = {(one["part"], one["name"]): (one["before"], one["after"]) for one in found["differences"]}
    files = {key: changed.pop(key) for key in list(changed) if key[0] == "file"}
    assert changed == {
        ("metric", "auc"): (0.1, 0.2),
        ("package", "scikit-learn"): ("1.1", "1.2"),
        ("input", "city"): (None, "2: INT64"),
    }
    assert ("file", "models/model.joblib") in files
    assert all(old != new and old.startswith("sha256:") for old, new in files.values())
    shown = mlops("models", "diff", "churn:v1", "churn:v2").out
    assert "churn:v1" in shown
    assert "scikit-learn" in shown
    assert "nothing differs" in mlops("models", "diff", "churn:v2", "churn:latest").out


@pytest.mark.usefixtures("registered")
def test_a_version_is_pulled_into_a_new_folder(mlops: Callable[..., Any], tmp_path: Path) -> None:
    pulled = mlops("models", "pull", "churn:v1")
    assert "churn:v1 is in churn-v1" in pulled.out
    assert "model.joblib cannot be followed" in pulled.err  # it is no pickle at all
    assert (tmp_path / "churn-v1" / "models" / "model.joblib").read_bytes() == b"\x01" * 10
    assert mlops("models", "pull", "churn", "two", "--json").json["tag"] == "v2"
    again = mlops("models", "pull", "churn", "two")
    assert again.code != 0
    assert "two" in again.err


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_history_says_who_and_why(mlops: Callable[..., Any]) -> None:
    assert "No alias" in mlops("models", "history", "churn").err
    assert mlops("models", "alias", "churn", "v1", "champion", "--reason", "first").code == 0
    assert mlops("models", "alias", "churn", "v2", "champion", "--reason", "better").code == 0
    assert "is removed" in mlops("models", "alias", "churn", "champion", "--remove", "--reason", "broken").out
    assert "champion" not in mlops("models", "churn").out
    assert mlops("models", "delete", "churn:v1", "--reason", "old").code == 0
    events = mlops("models", "history", "churn", "--json").json["events"]
    # the move to v1 is told by v1, and went with it
    assert [(one["action"], one["reason"]) for one in events] == [("alias", "better"), ("alias", "broken"), ("delete", "old")]
    shown = mlops("models", "history", "churn").out
    for text in ("champion: v1 → v2", "champion: v2 → -", "deleted v1", "better"):
        assert text in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["diff", "churn:v1"], "models diff NAME:TAG NAME:TAG"),
        (["churn", "v1"], "models NAME, models show"),
        (["alias", "churn", "champion"], "alias NAME ALIAS --remove"),
        (["alias", "churn", "v1", "champion", "--remove"], "alias NAME ALIAS --remove"),
        (["churn", "--remove"], "--remove is for an alias"),
        (["delete", "churn"], "models delete churn:v1"),
        (["history", "nothing"], "no model named"),
        (["pull", "nothing"], "no model named"),
    ],
)
def test_wrong_words(mlops: Callable[..., Any], words: list[str], said: str) -> None:
    found = mlops("models", *words)
    assert found.code != 0
    assert said in found.err


class Runs:
    """Runs code when it is loaded."""

    def __reduce__(self) -> Any:
        return print, ("loaded",)


@pytest.mark.slow
def test_what_a_pickle_would_call_is_told_and_nothing_is_loaded(
    mlops: Callable[..., Any], mlops_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, value in enumerate([{"weights": [1, 2]}, Runs()], 1):
        (folder / "model.pkl").write_bytes(pickle.dumps(value))
        (folder / "mlops.json").write_text(json.dumps({**card(1), "format": "python", "file": "model.pkl", "number": number}))
        publish_model(Layout(mlops_home / "registry"), "churn", folder, key=str(number), annotations={}, metrics={})
    assert "nothing but data" in mlops("models", "scan", "churn:v1").out
    refused = mlops("models", "scan", "churn:v2")
    assert refused.code == 1
    assert "builtins.print" in refused.out
    assert "loaded\n" not in refused.out
    assert "trust" in refused.err
    found = mlops("models", "scan", "churn:v2", "--json").json
    (verdict,) = found["files"].values()
    assert verdict == {"harmless": False, "refused": ["builtins.print"], "allowed": [], "unreadable": ""}
    assert mlops("models", "scan", str(folder / "model.pkl")).out.startswith("model.pkl is a pickle, and loading it runs code")
    (tmp_path / "torn.pkl").write_bytes(b"\x80\x04")
    assert "nobody knows" in mlops("models", "scan", str(tmp_path / "torn.pkl")).out
    assert "has no pickle" in mlops("models", "scan", str(folder / "mlops.json")).out
    assert "builtins.print" in mlops("models", "pull", "churn:v2", str(tmp_path / "out")).err
