"""A dataset as an artifact: ``datasets/<name>:v<N>``, files as layers, facts as config."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import layers_of, push_artifact
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.modelpack import CREATED, KEY, TITLE, version_number
from jupyter_mlops.oci.names import ANNOTATION, DATASET, DATASET_CONFIG
from jupyter_mlops.oci.numbering import next_number
from jupyter_mlops.oci.parallel import put_blobs
from jupyter_mlops.oci.reference import check_repository
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.oci.tar import files_below
from jupyter_mlops.runner.croissant import CARD, CARD_TYPE, croissant
from jupyter_mlops.runner.signature import datatype_of

_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".npy": "application/x-npy",
    ".parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True)
class Facts:
    """What is known of a dataset: written as its config."""

    rows: int | None = None
    columns: list[dict[str, Any]] = field(default_factory=list)
    source: str = ""
    arrow: str = ""
    """The schema as Arrow's IPC message, in base64; '' where Arrow is not there."""

    def to_json(self) -> dict[str, Any]:
        """The config."""
        said = {"version": 1, "rows": self.rows, "columns": self.columns, "source": self.source}
        return {**said, "arrow": self.arrow} if self.arrow else said


def write_dataset(data: Any, folder: Path) -> Facts:
    """Write data into a folder: a frame as Parquet (CSV without pyarrow), an array as npy, files as they are.

    Raises:
        WrongUsage: code ``not-a-dataset``, or the path is none.
    """
    if hasattr(data, "to_csv"):
        return _write_frame(data, folder)
    if hasattr(data, "dtype") and hasattr(data, "shape"):
        import numpy as np

        np.save(folder / "data.npy", data, allow_pickle=False)
        return Facts(int(data.shape[0]) if data.shape else None, [], "array")
    if isinstance(data, (str, Path)):
        return _link_files(Path(data), folder)
    raise WrongUsage(
        f"a {type(data).__name__} is not a dataset",
        code="not-a-dataset",
        fix="Give a frame, an array, or the path of a file or folder.",
    )


def _write_frame(data: Any, folder: Path) -> Facts:
    from importlib.util import find_spec

    frame = data if hasattr(data, "columns") else data.to_frame()
    columns: list[dict[str, Any]] = [
        {"name": str(name), "datatype": datatype_of(frame.iloc[:, place].dtype)} for place, name in enumerate(frame.columns)
    ]
    if find_spec("pyarrow") is None:
        frame.to_csv(folder / "data.csv", index=False)
        return Facts(len(frame), columns, "frame")
    path = folder / "data.parquet"
    frame.to_parquet(path)
    arrow, types = _arrow_schema(path)
    columns = [{**column, "arrow": str(kind.type), "nullable": kind.nullable} for column, kind in zip(columns, types, strict=False)]
    return Facts(len(frame), columns, "frame", arrow)


def _arrow_schema(path: Path) -> tuple[str, list[Any]]:
    """What a Parquet file holds: its schema in base64, and its fields; columns come before an index."""
    import base64

    import pyarrow.parquet  # only where it is installed

    schema = pyarrow.parquet.read_schema(path)
    return base64.b64encode(schema.remove_metadata().serialize().to_pybytes()).decode("ascii"), list(schema)


def _link_files(path: Path, folder: Path) -> Facts:
    """Copies, since the notebook may go on writing to them before the step is done."""
    if path.is_dir():
        for name, file in files_below(path).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
    elif path.is_file():
        shutil.copyfile(path, folder / path.name)
    else:
        raise WrongUsage(f"no file or folder at {path}", code="not-a-dataset", fix="Check the path.")
    return Facts(None, [], str(path))


def publish_dataset(
    store: Store, name: str, folder: Path, facts: Mapping[str, Any], *, key: str, annotations: Mapping[str, str]
) -> tuple[str, str]:
    """Publish the files of a folder as the next version; (tag, digest). The same key gives the first version again.

    Raises:
        WrongUsage: code ``invalid-name``.
        StorageFull, PlatformError: the store cannot be written.
    """
    repository = check_repository(f"datasets/{name}")
    if found := _by_key(store, repository, key):
        return found
    files = files_below(folder)
    typed = [(path, _TYPES.get(path.suffix, "application/octet-stream")) for path in files.values()]
    blobs = put_blobs(store, repository, typed, _known_sizes(store, repository))
    layers = [Descriptor(blob.media_type, blob.digest, blob.size, {TITLE: name}) for name, blob in zip(files, blobs, strict=True)]
    created = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    notes = {(short if "." in short else ANNOTATION + short): value for short, value in annotations.items()}
    notes |= {TITLE: name, KEY: key, CREATED: created}
    with next_number(store, repository) as number:
        if found := _by_key(store, repository, key):
            return found
        tag = f"v{number}"
        if not any(layer.annotations[TITLE] == CARD for layer in layers):  # one of their own says more
            card = store.put_blob(repository, canonical(croissant(name, number, created, layers, facts)), CARD_TYPE)
            layers = [*layers, Descriptor(CARD_TYPE, card.digest, card.size, {TITLE: CARD})]
        manifest = push_artifact(
            store, repository, DATASET, dict(facts), layers, config_type=DATASET_CONFIG, tags=[tag, "latest"], annotations=notes
        )
    return tag, manifest.descriptor.digest


def _known_sizes(store: Store, repository: str) -> frozenset[int] | None:
    """Sizes of the newest version's files: a file of another size is not among them. None where they cannot be told."""
    with suppress(Corrupt):
        try:
            return frozenset(layer.size for layer in layers_of(store.get_manifest(repository, "latest")))
        except NotFound:
            return frozenset()
    return None


def _by_key(store: Store, repository: str, key: str) -> tuple[str, str] | None:
    for tag in store.tags(repository):
        if version_number(tag) is not None:
            manifest = store.get_manifest(repository, tag)
            if manifest.descriptor.annotations.get(KEY) == key:
                return tag, manifest.descriptor.digest
    return None
