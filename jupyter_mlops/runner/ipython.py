"""IPython for an image that has none: from a layer of the bundle, behind everything that the image has.

The layer goes to the end of the import path, so that a package which the image has is the image's. What comes with it can be
imported by the notebook too (traitlets, pygments, …); a notebook should not rely on that.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from jupyter_mlops.errors import Refused
from jupyter_mlops.oci.artifact import layers_of
from jupyter_mlops.oci.digest import hex_of
from jupyter_mlops.oci.names import BUNDLE_IPYTHON
from jupyter_mlops.oci.store import Store
from jupyter_mlops.oci.tar import extract_all

if TYPE_CHECKING:
    from typing import BinaryIO

FIX = "Install ipython in the step's image, or submit from an environment whose IPython runs with the step's Python."


def provide_ipython(store: Store, bundle: str, why: str, cache: Path) -> None:
    """See to it that IPython can be imported. Nothing is fetched where the image has it.

    Args:
        store: where the bundle is.
        bundle: its reference.
        why: why it has no such layer, if it has none.
        cache: folder for the unpacked layer.

    Raises:
        Refused: code ``no-ipython``: neither the image nor the bundle has it, or the image's packages do not suit it.
        Unavailable, Corrupt and other errors of the store.
    """
    if importlib.util.find_spec("IPython"):
        return
    repository, _, digest = bundle.rpartition("@")
    layers = [layer.digest for layer in layers_of(store.get_manifest(repository, digest)) if layer.media_type == BUNDLE_IPYTHON]
    if not layers:
        raise Refused(f"the step's image has no IPython: {why or 'the bundle brings none'}", code="no-ipython", fix=FIX)
    folder = cache / "ipython" / hex_of(layers[0])
    if not folder.is_dir():
        extract_all([_unzipped(store, repository, layers[0])], folder)
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    try:
        importlib.import_module("IPython.core.interactiveshell")
    except Exception as error:
        said = f"the step's image has no IPython, and packages that the bundle's does not run with: {type(error).__name__}: {error}"
        raise Refused(said, code="no-ipython", fix="Install ipython in the step's image.") from error


@contextmanager
def _unzipped(store: Store, repository: str, digest: str) -> Iterator[BinaryIO]:
    """The layer's tar; whoever reads it to its end has verified it."""
    with store.open_blob(repository, digest) as stream, gzip.open(stream) as tar:
        yield cast("BinaryIO", tar)
