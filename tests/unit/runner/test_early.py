"""What a step that is tried before its turn may not have done, and how what it left is searched for where it ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import Corrupt, Refused
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import REPORT, REPORT_CONFIG, STATE, STATE_CONFIG
from jupyter_mlops.runner.arguments import Arguments
from jupyter_mlops.runner.early import MET, check_quiet, commit
from jupyter_mlops.runner.plan import Plan, StepPlan
from jupyter_mlops.runner.record import Recorder
from jupyter_mlops.session.state import Component, FileEntry, State

ACCOUNT: dict[str, Any] = {"delivered": {}, "changed": {}, "removed": [], "carriers": [], "files": [], "asked": []}
WORD = "early-0123456789ab"


class Table:
    """A store with a base, a step between and an attempt; states hold one name each."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Layout(folder / "registry")
        self.out = folder / "out"
        self.out.mkdir()
        self.work = folder / "work"
        self.work.mkdir()
        monkeypatch.chdir(self.work)
        steps = tuple(StepPlan(name, (place,)) for place, name in enumerate(("load", "fit", "plot")))
        sources = {0: "x = 1", 1: "y = 1", 2: "z = 1"}
        self.plan = Plan(folder, "p", "nb.ipynb", "", "", steps, (), sources)

    def state(self, names: dict[str, bytes], count: int, **files: bytes) -> str:
        components = {}
        known = {}
        sizes = {}
        for name, data in names.items():
            blob = self.store.put_blob("runs/p", data, "application/octet-stream")
            one = Component((name,), (), ((blob.digest, blob.size),))
            components[one.digest], known[name], sizes[blob.digest] = one, one.digest, blob
        entries = {}
        for path, data in files.items():
            blob = self.store.put_blob("runs/p", data, "application/octet-stream")
            entries[path], sizes[blob.digest] = FileEntry(blob.digest, blob.size, 0o100644), blob
        document = State(count=count, names=known, components=components, files=entries).to_json()
        made = push_artifact(self.store, "runs/p", STATE, document, list(sizes.values()), config_type=STATE_CONFIG, tags=[])
        return made.descriptor.digest

    def between(self, state: str, changed: dict[str, str]) -> None:
        report = {"phase": "succeeded", "state": state, "account": {**ACCOUNT, "changed": changed}, "key": {"state": "base"}}
        push_artifact(self.store, "runs/p", REPORT, report, [], config_type=REPORT_CONFIG, tags=["report.r.fit"])

    def attempt(self, state: str, asked: list[str], outputs: str = "") -> None:
        report = {"state": state, "account": {**ACCOUNT, "asked": asked}, "key": {"state": "base", "source": "s"}}
        (self.out / "report.json").write_bytes(canonical(report))
        (self.out / "outputs.json").write_bytes(canonical({"2": {"outputs": [outputs]}}))
        (self.out / "log").write_bytes(b"said")

    def commit(self, base: str) -> None:
        arguments = Arguments(self.store.address, "runs/p@sha256:0", "r", "plot", base, self.out, lane="fit", early=WORD)
        commit(arguments, self.plan)


X, Y, Z = {"x": b"1"}, {"y": b"2"}, {"z": b"3"}


def test_an_attempt_that_met_nothing_becomes_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path, monkeypatch)
    base, after = table.state(X, 2), table.state(X | Y, 3)
    table.between(after, {"y": "2"})
    table.attempt(table.state(X | Z, 4, made=b"content"), ["x"])
    table.commit(base)
    digest = (table.out / "state").read_text()
    assert sorted(table.store.tags("runs/p")) == ["report.r.fit", "report.r.plot", "state.r.plot"]
    assert table.store.get_manifest("runs/p", "state.r.plot").descriptor.digest == digest
    assert (table.work / "made").read_bytes() == b"content"
    report = (table.out / "report.json").read_text()
    assert f'"state":"{digest}"' in report
    assert f'"key":{{"source":"s","state":"{after}"}}' in report


@pytest.mark.parametrize(
    ("between", "count", "left", "asked", "outputs", "words"),
    [
        (X | Y, 3, Z, ["y"], "", "fit changed y"),
        ({"x": b"9"}, 3, {"x": b"8"}, ["x"], "", "fit changed x"),
        (X | Y, 4, Z, [], "", "another number of cells"),
        (X | Y, 3, {"z": b"/runs/" + WORD.encode() + b"/work"}, [], "", "names its working folder"),
        (X | Y, 3, {"z": b"." * ((1 << 20) - 5) + WORD.encode()}, [], "", "names its working folder"),
        (X | Y, 3, {"z": WORD.encode("utf-32-le")}, [], "", "names its working folder"),
        (X | Y, 3, Z, [], f"in /runs/{WORD}", "names its working folder"),
    ],
    ids=["asked", "both", "count", "a path", "a path across two reads", "a path in an array", "a path that is shown"],
)
def test_an_attempt_that_is_no_good_changes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    between: dict[str, bytes],
    count: int,
    left: dict[str, bytes],
    asked: list[str],
    outputs: str,
    words: str,
) -> None:
    table = Table(tmp_path, monkeypatch)
    base = table.state(X, 2)
    table.between(table.state(between, count), {})
    table.attempt(table.state({**X, **left}, 4, made=b"content"), asked, outputs)
    before = (table.out / "report.json").read_bytes()
    with pytest.raises(Refused, match=words) as caught:
        table.commit(base)
    assert caught.value.code == MET
    assert table.store.tags("runs/p") == ["report.r.fit"]
    assert [*table.work.iterdir()] == []
    assert (table.out / "report.json").read_bytes() == before
    assert not (table.out / "state").exists()


@pytest.mark.parametrize("content", [None, b"[", b"[]"])
def test_an_attempt_without_a_report_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    table = Table(tmp_path, monkeypatch)
    base = table.state(X, 2)
    table.between(table.state(X, 3), {})
    if content is not None:
        (table.out / "report.json").write_bytes(content)
    with pytest.raises(Corrupt, match=r"report\.json"):
        table.commit(base)


def test_an_attempt_records_nothing(tmp_path: Path) -> None:
    recorder = Recorder("r", "plot", "p")
    check_quiet(recorder)
    recorder.metric("score", 1.0, None)
    with pytest.raises(Refused, match="records metrics"):
        check_quiet(recorder)
    other = Recorder("r", "plot", "p")
    other.add("model", "m", tmp_path, {}, {})
    with pytest.raises(Refused, match="models"):
        check_quiet(other)
