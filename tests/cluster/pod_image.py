"""Images upon the cluster's Python image: in which the command line runs, in which a notebook server does, and the examples.

The layers are made from what is installed here, so that nothing is fetched; those with dependencies are made once for each set
of versions, and found again by their tag. All images of the command line and the server share those layers.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

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
    # what travels into steps and model servers, and what knows the fields of Workflows
    "cloudpickle", "prometheus-client", "argo-workflows",
    "ipython", "asttokens", "decorator", "executing", "ipython-pygments-lexers", "jedi", "matplotlib-inline", "parso", "pexpect",
    "prompt-toolkit", "ptyprocess", "pure-eval", "pygments", "stack-data", "wcwidth", "typing-extensions", "psutil",
)  # fmt: skip
"""All that the command line needs in a pod; the test is that it runs with nothing else."""

FRONT_END = Path(jupyter_mlops.__file__).parents[1] / "labextension"
"""Where this checkout builds the front end."""

OURS = "jupyter-mlops"
"""What a notebook server with the extension is, besides: all that this requires."""

SHARED = "usr/local"
"""Where Debian's Python looks for the ``etc/jupyter`` and ``share/jupyter`` of what was installed for all."""

LIMIT = 300 << 20
"""Bytes of the layers of the command line at most."""


def image_with_cli(base: str) -> str:
    """Reference of an image with the command line, built if it is not there. ``base`` is in a registry of plain HTTP."""
    host, _, rest = base.partition("/")
    repository, _, tag = rest.partition(":")
    store = Remote(f"http://{host}")
    with_libraries = _with_libraries(store, repository, tag)
    return f"{host}/{repository}:{_with_ours(store, repository, with_libraries, _package(PLACE))}"


def image_with_server(base: str) -> str:
    """Reference of an image with JupyterLab and the extension, as ``pip install`` leaves them; built if it is not there."""
    host, _, rest = base.partition("/")
    repository, _, tag = rest.partition(":")
    store = Remote(f"http://{host}")
    with_libraries = _with_libraries(store, repository, tag)
    libraries = [one for one in _closure(OURS) if _normal(one.name) not in {OURS, *NEEDED}]
    with_server = f"h-server-{with_libraries.rpartition('-')[2]}-{_key(libraries)}"
    if not _there(store, repository, with_server):
        _append(store, repository, with_libraries, with_server, [*_files(libraries, PLACE), *_shared(libraries)])
    return f"{host}/{repository}:{_with_ours(store, repository, with_server, {**_package(PLACE), **_front_end()})}"


def has_front_end() -> bool:
    """Whether the front end was built, so that the image with the server has it."""
    return (FRONT_END / "dist" / "package.json").is_file()


def image_with_plots(base: str) -> str:
    """Reference of an image in which the examples run, built if it is not there."""
    host, _, rest = base.partition("/")
    repository, _, tag = rest.partition(":")
    store = Remote(f"http://{host}")
    libraries = [found for name in PLOTS if (found := _distribution(name)) is not None]
    whole = f"{tag}-h-plots-{_key(libraries)}"
    if not _there(store, repository, whole):
        minor = ".".join(map(str, sys.version_info[:2]))
        _append(store, repository, tag, whole, _files(libraries, LIBRARIES.format(minor=minor)))
    return f"{host}/{repository}:{whole}"


def _with_libraries(store: Remote, repository: str, tag: str) -> str:
    """Tag of the image with what the command line imports."""
    libraries = [found for name in NEEDED if (found := _distribution(name)) is not None]
    made = f"h-cli-{_key(libraries)}"
    if not _there(store, repository, made):
        _append(store, repository, tag, made, _files(libraries, PLACE))
    return made


def _with_ours(store: Remote, repository: str, base: str, files: Mapping[str, Path]) -> str:
    """Tag of an image with this checkout on top, by its content."""
    content = hashlib.sha256()
    for name, path in files.items():
        content.update(name.encode() + path.read_bytes())
    made = f"{base}-{content.hexdigest()[:12]}"
    if not _there(store, repository, made):
        _append(store, repository, base, made, files.items())
    return made


def _package(place: str) -> dict[str, Path]:
    """The package as it is in this checkout."""
    package = Path(jupyter_mlops.__file__).parent
    return {f"{place}/jupyter_mlops/{path.relative_to(package)}": path for path in sorted(package.rglob("*")) if _wanted(path)}


def _front_end() -> dict[str, Path]:
    """What the wheel puts beside the package: the front end, and the line that enables the extension."""
    enabling = Path(jupyter_mlops.__file__).parent / "server" / "jupyter-config.json"
    found = {f"{SHARED}/etc/jupyter/jupyter_server_config.d/jupyter_mlops.json": enabling}
    place = f"{SHARED}/share/jupyter/labextensions/jupyter-mlops"
    if has_front_end():
        dist = FRONT_END / "dist"
        found |= {f"{place}/{path.relative_to(dist)}": path for path in sorted(dist.rglob("*")) if _wanted(path)}
        found[f"{place}/install.json"] = FRONT_END / "install.json"
    return found


def _closure(root: str) -> list[importlib.metadata.Distribution]:
    """A distribution and all that it requires here, by name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    left = [root]
    while left:
        name = left.pop()
        one = None if name in found else _distribution(name)
        if one is None:
            continue
        found[name] = one
        needed = map(Requirement, one.requires or ())
        left += [_normal(each.name) for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return [found[name] for name in sorted(found)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _key(libraries: Iterable[importlib.metadata.Distribution]) -> str:
    """A name for a set of versions."""
    return hashlib.sha256("\n".join(f"{one.name} {one.version}" for one in libraries).encode()).hexdigest()[:12]


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


def _files(distributions: Iterable[importlib.metadata.Distribution], place: str) -> Iterable[tuple[str, Path]]:
    """What they put among Python's modules."""
    for one in distributions:
        for file in one.files or ():
            path = Path(str(one.locate_file(file)))
            if ".." not in file.parts and path.is_file():
                yield f"{place}/{file}", path


def _shared(distributions: Iterable[importlib.metadata.Distribution]) -> Iterable[tuple[str, Path]]:
    """What they put beside Python's modules: settings, and data such as JupyterLab's pages."""
    for one in distributions:
        for file in one.files or ():
            path = Path(str(one.locate_file(file)))
            outside = [part for part in file.parts if part != ".."]
            if ".." in file.parts and outside[0] in {"etc", "share"} and path.is_file():
                yield f"{SHARED}/{'/'.join(outside)}", path


def _wanted(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _there(store: Remote, repository: str, tag: str) -> bool:
    try:
        store.get_manifest(repository, tag)
    except NotFound:
        return False
    return True


def _append(store: Remote, repository: str, base: str, tag: str, files: Iterable[tuple[str, Path]]) -> None:
    """An image with one more layer. Times stay, since compiled modules are known by them."""
    manifest: dict[str, Any] = dict(store.get_manifest(repository, base).document)
    with store.open_blob(repository, manifest["config"]["digest"]) as stream:
        config = json.loads(stream.read())
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(file.name, "w") as tar:
            for name, path in files:
                info = tar.gettarinfo(str(path), name)
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
