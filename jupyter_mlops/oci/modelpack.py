"""A model version as an OCI index that everybody can read.

One index holds a linux/amd64 image and a linux/arm64 image (containers mount these, KServe fetches them) and a ModelPack
manifest (kit, modctl and Docker read that one, by the tag ``v<N>.modelpack``); all three share the very same uncompressed
layers, whose members are named ``models/…``. The images hold no shell: they are for image volumes and for fetching.

No two publishers get the same number (``numbering.py``). On a registry every manifest has a tag of its own
(``v<N>.linux-amd64``, …): collectors of some registries delete what only an index points to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from jupyter_mlops.errors import Corrupt, MlopsError, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import artifact_document, layers_of, push_artifact
from jupyter_mlops.oci.canonical import canonical, parse_object
from jupyter_mlops.oci.descriptor import manifest_of, to_dict
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.names import (
    ANNOTATION,
    METRICS,
    MODEL,
    MODELPACK_CONFIG,
    MODELPACK_MANIFEST,
    MODELPACK_WEIGHT,
    MODELPACK_WEIGHT_CONFIG,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
)
from jupyter_mlops.oci.numbering import Exclusive, next_number
from jupyter_mlops.oci.parallel import put_blobs
from jupyter_mlops.oci.progress import Progress, told
from jupyter_mlops.oci.reference import NAME_RULE, check_repository
from jupyter_mlops.oci.store import Descriptor, Manifest, Store
from jupyter_mlops.oci.tar import Archive, files_below

WEIGHT = 8 << 20
"""Bytes from which a file gets a layer of its own, so that a version that changes another file does not store it again."""

MAX_LAYERS = 100
"""Container runtimes take 127; what is beyond shares the last layer."""

TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"
FILEPATH = "org.cncf.model.filepath"
KEY = ANNOTATION + "key"
METRIC = ANNOTATION + "metric."
FORMAT = ANNOTATION + "format"
BYTES = ANNOTATION + "bytes"
SIGNATURE = ANNOTATION + "signature"

SIGNATURE_LIMIT = 16 << 10
"""Characters of a signature in an annotation: one of thousands of columns stays in the card alone."""

_LOOKS = 20
_VERSION_TAG = re.compile(r"v([1-9][0-9]*)")


@dataclass(frozen=True)
class PublishedModel:
    """What a publication made: ``tag`` is ``v<N>``, ``digest`` that of the index."""

    name: str
    tag: str
    digest: str


@dataclass(frozen=True)
class _Layer:
    """A layer and which files are in it."""

    kind: str
    descriptor: Descriptor
    names: tuple[str, ...]


def model_repository(name: str) -> str:
    """``models/<name>``. Raises WrongUsage, code ``invalid-name``, with the rule."""
    try:
        if "/" in name:
            raise WrongUsage(f"{name!r} is not a valid model name", code="invalid-name", fix=NAME_RULE)  # noqa: TRY301
        return check_repository(f"models/{name}")
    except WrongUsage as error:
        raise WrongUsage(f"{name!r} is not a valid model name", code="invalid-name", fix=_name_fix(name)) from error


def publish_model(
    store: Store,
    name: str,
    folder: Path,
    *,
    key: str,
    annotations: Mapping[str, str],
    metrics: Mapping[str, float],
    making: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> PublishedModel:
    """Publish the files of a folder as the next version of a model.

    Args:
        store: where to.
        name: the model; the repository is ``models/<name>``.
        folder: its files become ``models/<file>``.
        key: ``<run>/<step>/<call>``. A second publication with the same key returns the first one's version.
        annotations: of the index; a key without a dot (``format``, ``run``, ``step``, ``pipeline``) is one of ours.
        metrics: repeated as annotations, and pushed as a referrer.
        making: called with the digest of what is published, before it is; not where a version of that key is there already,
            which somebody else may have put there.
        progress: told of its layers while they are stored.

    Raises:
        WrongUsage: code ``invalid-name`` or ``invalid-folder``.
        StorageFull, PlatformError: the store cannot be written.
    """
    repository = model_repository(name)
    before = store.tags(repository)
    found = _by_key(store, repository, key, before)
    if found is None:
        layers = _push_layers(store, repository, folder, _known_sizes(store, repository, before), progress)
        notes = {**_annotations(name, key, annotations, metrics), **_shown(folder, layers)}
        with next_number(store, repository) as number:
            since = set(store.tags(repository)).difference(before)
            found = _by_key(store, repository, key, since) or _publish(store, repository, layers, notes, number, making)
    tag, index = found
    _ensure_metrics(store, repository, index, metrics)
    return PublishedModel(name, tag, index.descriptor.digest)


def version_number(tag: str) -> int | None:
    """N of ``v<N>``; None for any other tag."""
    match = _VERSION_TAG.fullmatch(tag)
    return int(match[1]) if match else None


def deleted_tag(tag: str) -> str:
    """The hidden tag that keeps the number of a deleted version from being used again."""
    return f"_deleted.{tag}"


def _publish(
    store: Store,
    repository: str,
    layers: Sequence[_Layer],
    notes: Mapping[str, str],
    number: int,
    making: Callable[[str], None],
) -> tuple[str, Manifest]:
    """Push the index under the number that is ours, and what it points to first."""
    tag, notes = f"v{number}", {**notes, VERSION: str(number)}
    remote = not isinstance(store, Exclusive)
    images = [
        _push_image(store, repository, architecture, layers, [f"{tag}.linux-{architecture}"] if remote else [])
        for architecture in ("amd64", "arm64")
    ]
    pack = _push_modelpack(store, repository, layers, notes, f"{tag}.modelpack")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "artifactType": MODEL,
        "manifests": [to_dict(child) for child in (*images, pack)],
        "annotations": notes,
    }
    making(manifest_of(canonical(document), None, "the index").descriptor.digest)
    if not remote:
        return tag, store.put_manifest(repository, document, tags=[tag, "latest"])
    index = store.put_manifest(repository, document, tags=[key_tag(notes[KEY]), tag])
    _point_latest(store, repository)
    return tag, index


def _point_latest(store: Store, repository: str) -> None:
    """Let ``latest`` name the newest version, and look again: who published a newer one meanwhile may have been faster."""
    pointed = 0
    for _ in range(_LOOKS):
        newest = max((version_number(tag) or 0 for tag in store.tags(repository)), default=0)
        if newest == pointed:
            return
        with suppress(NotFound):  # deleted this moment
            store.put_manifest(repository, store.get_manifest(repository, f"v{newest}").document, tags=["latest"])
        pointed = newest


def key_tag(key: str) -> str:
    """The hidden tag by which a registry tells whether something was published: without it every version would be read."""
    return f"_key.{digest_of(key.encode())[7:39]}"


def _by_key(store: Store, repository: str, key: str, tags: Iterable[str]) -> tuple[str, Manifest] | None:
    """Which of these versions was published with this key."""
    if not isinstance(store, Exclusive):
        tags = [tag for tag in tags if tag == key_tag(key)]
    else:
        tags = [tag for tag in tags if version_number(tag) is not None]
    for tag in tags:
        index = store.get_manifest(repository, tag)
        notes = index.descriptor.annotations
        if notes.get(KEY) == key:
            return f"v{notes[VERSION]}", index
    return None


def _known_sizes(store: Store, repository: str, tags: Iterable[str]) -> frozenset[int] | None:
    """Sizes of the newest version's layers: a layer of another size is not among them. None where they cannot be told."""
    numbers = [number for tag in tags if (number := version_number(tag)) is not None]
    if isinstance(store, Exclusive) or not numbers:
        return frozenset()
    with suppress(MlopsError):  # deleted this moment, or damaged
        pack = store.get_manifest(repository, f"v{max(numbers)}.modelpack")
        return frozenset(layer.size for layer in layers_of(pack))
    return None


def _push_layers(
    store: Store, repository: str, folder: Path, known: frozenset[int] | None, progress: Progress | None
) -> list[_Layer]:
    """Large files one by one, then the small ones of each kind together, those that describe the model last."""
    files = files_below(folder)
    large = [name for name, path in files.items() if path.stat().st_size >= WEIGHT][: MAX_LAYERS - 2]
    rest = [name for name in files if name not in set(large)]
    groups = [
        *((MODELPACK_WEIGHT, (name,)) for name in large),
        (MODELPACK_WEIGHT, tuple(name for name in rest if not _describes(name))),
        (MODELPACK_WEIGHT_CONFIG, tuple(name for name in rest if _describes(name))),
    ]
    groups = [(kind, names) for kind, names in groups if names]
    tars = (Archive({name: files[name] for name in names}, prefix="models/") for _, names in groups)
    archives = [(told(tar, str(number), progress), OCI_LAYER) for number, tar in enumerate(tars)]
    pushed = put_blobs(store, repository, archives, known)
    return [_Layer(kind, layer, names) for (kind, names), layer in zip(groups, pushed, strict=True)]


def _describes(name: str) -> bool:
    """Whether a file tells about the model: such files have a layer of their own, so that listings need not read weights."""
    return PurePosixPath(name).suffix in {".json", ".md", ".txt", ".yaml", ".yml", ".toml"} or PurePosixPath(name).name == "MLmodel"


def _push_image(store: Store, repository: str, architecture: str, layers: Sequence[_Layer], tags: Sequence[str]) -> Descriptor:
    """An image for a platform: nothing but the model, and nothing that runs. Its time is fixed: equal layers, equal image."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"User": "1010:0", "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer.descriptor.digest for layer in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": f"models/{layer.names[0]}"} for layer in layers],
    }
    described = store.put_blob(repository, canonical(config), OCI_CONFIG)
    manifest = store.put_manifest(repository, artifact_document(None, described, [layer.descriptor for layer in layers]), tags=tags)
    platform = {"os": "linux", "architecture": architecture}
    return Descriptor(manifest.descriptor.media_type, manifest.descriptor.digest, manifest.descriptor.size, platform=platform)


def _push_modelpack(store: Store, repository: str, layers: Sequence[_Layer], notes: Mapping[str, str], tag: str) -> Descriptor:
    """The same layers as the CNCF model-spec describes them. Its config takes no keys of ours."""
    config = {
        "descriptor": {"name": notes[TITLE], "version": notes[VERSION], "createdAt": notes[CREATED]},
        "config": {"format": notes[FORMAT]} if FORMAT in notes else {},
        "modelfs": {"type": "layers", "diffIds": [layer.descriptor.digest for layer in layers]},
    }
    described = store.put_blob(repository, canonical(config), MODELPACK_CONFIG)
    parts = [_model_layer(layer) for layer in layers]
    manifest = store.put_manifest(repository, artifact_document(MODELPACK_MANIFEST, described, parts), tags=[tag])
    return Descriptor(
        manifest.descriptor.media_type,
        manifest.descriptor.digest,
        manifest.descriptor.size,
        artifact_type=MODELPACK_MANIFEST,
        platform={"os": "unknown", "architecture": "unknown"},
    )


def _model_layer(layer: _Layer) -> Descriptor:
    """A layer in the ModelPack; ``title`` is the file that ``oras pull`` writes."""
    one = layer.names[0] if len(layer.names) == 1 else None
    title = one.replace("/", "_") if one else "weights" if layer.kind == MODELPACK_WEIGHT else "config"
    notes = {FILEPATH: f"models/{one}" if one else "models", TITLE: f"{title}.tar"}
    return Descriptor(layer.kind, layer.descriptor.digest, layer.descriptor.size, notes)


def layer_path(notes: Mapping[str, str]) -> str:
    """What a layer of the ModelPack holds, by its annotations; one of several files is named by its title, not the folder."""
    path = notes.get(FILEPATH, "models")
    return path if path != "models" else f"models/{notes.get(TITLE, '')}"


def _ensure_metrics(store: Store, repository: str, index: Manifest, metrics: Mapping[str, float]) -> None:
    """Push the metrics as a referrer, unless an earlier attempt did."""
    if metrics and not store.referrers(repository, index.descriptor.digest, METRICS):
        values = [{"name": name, "value": _number(value)} for name, value in sorted(metrics.items())]
        push_artifact(
            store,
            repository,
            METRICS,
            {"version": 1, "metrics": values},
            subject=index.descriptor,
            annotations={METRIC + name: str(_number(value)) for name, value in sorted(metrics.items())},
        )


def _shown(folder: Path, layers: Sequence[_Layer]) -> dict[str, str]:
    """What a list shows of a model besides, so that it is made without reading layers: size, inputs and outputs."""
    found = {BYTES: str(sum(layer.descriptor.size for layer in layers))}
    try:
        card = parse_object((folder / "mlops.json").read_bytes(), "the card")
        said = card.get("signature") or {}
        signature = canonical({side: said[side] for side in ("inputs", "outputs") if said.get(side)}).decode()
    except (OSError, Corrupt, AttributeError, TypeError):
        return found
    return {**found, SIGNATURE: signature} if len(signature) <= SIGNATURE_LIMIT else found


def _number(value: float) -> float | str:
    """JSON has no NaN and no infinity: they are written as text."""
    number = float(value)
    return number if abs(number) < float("inf") else str(number)


def _annotations(name: str, key: str, given: Mapping[str, str], metrics: Mapping[str, float]) -> dict[str, str]:
    created = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ours = {short if "." in short else ANNOTATION + short: str(value) for short, value in given.items() if value is not None}
    return {
        **ours,
        **{METRIC + each: str(_number(value)) for each, value in metrics.items()},
        TITLE: name,
        CREATED: created,
        KEY: key,
    }


def _name_fix(name: str) -> str:
    """The rule, and a name that follows it."""
    better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:100]
    return f"{NAME_RULE} For example: {better}" if better else NAME_RULE
