"""The image of a model with a shell beside it, as somebody could publish it who wants to run it beside the server."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from dataclasses import replace

import pytest

from jupyter_mlops.oci.artifact import artifact_document, layers_of, read_config
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.descriptor import children_of, to_dict
from jupyter_mlops.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER
from jupyter_mlops.oci.store import Descriptor
from jupyter_mlops.serving.kserve.image import SHELL

LINKS = ("sh", "ln", "ls", "sleep", "mkdir")


def with_shell(store, version, folder):
    """A version whose image has busybox on top."""
    repository = f"models/{version.name}"
    children = list(children_of(store.get_manifest(repository, version.digest).document))
    image = store.get_manifest(repository, children[0].digest)
    tar = _busybox()
    layer = store.put_blob(repository, tar, OCI_LAYER)
    config = read_config(store, repository, image)
    config["config"] |= {"Labels": {SHELL: "true"}}
    config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(tar).hexdigest())
    config["history"].append({"created": "1970-01-01T00:00:00Z", "created_by": "busybox"})
    described = store.put_blob(repository, canonical(config), OCI_CONFIG)
    made = store.put_manifest(repository, artifact_document(None, described, [*layers_of(image), layer]))
    child = Descriptor(made.descriptor.media_type, made.descriptor.digest, made.descriptor.size, platform=children[0].platform)
    index = store.put_manifest(repository, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [to_dict(child)]}, tags=["v2"])
    return replace(version, tag="v2", digest=index.descriptor.digest)


def _busybox():
    """A layer with a shell that needs no library."""
    found = shutil.which("busybox")
    if not found or "not a dynamic" not in subprocess.run(["ldd", found], capture_output=True, text=True).stderr:
        pytest.skip("NOT RUN: no static busybox on this machine")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.add(found, arcname="bin/busybox")
        for link in LINKS:
            info = tarfile.TarInfo(f"bin/{link}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
    return raw.getvalue()
