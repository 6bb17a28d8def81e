"""Python and packages of an image, read from its registry before anything is submitted: by digest, once, and never for long.

The configuration is two small requests. The layers are read as a stream of names, up to a limit, by a thread that goes on when
nobody waits for it any more: what it finds is kept for the next time. Nothing depends on it, since each step looks again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.settings import Target
from jupyter_mlops.targets.imagetree import Tree
from jupyter_mlops.targets.registry import address_here

LAYERS = 512 << 20
"""Compressed bytes of all layers up to which they are read: an image with scikit-learn has 200 MiB, one with CUDA several GiB."""

_CONFIG_LIMIT = 4 << 20
_OWN = re.compile(r"(?:^|/)python:(3\.\d+)(?![0-9])")
_VERSION = re.compile(r"PYTHON_VERSION=(3\.\d+)(?![0-9])")
_HUB = "registry-1.docker.io"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Facts:
    """What is known of an image."""

    python: str = ""
    """Minor version, like ``3.11``; '' where it is not known."""

    packages: Mapping[str, str] | None = None
    """Distribution → version; None where they are not known."""

    unread: str = ""
    """Why something is not known; '' where all is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image lies: address of a registry, repository in it, tag or digest."""

    address: str
    repository: str
    reference: str


def place_of(target: Target, image: str) -> Place:
    """Where an image is pulled from, seen from here. HTTP is spoken only with the target's own registry, if its address says so."""
    own = urlsplit(target.registry)
    prefix = f"{own.netloc}{own.path.rstrip('/')}/"
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    reference = digest if at else tag or "latest"
    path = f"{folder}{slash}{base}"
    if target.registry and path.startswith(prefix):
        return Place(address_here(target), path.removeprefix(prefix), reference)
    host, slash, rest = path.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = _HUB, path if slash else f"library/{path}"
    if host in {"docker.io", "index.docker.io"}:
        host, rest = _HUB, rest if "/" in rest else f"library/{rest}"
    if host == own.netloc:
        here = urlsplit(address_here(target))
        return Place(f"{here.scheme}://{here.netloc}", rest, reference)
    return Place(f"https://{host}", rest, reference)


def by_name(image: str) -> str:
    """The Python of one of Python's own images; '' for others."""
    found = _OWN.search(image.partition("@")[0])
    return found[1] if found else ""


class Looking:
    """Reads what is known of an image, beside whatever else is done."""

    def __init__(self, target: Target, image: str, cache: Path | None, *, layers: bool = True) -> None:
        """Begin. ``cache``: folder for what was found; None keeps nothing."""
        self._image = image
        self._found = Facts(by_name(image), None, "its registry has not answered yet")
        self._target, self._cache, self._layers = target, cache, layers
        self._thread = threading.Thread(target=self._look, name="mlops-image", daemon=True)
        self._thread.start()

    def facts(self, seconds: float) -> Facts:
        """What is known after so many seconds at most."""
        self._thread.join(seconds)
        return self._found

    def _look(self) -> None:
        try:
            place = place_of(self._target, self._target.mirrored(self._image))
            store = open_store(place.address)
            manifest = _of_linux(store, place.repository, store.get_manifest(place.repository, place.reference))
            kept = None if self._cache is None else self._cache / "images" / f"{manifest.descriptor.digest[7:39]}.json"
            self._found = _kept(kept) or self._read(store, place.repository, manifest, kept)
        except MlopsError as error:
            self._found = Facts(by_name(self._image), None, error.message)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:  # another's image may be anything
            self._found = Facts(self._found.python, None, f"it is not as images are ({type(error).__name__})")

    def _read(self, store: Store, repository: str, manifest: Manifest, kept: Path | None) -> Facts:
        with store.open_blob(repository, manifest.document["config"]["digest"]) as source:
            config = json.loads(source.read(_CONFIG_LIMIT)).get("config") or {}
        environ = dict(text.partition("=")[::2] for text in config.get("Env") or ())
        said = next((match[1] for text in config.get("Env") or () if (match := _VERSION.match(text))), "")
        python = said or by_name(self._image)
        if not self._layers:
            return Facts(python, None, "its layers were not looked at")
        self._found = Facts(python, None, "its packages are still being read")
        layers = list(manifest.document.get("layers") or ())
        size = sum(int(one["size"]) for one in layers)
        if size > LAYERS:
            found = Facts(python, None, f"it has {size >> 20} MiB, of which no more than {LAYERS >> 20} are read")
        else:
            found = _of_layers(store, repository, layers, environ, python)
        if kept is not None:
            _keep(kept, found)
        return found


def _of_layers(store: Store, repository: str, layers: list[Any], environ: Mapping[str, str], python: str) -> Facts:
    tree = Tree()
    for layer in layers:
        with store.open_blob(repository, layer["digest"]) as source:
            try:
                tree.take(source)
            except ValueError as error:
                return Facts(python, None, str(error))
    found = tree.python(environ.get("PATH") or DEFAULT_PATH)
    if found is None:
        return Facts(python, None, "no layer has a python3 that tells its version")
    if "PYTHONPATH" in environ or "PYTHONHOME" in environ:
        return Facts(found[0], None, "its PYTHONPATH leads to packages elsewhere")
    return Facts(found[0], tree.packages(*found))


def _of_linux(store: Store, repository: str, manifest: Manifest) -> Manifest:
    """Of an index the image for Linux, for amd64 where it has one."""
    children = [one for one in children_of(manifest.document) if (one.platform or {}).get("os") == "linux"]
    children.sort(key=lambda one: (one.platform or {}).get("architecture") != "amd64")
    return store.get_manifest(repository, children[0].digest) if children else manifest


def _kept(path: Path | None) -> Facts | None:
    with suppress(OSError, ValueError, TypeError):
        return Facts(**json.loads(path.read_text(encoding="utf-8"))) if path else None
    return None


def _keep(path: Path, found: Facts) -> None:
    """All or nothing; a disk that cannot be written forgets it."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}-{hashlib.sha256(str(id(found)).encode()).hexdigest()[:8]}")
        fresh.write_text(json.dumps(asdict(found)), encoding="utf-8")
        fresh.replace(path)
