"""Files and figures that belong to a run: written when they are logged, published when their step ends."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.modelpack import TITLE
from jupyter_mlops.oci.names import ARTIFACT, ARTIFACT_CONFIG
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.oci.tar import files_below

FORMATS = (".png", ".svg", ".pdf")
"""What a figure is written as, by the end of its name."""

_TYPES = {
    ".csv": "text/csv", ".html": "text/html", ".jpg": "image/jpeg", ".json": "application/json", ".md": "text/markdown",
    ".pdf": "application/pdf", ".png": "image/png", ".svg": "image/svg+xml", ".txt": "text/plain",
}  # fmt: skip


def write_artifact(path: Path, name: str, folder: Path) -> None:
    """Copy a file or folder into a folder under a name. Raises WrongUsage, code ``not-an-artifact``."""
    target = folder / check_name(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        for inner, file in files_below(path).items():
            (target / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / inner)
    elif path.is_file():
        shutil.copyfile(path, target)
    else:
        raise WrongUsage(f"no file or folder at {path}", code="not-an-artifact", fix="Check the path.")


def write_figure(figure: Any, name: str, folder: Path) -> None:
    """Write a figure as PNG, SVG or PDF. Raises WrongUsage, code ``not-an-artifact``."""
    target = folder / check_name(name)
    if target.suffix not in FORMATS:
        raise WrongUsage(f"a figure is not written as {name!r}", code="not-an-artifact", fix=f"End it in {', '.join(FORMATS)}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not hasattr(figure, "savefig"):
        figure = getattr(figure, "figure", figure)  # axes, and grids of seaborn
    if not hasattr(figure, "savefig"):
        raise WrongUsage(
            f"a {type(figure).__name__} is not a figure of matplotlib",
            code="not-an-artifact",
            fix="Write it to a file and give that to log_artifact.",
        )
    # Without the date and the random names of its parts, the same figure is the same bytes.
    from contextlib import nullcontext

    import matplotlib as mpl

    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
    with mpl.rc_context({"svg.hashsalt": name}) if target.suffix == ".svg" else nullcontext():
        figure.savefig(target, metadata=dated[target.suffix])


def check_name(name: str) -> str:
    """The name. Raises WrongUsage, code ``invalid-name``, where it would lead out of the run's files."""
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise WrongUsage(
            f"{name!r} cannot be the name of a file of the run", code="invalid-name", fix="Give a name such as plots/loss.png."
        )
    return name


def publish_artifact(store: Store, pipeline: str, run: str, step: str, call: int, folder: Path) -> str:
    """Publish the files of a folder beside the run's reports; the digest. A second time gives the same."""
    repository = f"runs/{pipeline}"
    layers = [_layer(store, repository, name, path) for name, path in files_below(folder).items()]
    config: Mapping[str, Any] = {"version": 1, "run": run, "step": step, "call": call}
    tag = f"artifact.{run}.{digest_of(f'{step}/{call}'.encode())[7:23]}"
    made = push_artifact(store, repository, ARTIFACT, config, layers, config_type=ARTIFACT_CONFIG, tags=[tag])
    return made.descriptor.digest


def _layer(store: Store, repository: str, name: str, path: Path) -> Descriptor:
    blob = store.put_blob(repository, path, _TYPES.get(path.suffix.lower(), "application/octet-stream"))
    return Descriptor(blob.media_type, blob.digest, blob.size, {TITLE: name})
