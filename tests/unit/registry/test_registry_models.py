"""Models as people see them: what was published is listed, found, named, unpacked and deleted; the rest is said clearly."""

import json
import logging

import pytest

from jupyter_mlops.errors import Conflict, Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import EVENT
from jupyter_mlops.registry.events import history
from jupyter_mlops.registry.layout import LayoutRegistry, registry_of
from jupyter_mlops.registry.models import Models, to_json

CARD = {
    "version": 1,
    "format": "sklearn",
    "file": "model.joblib",
    "signature": {
        "inputs": [{"name": "age", "datatype": "INT64"}],
        "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1]}],
    },
}


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


@pytest.fixture
def publish(layout, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()

    def publish(name, key, *, content=b"weights", metrics=None):
        (folder / "model.joblib").write_bytes(content)
        (folder / "mlops.json").write_text(json.dumps(CARD))
        return publish_model(layout, name, folder, key=key, annotations={"run": "run-1"}, metrics=metrics or {})

    return publish


@pytest.fixture
def models(layout, publish):
    for number in range(3):
        publish("churn", str(number), content=bytes([number]) * 100, metrics={"accuracy": number / 10, "lost": float("inf")})
    publish("fraud", "0")
    return Models(layout)


def test_a_list_by_name_newest_first(models):
    assert [(model.name, [version.tag for version in model.versions]) for model in models.list()] == [
        ("churn", ["v3", "v2", "v1"]),
        ("fraud", ["v1"]),
    ]


def test_a_version_says_everything(models, layout):
    version = models.find("churn")
    assert version.reference == f"models/churn@{layout.get_manifest('models/churn', 'v3').descriptor.digest}"
    assert (version.aliases, version.format, version.run, dict(version.card)) == (("latest",), "sklearn", "run-1", CARD)
    assert version.inputs == ({"name": "age", "datatype": "INT64"},)
    shown = to_json(version)
    assert set(shown) == {"tag", "digest", "aliases", "metrics", "created", "bytes", "format", "run", "inputs", "outputs"}
    assert shown["metrics"] == {"accuracy": 0.2}, "JSON has no infinity"
    assert shown["bytes"] > 100
    assert shown["created"] > 1.7e9
    json.dumps(to_json(models.get("churn")), allow_nan=False)


def test_every_way_of_naming_a_version(models):
    models.set_alias("churn", "champion", "v1")
    digest = models.find("churn:v1").digest
    for reference in ("churn:v1", "churn:champion", f"churn@{digest}", f"models/churn@{digest}"):
        assert models.find(reference).tag == "v1"
    for reference in ("churn", "churn:latest", "models/churn"):
        assert models.find(reference).tag == "v3"


@pytest.mark.parametrize(
    ("reference", "fix"),
    [
        ("chrn", "churn"),
        ("nothing-like-it", "churn, fraud"),
        ("churn:v9", "v3"),
        ("churn:lates", "latest"),
        ("churn@sha256:" + 64 * "0", "sha256:"),
    ],
)
def test_what_is_not_there_names_what_is(models, reference, fix):
    with pytest.raises(NotFound) as missing:
        models.find(reference)
    assert fix in missing.value.fix


def test_an_empty_registry(layout):
    assert Models(layout).list() == []
    with pytest.raises(NotFound) as missing:
        Models(layout).get("churn")
    assert missing.value.fix == "There is no model yet."


@pytest.mark.parametrize("reference", ["", "A B", "../churn", "a/b"])
def test_a_name_that_cannot_be_one(models, reference):
    with pytest.raises(WrongUsage) as refused:
        models.find(reference)
    assert refused.value.code == "invalid-name"


def test_unpacking_gives_what_was_put_in(models, tmp_path):
    models.extract(models.find("churn:v2"), tmp_path / "out")
    assert (tmp_path / "out" / "models" / "model.joblib").read_bytes() == b"\x01" * 100
    assert json.loads((tmp_path / "out" / "models" / "mlops.json").read_text()) == CARD
    with pytest.raises(WrongUsage):
        models.extract(models.find("churn:v1"), tmp_path / "out")


def test_an_alias_moves_and_each_move_is_recorded(models, layout):
    models.set_alias("churn", "champion", "v1")
    models.set_alias("churn", "champion", "v2")
    models.set_alias("churn", "champion", "v2")
    assert [version.aliases for version in models.get("churn").versions] == [("latest",), ("champion",), ()]
    events = history(layout, "models/churn", [version.digest for version in models.get("churn").versions])
    assert [(event["alias"], event["from"], event["to"]) for event in events] == [
        ("champion", None, "v1"),
        ("champion", "v1", "v2"),
    ]
    assert all(event["actor"] and event["time"].endswith("Z") for event in events)
    assert len(layout.referrers("models/churn", models.find("churn:v2").digest, EVENT)) == 1


def test_an_alias_is_removed_and_its_version_can_be_deleted(models, layout):
    models.set_alias("churn", "champion", "v1")
    models.remove_alias("churn", "champion")
    assert [event["to"] for event in history(layout, "models/churn", [models.find("churn:v1").digest])] == ["v1", None]
    models.delete("churn", "v1")
    for wrong, kind in (("champion", NotFound), ("latest", WrongUsage), ("v2", WrongUsage)):
        with pytest.raises(kind):
            models.remove_alias("churn", wrong)


def test_an_alias_may_follow_an_alias(models):
    models.set_alias("churn", "staging", "v1")
    assert models.set_alias("churn", "production", "staging").tag == "v1"


@pytest.mark.parametrize(
    "alias", ["v1", "v99", "latest", "_hidden", "v1.modelpack", "sha256-abc", "a b", "", "a/b", "x.linux-amd64"]
)
def test_an_alias_that_would_confuse_is_refused(models, alias):
    with pytest.raises(WrongUsage) as refused:
        models.set_alias("churn", alias, "v1")
    assert refused.value.code == "invalid-alias"


def test_a_version_with_an_alias_is_not_deleted(models):
    models.set_alias("churn", "champion", "v1")
    with pytest.raises(Conflict) as kept:
        models.delete("churn", "v1")
    assert "champion" in kept.value.message
    assert models.find("churn:v1").tag == "v1"


def test_deleting_frees_the_bytes_moves_latest_and_keeps_the_number(models, layout, publish):
    before = sum(usage.bytes for usage in registry_of(layout).usage())
    digest = models.find("churn").digest
    models.delete("churn", "latest")
    assert [version.tag for version in models.get("churn").versions] == ["v2", "v1"]
    assert models.find("churn:latest").tag == "v2"
    assert sum(usage.bytes for usage in registry_of(layout).usage()) < before
    with pytest.raises(NotFound):
        layout.get_manifest("models/churn", digest)
    with pytest.raises(NotFound):
        models.find("churn:v3")
    assert publish("churn", "again").tag == "v4"
    assert [event["tag"] for event in history(layout, "models/churn", [])] == ["v3"]


def test_a_deleted_model_is_gone_from_the_list_and_its_numbers_stay_taken(models, publish):
    models.delete("fraud", "v1")
    assert [model.name for model in models.list()] == ["churn"]
    with pytest.raises(NotFound):
        models.get("fraud")
    assert publish("fraud", "0").tag == "v2"


def test_shared_layers_survive_the_deletion_of_one_owner(models, tmp_path, publish):
    publish("churn", "twin", content=b"\x00" * 100)
    models.delete("churn", "v1")
    models.extract(models.find("churn:v4"), tmp_path / "out")
    assert (tmp_path / "out" / "models" / "model.joblib").read_bytes() == b"\x00" * 100


def damage(layout, digest, repository="models/churn"):
    path = layout.blob_path(repository, digest)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def test_a_damaged_version_hides_no_other_and_is_named(models, layout, caplog):
    digest = models.find("churn:v2").digest
    damage(layout, digest)
    fresh = Models(Layout(layout.root))
    with caplog.at_level(logging.WARNING):
        assert [version.tag for version in fresh.get("churn").versions] == ["v3", "v1"]
    assert digest in caplog.text
    with pytest.raises(Corrupt, match=digest):
        fresh.find("churn:v2")


def test_a_damaged_layer_is_named_and_nothing_is_unpacked(models, layout, tmp_path):
    version = models.find("churn:v1")
    layer = layout.get_manifest("models/churn", "v1.modelpack").document["layers"][0]["digest"]
    damage(layout, layer)
    with pytest.raises(Corrupt, match=layer):
        models.extract(version, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_card_leaves_the_version_listed(models, layout):
    layer = layout.get_manifest("models/churn", "v1.modelpack").document["layers"][1]["digest"]
    damage(layout, layer)
    fresh = Models(Layout(layout.root))
    found = fresh.find("churn:v1")
    assert (found.inputs, found.card) == (({"name": "age", "datatype": "INT64"},), {}), "the index says it too"
    with pytest.raises(Corrupt, match=layer):
        fresh.card(fresh.find("churn:v1"))


def test_another_store_is_said_to_be_unsupported():
    class Elsewhere:
        address = "https://example.org"

    with pytest.raises(WrongUsage, match=r"https://example\.org"):
        registry_of(Elsewhere())


def test_the_registry_lists_and_points(layout, models):
    registry = LayoutRegistry(layout)
    assert registry.repositories("models/") == ["models/churn", "models/fraud"]
    with pytest.raises(NotFound):
        registry.point("models/churn", "x", "sha256:" + 64 * "0")
    with pytest.raises(NotFound):
        registry.delete("models/churn", "v1", "nothing")
    assert "v1" in layout.tags("models/churn"), "all or none"
