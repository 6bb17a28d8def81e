"""kill -9 at every call of the other writers that changes the disk or opens a file: mounts, copies, runs, datasets.

As ``test_oci_kill.py`` does for models; here opening, making folders and changing rights are calls to die at, too.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.copy import copy
from jupyter_mlops.registry.datasets import Datasets
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.runner.dataset import publish_dataset
from tests.unit.oci.test_oci_kill import check_clean, check_whole

ROOT = Path(__file__).parents[3]
SWEEP = """
import sys
from pathlib import Path
from tests.unit.oci import test_oci_kill_writers as writers
from tests.unit.oci.killing import sweep

base, operation = Path(sys.argv[1]), sys.argv[2]
writers.prepare(base)
sweep(base, ("write", "fsync", "replace", "rename", "link", "utime", "unlink", "rmdir", "open", "mkdir", "fchmod"), lambda root: writers.before(root, operation), lambda root: writers.DO[operation](base, root))
"""


def prepare(base):
    """A model in another folder, and files of a dataset."""
    from jupyter_mlops.oci.modelpack import publish_model

    for name, content in (
        ("model/model.bin", b"w" * 3000),
        ("model/mlops.json", b"{}"),
        ("rows/a.csv", b"a\n1\n"),
        ("rows/b.csv", b"b\n"),
    ):
        path = base / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    publish_model(Layout(base / "source"), "churn", base / "model", key="k1", annotations={}, metrics={"a": 0.5})


def before(root, operation):
    """What is there when it begins."""
    if operation == "mount":
        Layout(root).put_blob("a", b"to be mounted", "x")


def _mount(base, root):
    assert Layout(root).mount("b", digest_of(b"to be mounted"), "a")


def _copy(base, root):
    copy(Layout(base / "source"), Layout(root), "models/churn", "v1")


def _run(base, root):
    files = {"executed.ipynb": b"{}", "workflow.json": b"{}", "train.log": b"hello"}
    RunRecords(Layout(root)).put("p", "p-1", {"name": "p-1", "phase": "Succeeded"}, files)


def _dataset(base, root):
    facts = {"version": 1, "columns": []}
    assert publish_dataset(Layout(root), "rows", base / "rows", facts, key="k", annotations={})[0] == "v1"


DO = {"mount": _mount, "copy": _copy, "run": _run, "dataset": _dataset}


def there(operation, base, layout):
    """Whether all of it is there, after it was repeated."""
    if operation == "mount":
        with layout.open_blob("b", digest_of(b"to be mounted")) as stream:
            return stream.read() == b"to be mounted"
    if operation == "copy":
        source = Layout(base / "source")
        made, here = (store.get_manifest("models/churn", "v1") for store in (source, layout))
        return here.data == made.data and len(layout.referrers("models/churn", here.descriptor.digest)) == 1
    if operation == "run":
        return [tag for tag in layout.tags("runs/p") if tag.startswith("run-")] == ["run-p-1"]
    return [version.tag for version in Datasets(layout).versions("rows")] == ["v1"]


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "deaths"), [("mount", 5), ("copy", 50), ("run", 20), ("dataset", 20)])
def test_killed_and_done_again(tmp_path, monkeypatch, operation, deaths):
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, tmp_path, operation], capture_output=True, text=True, timeout=200, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    roots = done.stdout.splitlines()
    assert len(roots) >= deaths
    for root in roots:
        layout = Layout(tmp_path / root)
        check_whole(layout)
        DO[operation](tmp_path, layout.root)
        assert there(operation, tmp_path, Layout(layout.root))
        if operation == "mount":
            manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
            blob = {"mediaType": "x", "digest": digest_of(b"to be mounted"), "size": len(b"to be mounted")}
            for repository in "ab":
                layout.put_manifest(repository, {**manifest, "config": blob, "layers": []}, tags=["v1"])
        check_clean(layout, monkeypatch)
