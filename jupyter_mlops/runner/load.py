"""``load_dataset``: a recorded dataset read back, the frame or array that it was, or its files.

What is read is noted, so that lineage knows what a run's models were made of.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.modelpack import TITLE, version_number
from jupyter_mlops.oci.reference import check_repository
from jupyter_mlops.oci.store import Descriptor, Manifest, Store
from jupyter_mlops.runner import record
from jupyter_mlops.runner.croissant import CARD_TYPE

VALUES = frozenset({"frame", "array"})
"""Sources that are read back as a value; others are files."""


@dataclass(frozen=True)
class Known:
    """A version of a dataset in a store."""

    name: str
    tag: str
    manifest: Manifest

    @property
    def used(self) -> dict[str, str]:
        """As a step's report names what it was made of."""
        return {"kind": "dataset", "name": self.name, "tag": self.tag, "digest": self.manifest.descriptor.digest}


def load_dataset(reference: str, folder: str | Path | None = None) -> Any:
    """A recorded dataset: the frame or array, or its files. What this run registers says that it was made of it.

    A frame that was written without pyarrow comes from CSV: numbers and text are as they were, dates are text.

    Args:
        reference: ``NAME`` (the newest version), ``NAME:TAG`` or ``NAME@DIGEST``.
        folder: where files go; the dataset's name by default. Files of the same names are replaced.

    Returns:
        The frame or array, or the path of the folder.

    Raises:
        WrongUsage: the name cannot be right, or the frame needs pyarrow.
        NotFound: there is no such version.
        Corrupt: it is damaged.
    """
    recorder = record.recorder_of_process()
    store = recorder.store or record.home_store()
    name, _, tag = reference.partition(":")
    place = Path(folder) if folder is not None else Path(name.partition("@")[0].rpartition("/")[2])
    own = [one for one in recorder.pending if (one.kind, one.name) == ("dataset", name)]
    if own and tag in {"", "latest"}:  # it is the newest version in a kernel; here it becomes one when the step ends
        recorder.loads(own[-1].version)
        return read_written(own[-1].folder, str(own[-1].facts.get("source")), name, place)
    known = find_dataset(store, reference)
    found = read_dataset(store, known, place)
    recorder.loads(known.used)
    return found


def find_dataset(store: Store, reference: str) -> Known:
    """``NAME`` (the newest version), ``NAME:TAG`` or ``NAME@DIGEST``.

    Raises:
        WrongUsage: code ``invalid-name``.
        NotFound: code ``dataset-not-found`` or ``version-not-found``.
    """
    name, _, digest = reference.partition("@")
    name, _, tag = name.partition(":")
    repository = check_repository(f"datasets/{name}")
    versions = sorted(
        ((number, one) for one in store.tags(repository) if (number := version_number(one)) is not None), reverse=True
    )
    if not versions:
        raise NotFound(f"no dataset named {name!r}", code="dataset-not-found", fix="`jupyter mlops datasets` lists them.")
    wanted = digest or (tag if tag != "latest" else "") or versions[0][1]
    try:
        manifest = store.get_manifest(repository, wanted)
    except NotFound as error:
        known = ", ".join(one for _, one in versions[:10])
        raise NotFound(f"dataset {name} has no version {wanted}", code="version-not-found", fix=f"There is: {known}.") from error
    found = manifest.descriptor.digest
    named = (one for _, one in versions if one == wanted or store.get_manifest(repository, one).descriptor.digest == found)
    return Known(name, next(named, wanted), manifest)


def read_dataset(store: Store, known: Known, folder: Path) -> Any:
    """What was recorded: the frame, the array, or the folder with the files, which then holds them all.

    Raises:
        Corrupt: a file is damaged, or would lie outside of the folder.
        WrongUsage: code ``needs-pyarrow``: the frame was written with pyarrow, which is not here.
    """
    repository = f"datasets/{known.name}"
    layers = {str(layer.annotations.get(TITLE, "")): layer for layer in layers_of(known.manifest)}
    files = {name: layer for name, layer in layers.items() if name and layer.media_type != CARD_TYPE}
    source = read_config(store, repository, known.manifest).get("source")
    if source not in VALUES:
        write_files(store, repository, files, folder)
        return folder
    with TemporaryDirectory(prefix="mlops-dataset-") as scratch:
        write_files(store, repository, files, Path(scratch))
        return _value(str(source), Path(scratch), f"{known.name}:{known.tag}")


def read_written(written: Path, source: str, name: str, folder: Path) -> Any:
    """As :func:`read_dataset`, of what ``log_dataset`` wrote and no step has published yet."""
    if source in VALUES:
        return _value(source, written, name)
    shutil.copytree(written, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return folder


def write_files(store: Store, repository: str, files: Mapping[str, Descriptor], folder: Path) -> None:
    """Write blobs by their paths; a file that is there is replaced once its bytes are verified. Raises Corrupt."""
    for name, layer in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise Corrupt(f"{repository} holds a file named {name!r}", code="unsafe-path", fix="Do not use this dataset.")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.part")
        try:
            with store.open_blob(repository, layer.digest) as source, fresh.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)


def _value(source: str, folder: Path, shown: str) -> Any:
    """The frame or array that a folder holds. Raises WrongUsage."""
    if source == "array":
        import numpy as np

        return np.load(folder / "data.npy", allow_pickle=False)
    import pandas as pd

    if (folder / "data.csv").exists():
        return pd.read_csv(folder / "data.csv")
    if find_spec("pyarrow") is None:
        raise WrongUsage(
            f"{shown} is a frame in Parquet, and pyarrow is not installed here",
            code="needs-pyarrow",
            fix="Install pyarrow in the kernel's environment.",
        )
    return pd.read_parquet(folder / "data.parquet")
