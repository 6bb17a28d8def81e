"""Clocks that disagree, and indexes without our platform: nothing that is needed is taken, and what cannot be used says so."""

import logging
import os
import time

import pytest

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.disk import clock_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import MODEL, OCI_INDEX, OCI_LAYER
from jupyter_mlops.registry.base import GRACE
from jupyter_mlops.registry.collect import STARTING
from jupyter_mlops.registry.events import history
from jupyter_mlops.registry.layout import LayoutRegistry
from jupyter_mlops.registry.models import Models

KIND = "application/vnd.example.v1+json"
NOW = time.time()


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


def fresh(layout):
    """As another process sees it, which publishes nothing."""
    return LayoutRegistry(Layout(layout.root))


def date(layout, moment):
    """As a file server does whose clock is not ours."""
    for path in (layout.root / "a" / "blobs").rglob("*"):
        os.utime(path, (moment, moment))


@pytest.fixture
def there(monkeypatch):
    """Sets the clock of the file server, which dates what is written."""

    def set_clock(moment):
        monkeypatch.setattr("jupyter_mlops.registry.collect.clock_of", lambda _: moment)
        monkeypatch.setattr("jupyter_mlops.registry.uploads.clock_of", lambda _: moment)

    return set_clock


@pytest.mark.parametrize("skew", [0.7 * GRACE, -0.7 * GRACE, 24 * 3600.0, 365 * 24 * 3600.0, -24 * 3600.0, -365 * 24 * 3600.0])
def test_what_a_publisher_is_about_to_use_stays_whatever_the_file_server_says(layout, skew, there):
    """It is its own clock that says how old a file is, however far that is from ours."""
    layer = layout.put_blob("a", b"on the way", OCI_LAYER)
    date(layout, NOW + skew)
    there(NOW + skew + 1)
    assert fresh(layout).collect().blobs == 0
    push_artifact(layout, "a", KIND, {}, [layer], tags=["v1"])
    with layout.open_blob("a", layer.digest) as stream:
        assert stream.read() == b"on the way"


@pytest.mark.parametrize("skew", [-365 * 24 * 3600.0, -3600.0, 3600.0, 365 * 24 * 3600.0])
def test_what_a_tag_leads_to_stays_whatever_both_clocks_say(layout, skew, there):
    layer = layout.put_blob("a", b"kept", OCI_LAYER)
    push_artifact(layout, "a", KIND, {}, [layer], tags=["v1"])
    there(NOW + skew)
    fresh(layout).collect()
    date(layout, NOW - skew)
    fresh(layout).collect()
    with layout.open_blob("a", layer.digest) as stream:
        assert stream.read() == b"kept"


def test_what_comes_from_the_future_goes_when_the_future_is_there(layout, there):
    push_artifact(layout, "a", KIND, {"n": 1}, tags=["v1"])
    push_artifact(layout, "a", KIND, {"n": 2}, tags=["v1"])
    date(layout, NOW + 3600)
    layout = Layout(layout.root)
    assert fresh(layout).collect().manifests == 0
    there(NOW + 7200)
    assert fresh(layout).collect().manifests == 1


@pytest.mark.parametrize(("after", "left"), [(STARTING / 2, 1), (STARTING * 2, 0)])
def test_what_a_killed_writer_left_is_as_old_as_the_file_server_says(layout, there, after, left):
    layout.put_blob("a", b"makes the folder", OCI_LAYER)
    path = layout.root / "_uploads" / "0123"
    path.write_bytes(b"half")
    os.utime(path, (NOW - 10**6, NOW - 10**6))
    there(NOW - 10**6 + after)
    fresh(layout).collect()
    assert path.exists() == bool(left)


def test_the_clock_of_a_folder_is_that_of_its_files(tmp_path):
    before = tmp_path / "before"
    before.touch()
    moment = clock_of(tmp_path)
    assert abs(moment - before.stat().st_mtime) < 60
    assert [path.name for path in tmp_path.iterdir()] == ["before"], "nothing is left of it"
    assert abs(clock_of(tmp_path / "none") - time.time()) < 60


def test_the_history_loses_no_move_when_clocks_go_back(layout, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "mlops.json").write_text("{}")
    for key in ("a", "b"):
        publish_model(layout, "m", folder, key=key, annotations={}, metrics={})
    times = iter(["2026-01-01T12:00:00Z", "2025-01-01T12:00:00Z", "2026-01-01T12:00:01Z"])
    monkeypatch.setattr("jupyter_mlops.registry.events.now", lambda: next(times))
    for tag in ("v1", "v2", "v1"):
        Models(layout).set_alias("m", "champion", tag)
    digests = [version.digest for version in Models(layout).get("m").versions]
    moves = [event for event in history(layout, "models/m", digests) if event["alias"] == "champion"]
    assert [event["time"] for event in moves] == ["2025-01-01T12:00:00Z", "2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z"]
    assert Models(layout).find("m:champion").tag == "v1", "what holds is where the tag points, and no clock"


@pytest.mark.parametrize("platforms", [[("windows", "amd64")], [("darwin", "arm64"), ("unknown", "unknown")], []])
def test_an_index_without_our_platform_is_listed_and_cannot_be_loaded(layout, platforms, caplog):
    children = [push_artifact(layout, "models/m", KIND, {"for": system}) for system, _ in platforms]
    listed = [
        {**to_dict(child.descriptor), "platform": {"os": system, "architecture": machine}}
        for child, (system, machine) in zip(children, platforms, strict=True)
    ]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": MODEL, "manifests": listed}
    layout.put_manifest("models/m", document, tags=["v1"])
    with caplog.at_level(logging.WARNING):
        (version,) = Models(layout).get("m").versions
    assert version.tag == "v1"
    assert "no image for linux" in caplog.text
    with pytest.raises(Corrupt, match="no image for linux") as told:
        Models(layout).card(version)
    assert told.value.code == "not-a-model"
    assert told.value.fix
