"""The local index: it answers what the tags say, whatever happens to its file."""

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.catalogue import FOLDER, index_of
from jupyter_mlops.registry.index import FILE, Index
from jupyter_mlops.registry.models import Models, to_json

FORK = multiprocessing.get_context("fork")
CARD = {"version": 1, "format": "sklearn", "signature": {"inputs": [{"name": "age", "datatype": "INT64"}], "outputs": []}}


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


@pytest.fixture
def publish(layout, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()

    def publish(name, key, **metrics):
        (folder / "model.joblib").write_bytes(key.encode())
        (folder / "mlops.json").write_text(json.dumps(CARD))
        made = publish_model(layout, name, folder, key=key, annotations={"run": "run-1"}, metrics=metrics)
        settle(layout, name)
        return made

    return publish


@pytest.fixture
def filled(layout, publish):
    for number in range(3):
        publish("churn", str(number), accuracy=number / 10, lost=float("nan"))
    publish("fraud", "0")
    return layout


def settle(layout, name):
    """As if some time had gone by: each call gives another time, as a clock does."""
    path = layout.folder(f"models/{name}") / "index.json"
    settle.clock += 1_000_000
    os.utime(path, ns=(settle.clock, settle.clock))


settle.clock = 1_700_000_000_000_000_000


def shown(layout, **kwargs):
    """What a new process would list: summaries, and every version."""
    models = Models(Layout(layout.root), **kwargs)
    heads = [(one.name, one.versions, one.newest.tag, to_json(one.newest), dict(one.aliases)) for one in models.summaries()]
    return heads, [to_json(model) for model in models.list()]


def truth(layout, tmp_path):
    """The same, without what was remembered."""
    return shown(layout, index=Index(tmp_path / f"empty-{random.random()}"))


def test_a_summary_is_the_list_in_short(filled, publish):
    models = Models(filled)
    models.set_alias("churn", "champion", "v1")
    settle(filled, "churn")
    for _ in range(2):  # from the tags, then from the index
        churn, fraud = Models(filled).summaries()
        assert (churn.name, churn.versions, churn.newest.tag, churn.aliases) == (
            "churn",
            3,
            "v3",
            {"latest": "v3", "champion": "v1"},
        )
        assert (fraud.name, fraud.versions, fraud.newest) == ("fraud", 1, Models(filled).list()[1].versions[0])
    publish("fraud", "1", accuracy=1.0)
    assert Models(filled).summaries()[1].newest.metrics == {"accuracy": 1.0}


def test_nothing_is_read_where_nothing_changed(filled, publish, monkeypatch):
    expected = shown(filled)
    read = []
    whole = Layout.get_manifest
    monkeypatch.setattr(Layout, "get_manifest", lambda self, *args: read.append(args) or whole(self, *args))
    assert shown(filled) == expected
    assert read == []
    publish("fraud", "1")
    read.clear()
    shown(filled)
    assert {args[0] for args in read} == {"models/fraud"}, "only what changed"
    assert len({args[1] for args in read}) <= 2, "and of that only the version that is new"


def test_a_file_that_was_just_written_is_not_believed(layout, tmp_path, publish):
    """Two writes within one tick of the clock look alike from outside."""
    publish("churn", "0")
    path = layout.folder("models/churn") / "index.json"
    path.touch()
    shown(layout)
    assert index_of(layout).heads("models/")["models/churn"].stamp == ""
    status, before = path.stat(), path.read_bytes()
    path.write_bytes(before.replace(b'"v1"', b'"v2"'))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert shown(layout) == truth(layout, tmp_path)


def test_a_model_that_is_gone_is_not_listed(filled):
    shown(filled)
    Models(filled).delete("fraud", "v1")
    settle(filled, "fraud")
    assert [one.name for one in Models(filled).summaries()] == ["churn"]
    (filled.folder("models/churn") / "index.json").unlink()
    assert Models(filled).summaries() == []
    assert set(index_of(filled).heads("models/")) <= {"models/fraud"}, "what no repository stands for is forgotten"


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / FILE).write_bytes(b""),
        lambda folder: (folder / FILE).write_bytes(b"this is no database at all" * 100),
        lambda folder: (folder / FILE).write_bytes((folder / FILE).read_bytes()[:5000]),
        lambda folder: (folder / FILE).unlink(),
        lambda folder: ((folder / FILE).unlink(), (folder / FILE).mkdir()),
        lambda folder: folder.rename(folder.with_name("_gone")),
        lambda folder: (folder.rename(folder.with_name("_gone")), folder.write_bytes(b"a file")),
        lambda folder: altered(folder, "PRAGMA user_version = 99"),
        lambda folder: altered(folder, "DROP TABLE lists"),
        lambda folder: altered(folder, "ALTER TABLE details RENAME COLUMN body TO other"),
        lambda folder: altered(folder, "UPDATE lists SET head = '{}'"),
        lambda folder: altered(folder, "UPDATE details SET body = replace(body, '0.1', '0.9')"),
        lambda folder: altered(folder, "UPDATE lists SET head = 7"),
        lambda folder: altered(folder, "UPDATE lists SET head = x'ff00', stamp = x'ff'"),
        # the error that tells of the table has its name in it, which is no text
        lambda folder: (folder / FILE).write_bytes((folder / FILE).read_bytes().replace(b"tablelistslists", b"tablel\x85stslists")),
    ],
    ids=[
        "empty",
        "noise",
        "cut",
        "gone",
        "directory",
        "renamed",
        "file",
        "version",
        "table",
        "column",
        "head",
        "body",
        "number",
        "bytes",
        "name that is no text",
    ],
)
def test_an_index_that_is_broken_is_made_again(filled, tmp_path, harm):
    expected = truth(filled, tmp_path)
    shown(filled)
    harm(index_of(filled).folder)
    for _ in range(3):
        assert shown(filled) == expected


def altered(folder, statement):
    database = sqlite3.connect(folder / FILE)
    with database:
        database.execute(statement)
    database.close()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8))
def test_no_flipped_byte_ever_shows(filled, tmp_path, flips):
    expected = truth(filled, tmp_path)
    shown(filled)
    path = index_of(filled).folder / FILE
    data = bytearray(path.read_bytes())
    for place, mask in flips:
        data[int(place * len(data))] ^= mask
    path.write_bytes(data)
    assert shown(filled) == expected
    assert shown(filled) == expected


def test_a_locked_index_is_done_without(filled, tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_mlops.registry.index.PATIENCE", 0.0)
    shown(filled)
    database = sqlite3.connect(index_of(filled).folder / FILE)
    database.execute("BEGIN EXCLUSIVE")
    Models(filled).set_alias("churn", "champion", "v1")
    settle(filled, "churn")
    assert shown(filled) == truth(filled, tmp_path)
    database.close()
    assert sorted(path.name for path in filled.root.glob("_index*")) == [FOLDER], "and is not taken for broken"


def test_where_nothing_can_be_written_lists_are_made_all_the_same(filled, tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert shown(filled, index=Index(tmp_path / "file" / "index")) == truth(filled, tmp_path)


def test_a_damaged_manifest_is_left_out_until_it_is_whole_again(filled, caplog):
    digest = Models(filled).find("churn:v2").digest
    path = filled.blob_path("models/churn", digest)
    sound = path.read_bytes()
    path.unlink()
    path.write_bytes(sound.replace(b"churn", b"other"))
    for _ in range(2):
        assert [one.versions for one in Models(Layout(filled.root)).summaries()] == [2, 1]
    assert caplog.text.count("churn:v2") == 2, "said each time"
    path.write_bytes(sound)
    assert [one.versions for one in Models(Layout(filled.root)).summaries()] == [3, 1]


def test_places_are_told_apart(tmp_path):
    one, other = Index(tmp_path / "index", "https://one"), Index(tmp_path / "index", "https://other")
    one.put("models/a", "1", {"n": 1}, {})
    other.put("models/a", "2", {"n": 2}, {})
    assert (one.heads("models/")["models/a"].value, other.heads("models/")["models/a"].value) == ({"n": 1}, {"n": 2})
    one.drop("models/a")
    assert (one.heads(""), one.body("models/a"), set(other.heads(""))) == ({}, None, {"models/a"})
    other.clear()
    assert other.heads("") == {}
    assert list(tmp_path.iterdir()) == [tmp_path / "index"]


def _list_for_ever(root):
    while True:
        Models(Layout(root)).summaries()
        index_of(Layout(root)).drop("models/churn")


@pytest.mark.slow
def test_killed_while_the_index_is_written(filled, tmp_path):
    expected = truth(filled, tmp_path)
    for _ in range(12):
        process = FORK.Process(target=_list_for_ever, args=(filled.root,))
        process.start()
        time.sleep(random.uniform(0.01, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert shown(filled) == expected


def _list_and_break(root, seed, failed):
    rng = random.Random(seed)
    names = {"churn", "fraud"}
    for turn in range(25):
        try:
            if {one.name for one in Models(Layout(root)).summaries()} != names:
                failed.put(f"{seed}/{turn}: another list")
        except Exception as error:
            failed.put(f"{seed}/{turn}: {error!r}")
        if rng.random() < 0.3:
            index_of(Layout(root)).clear()
        elif rng.random() < 0.3:
            index_of(Layout(root)).drop("models/churn")


def test_processes_at_once_some_of_which_set_it_aside(filled, tmp_path):
    expected = truth(filled, tmp_path)
    failed = FORK.Queue()
    workers = [FORK.Process(target=_list_and_break, args=(filled.root, seed, failed)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert failed.empty(), failed.get()
    assert shown(filled) == expected
