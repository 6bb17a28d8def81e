"""Lineage: what a run leaves tells what made its models and datasets, both ways, with and without the index."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

from jupyter_mlops.errors import NotFound
from jupyter_mlops.gitfacts import COMMIT, DIRTY, annotations_of, commit_of
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import BUNDLE, BUNDLE_CODE, BUNDLE_CONFIG, BUNDLE_DATA, LABEL, REPORT, REPORT_CONFIG
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.oci.tar import tar_chunks
from jupyter_mlops.registry import runs as runs_module
from jupyter_mlops.registry.lineage import Lineage, to_json
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.provenance import MEDIA_TYPE, Made, Thing, made_by, statement
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.runner.dataset import publish_dataset
from jupyter_mlops.testing.embedded import embedded_registry

BOTH = pytest.mark.parametrize("store", ["folder", "http"], indirect=True)
COMMIT_ID = "c0ffee" * 6 + "beef"
NOTEBOOK = b'{"cells": []}'


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


@pytest.fixture
def store(request, layout, monkeypatch, tmp_path):
    """The folder; for tests marked ``BOTH`` also the same folder over HTTP."""
    if getattr(request, "param", "folder") == "folder":
        yield layout
        return
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with embedded_registry(layout.root) as address:
        yield Remote(address)


class World:
    """Runs that publish, as the steps of a pipeline do, and leave a record."""

    def __init__(self, store, folder):
        self.store, self.folder = store, folder

    def made(self, kind, name, run):
        folder = self.folder / f"{kind}-{name}-{run}"
        folder.mkdir()
        (folder / "mlops.json").write_text("{}")
        (folder / "data.csv").write_text(run)
        notes = {"run": run}
        if kind == "model":
            found = publish_model(self.store, name, folder, key=f"{run}/{name}", annotations=notes, metrics={})
            return {"name": name, "tag": found.tag, "digest": found.digest}
        tag, digest = publish_dataset(self.store, name, folder, {"rows": 1}, key=f"{run}/{name}", annotations=notes)
        return {"name": name, "tag": tag, "digest": digest}

    def run(self, run, *, models=(), datasets=(), used=(), taken=(), image="", pipeline="p"):
        """Publish and record; gives ``{"model churn": Thing, …}``."""
        repository = f"runs/{pipeline}"
        report = {
            "step": "train",
            "models": [self.made("model", name, run) for name in models] + list(taken),
            "datasets": [self.made("dataset", name, run) for name in datasets],
            "used": [{"kind": thing.repository.split("/")[0][:-1], "name": thing.repository.split("/", 1)[1], "tag": thing.tag,
                      "digest": thing.digest} for thing in used],
        }  # fmt: skip
        push_artifact(self.store, repository, REPORT, report, config_type=REPORT_CONFIG, tags=[f"report.{run}.train"])
        values = {"mlops-registry": "https://registry.example" if image else "file:///registry", "mlops-image": image}
        arguments = [{"name": name, "value": value} for name, value in values.items()]
        self.workflow = {
            "metadata": {"annotations": {f"{LABEL}notebook": "train.ipynb", COMMIT: COMMIT_ID, DIRTY: "true"}},
            "spec": {
                "arguments": {
                    "parameters": [{"name": "mlops-bundle", "value": f"{repository}@{self.bundle(repository)}"}, *arguments]
                },
                "templates": [
                    {"name": "train", "container": {"image": "{{workflow.parameters.mlops-image}}"}},
                    {"name": "pipeline"},
                ],
            },
        }
        record = {
            "name": run, "parameters": {"trees": 5}, "source_digest": "sha256:5", "models": report["models"],
            "started": 1_700_000_000.0, "finished": 1_700_000_060.0,
        }  # fmt: skip
        RunRecords(self.store).put(pipeline, run, record, {"workflow.json": json.dumps(self.workflow).encode()})
        return [Thing(f"models/{one['name']}", one["tag"], one["digest"]) for one in report["models"]] + [
            Thing(f"datasets/{one['name']}", one["tag"], one["digest"]) for one in report["datasets"]
        ]

    def bundle(self, repository):
        code = gzip.compress(b"".join(map(bytes, tar_chunks({"notebook.ipynb": NOTEBOOK}))), mtime=0)
        layers = [self.store.put_blob(repository, code, BUNDLE_CODE), self.store.put_blob(repository, b"data", BUNDLE_DATA)]
        return push_artifact(self.store, repository, BUNDLE, {}, layers, config_type=BUNDLE_CONFIG).descriptor.digest


@pytest.fixture
def world(store, tmp_path):
    (tmp_path / "world").mkdir()
    return World(store, tmp_path / "world")


@pytest.fixture
def family(world):
    """raw → clean → churn and fraud; churn → blend."""
    (raw,) = world.run("r1", datasets=["raw"])
    (clean,) = world.run("r2", datasets=["clean"], used=[raw])
    churn, fraud = world.run("r3", models=["churn", "fraud"], used=[clean])
    (blend,) = world.run("r4", models=["blend"], used=[churn, raw])
    return {"raw": raw, "clean": clean, "churn": churn, "fraud": fraud, "blend": blend}


def tree(node):
    """As nested tuples of names."""
    return (node.thing.repository.partition("/")[2], *map(tree, node.next))


@BOTH
def test_both_ways(store, family):
    lineage = Lineage(store)
    assert tree(lineage.up(family["blend"])) in {
        ("blend", ("raw",), ("churn", ("clean", ("raw",)))),
        ("blend", ("churn", ("clean", ("raw",))), ("raw",)),
    }
    assert tree(lineage.down(family["raw"])) == ("raw", ("clean", ("churn", ("blend",)), ("fraud",)), ("blend",))
    assert tree(lineage.up(family["raw"])) == ("raw",)
    assert tree(lineage.down(family["blend"])) == ("blend",)
    assert [one.repository for one in lineage.made_of("datasets/clean", family["clean"].digest)] == ["models/churn", "models/fraud"]


def test_what_is_told(store, family):
    (origin,) = Lineage(store).origins(family["churn"])
    assert (origin.run, origin.pipeline, origin.notebook, origin.engine) == ("r3", "p", "train.ipynb", "local")
    assert (origin.commit, origin.dirty, dict(origin.parameters)) == (COMMIT_ID, True, {"trees": 5})
    assert [thing.uri for thing in origin.inputs] == [family["clean"].uri]
    assert [material["name"] for material in origin.materials] == ["bundle", "notebook", "files"]
    assert origin.finished == "2023-11-14T22:14:20Z"
    shown = to_json(Lineage(store).up(family["churn"]))
    assert (shown["tag"], shown["origins"][0]["run"], shown["next"][0]["repository"]) == ("v1", "r3", "datasets/clean")
    json.dumps(shown)


def test_the_statement_has_the_form_of_in_toto_and_slsa(store, world, family):
    """The required fields of Statement v1 and of the provenance predicate v1, and nothing that neither knows."""
    subject = family["churn"]
    (told,) = store.referrers(subject.repository, subject.digest, MEDIA_TYPE)
    assert told.annotations["in-toto.io/predicate-type"] == "https://slsa.dev/provenance/v1"
    manifest = store.get_manifest(subject.repository, told.digest)
    with store.open_blob(subject.repository, manifest.document["layers"][0]["digest"]) as stream:
        said = json.loads(stream.read())
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert set(said) == {"_type", "subject", "predicateType", "predicate"}
    assert said["subject"] == [{"name": "models/churn:v1", "digest": {"sha256": subject.digest[7:]}}]
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    assert set(said["predicate"]) == {"buildDefinition", "runDetails"}
    definition, details = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    assert set(definition) == {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    assert set(details) == {"builder", "metadata", "byproducts"}
    for uri in (definition["buildType"], details["builder"]["id"]):
        assert re.fullmatch(r"https://\S+", uri)
    assert details["metadata"] == {
        "invocationId": "r3", "startedOn": "2023-11-14T22:13:20Z", "finishedOn": "2023-11-14T22:14:20Z",
    }  # fmt: skip
    resources = [*definition["resolvedDependencies"], *details["byproducts"]]
    for resource in resources:
        assert resource.keys() <= {"uri", "digest", "name", "downloadLocation", "mediaType", "content", "annotations"}
        assert resource.get("uri") or resource.get("digest")
        assert all(re.fullmatch(r"[0-9a-f]+", encoded) for encoded in resource["digest"].values())
    assert [one["name"] for one in details["byproducts"]] == ["run", "model"], "fraud is of the same run"
    (notebook,) = [one for one in resources if one["name"] == "notebook"]
    assert notebook["digest"] == {"sha256": hashlib.sha256(NOTEBOOK).hexdigest()}


def test_images_are_named_by_digest(world, store):
    (churn,) = world.run("r", models=["churn"], image="registry.example/train@sha256:" + "1" * 64)
    (origin,) = Lineage(store).origins(churn)
    assert origin.engine == "argo"
    image = origin.materials[-1]
    assert (image["name"], image["uri"]) == ("image of train", "docker://registry.example/train@sha256:" + "1" * 64)
    assert image["digest"] == {"sha256": "1" * 64}


def test_a_statement_is_the_same_whenever_it_is_made():
    subject, other = Thing("models/m", "v1", "sha256:" + "1" * 64), Thing("datasets/d", "v1", "sha256:" + "2" * 64)
    one = Made("p", "r", inputs=[other, subject], outputs=[other, subject], images={"b": "x", "a": "y"})
    two = Made("p", "r", inputs=[subject, other], outputs=[subject, other], images={"a": "y", "b": "x"})
    assert statement(subject, one) == statement(subject, two)


def test_what_one_step_records_and_a_later_one_loads(layout):
    """data records a and loads old; train loads a and registers m; side started with train, and loads b."""
    old, a, b, m = (Thing(f"{room}/{name}", "v1", "sha256:" + name[0] * 64) for room, name in (
        ("datasets", "0"), ("datasets", "a"), ("datasets", "b"), ("models", "d"),
    ))  # fmt: skip

    def named(thing, **more):
        return {"name": thing.repository.partition("/")[2], "tag": thing.tag, "digest": thing.digest, **more}

    for report in (
        {"step": "data", "started": "2026-01-01T00:00:00.000Z", "datasets": [named(a)], "used": [named(old, kind="dataset")]},
        {"step": "side", "started": "2026-01-01T00:00:01.000Z", "used": [named(b, kind="dataset")]},
        {"step": "train", "started": "2026-01-01T00:00:01.000Z", "models": [named(m)], "used": [named(a, kind="dataset")]},
    ):
        push_artifact(layout, "runs/p", REPORT, report, config_type=REPORT_CONFIG, tags=[f"report.r.{report['step']}"])
    made = made_by(layout, "p", "r", {"models": [named(m)]}, {}, "sha256:" + "0" * 64)
    assert set(made.outputs) == {a, m}
    assert set(made.inputs) == {old, a, b}
    assert {thing: set(found) for thing, found in made.known.items()} == {a: {old}, m: {old, a}}


def test_what_a_step_loads_after_it_recorded_something_did_not_make_that(layout):
    """One step loads a, records b, loads b, records m; what it recorded and never published has no digest."""
    a, b, m = (
        Thing(f"{room}/x", "v1", "sha256:" + digit * 64) for room, digit in (("datasets", "a"), ("datasets", "b"), ("models", "d"))
    )
    lost = {"kind": "dataset", "name": "lost", "tag": "", "digest": ""}

    def named(thing, **more):
        return {"name": "x", "tag": thing.tag, "digest": thing.digest, **more}

    report = {
        "step": "all", "started": "2026-01-01T00:00:00.000Z", "datasets": [named(b)], "models": [named(m)],
        "used": [named(a, kind="dataset"), named(b, kind="dataset"), lost], "known": {b.digest: 1, m.digest: 2},
    }  # fmt: skip
    push_artifact(layout, "runs/p", REPORT, report, config_type=REPORT_CONFIG, tags=["report.r.all"])
    made = made_by(layout, "p", "r", {}, {}, "sha256:" + "0" * 64)
    assert {thing: set(found) for thing, found in made.known.items()} == {b: {a}, m: {a, b}}
    assert set(made.inputs) == {a, b}


@BOTH
def test_recording_again_tells_nothing_twice(world, store, family):
    records = RunRecords(store)
    records.put("p", "r3", records.get("p", "r3"), {"workflow.json": json.dumps(world.workflow).encode()})
    assert len(Lineage(store).origins(family["churn"])) == 1
    assert Lineage(store).reindex() == (5, 0)


def test_what_a_resumed_run_took_over_was_made_by_the_earlier_one(world, store):
    (churn,) = world.run("r1", models=["churn"])
    taken = {"name": "churn", "tag": churn.tag, "digest": churn.digest}
    world.run("r2", taken=[taken])
    assert [origin.run for origin in Lineage(store).origins(churn)] == ["r1"]


def test_without_the_index_and_without_statements_all_is_made_again(layout, tmp_path):
    (tmp_path / "world").mkdir()
    world = World(layout, tmp_path / "world")
    (raw,) = world.run("r1", datasets=["raw"])
    (churn,) = world.run("r2", models=["churn"], used=[raw])
    aged(layout)
    expected = [to_json(Lineage(layout).up(churn)), to_json(Lineage(layout).down(raw))]
    shutil.rmtree(layout.root / "_index")
    assert [to_json(Lineage(layout).up(churn)), to_json(Lineage(layout).down(raw))] == expected
    for thing in (raw, churn):
        for told in layout.referrers(thing.repository, thing.digest, MEDIA_TYPE):
            layout.delete(thing.repository, told.digest)
    assert Lineage(layout).origins(churn) == []
    assert Lineage(layout).reindex() == (2, 2)
    assert [to_json(Lineage(layout).up(churn)), to_json(Lineage(layout).down(raw))] == expected


def aged(layout):
    """As if some time had gone by, so that the index believes what it sees."""
    for path in layout.root.rglob("index.json"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def test_the_index_answers_where_nothing_changed(layout, tmp_path, monkeypatch):
    (tmp_path / "world").mkdir()
    (churn,) = World(layout, tmp_path / "world").run("r", models=["churn"])
    aged(layout)
    expected = Lineage(layout).origins(churn)
    monkeypatch.setattr(Layout, "get_manifest", None)
    assert Lineage(Layout(layout.root)).origins(churn) == expected


def test_a_statement_that_is_about_something_else_is_not_believed(layout, tmp_path):
    (tmp_path / "world").mkdir()
    world = World(layout, tmp_path / "world")
    (churn,) = world.run("r", models=["churn"])
    subject = layout.get_manifest("models/churn", churn.digest).descriptor
    lie = statement(Thing("models/churn", "v9", "sha256:" + "9" * 64), Made("p", "other"))
    for said in (lie, {"predicateType": "https://example.com/other"}, {"subject": []}):
        push_artifact(layout, "models/churn", MEDIA_TYPE, said, subject=subject)
    assert [origin.run for origin in Lineage(layout).origins(churn)] == ["r"]


def test_a_damaged_statement_hides_no_other(layout, tmp_path):
    (tmp_path / "world").mkdir()
    world = World(layout, tmp_path / "world")
    (churn,) = world.run("r1", models=["churn"])
    (second,) = world.run("r2", models=["churn"])
    (told,) = layout.referrers("models/churn", churn.digest, MEDIA_TYPE)
    path = layout.blob_path("models/churn", layout.get_manifest("models/churn", told.digest).document["config"]["digest"])
    path.unlink()
    path.write_bytes(b"{}")
    assert [origin.run for origin in Lineage(layout).origins(second)] == ["r2"]
    assert Lineage(layout).origins(churn) == []


def test_a_record_is_kept_where_no_statement_can_be_written(layout, monkeypatch, caplog):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs_module, "record_lineage", fail)
    assert RunRecords(layout).put("p", "r", {"name": "r"}, {})
    assert "could not be recorded" in caplog.text


def test_what_is_deleted_is_still_named(layout, tmp_path):
    (tmp_path / "world").mkdir()
    world = World(layout, tmp_path / "world")
    (raw,) = world.run("r1", datasets=["raw"])
    (churn,) = world.run("r2", models=["churn"], used=[raw])
    layout.delete("datasets/raw", raw.digest)
    (node,) = Lineage(layout).up(churn).next
    assert (node.thing, node.missing) == (raw, True)
    Models(layout).delete("churn", "v1")
    assert Lineage(layout).made_of("datasets/raw", raw.digest) == []


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("churn", "models/churn:v1"), ("churn:v1", "models/churn:v1"), ("churn:latest", "models/churn:v1"),
        ("models/churn", "models/churn:v1"), ("raw", "datasets/raw:v1"), ("datasets/raw:v1", "datasets/raw:v1"),
    ],
)  # fmt: skip
def test_references(store, family, reference, found):
    thing = Lineage(store).find(reference)
    assert f"{thing.repository}:{thing.tag}" == found
    by_digest = Lineage(store).find(f"{thing.repository}@{thing.digest}")
    assert by_digest == thing


@pytest.mark.parametrize("reference", ["chrun", "churn:v2", "models/raw", "churn@sha256:" + "0" * 64])
def test_references_to_nothing(store, family, reference):
    with pytest.raises(NotFound, match="there is no version"):
        Lineage(store).find(reference)


def test_a_circle_ends(store, world):
    """Two runs that say that each used the other's output: no run can, but a statement may."""
    (one,) = world.run("r1", datasets=["one"])
    (two,) = world.run("r2", datasets=["two"], used=[one])
    subject = store.get_manifest(one.repository, one.digest).descriptor
    lie = statement(one, Made("p", "r3", inputs=[two], outputs=[one]))
    push_artifact(store, one.repository, MEDIA_TYPE, lie, subject=subject)
    assert tree(Lineage(store).up(two)) == ("two", ("one",))
    assert tree(Lineage(store).down(two)) == ("two", ("one",))


def test_a_tree_is_no_larger_than_what_there_is(store, world):
    """Each version is made of two that were made of the same two: told once each, and not once for each way that leads there."""
    left, right = world.run("r0", datasets=["left0", "right0"])
    for number in range(1, 25):
        left, right = world.run(f"r{number}", datasets=[f"left{number}", f"right{number}"], used=[left, right])
    (model,) = world.run("end", models=["churn"], used=[left, right])

    def nodes(node):
        return [node, *(one for each in node.next for one in nodes(each))]

    found = nodes(Lineage(store).up(model))
    assert len({node.thing.digest for node in found}) == 51
    assert len(found) < 110
    assert all(node.origins for node in found if not node.again)


# -- git -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path, monkeypatch):
    if shutil.which("git") is None:
        pytest.skip("git is not installed: runs tell no commit then, as the test below this one sees")
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "a")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "a@example.com")
    folder = tmp_path / "work"
    folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def test_the_commit_of_a_folder(repository):
    assert commit_of(repository) is None, "nothing is committed yet"
    (repository / "a.ipynb").write_text("{}")
    (repository / "sub").mkdir()
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "one"], cwd=repository, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True).stdout.strip()
    (repository / "untracked").write_text("")
    assert annotations_of(repository / "sub") == {COMMIT: head, DIRTY: "false"}
    (repository / "a.ipynb").write_text('{"cells": []}')
    assert annotations_of(repository) == {COMMIT: head, DIRTY: "true"}


def test_a_folder_without_git_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert annotations_of(tmp_path) == {}
    assert annotations_of(tmp_path / "nowhere") == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert annotations_of(tmp_path) == {}


def test_made_by_reads_what_is_there(layout):
    made = made_by(layout, "p", "r", {}, {}, "sha256:" + "0" * 64)
    assert (made.outputs, made.inputs, made.materials, made.commit) == ((), (), [], "")
    broken = {"spec": {"arguments": {"parameters": [{"name": "mlops-bundle", "value": "runs/p@sha256:" + "1" * 64}]}}}
    assert [one["name"] for one in made_by(layout, "p", "r", {}, broken, "").materials] == ["bundle"]
