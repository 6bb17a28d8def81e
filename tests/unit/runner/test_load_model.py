"""A registered model comes back as it was registered, in a kernel and in a step, and only if policy lets it in."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import Corrupt, MlopsError, NotAllowed, NotFound, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.allowances import Allowances
from jupyter_mlops.registry.models import Models
from jupyter_mlops.runner import record
from jupyter_mlops.runner.loadmodel import load_model
from jupyter_mlops.runner.record import log_model
from tests.unit.runner.staging import Stage


class Evil:
    """Leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return eval, (f"__import__('pathlib').Path({str(self.mark)!r}).touch() or (lambda rows: [7 for _ in rows])",)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """The registry of this machine, in a process that has recorded nothing."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(record, "_PROCESS", record._Process())
    return Layout(tmp_path / "home" / "registry")


def estimator(slope: float = 2.0) -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit([[0.0], [1.0]], [0.0, slope])


@pytest.fixture
def foreign(home: Layout, tmp_path: Path) -> Path:
    """``evil:v1``, which nobody here made; the path that loading it would make."""
    folder, mark = tmp_path / "evil", tmp_path / "mark"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(Evil(mark)))
    card = {"version": 1, "format": "python", "file": "model.pkl", "name": "evil", "pickle": False}
    (folder / "mlops.json").write_text(json.dumps(card))
    publish_model(home, "evil", folder, key="r/s/1", annotations={"run": "mine", "format": "python"}, metrics={})
    return mark


def test_every_way_of_naming_a_version(home: Layout) -> None:
    for slope in (1.0, 2.0):
        log_model(estimator(slope), "line")
    Models(home).set_alias("line", "champion", "v1")
    digest = home.get_manifest("models/line", "v1").descriptor.digest
    expected = {"line": 2.0, "line:latest": 2.0, "line:v2": 2.0, "line:v1": 1.0, "line:champion": 1.0, f"line@{digest}": 1.0,
                "models/line:v1": 1.0}  # fmt: skip
    for reference, slope in expected.items():
        found = load_model(reference)
        assert type(found).__name__ == "LinearRegression"
        assert found.coef_.tolist() == pytest.approx([slope])
    used = record.recorder_of_process().used
    assert [(one["kind"], one["name"], one["tag"]) for one in used] == [("model", "line", "v2"), ("model", "line", "v1")], (
        "each once"
    )


WRONG: dict[str, tuple[str, type[MlopsError], str]] = {
    "no such model": ("nothing", NotFound, "no model named 'nothing'"),
    "no such version": ("line:v9", NotFound, "has no version v9"),
    "no such alias": ("line:champion", NotFound, "has no version champion"),
    "no such digest": (f"line@sha256:{'0' * 64}", NotFound, "has no version sha256:"),
    "no name": ("My Model", WrongUsage, "My Model"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_there(case: str) -> None:
    log_model(estimator(), "line")
    reference, kind, said = WRONG[case]
    with pytest.raises(kind) as caught:
        load_model(reference)
    assert said in caught.value.message
    assert caught.value.fix
    assert record.recorder_of_process().used == []


def test_one_s_own_function_comes_back() -> None:
    def double(rows: list[float]) -> list[float]:
        return [2 * row for row in rows]

    double.__module__ = "__main__"
    log_model(double, "double")
    assert load_model("double")([1.0, 2.0]) == [2.0, 4.0]


def test_a_foreign_pickle_is_refused_and_runs_nothing(foreign: Path) -> None:
    with pytest.raises(NotAllowed) as caught:
        load_model("evil")
    assert caught.value.code == "pickle-refused"
    assert not foreign.exists()
    assert record.recorder_of_process().used == []


def test_it_is_let_in_once_where_that_is_said(foreign: Path) -> None:
    assert load_model("evil", allow_pickle=True)([1, 2]) == [7, 7]
    assert foreign.exists()
    with pytest.raises(NotAllowed):
        load_model("evil")


def test_it_is_let_in_where_it_was_allowed(foreign: Path, home: Layout, tmp_path: Path) -> None:
    Allowances(tmp_path / "home").add(home.get_manifest("models/evil", "v1").descriptor.digest, "evil:v1", "a test")
    assert load_model("evil")([1]) == [7]
    assert foreign.exists()


@pytest.mark.parametrize(("setting", "own"), [("never", False), ("listed", False), ("own", True), ("any", True)])
def test_the_setting_counts(setting: str, own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(rows: list[float]) -> list[float]:
        return [1.0 for _ in rows]

    one.__module__ = "__main__"
    log_model(one, "one")
    monkeypatch.setenv("JUPYTER_MLOPS_PICKLES", setting)
    if own:
        assert load_model("one")([5.0]) == [1.0]
    else:
        with pytest.raises(NotAllowed):
            load_model("one")
        if setting == "never":
            with pytest.raises(NotAllowed):
                load_model("one", allow_pickle=True)


def test_a_version_that_somebody_put_under_our_key_is_not_ours(home: Layout, tmp_path: Path) -> None:
    """Keys can be foreseen: what is there under one is taken for the same version, and not for one that was made here."""
    folder, mark = tmp_path / "evil", tmp_path / "mark"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(Evil(mark)))
    (folder / "mlops.json").write_text(json.dumps({"version": 1, "format": "python", "file": "model.pkl"}))
    recorder = record.recorder_of_process()
    publish_model(home, "net", folder, key=f"{recorder.run}/{recorder.step}/1", annotations={}, metrics={})

    def mine(rows: list[float]) -> list[float]:
        return rows

    mine.__module__ = "__main__"
    assert log_model(mine, "net").tag == "v1"
    with pytest.raises(NotAllowed):
        load_model("net")
    assert not mark.exists()


def test_damage_is_found_before_anything_is_read(home: Layout) -> None:
    log_model(estimator(), "line")
    for path in (home.root / "models/line/blobs/sha256").iterdir():
        if path.stat().st_size > 3000:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.chmod(0o600)
            path.unlink()
            path.write_bytes(data)
    with pytest.raises(Corrupt):
        load_model("line")


def test_a_step_loads_what_an_earlier_one_registered_and_what_it_registered_itself(tmp_path: Path) -> None:
    cell = "from jupyter_mlops import load_model, log_model\nfrom sklearn.linear_model import LinearRegression\n"
    made = "log_model(LinearRegression().fit([[0.0], [1.0]], [0.0, {slope}]), 'line')\n"
    read = "print(round(load_model('line').coef_[0], 3))"
    stage = Stage(tmp_path, [cell + made.format(slope=3.0) + read, cell + read + "\n" + made.format(slope=4.0) + read])
    first = stage.step("s0")
    assert first.code == 0, first.stdout
    assert first.stream(0) == "3.0\n", "as in a kernel, where it is registered at once"
    second = stage.step("s1", first.state)
    assert second.code == 0, second.stdout
    assert second.stream(1) == "3.0\n4.0\n"
    (entry,) = first.report["models"]
    (own,) = second.report["models"]
    assert second.report["used"] == [{"kind": "model", **entry}, {"kind": "model", **own}]
    assert second.report["known"] == {own["digest"]: 1}
