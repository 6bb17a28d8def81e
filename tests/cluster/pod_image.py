"""Images upon the cluster's Python image: one in which the command line runs, and one in which the examples do.

The layers are made from what is installed here, so that nothing is fetched; the one with the dependencies is made once for
each set of versions, and found again by its tag.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jupyter_mlops
from jupyter_mlops.errors import NotFound
from jupyter_mlops.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from jupyter_mlops.oci.remote import Remote

PLACE = "opt/cli"
"""Folder of the command line in the image, without the slash in front; PYTHONPATH names it."""

PLOTS = ("matplotlib", "contourpy", "cycler", "fonttools", "kiwisolver", "packaging", "pillow", "pyparsing")
"""What the examples import besides what the cluster's Python image has."""

LIBRARIES = "usr/local/lib/python{minor}/dist-packages"
"""Where Debian's Python finds what was installed for all."""

NEEDED = (
    # a cluster: the client and what it imports
    "kubernetes", "urllib3", "certifi", "six", "python-dateutil", "pyyaml", "requests", "charset-normalizer", "idna", "websocket-client",
    "oauthlib", "requests-oauthlib", "durationpy", "pydantic", "pydantic-core", "annotated-types", "typing-inspection",
    # notebooks, kernels and JSON
    "msgspec", "jupyter-client", "jupyter-core", "packaging", "platformdirs", "pyzmq", "tornado", "traitlets",
    # what travels into steps and model servers
    "cloudpickle", "prometheus-client",
    "ipython", "asttokens", "decorator", "executing", "ipython-pygments-lexers", "jedi", "matplotlib-inline", "parso", "pexpect",
    "prompt-toolkit", "ptyprocess", "pure-eval", "pygments", "stack-data", "wcwidth", "typing-extensions", "psutil",
)  # fmt: skip
"""All that the command line needs in a pod; the test is that it runs with nothing else."""

LIMIT = 300 << 20
"""Bytes of both layers together at most."""


def image_with_cli(base: str) -> str:
    """Reference of the image, built if it is not there. ``base`` is in a registry of plain HTTP."""
    host, _, rest = base.partition("/")
    repository, _, tag = rest.partition(":")
    store = Remote(f"http://{host}")
    libraries = [found for name in NEEDED if (found := _distribution(name)) is not None]
    key = hashlib.sha256("\n".join(f"{one.name} {one.version}" for one in libraries).encode()).hexdigest()[:12]
    with_libraries = f"h-cli-{key}"
    if not _there(store, repository, with_libraries):
        _append(store, repository, tag, with_libraries, _files(libraries), PLACE)
    package = Path(jupyter_mlops.__file__).parent
    ours = {f"jupyter_mlops/{path.relative_to(package)}": path for path in sorted(package.rglob("*")) if _wanted(path)}
    digest = hashlib.sha256(b"".join(name.encode() + path.read_bytes() for name, path in ours.items())).hexdigest()[:12]
    whole = f"{with_libraries}-{digest}"
    if not _there(store, repository, whole):
        _append(store, repository, with_libraries, whole, ours.items(), PLACE)
    return f"{host}/{repository}:{whole}"


def image_with_plots(base: str) -> str:
    """Reference of an image in which the examples run, built if it is not there."""
    host, _, rest = base.partition("/")
    repository, _, tag = rest.partition(":")
    store = Remote(f"http://{host}")
    libraries = [found for name in PLOTS if (found := _distribution(name)) is not None]
    key = hashlib.sha256("\n".join(f"{one.name} {one.version}" for one in libraries).encode()).hexdigest()[:12]
    whole = f"{tag}-h-plots-{key}"
    if not _there(store, repository, whole):
        minor = ".".join(map(str, sys.version_info[:2]))
        _append(store, repository, tag, whole, _files(libraries), LIBRARIES.format(minor=minor))
    return f"{host}/{repository}:{whole}"


def size_of(image: str) -> int:
    """Bytes of the layers that were added."""
    host, _, rest = image.partition("/")
    repository, _, tag = rest.partition(":")
    return sum(int(layer["size"]) for layer in Remote(f"http://{host}").get_manifest(repository, tag).document["layers"][-2:])


def _distribution(name: str) -> importlib.metadata.Distribution | None:
    """What is installed; None for what this version of its user no longer needs."""
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _files(distributions: Iterable[importlib.metadata.Distribution]) -> Iterable[tuple[str, Path]]:
    for one in distributions:
        for file in one.files or ():
            path = Path(str(one.locate_file(file)))
            if ".." not in file.parts and path.is_file():
                yield str(file), path


def _wanted(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _there(store: Remote, repository: str, tag: str) -> bool:
    try:
        store.get_manifest(repository, tag)
    except NotFound:
        return False
    return True


def _append(store: Remote, repository: str, base: str, tag: str, files: Iterable[tuple[str, Path]], place: str) -> None:
    """An image with one more layer. Times stay, since compiled modules are known by them."""
    manifest: dict[str, Any] = dict(store.get_manifest(repository, base).document)
    with store.open_blob(repository, manifest["config"]["digest"]) as stream:
        config = json.loads(stream.read())
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(file.name, "w") as tar:
            for name, path in files:
                info = tar.gettarinfo(str(path), f"{place}/{name}")
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                info.mode = 0o644
                with path.open("rb") as content:
                    tar.addfile(info, content)
        layer = store.put_blob(repository, Path(file.name), OCI_LAYER)
    config["rootfs"]["diff_ids"] = [*config["rootfs"]["diff_ids"], layer.digest]
    described = store.put_blob(repository, json.dumps(config).encode(), OCI_CONFIG)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": described.digest, "size": described.size},
        "layers": [*manifest["layers"], {"mediaType": OCI_LAYER, "digest": layer.digest, "size": layer.size}],
    }
    store.put_manifest(repository, document, tags=[tag])
