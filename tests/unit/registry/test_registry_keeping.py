"""Collection, leases, run records, datasets and sizes: what is needed stays whoever is at work, the rest goes."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlops.errors import NotFound, Unavailable
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.lease import Leases, alone
from jupyter_mlops.oci.names import DATASET, DATASET_CONFIG, NOTEBOOK, OCI_INDEX, OCI_LAYER, RUN, RUN_CONFIG, RUN_WORKFLOW
from jupyter_mlops.registry.datasets import Datasets
from jupyter_mlops.registry.disk import disk_bytes
from jupyter_mlops.registry.layout import LayoutRegistry, registry_of
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.registry.suggest import listing, suggestion
from jupyter_mlops.registry.times import now, seconds

KIND = "application/vnd.example.v1+json"


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


def fresh(layout):
    """The same folder as another process sees it, which holds no lease."""
    return LayoutRegistry(Layout(layout.root))


def files(layout, repository="a"):
    folder = layout.root / repository / "blobs" / "sha256"
    return {f"sha256:{path.name}" for path in folder.iterdir()} if folder.exists() else set()


def artifact(layout, content, **more):
    layer = layout.put_blob("a", content.encode() * 100, OCI_LAYER)
    return push_artifact(layout, "a", KIND, {"content": content}, [layer], **more)


def needs(layout, manifest):
    facts = layout.facts("a", manifest.descriptor.digest)
    return {manifest.descriptor.digest, *facts.blobs, *facts.children}


# -- collection ------------------------------------------------------------------------------------------------------------


def test_what_no_tag_leads_to_goes_and_nothing_else(tmp_path):
    layout = Layout(tmp_path / "registry")
    kept, moved = artifact(layout, "kept", tags=["v1"]), artifact(layout, "moved", tags=["latest"])
    about = artifact(layout, "about", subject=kept.descriptor)
    about_about = artifact(layout, "about about", subject=about.descriptor)
    about_moved = artifact(layout, "about moved", subject=moved.descriptor)
    child = artifact(layout, "child")
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [to_dict(child.descriptor)]}
    index = layout.put_manifest("a", document, tags=["latest"])
    layout.put_blob("a", b"never pointed at", OCI_LAYER)
    stay = (
        needs(layout, kept) | needs(layout, about) | needs(layout, about_about) | needs(layout, child) | {index.descriptor.digest}
    )
    gone = needs(layout, moved) | needs(layout, about_moved)
    layout, root = None, layout.root  # whoever put the blob without a manifest has gone
    layout = Layout(root)
    planned = fresh(layout).collect(dry_run=True)
    assert gone <= files(layout), "a dry run takes nothing"
    done = fresh(layout).collect()
    assert done == planned
    assert files(layout) == stay
    assert (done.manifests, done.blobs) == (2, len(gone) + 1)
    assert done.bytes > 0
    with pytest.raises(NotFound):
        layout.get_manifest("a", moved.descriptor.digest)


def test_between_blob_and_manifest_nothing_is_taken(layout):
    layer = layout.put_blob("a", b"on the way", OCI_LAYER)
    child = push_artifact(layout, "a", KIND, {})
    old = time.time() - 1000
    for digest in files(layout):
        os.utime(layout.blob_path("a", digest), (old, old))
    assert fresh(layout).collect().blobs == 0, "its publisher is still there"
    assert fresh(layout).collect(grace=100).blobs > 0, "but it may not take longer than the grace"
    layer = layout.put_blob("a", b"on the way", OCI_LAYER)
    child = push_artifact(layout, "a", KIND, {}, [layer])
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [to_dict(child.descriptor)]}
    layout.put_manifest("a", document, tags=["v1"])
    fresh(layout).collect(grace=0)
    with layout.open_blob("a", layer.digest) as stream:
        assert stream.read() == b"on the way"


def test_a_reused_blob_counts_as_new(layout):
    layer = artifact(layout, "x", tags=["v1"]).document["layers"][0]["digest"]
    layout.delete("a", "v1")
    os.utime(layout.blob_path("a", layer), (0, 0))
    other = Layout(layout.root)
    other.put_blob("a", b"x" * 100, OCI_LAYER)
    fresh(layout).collect(grace=3600)
    assert layer in files(layout)


def test_a_publisher_that_died_holds_nothing(layout):
    script = "import os, sys; from pathlib import Path; from jupyter_mlops.oci.layout import Layout\nlayout = Layout(Path(sys.argv[1])); layout.put_blob('a', b'x', 'x'); upload = layout.start_upload(); upload.write(b'half'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", script, layout.root]).returncode == -9
    artifact(layout, "y", tags=["v1"])
    assert fresh(layout).collect("a").blobs == 1
    (left,) = (layout.root / "_uploads").iterdir()
    os.utime(left, (0, 0))
    assert fresh(layout).collect().bytes == 4
    assert list((layout.root / "_uploads").iterdir()) == []


def test_a_live_upload_is_never_touched(layout):
    upload = layout.start_upload()
    upload.write(b"slow")
    os.utime(upload.path, (0, 0))
    fresh(layout).collect(grace=0)
    blob = layout.finish_upload("a", upload)
    with layout.open_blob("a", blob.digest) as stream:
        assert stream.read() == b"slow"


def test_a_damaged_repository_is_left_alone_and_said(layout):
    manifest = artifact(layout, "x", tags=["v1"])
    layout.put_blob("a", b"unused", OCI_LAYER)
    layout.blob_path("a", manifest.descriptor.digest).write_bytes(b"{}")
    push_artifact(layout, "b", KIND, {}, tags=["v1"])
    before = files(layout)
    done = fresh(layout).collect(grace=0)
    assert files(layout) == before
    (reason,) = done.skipped
    assert reason.startswith("a: ")
    assert manifest.descriptor.digest in reason


def test_an_empty_repository_is_no_repository(layout):
    artifact(layout, "x", tags=["v1"])
    push_artifact(layout, "a/below", KIND, {}, tags=["v1"])
    layout.delete("a", "v1")
    fresh(layout).collect()
    assert layout.repositories() == ["a/below"]
    assert layout.get_manifest("a/below", "v1").document["artifactType"] == KIND
    artifact(layout, "x", tags=["v1"])
    assert layout.repositories() == ["a", "a/below"]


def _publish(root, number):
    layout = Layout(Path(root))
    for n in range(15):
        layer = layout.put_blob("a", f"{number}-{n}".encode() * 50, OCI_LAYER)
        shared = layout.put_blob("a", f"shared-{n % 3}".encode(), OCI_LAYER)
        push_artifact(layout, "a", KIND, {"n": n}, [layer, shared], tags=[f"p{number}"])


def test_collecting_beside_publishers_breaks_nothing(layout):
    """Each publisher moves its tag on and on, so that there is always something to take away."""
    context = multiprocessing.get_context("spawn")
    publishers = [context.Process(target=_publish, args=(str(layout.root), number)) for number in range(2)]
    for publisher in publishers:
        publisher.start()
    registry = fresh(layout)
    while any(publisher.is_alive() for publisher in publishers):
        assert registry.collect(grace=3600).skipped == ()
    for publisher in publishers:
        publisher.join()
        assert publisher.exitcode == 0
    fresh(layout).collect(grace=0)
    for number in range(2):
        for digest in needs(layout, layout.get_manifest("a", f"p{number}")):
            with layout.open_blob("a", digest) as stream:
                stream.read()
    assert len(files(layout)) == 6 or len(files(layout)) == 7, "two manifests, two layers, one or two shared, one config"


def test_usage_counts_what_is_shared_apart(layout):
    artifact(layout, "x" * 50, tags=["v1"])
    layer = layout.put_blob("b", ("x" * 50).encode() * 100, OCI_LAYER)
    push_artifact(layout, "b", KIND, {}, [layer], tags=["v1"])
    usage = {each.repository: each for each in registry_of(layout).usage()}
    assert usage["a"].manifests == usage["b"].manifests == 1
    assert usage["b"].bytes - usage["b"].own == layer.size


# -- leases ----------------------------------------------------------------------------------------------------------------


def test_a_lease_ends_with_the_last_blob(tmp_path):
    path = tmp_path / "lease"
    leases = Leases(lambda _: path)
    leases.hold("a", "1")
    leases.hold("a", "2")
    for settled, free in (([], False), (["1"], False), (["2", "3"], True), (["2"], True)):
        leases.settle("a", settled)
        with alone(path) as got:
            assert got is free


def test_nobody_gets_a_lease_while_the_collector_works(tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_mlops.oci.lease.LOCK_PATIENCE", 0.05)
    leases = Leases(lambda _: tmp_path / "lease")
    with alone(tmp_path / "lease") as free:
        assert free
        with pytest.raises(Unavailable):
            leases.hold("a", "1")
    leases.hold("a", "1")
    with alone(tmp_path / "lease") as free:
        assert not free
    del leases
    with alone(tmp_path / "lease") as free:
        assert free, "a store that is gone finishes nothing"


# -- runs ------------------------------------------------------------------------------------------------------------------


def test_a_run_record_comes_back(layout, tmp_path):
    notebook = tmp_path / "executed.ipynb"
    notebook.write_text('{"cells": []}')
    records = RunRecords(layout)
    digest = records.put(
        "churn",
        "churn-x1",
        {"name": "churn-x1", "phase": "Succeeded"},
        {"executed.ipynb": notebook, "workflow.json": b"{}", "logs/load.log": b"hello"},
    )
    manifest = layout.get_manifest("runs/churn", "run-churn-x1")
    assert manifest.descriptor.digest == digest
    assert (manifest.document["artifactType"], manifest.document["config"]["mediaType"]) == (RUN, RUN_CONFIG)
    assert {layer["mediaType"] for layer in manifest.document["layers"]} == {NOTEBOOK, RUN_WORKFLOW, "text/plain"}
    assert records.get("churn", "churn-x1") == {"name": "churn-x1", "phase": "Succeeded"}
    with records.open("churn", "churn-x1", "logs/load.log") as stream:
        assert stream.read() == b"hello"
    assert (records.pipelines(), records.runs("churn")) == (["churn"], ["churn-x1"])
    with pytest.raises(NotFound, match="no file"):
        records.open("churn", "churn-x1", "logs/none.log")
    with pytest.raises(NotFound) as missing:
        records.get("churn", "churn-x2")
    assert "churn-x1" in missing.value.fix


def test_deleting_a_run_takes_its_state_and_reports_and_no_other_run(layout):
    records = RunRecords(layout)
    for run in ("r-1", "r-11"):
        records.put("p", run, {"name": run}, {"logs/a.log": b"log of " + run.encode()})
        for kind in ("state", "report"):
            for step in ("load", "train"):
                layer = layout.put_blob("runs/p", f"{kind} {run} {step}".encode(), OCI_LAYER)
                push_artifact(layout, "runs/p", KIND, {"step": step}, [layer], tags=[f"{kind}.{run}.{step}"])
    bundle = push_artifact(layout, "runs/p", KIND, {"bundle": 1}, tags=["bundle-0123456789ab"])
    before = len(files(layout, "runs/p"))
    records.delete("p", "r-1")
    assert layout.tags("runs/p") == [
        "bundle-0123456789ab",
        "report.r-11.load",
        "report.r-11.train",
        "run-r-11",
        "state.r-11.load",
        "state.r-11.train",
    ]
    assert records.get("p", "r-11") == {"name": "r-11"}
    assert layout.get_manifest("runs/p", bundle.descriptor.digest)
    assert len(files(layout, "runs/p")) < before - 5
    records.delete("p", "r-1")
    records.delete("unknown", "r-1")


# -- datasets --------------------------------------------------------------------------------------------------------------


def test_datasets(layout):
    for name, rows in (("iris", 150), ("iris", 151), ("wine", 178)):
        layer = layout.put_blob(f"datasets/{name}", b"x" * rows, "text/csv")
        tag = f"v{1 + len(layout.tags(f'datasets/{name}'))}"
        notes = {"org.opencontainers.image.created": now(), "io.github.jupyter-mlops.run": "r1"}
        push_artifact(
            layout, f"datasets/{name}", DATASET, {"rows": rows}, [layer], config_type=DATASET_CONFIG, tags=[tag], annotations=notes
        )
    datasets = Datasets(layout)
    assert [(each.name, each.tag, each.bytes, each.run, dict(each.facts)) for each in datasets.list()] == [
        ("iris", "v2", 151, "r1", {"rows": 151}),
        ("wine", "v1", 178, "r1", {"rows": 178}),
    ]
    assert datasets.find("iris:v1").facts == {"rows": 150}
    assert abs(datasets.find("iris").created - time.time()) < 60
    for wrong, fix in (("irs", "iris"), ("iris:v9", "v2")):
        with pytest.raises(NotFound) as missing:
            datasets.find(wrong)
        assert fix in missing.value.fix


# -- small things ----------------------------------------------------------------------------------------------------------


def test_disk_bytes_counts_a_hard_link_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"x" * 100_000)
    one = disk_bytes(tmp_path)
    os.link(tmp_path / "a" / "x", tmp_path / "y")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert 100_000 <= one <= disk_bytes(tmp_path, tmp_path / "a", tmp_path / "nothing") <= one + 4096


@pytest.mark.parametrize(
    ("asked", "known", "said"),
    [("x", [], "There is no model yet."), ("chrun", ["churn"], "Did you mean churn?"), ("zzz", ["a", "b"], "There is: a, b.")],
)
def test_suggestions(asked, known, said):
    assert suggestion(asked, known, "model") == said


def test_a_long_list_is_cut():
    assert listing([str(n) for n in range(13)]).endswith("8, 9 and 3 more.")


def test_times():
    assert abs(seconds(now()) - time.time()) < 5
    assert seconds("2026-01-01T00:00:00Z") == 1767225600
    assert seconds("yesterday") == 0.0
