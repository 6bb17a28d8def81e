"""Which Python an image has, as far as that can be known without starting it.

From its tag where it is one of Python's own images, else from its configuration, if it lies in the target's registry:
images built on Python's say ``PYTHON_VERSION`` there. What cannot be known is left to the step, which refuses another Python.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.store import Store
from jupyter_mlops.settings import Target

_OWN = re.compile(r"(?:^|/)python:(3\.\d+)(?![0-9])")
_VERSION = re.compile(r"PYTHON_VERSION=(3\.\d+)(?![0-9])")
_CONFIG_LIMIT = 4 << 20


def python_of(target: Target, image: str) -> str | None:
    """Its Python's minor version, like ``3.11``; None where that is not known."""
    if found := _OWN.search(image.partition("@")[0]):
        return found[1]
    repository = _in_registry(target, target.mirrored(image))
    if repository is None:
        return None
    from jupyter_mlops.oci.open import open_store
    from jupyter_mlops.targets.registry import address_here

    try:
        return _configured(open_store(address_here(target)), *repository)
    except (MlopsError, ValueError, KeyError, TypeError):  # another's image may be anything; the step looks again
        return None


def _in_registry(target: Target, image: str) -> tuple[str, str] | None:
    """Repository and reference of an image that lies in the target's registry."""
    parts = urlsplit(target.registry)
    prefix = f"{parts.netloc}{parts.path.rstrip('/')}/"
    if not target.registry or not image.startswith(prefix):
        return None
    name, at, digest = image.removeprefix(prefix).partition("@")
    repository, _, tag = name.partition(":")
    return repository, digest if at else tag or "latest"


def _configured(store: Store, repository: str, reference: str) -> str | None:
    """What the image's configuration says; of an index the image for amd64, since all have one Python."""
    manifest = store.get_manifest(repository, reference).document
    if "manifests" in manifest:
        children = [one for one in manifest["manifests"] if (one.get("platform") or {}).get("os") == "linux"]
        manifest = store.get_manifest(repository, children[0]["digest"]).document if children else {}
    with store.open_blob(repository, manifest["config"]["digest"]) as stream:
        config = json.loads(stream.read(_CONFIG_LIMIT))
    for variable in (config.get("config") or {}).get("Env") or ():
        if found := _VERSION.fullmatch(variable) or _VERSION.match(variable):
            return found[1]
    return None
