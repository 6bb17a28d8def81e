"""Identities of processes, endings, and the folder that several programs write to."""

import concurrent.futures
import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from jupyter_mlops.errors import Corrupt, StorageFull
from jupyter_mlops.serving.local.place import Place, Superseded, places, private
from jupyter_mlops.serving.local.process import Identity, alive, identify, saved, terminate
from tests.unit.serving.conftest import eventually

STUBBORN = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"


@pytest.fixture
def child():
    started = []

    def start(code="import time; print('on', flush=True); time.sleep(60)"):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout.readline() == b"on\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_an_identity_holds_while_the_process_lives(child, tmp_path):
    process = child()
    identity = identify(process.pid)
    assert alive(identity)
    identity.save(tmp_path / "identity.json")
    assert saved(tmp_path / "identity.json") == identity
    process.kill()
    assert eventually(lambda: not alive(identity))  # a zombie until it is waited for
    process.wait(10)
    assert not alive(identity)


def test_a_later_process_of_the_same_number_is_another(child):
    process = child()
    later = Identity(process.pid, "another moment")
    assert not alive(later)
    terminate(later, 5)
    assert process.poll() is None


def test_nobody_and_damage():
    assert not alive(None)
    terminate(None, 1)
    assert identify(2**22 + 1) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "started": 1}', '{"pid": 1}'])
def test_what_was_not_written_whole_is_nobody(tmp_path, text):
    (tmp_path / "identity.json").write_text(text)
    assert saved(tmp_path / "identity.json") is None
    assert saved(tmp_path / "none.json") is None


def test_termination_asks_first_and_then_insists(child):
    polite, stubborn = child(), child(STUBBORN)
    terminate(identify(polite.pid), 10)
    assert polite.wait(10) == -signal.SIGTERM
    started = time.monotonic()
    terminate(identify(stubborn.pid), 0.2)
    assert stubborn.wait(10) == -signal.SIGKILL
    assert time.monotonic() - started >= 0.2


# -- the folder ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path / "services" / "default" / "churn")
    made.write({"metadata": {"generation": 1}, "count": 0})
    return made


def test_files_are_for_this_user_alone(place):
    place.token()
    for path in (place.document_path, place.secret):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (place.folder, place.folder.parent, place.folder.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_token_is_made_once_and_again_when_it_was_damaged(place):
    token = place.token()
    assert place.token() == token
    place.secret.write_text("{")
    assert place.token() != token


def test_changes_by_many_lose_nothing(place):
    def count(_):
        place.change(lambda document: {**document, "count": document["count"] + 1})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    assert place.read()["count"] == 40
    assert [path.name for path in place.folder.iterdir()] == ["isvc.json"]


def test_who_is_behind_writes_nothing(place):
    with pytest.raises(Superseded):
        place.change(lambda document: {**document, "count": 9}, generation=0)
    assert place.read()["count"] == 0
    place.remove()
    with pytest.raises(Superseded):
        place.change(lambda document: document, generation=1)
    assert not place.folder.exists()


def test_damage_and_a_full_disk_are_said(place, monkeypatch):
    place.document_path.write_text("{")
    with pytest.raises(Corrupt, match="churn"):
        place.read()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StorageFull, match="No space left on device"):
        place.write({})
    assert place.document_path.read_text() == "{"


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFull, match="cannot make the folder"):
        private(tmp_path / "file" / "below")


def test_places_are_in_order_and_locks_are_none(tmp_path):
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y")):
        place = Place(tmp_path / namespace / name)
        place.write({"metadata": {}})
        with place.locked("verb"):
            pass
    (tmp_path / "a" / "empty").mkdir()
    assert [(place.namespace, place.name) for place in places(tmp_path)] == [("a", "y"), ("a", "z"), ("b", "x")]


def test_a_large_log_is_put_aside(place):
    place.log.write_bytes(b"x" * ((8 << 20) + 1))
    place.rotate()
    assert place.log.read_bytes() == b""
    assert (place.folder / "log.1").stat().st_size > 8 << 20
    place.log.write_text("small")
    place.rotate()
    assert place.log.read_text() == "small"
    assert json.loads(place.document_path.read_text())["count"] == 0
