"""kill -9 at every single write, sync, rename and link: what is left is a valid layout, and going on heals the rest."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.collect import STARTING
from jupyter_mlops.registry.fsck import check
from jupyter_mlops.registry.layout import LayoutRegistry

ROOT = Path(__file__).parents[3]
SWEEP = '''
"""Publish a model once for every call that changes the disk, each time in a child that dies in the middle of that call."""
import json, sys
from pathlib import Path
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.registry.blobs import delete_blob
from jupyter_mlops.registry.fsck import check
from jupyter_mlops.registry.layout import LayoutRegistry
from jupyter_mlops.registry.models import Models
from tests.unit.oci.killing import sweep

base, operation = Path(sys.argv[1]), sys.argv[2]
folder = base / "model"
folder.mkdir()
(folder / "model.bin").write_bytes(b"w" * 3000)
(folder / "mlops.json").write_text("{}")
def publish(root, key):
    return publish_model(Layout(root), "churn", folder, key=key, annotations={}, metrics={"a": 0.5})

def prepare(root):
    """What is there before, with every call of it allowed."""
    if operation == "publish":
        return
    layout = Layout(root)
    first = publish(root, "k1")
    publish(root, "k2")
    if operation == "collect":
        layout.delete("models/churn", first.digest)
    elif operation == "blob":
        layout.put_blob("models/churn", b"extra", "x")
    elif operation == "repair":
        path = layout.blob_path("models/churn", first.digest)
        path.unlink()
        path.write_bytes(b"wrong")
        lost = layout.blob_path("models/churn", layout.get_manifest("models/churn", "v2.modelpack").document["config"]["digest"])
        lost.unlink()

def operate(root):
    layout = Layout(root)
    if operation == "publish":
        publish(root, "k1")
    elif operation == "collect":
        LayoutRegistry(layout).collect()
    elif operation == "blob":
        delete_blob(layout, "models/churn", digest_of(b"extra"))
    elif operation == "repair":
        list(check(layout, repair=True))
    elif operation == "alias":
        Models(layout).set_alias("churn", "champion", "v1")
    else:
        Models(layout).delete("churn", "v1")

sweep(base, ("write", "fsync", "replace", "link", "utime", "unlink", "rmdir"), prepare, operate)
'''


def sweep(tmp_path: Path, operation: str) -> list[Path]:
    """The roots that the killed left behind."""
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, tmp_path, operation], capture_output=True, text=True, timeout=150, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


def check_whole(layout: Layout) -> None:
    """Everything that a tag leads to is there and has its digest."""
    for repository in layout.repositories():
        folder = layout.folder(repository)
        assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
        waiting = list(layout.index(repository).manifests)
        while waiting:
            digest = waiting.pop()
            facts = layout.facts(repository, digest)
            waiting += facts.children
            for blob in facts.blobs:
                with layout.open_blob(repository, blob) as stream:
                    stream.read()


def check_clean(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a collection nothing is left that no tag leads to."""
    monkeypatch.setattr("jupyter_mlops.registry.collect.STARTING", -STARTING)
    registry = LayoutRegistry(layout)
    assert registry.collect().skipped == ()
    again = registry.collect()
    assert (again.manifests, again.blobs, again.bytes) == (0, 0, 0)
    assert list((layout.root / "_uploads").iterdir()) == []
    pooled = {path.name for path in (layout.root / "_blobs" / "sha256").iterdir()}
    kept = {path.name for name in layout.repositories() for path in (layout.folder(name) / "blobs" / "sha256").iterdir()}
    assert pooled <= kept, "a blob without a second name is merely not shared"
    check_whole(layout)


@pytest.mark.slow
def test_killed_while_publishing(tmp_path, monkeypatch):
    from jupyter_mlops.oci.modelpack import publish_model
    from jupyter_mlops.registry.models import Models

    roots = sweep(tmp_path, "publish")
    assert len(roots) > 50, "every write was hit"
    for root in roots:
        layout = Layout(root)
        check_whole(layout)
        again = publish_model(layout, "churn", tmp_path / "model", key="k1", annotations={}, metrics={"a": 0.5})
        assert again.tag == "v1", "an interrupted publication neither loses nor repeats a version"
        (version,) = Models(layout).get("churn").versions
        assert (version.digest, version.aliases, dict(version.metrics)) == (again.digest, ("latest",), {"a": 0.5})
        assert len(layout.referrers("models/churn", version.digest)) == 1
        check_clean(layout, monkeypatch)


@pytest.mark.slow
def test_killed_while_deleting(tmp_path, monkeypatch):
    from jupyter_mlops.errors import NotFound
    from jupyter_mlops.registry.models import Models

    roots = sweep(tmp_path, "delete")
    assert len(roots) > 10
    for root in roots:
        layout = Layout(root)
        check_whole(layout)
        models = Models(layout)
        with contextlib.suppress(NotFound):  # it was gone already
            models.delete("churn", "v1")
        assert [version.tag for version in models.get("churn").versions] == ["v2"]
        check_clean(layout, monkeypatch)


@pytest.mark.parametrize(("operation", "deaths"), [("collect", 8), ("blob", 2), ("alias", 10)])
def test_killed_while_the_house_is_kept(tmp_path, monkeypatch, operation, deaths):
    """Collection, deletion of a blob, an alias that moves: what stays is whole, and the next one of the kind ends it."""
    from jupyter_mlops.registry.models import Models

    roots = sweep(tmp_path, operation)
    assert len(roots) >= deaths
    for root in roots:
        layout = Layout(root)
        check_whole(layout)
        if operation == "alias":
            Models(layout).set_alias("churn", "champion", "v1")
            assert Models(layout).find("churn:champion").tag == "v1"
        assert Models(layout).find("churn:v2").tag == "v2"
        check_clean(layout, monkeypatch)
        assert list(check(layout)) == []


def test_killed_while_mending(tmp_path):
    """A repair that was killed is repeated, and ends with everything in its place: no damaged bytes are ever lost or kept as sound."""
    from jupyter_mlops.registry.models import Models

    roots = sweep(tmp_path, "repair")
    assert len(roots) > 5
    for root in roots:
        layout = Layout(root)
        assert all(damage.repair for damage in check(layout, repair=True))
        assert list(check(Layout(root))) == []
        check_whole(Layout(root))
        assert {version.tag for version in Models(Layout(root)).get("churn").versions} == {"v1", "v2"}
        assert len(list((root / "_damaged").iterdir())) == 1
