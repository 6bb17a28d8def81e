"""Images before a run is submitted: what their layers say, what is kept, and what does not fit the notebook."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import Diagnostic, Refused
from jupyter_mlops.flow import Workbench
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.oci.names import OCI_CONFIG, OCI_MANIFEST
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.targets import imagefacts
from jupyter_mlops.targets.imagefacts import Facts, Looking, Place, place_of
from jupyter_mlops.targets.imagefit import images_of
from jupyter_mlops.targets.imagetree import Tree
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.notebook_building import document

SITE = "usr/local/lib/python3.11/site-packages"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(*names: str, packed: bool = True) -> bytes:
    """A layer with these members; ``a -> b`` is a link, what ends in / a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            path, _, target = name.partition(" -> ")
            member = tarfile.TarInfo(path.rstrip("/"))
            if target:
                member.type, member.linkname = tarfile.SYMTYPE, target
            elif path.endswith("/"):
                member.type = tarfile.DIRTYPE
            else:
                member.size = 3
            archive.addfile(member, None if target or path.endswith("/") else io.BytesIO(b"abc"))
    return gzip.compress(out.getvalue(), mtime=0) if packed else out.getvalue()


OWN = layer("usr/local/bin/python3 -> python3.11", "usr/local/bin/python3.11", f"./{SITE}/pip-25.0.dist-info/METADATA")


def tree(*layers: bytes) -> Tree:
    found = Tree()
    for one in layers:
        found.take(io.BytesIO(one))
    return found


@pytest.mark.parametrize(
    ("layers", "search", "python", "packages"),
    [
        ([OWN], "/usr/local/bin:/usr/bin", "3.11", {"pip": "25.0"}),
        ([OWN, layer(f"{SITE}/Foo_Bar.baz-1.0+cu12.dist-info/")], "/usr/local/bin", "3.11", {"pip": "25.0", "foo-bar-baz": "1.0+cu12"}),
        ([OWN, layer(f"{SITE}/old-1.0-py3.11.egg-info")], "/usr/local/bin", "3.11", {"pip": "25.0", "old": "1.0"}),
        ([OWN, layer(f"{SITE}/.wh.pip-25.0.dist-info", f"{SITE}/pip-26.0.dist-info/RECORD")], "/usr/local/bin", "3.11", {"pip": "26.0"}),
        ([OWN, layer(f"{SITE}/.wh..wh..opq")], "/usr/local/bin", "3.11", {}),
        ([OWN, layer("usr/local/lib/.wh.python3.11")], "/usr/local/bin", "3.11", {}),
        (
            [layer("usr/bin/python3 -> python3.12", "usr/bin/python3.12", "usr/lib/python3/dist-packages/six-1.dist-info/x"),
             layer("usr/local/lib/python3.12/dist-packages/six-2.dist-info/x")],
            "/usr/bin", "3.12", {"six": "2"},
        ),
        (
            [OWN, layer("opt/venv/bin/python3 -> python", "opt/venv/bin/python -> /usr/local/bin/python3",
                        "opt/venv/lib/python3.11/site-packages/numpy-2.0.dist-info/METADATA")],
            "/opt/venv/bin:/usr/local/bin", "3.11", {"numpy": "2.0"},
        ),
        (
            [layer("opt/conda/bin/python3 -> python3.13", "opt/conda/bin/python3.13", "opt/conda/lib/python3.13/site-packages/a-1.dist-info/x")],
            "/opt/conda/bin", "3.13", {"a": "1"},
        ),
        ([layer("usr/bin/python3 -> python3.12", "usr/bin/python3.12", "usr/lib/python3.11/site-packages/b-1.dist-info/x")], "/usr/bin", "3.12", {}),
        ([layer("usr/bin/python3 -> python3.12", packed=False)], "/usr/bin", "3.12", {}),
        ([layer("usr/bin/python3 -> other", "usr/bin/other -> python3")], "/usr/bin", None, None),
        ([layer("usr/bin/python3 -> gone/python")], "/usr/bin", None, None),
        ([layer("usr/bin/python3")], "/usr/bin", None, None),
        ([OWN], "/bin", None, None),
        ([layer()], "/usr/bin", None, None),
    ],
)  # fmt: skip
def test_layers_tell_python_and_packages(
    layers: list[bytes], search: str, python: str | None, packages: Mapping[str, str] | None
) -> None:
    found = tree(*layers)
    interpreter = found.python(search)
    assert (interpreter[0] if interpreter else None) == python
    if interpreter:
        assert found.packages(*interpreter) == packages


@pytest.mark.parametrize("data", [b"(\xb5/\xfd zstd", b"no archive at all" * 100, OWN[:60]])
def test_what_is_no_layer_is_said(data: bytes) -> None:
    with pytest.raises(ValueError, match="a layer is not read"):
        tree(data)


KIT = Target("kit", registry="http://10.0.0.1:5000/team")


@pytest.mark.parametrize(
    ("target", "image", "place"),
    [
        (KIT, "10.0.0.1:5000/team/a/b:1", Place("http://10.0.0.1:5000/team", "a/b", "1")),
        (KIT, "10.0.0.1:5000/other/b", Place("http://10.0.0.1:5000", "other/b", "latest")),
        (KIT, "10.0.0.2:5000/b:1", Place("https://10.0.0.2:5000", "b", "1")),
        (KIT, f"ghcr.io/a/b:1@sha256:{'0' * 64}", Place("https://ghcr.io", "a/b", f"sha256:{'0' * 64}")),
        (KIT, "python:3.11", Place("https://registry-1.docker.io", "library/python", "3.11")),
        (KIT, "pytorch/pytorch", Place("https://registry-1.docker.io", "pytorch/pytorch", "latest")),
        (KIT, "docker.io/python:3", Place("https://registry-1.docker.io", "library/python", "3")),
        (KIT, "localhost/x:1", Place("https://localhost", "x", "1")),
        (replace(KIT, registry_here="http://localhost:5001/team"), "10.0.0.1:5000/team/b:1", Place("http://localhost:5001/team", "b", "1")),
        (replace(KIT, registry_here="http://localhost:5001/team"), "10.0.0.1:5000/b:1", Place("http://localhost:5001", "b", "1")),
        (Target("dev"), "10.0.0.1:5000/b:1", Place("https://10.0.0.1:5000", "b", "1")),
    ],
)  # fmt: skip
def test_where_an_image_lies(target: Target, image: str, place: Place) -> None:
    assert place_of(target, image) == place


class Lab:
    """A registry with images, a target that uses it, and a cache."""

    def __init__(self, address: str, folder: Path) -> None:
        self.store, self.host, self.folder = open_store(address), address.partition("://")[2], folder
        self.target = Target("dev", registry=address, image=f"{self.host}/team/image:v1")
        self.settings = Settings(Storage(folder / "home"))

    def put(self, layers: Sequence[bytes] = (OWN,), environ: Sequence[str] = (), tag: str = "v1") -> str:
        config = self.store.put_blob("team/image", json.dumps({"config": {"Env": list(environ)}}).encode(), OCI_CONFIG)
        blobs = [self.store.put_blob("team/image", data, LAYER) for data in layers]
        described = [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in (config, *blobs)]
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described[0], "layers": described[1:]}
        return self.store.put_manifest("team/image", document, tags=[tag]).descriptor.digest

    def facts(self, image: str = "") -> Facts:
        return Looking(self.target, image or self.target.image, self.settings.storage.cache).facts(30)

    def pipeline(self, *cells: Any, python: str = "3.11") -> Pipeline:
        return replace(plan(parse(json.dumps(document(*cells)), "nb.ipynb")), python=python)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with embedded_registry(tmp_path / "registry") as address:
        yield Lab(address, tmp_path)


def test_what_was_read_is_kept_by_digest(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = lab.put()
    assert lab.facts() == Facts("3.11", {"pip": "25.0"})
    assert [path.name for path in (lab.settings.storage.cache / "images").iterdir()] == [f"{digest[7:39]}.json"]
    monkeypatch.setattr(imagefacts.Looking, "_read", None)
    assert lab.facts() == Facts("3.11", {"pip": "25.0"})
    lab.put([*[OWN], layer(f"{SITE}/new-1.dist-info/x")])
    assert "not as images are" in lab.facts().unread, "another digest is read anew"


@pytest.mark.parametrize(
    ("layers", "environ", "python", "unread"),
    [
        ([b"zstd"], ["PYTHON_VERSION=3.12.1"], "3.12", "a layer is not read"),
        ([layer()], [], "", "no layer has a python3"),
        ([OWN], ["PYTHONPATH=/mine"], "3.11", "PYTHONPATH"),
        ([], ["PYTHON_VERSION=3.10"], "3.10", "no layer has a python3"),
    ],
)
def test_what_cannot_be_known_is_said(lab: Lab, layers: list[bytes], environ: list[str], python: str, unread: str) -> None:
    lab.put(layers, environ)
    found = lab.facts()
    assert (found.python, found.packages) == (python, None)
    assert unread in found.unread


def test_a_large_image_is_not_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.put(environ=["PYTHON_VERSION=3.12.4"])
    monkeypatch.setattr(imagefacts, "LAYERS", 10)
    assert lab.facts() == Facts("3.12", None, "it has 0 MiB, of which no more than 0 are read")


@pytest.mark.parametrize("image", ["{host}/team/none:v1", "127.0.0.1:1/a/b:1", "{host}/team/image:", "???", "{host}/team/Image:v1"])
def test_an_image_that_is_not_there_stops_nothing(lab: Lab, image: str) -> None:
    found = lab.facts(image.format(host=lab.host))
    assert (found.python, found.packages, bool(found.unread)) == ("", None, True)


ENVIRONMENT: dict[str, Any] = {
    "distributions": [{"name": "Scikit_Learn", "version": "1.5"}, {"name": "pip", "version": "24.0"}, {"name": "other", "version": "1"}],
    "steps": {"a": ["Scikit_Learn", "pip"], "b": []},
    "installs": False,
}  # fmt: skip


def findings(lab: Lab, pipeline: Pipeline, environment: dict[str, Any] | None = ENVIRONMENT) -> tuple[Diagnostic, ...]:
    return images_of(lab.settings, lab.target, pipeline).findings(environment, 30)


def test_packages_that_do_not_fit_are_named_with_the_fix(lab: Lab) -> None:
    lab.put()
    first, second = findings(lab, lab.pipeline(("x = 1", ["step:a"]), ("y = x", ["step:b"])))
    assert (first.code, first.severity, first.cell) == ("image-packages", "warning", 0)
    assert first.message == f"{lab.target.image} lacks Scikit_Learn 1.5"
    assert first.fix.endswith("pip install Scikit_Learn==1.5")
    assert second.message == f"{lab.target.image} has other versions than the notebook's kernel: pip 25.0 for 24.0"


def test_without_an_image_it_is_pythons_own_which_has_no_packages(lab: Lab) -> None:
    target = replace(lab.target, image="")
    pipeline = lab.pipeline(("x = 1", ["step:a"]), ("y = x", ["step:b"]), python="3.12")
    images = images_of(lab.settings, target, pipeline)
    (found,) = images.findings(ENVIRONMENT, 0)
    assert (found.code, found.severity, found.cell) == ("image-packages", "warning", 0)
    assert found.message == (
        f"no image is set for target {target.name}: docker.io/library/python:3.12-slim lacks Scikit_Learn 1.5"
    ), "Python's own may have pip"
    assert images.findings(None, 0) == images.findings({**ENVIRONMENT, "steps": {}}, 0) == ()
    (told,) = images.told()
    assert (told["image"], told["steps"], told["python"]) == ("docker.io/library/python:3.12-slim", ["a", "b"], "3.12")
    assert (told["packages"], told["unread"]) == (None, "no image is set: Python's own is taken")
    here = Workbench(Settings(lab.settings.storage)).images(pipeline)
    assert here.findings(ENVIRONMENT, 0) == ()


def test_what_is_told_of_images_is_by_image_and_never_waits(lab: Lab) -> None:
    lab.put()
    own = f"{lab.host}/team/image:gone"
    images = images_of(
        lab.settings, lab.target, lab.pipeline(("x = 1", ["step:a"]), ("y = x", {"mlops": {"step": "b", "image": own}}))
    )
    images.findings(ENVIRONMENT, 30)
    told = {one["image"]: one for one in images.told()}
    assert told[lab.target.image]["steps"] == ["a"]
    assert told[lab.target.image]["packages"] > 0
    assert (told[own]["steps"], told[own]["packages"], bool(told[own]["unread"])) == (["b"], None, True)


def test_what_fits_is_silent_and_so_is_what_nobody_knows(lab: Lab) -> None:
    lab.put([OWN, layer(f"{SITE}/scikit_learn-1.5.dist-info/x")])
    pipeline = lab.pipeline(("x = 1", ["step:a"]))
    assert findings(lab, pipeline, {**ENVIRONMENT, "distributions": ENVIRONMENT["distributions"][:1]}) == ()
    assert findings(lab, pipeline, None) == ()
    assert findings(lab, pipeline, {**ENVIRONMENT, "steps": {}}) == ()


def test_an_image_that_cannot_be_read_is_said_once(lab: Lab) -> None:
    (found,) = findings(lab, lab.pipeline(("x = 1", ["step:a"]), ("y = x", ["step:b"])))
    assert (found.code, found.severity) == ("image-unread", "info")


def test_a_cell_that_installs_is_said(lab: Lab) -> None:
    lab.put()
    found = findings(lab, lab.pipeline(("x = 1", ["step:a"])), {**ENVIRONMENT, "installs": True})
    assert "a cell of the notebook installs packages" in found[0].message


def test_another_python_is_refused_also_of_one_steps_own_image(lab: Lab) -> None:
    lab.put()
    lab.put([layer("usr/bin/python3 -> python3.9", "usr/bin/python3.9")], tag="old")
    with pytest.raises(Refused) as refused:
        findings(lab, lab.pipeline("x = 1", python="3.12"))
    assert (refused.value.code, f"Python 3.12, and the image {lab.target.image}" in refused.value.message) == (
        "python-mismatch",
        True,
    )
    own = lab.pipeline(("x = 1", ["step:a"]), ("y = x", {"mlops": {"step": "b", "image": f"{lab.host}/team/image:old"}}))
    with pytest.raises(Refused, match=r"image:old has Python 3\.9"):
        findings(lab, own)


def test_nobody_waits_for_a_registry_that_does_not_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread goes on by itself; what is said is that nothing is known yet."""
    import threading

    goes_on = threading.Event()
    monkeypatch.setattr(imagefacts, "open_store", lambda _: goes_on.wait(30))
    (found,) = images_of(lab.settings, lab.target, lab.pipeline(("x = 1", ["step:a"]))).findings(ENVIRONMENT, 0.01)
    goes_on.set()
    assert "has not answered yet" in found.message


def test_this_machine_has_no_images(tmp_path: Path, lab: Lab) -> None:
    assert Workbench(Settings(Storage(tmp_path / "home"))).images(lab.pipeline("x = 1")).looking == {}
