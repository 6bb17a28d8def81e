"""The environment that a run was made for, read back from its bundle."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import layers_of
from jupyter_mlops.oci.names import BUNDLE_CODE
from jupyter_mlops.oci.store import Store
from jupyter_mlops.oci.tar import read_member

MEMBER = "environment.json"
LIMIT = 1 << 20
"""Bytes of the document at most: a thousand distributions take a tenth of it."""


def environment_of_run(store: Store, workflow: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the kernel of a run imported when it was submitted; None where its bundle is gone or does not say."""
    listed = ((workflow.get("spec") or {}).get("arguments") or {}).get("parameters") or ()
    bundle = next((str(one.get("value") or "") for one in listed if one.get("name") == "mlops-bundle"), "")
    repository, _, digest = bundle.partition("@")
    if not digest:
        return None
    try:
        code = next(one for one in layers_of(store.get_manifest(repository, digest)) if one.media_type == BUNDLE_CODE)
        with store.open_blob(repository, code.digest) as stream, gzip.open(stream) as plain:
            data = read_member(plain, MEMBER, LIMIT)  # type: ignore[arg-type]  # reads like one
        found = json.loads(data) if data else None
    except (NotFound, Corrupt, WrongUsage, StopIteration, ValueError, OSError, EOFError):
        return None
    return found if isinstance(found, dict) else None
