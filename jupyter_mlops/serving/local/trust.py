"""Whether a model may be loaded here: a pickle runs code, so only what this user's runs recorded is.

The embedded registry is that record: it is a folder of this user that nobody else may write to, and a document names a
version in it by digest. A model that comes from elsewhere is not loaded, however it is named.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jupyter_mlops.errors import NotAllowed, WrongUsage
from jupyter_mlops.serving.decode import model_reference
from jupyter_mlops.settings import LOCAL_REGISTRY

ORIGIN = f"oci+fetch://{LOCAL_REGISTRY}/models/"


def checked_reference(document: Mapping[str, Any]) -> str:
    """``churn@sha256:…`` of a document, if both places that name the model agree on a digest of the embedded registry.

    Raises NotAllowed for a model from elsewhere, WrongUsage for one without a digest.
    """
    uri = str((((document.get("spec") or {}).get("predictor") or {}).get("model") or {}).get("storageUri") or "")
    if not uri.startswith(ORIGIN):
        raise NotAllowed(
            f"the model {uri or 'of this document'} is not in this machine's registry",
            code="foreign-model",
            fix="Loading a model runs its code: only models that were registered here are served here.",
        )
    reference = uri.removeprefix(ORIGIN)
    if "@sha256:" not in reference or model_reference(document) not in {"", reference}:
        raise WrongUsage(f"{uri} does not name one model by digest", fix="Make the document with `jupyter mlops deploy`.")
    return reference


def check_registry(address: str) -> None:
    """The registry folder is this user's own. Raises NotAllowed when others may write to it."""
    parts = urlsplit(address)
    if parts.scheme != "file":
        raise NotAllowed(
            f"{address} is not a folder of this machine", code="foreign-registry", fix="Pull the model into the local registry."
        )
    folder = Path(unquote(parts.path))
    facts = folder.stat()
    if facts.st_uid not in {os.getuid(), 0} or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NotAllowed(
            f"others can write to the registry {folder}",
            code="open-registry",
            fix=f"Models there may be anybody's, and loading one runs its code. Make it yours: chmod go-w '{folder}'.",
        )
