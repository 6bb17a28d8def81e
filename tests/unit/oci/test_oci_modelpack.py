"""A model version: one index that containers, KServe and ModelPack tools read, numbered once, whoever publishes."""

import json
import subprocess
import sys
import tarfile

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import WEIGHT, publish_model, version_number
from jupyter_mlops.oci.names import METRICS, MODEL, MODELPACK_CONFIG, MODELPACK_MANIFEST, OCI_CONFIG, OCI_LAYER

REPOSITORY = "models/churn"


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.joblib").write_bytes(b"weights")
    (folder / "mlops.json").write_text('{"version": 1}')
    return folder


def publish(layout, folder, key="r/s/0", **given):
    options = {
        "annotations": {"format": "sklearn", "run": "r", "org.example.team": "x"},
        "metrics": {"accuracy": 0.95, "bad": float("nan")},
        **given,
    }
    return publish_model(layout, "churn", folder, key=key, **options)


def test_the_index_is_what_the_design_says(layout, folder):
    published = publish(layout, folder)
    index = layout.get_manifest(REPOSITORY, "v1")
    assert (published.name, published.tag, published.digest) == ("churn", "v1", index.descriptor.digest)
    assert layout.tags(REPOSITORY) == ["latest", "v1", "v1.modelpack"]
    assert index.document["artifactType"] == MODEL
    platforms = [(child.platform["os"], child.platform["architecture"]) for child in children_of(index.document)]
    assert platforms == [("linux", "amd64"), ("linux", "arm64"), ("unknown", "unknown")]
    notes = dict(index.document["annotations"])
    assert notes.pop("org.opencontainers.image.created").endswith("Z")
    assert notes == {
        "org.opencontainers.image.title": "churn",
        "org.opencontainers.image.version": "1",
        "org.example.team": "x",
        "io.github.jupyter-mlops.format": "sklearn",
        "io.github.jupyter-mlops.run": "r",
        "io.github.jupyter-mlops.key": "r/s/0",
        "io.github.jupyter-mlops.metric.accuracy": "0.95",
        "io.github.jupyter-mlops.metric.bad": "nan",
        "io.github.jupyter-mlops.bytes": str(
            sum(layer.size for layer in layers_of(layout.get_manifest(REPOSITORY, "v1.modelpack")))
        ),
        "io.github.jupyter-mlops.signature": "{}",
    }


def test_images_and_modelpack_share_the_very_layers(layout, folder):
    publish(layout, folder)
    children = [
        layout.get_manifest(REPOSITORY, child.digest) for child in children_of(layout.get_manifest(REPOSITORY, "v1").document)
    ]
    assert len({tuple(layer.digest for layer in layers_of(child)) for child in children}) == 1
    for image, architecture in zip(children[:2], ("amd64", "arm64"), strict=True):
        config = read_config(layout, REPOSITORY, image)
        assert image.document["config"]["mediaType"] == OCI_CONFIG
        assert config["architecture"] == architecture
        assert config["rootfs"]["diff_ids"] == [layer.digest for layer in layers_of(image)], "uncompressed: digest is diff_id"
        assert {layer.media_type for layer in layers_of(image)} == {OCI_LAYER}
        assert not {"Entrypoint", "Cmd"} & set(config["config"])
    pack = layout.get_manifest(REPOSITORY, "v1.modelpack")
    assert pack.data == children[2].data
    assert pack.document["artifactType"] == MODELPACK_MANIFEST
    assert pack.document["config"]["mediaType"] == MODELPACK_CONFIG


def test_the_modelpack_config_has_the_fields_of_the_specification_and_no_other(layout, folder):
    """The schema of modelpack/model-spec (config-schema.json) allows nothing else at any level."""
    publish(layout, folder)
    pack = layout.get_manifest(REPOSITORY, "v1.modelpack")
    config = read_config(layout, REPOSITORY, pack)
    assert set(config) == {"descriptor", "config", "modelfs"}
    assert set(config["descriptor"]) <= {"createdAt", "authors", "family", "name", "docURL", "sourceURL", "datasetsURL", "version", "revision", "vendor", "licenses", "title", "description"}  # fmt: skip
    assert set(config["config"]) <= {"architecture", "format", "paramSize", "precision", "quantization", "capabilities"}
    assert config["modelfs"] == {"type": "layers", "diffIds": [layer.digest for layer in layers_of(pack)]}
    assert (config["descriptor"]["name"], config["descriptor"]["version"], config["config"]["format"]) == ("churn", "1", "sklearn")
    for layer in layers_of(pack):
        assert layer.media_type.startswith("application/vnd.cncf.model.weight")
        assert layer.annotations["org.cncf.model.filepath"].startswith("models")


def test_a_large_file_has_a_layer_of_its_own_that_is_stored_once(layout, folder):
    with (folder / "big.safetensors").open("wb") as file:
        file.truncate(WEIGHT)
    publish(layout, folder, "a")
    before = layers_of(layout.get_manifest(REPOSITORY, "v1.modelpack"))
    (folder / "model.joblib").write_bytes(b"others")
    publish(layout, folder, "b")
    after = layers_of(layout.get_manifest(REPOSITORY, "v2.modelpack"))
    shared = {layer.digest for layer in before} & {layer.digest for layer in after}
    assert len(before) == len(after) == 3
    assert len(shared) == 2, "the large file and the description"
    with layout.open_blob(REPOSITORY, before[0].digest) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        assert archive.getnames() == ["models", "models/big.safetensors"]


def test_the_same_key_is_the_same_version(layout, folder):
    first = publish(layout, folder)
    (folder / "model.joblib").write_bytes(b"trained again")
    assert publish(layout, folder) == first
    assert publish(layout, folder, "r/s/1").tag == "v2"
    assert layout.tags(REPOSITORY) == ["latest", "v1", "v1.modelpack", "v2", "v2.modelpack"]
    assert layout.get_manifest(REPOSITORY, "latest").data == layout.get_manifest(REPOSITORY, "v2").data


def test_metrics_are_a_referrer_of_the_index(layout, folder):
    published = publish(layout, folder)
    (referrer,) = layout.referrers(REPOSITORY, published.digest, METRICS)
    config = read_config(layout, REPOSITORY, layout.get_manifest(REPOSITORY, referrer.digest))
    assert config == {"version": 1, "metrics": [{"name": "accuracy", "value": 0.95}, {"name": "bad", "value": "nan"}]}
    assert referrer.annotations["io.github.jupyter-mlops.metric.accuracy"] == "0.95"


def test_versions_are_numbers_not_texts(layout, folder):
    for key in range(11):
        published = publish(layout, folder, str(key), metrics={})
    assert published.tag == "v11"


PUBLISHER = """
import sys; from pathlib import Path; from jupyter_mlops.oci.layout import Layout; from jupyter_mlops.oci.modelpack import publish_model
for n in range(5):
    print(publish_model(Layout(Path(sys.argv[1])), "churn", Path(sys.argv[2]), key=f"{sys.argv[3]}/{n}", annotations={}, metrics={}).tag)
"""


def test_writers_at_once_get_each_its_own_number(layout, folder):
    writers = [
        subprocess.Popen([sys.executable, "-c", PUBLISHER, layout.root, folder, str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(3)
    ]
    tags = [tag for writer in writers for tag in writer.communicate(timeout=60)[0].split()]
    assert sorted(tags, key=version_number) == [f"v{n}" for n in range(1, 16)]
    keys = {layout.get_manifest(REPOSITORY, tag).descriptor.annotations["io.github.jupyter-mlops.key"] for tag in tags}
    assert len(keys) == 15


def test_writers_with_one_key_make_one_version(layout, folder):
    writers = [
        subprocess.Popen([sys.executable, "-c", PUBLISHER, layout.root, folder, "same"], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {writer.communicate(timeout=60)[0] for writer in writers}
    assert len(answers) == 1
    assert len(answers.pop().split()) == 5


@pytest.mark.parametrize("name", ["", "Churn Model", "a/b", "../x", "ümlaut", "x" * 300, "v1:latest"])
def test_a_name_that_is_no_repository_is_refused_before_anything_is_written(layout, folder, name):
    with pytest.raises(WrongUsage) as refused:
        publish_model(layout, name, folder, key="k", annotations={}, metrics={})
    assert refused.value.code == "invalid-name"
    assert "lower-case" in refused.value.fix
    assert repr(name) in refused.value.message
    assert not layout.root.exists()


def test_the_fix_offers_a_name():
    with pytest.raises(WrongUsage, match="model name") as refused:
        publish_model(Layout.__new__(Layout), "My Model (final)", None, key="", annotations={}, metrics={})
    assert "my-model-final" in refused.value.fix


@pytest.mark.parametrize(
    ("tag", "number"),
    [("v1", 1), ("v10", 10), ("v0", None), ("v01", None), ("v1.modelpack", None), ("latest", None), ("_deleted.v3", None)],
)
def test_what_is_a_version(tag, number):
    assert version_number(tag) == number


def test_the_document_is_plain_json(layout, folder):
    publish(layout, folder)
    data = layout.get_manifest(REPOSITORY, "v1").data
    assert json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode() == data
