"""Registered models: their versions as people see them, read from the index that ``oci/modelpack.py`` publishes.

Everything is read again from tags and manifests, so that a copied folder or a registry filled by others shows the same. A
version is its digest; ``v<N>`` is the name it got, and never means another one, not even after it was deleted. Aliases
(``champion``, ``staging``, …) move, and each move leaves an event with who, when, from and to.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Conflict, Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import layers_of
from jupyter_mlops.oci.canonical import parse_object
from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.modelpack import BYTES, CREATED, FORMAT, METRIC, SIGNATURE, layer_path, model_repository, version_number
from jupyter_mlops.oci.names import ANNOTATION, MODELPACK_MANIFEST
from jupyter_mlops.oci.parallel import each, lanes
from jupyter_mlops.oci.progress import Progress, opened_all
from jupyter_mlops.oci.reference import TAG_RULE, is_tag
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.oci.tar import extract_all, read_member
from jupyter_mlops.registry.base import Registry
from jupyter_mlops.registry.catalogue import Catalogue, Kind, Listed, index_of
from jupyter_mlops.registry.events import deletion, history, movement
from jupyter_mlops.registry.index import Index
from jupyter_mlops.registry.layout import registry_of
from jupyter_mlops.registry.reading import AT_ONCE, Reader
from jupyter_mlops.registry.suggest import listing, suggestion
from jupyter_mlops.registry.times import seconds

CARD = "models/mlops.json"
CARD_LIMIT = 16 << 20
"""Bytes of the card at most: it holds a signature and a few sample rows."""

LATEST = "latest"
_HIDDEN = ("_", "sha256-")
_KEPT = ("metrics", "created", "bytes", "format", "run", "inputs", "outputs")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version. ``tag`` is ``v<N>``, ``digest`` that of the index, ``bytes`` the size of its layers."""

    name: str
    tag: str
    digest: str
    aliases: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    created: float = 0.0
    bytes: int = 0
    format: str = ""
    run: str | None = None
    inputs: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    """``models/mlops.json``; empty when the version has none, and in a list, which is made without it."""

    @property
    def reference(self) -> str:
        """What a deployment names: ``models/<name>@sha256:…``."""
        return f"models/{self.name}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its versions, newest first."""

    name: str
    versions: tuple[ModelVersion, ...]


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What a list shows of a model: the number of its versions, the newest, and which version each alias names."""

    name: str
    versions: int
    newest: ModelVersion
    aliases: Mapping[str, str]


class Models:
    """The models of a store."""

    def __init__(self, store: Store, registry: Registry | None = None, index: Index | None = None) -> None:
        """Read models from a store; ``registry`` and ``index`` are found by the kind of store when they are not given."""
        self._store = store
        self._registry = registry or registry_of(store)
        self._cards: dict[str, Mapping[str, Any]] = {}
        self._reader = Reader(store, lambda tag: version_number(tag) is not None)
        kind = Kind(lambda tag: not _is_hidden(tag), self._facts, _summary)
        self._catalogue = Catalogue(store, self._reader, index or index_of(store), kind)

    # -- reading -------------------------------------------------------------------------------------------------------------

    def list(self, names: Sequence[str] | None = None) -> Sequence[Model]:
        """Models that have a version, all or those of ``names``; without the cards, where the versions say what a list shows."""
        names = self._names() if names is None else names
        found = each(lambda name: self._versions(name, remembered=True), names, AT_ONCE if self._reader.remote else 1)
        return [Model(name, versions) for name, versions in zip(names, found, strict=True) if versions]

    def summaries(self) -> Sequence[ModelSummary]:
        """What a list of many models shows of each, by name: without reading those where nothing changed."""
        found = self._catalogue.summaries([model_repository(name) for name in self._names()], "models/")
        return [_summarised(repository.partition("/")[2], head) for repository, head in found.items() if head["versions"]]

    def get(self, name: str) -> Model:
        """One model.

        Raises:
            NotFound: the fix names similar ones.
        """
        versions = self._versions(name)
        if not versions:
            raise NotFound(
                f"no model named {name!r}", code="model-not-found", fix=suggestion(name, [m.name for m in self.list()], "model")
            )
        return Model(name, versions)

    def find(self, reference: str) -> ModelVersion:
        """The version that ``NAME``, ``NAME:TAG`` or ``NAME@DIGEST`` names; without a tag the newest.

        Raises:
            WrongUsage: code ``invalid-name``.
            NotFound: the fix lists what there is.
            Corrupt: it is there, but damaged.
        """
        name, _, digest = reference.removeprefix("models/").partition("@")
        name, _, tag = name.partition(":")
        model = self.get(name)
        if not (tag or digest):
            return self._whole(model.versions[0])
        for version in model.versions:
            if version.digest == digest if digest else tag == version.tag or tag in version.aliases:
                return self._whole(version)
        known = [name for version in model.versions for name in (version.tag, *version.aliases)]
        if tag in self._store.tags(model_repository(name)):
            self._store.get_manifest(model_repository(name), tag)  # says what is wrong with it
        raise NotFound(
            f"model {name} has no version {digest or tag!r}",
            code="version-not-found",
            fix=listing([version.digest for version in model.versions]) if digest else suggestion(tag, known, "version"),
        )

    def card(self, version: ModelVersion) -> Mapping[str, Any]:
        """``models/mlops.json`` of a version; nothing else is unpacked.

        Raises:
            NotFound: it has none.
            Corrupt: it is damaged.
        """
        repository = model_repository(version.name)
        if version.digest not in self._cards:
            image = self._image(self._reader.get(repository, version.digest), repository)
            for layer in reversed(layers_of(image)):
                with self._store.open_blob(repository, layer.digest) as stream:
                    data = read_member(stream, CARD, CARD_LIMIT)
                if data is not None:
                    self._cards[version.digest] = parse_object(data, f"{CARD} of {version.reference}")
                    break
            else:
                raise NotFound(f"{version.reference} has no {CARD}", code="no-card", fix="Register it again with log_model.")
        return self._cards[version.digest]

    def extract(self, version: ModelVersion, folder: Path, progress: Progress | None = None) -> None:
        """Unpack ``models/…`` into a folder, which appears whole and verified, or not at all; ``progress`` is told of its layers.

        Raises:
            Corrupt: a layer is damaged, or holds what may not be unpacked.
            WrongUsage: code ``folder-exists``.
        """
        repository = model_repository(version.name)
        image = self._image(self._reader.get(repository, version.digest), repository)
        streams = opened_all(self._store, repository, layers_of(image), progress)
        extract_all(streams, folder, below="models/", at_once=lanes(self._store))

    def files(self, version: ModelVersion) -> Mapping[str, str]:
        """Path → digest of the layers, as the ModelPack manifest names them; empty if others published it without one.

        ``models/model.joblib`` is such a path, and ``models/config.tar`` for the card with what else is small.
        """
        repository = model_repository(version.name)
        children = children_of(self._reader.get(repository, version.digest).document)
        packs = [self._reader.get(repository, child.digest) for child in children if child.artifact_type == MODELPACK_MANIFEST]
        return {layer_path(layer.annotations): layer.digest for pack in packs for layer in layers_of(pack)}

    def history(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Who moved an alias or deleted a version, when and why, oldest first; of a model that is gone, its deletions."""
        return history(self._store, model_repository(name), [version.digest for version in self._versions(name)])

    # -- changing ------------------------------------------------------------------------------------------------------------

    def set_alias(self, name: str, alias: str, tag: str, *, reason: str = "") -> ModelVersion:
        """Let an alias name a version; the move and its reason are recorded. Returns the version.

        Raises:
            WrongUsage: code ``invalid-alias``: it looks like a version, is ``latest``, or cannot be a tag.
            NotFound: no such model or version.
        """
        if not is_tag(alias) or version_number(alias) is not None or alias == LATEST or _is_hidden(alias):
            raise WrongUsage(
                f"{alias!r} cannot be an alias",
                code="invalid-alias",
                fix=f"Choose a name such as champion; latest and v1, v2, … are given by publishing. {TAG_RULE}",
            )
        version = self.find(f"{name}:{tag}")
        repository = model_repository(name)
        before = next((each.tag for each in self._versions(name) if alias in each.aliases), None)
        if before != version.tag:
            subject = self._store.get_manifest(repository, version.digest).descriptor
            movement(self._store, repository, subject, alias=alias, before=before, after=version.tag, reason=reason)
            self._registry.point(repository, alias, version.digest)
        return self.find(f"{name}:{alias}")

    def remove_alias(self, name: str, alias: str, *, reason: str = "") -> None:
        """Take an alias away; that is recorded with the version it named, and why.

        Raises:
            NotFound: no such model or alias.
            WrongUsage: code ``invalid-alias``: it is ``latest`` or a version.
        """
        version = self.find(f"{name}:{alias}")
        if alias == LATEST or alias not in version.aliases:
            raise WrongUsage(f"{alias!r} is not an alias that can be removed", code="invalid-alias", fix="Versions can be deleted.")
        repository = model_repository(name)
        subject = self._store.get_manifest(repository, version.digest).descriptor
        movement(self._store, repository, subject, alias=alias, before=version.tag, after=None, reason=reason)
        self._registry.delete(repository, alias)

    def delete(self, name: str, tag: str, *, reason: str = "") -> None:
        """Delete a version and free what only it needs. Its number is not used again; ``latest`` moves to the newest left.

        ``reason`` is recorded.

        Raises:
            NotFound: no such model or version.
            Conflict: an alias other than ``latest`` points to it.
        """
        version = self.find(f"{name}:{tag}")
        named = [alias for alias in version.aliases if alias != LATEST]
        if named:
            raise Conflict(
                f"{name}:{version.tag} is {', '.join(named)}",
                code="version-in-use",
                fix=f"Let the alias name another version first: jupyter mlops models alias {name} TAG {named[0]}",
            )
        repository = model_repository(name)
        with self._registry.exclusive(repository):
            deletion(self._store, repository, tag=version.tag, digest=version.digest, reason=reason)
            pack = [other for other in self._store.tags(repository) if other == f"{version.tag}.modelpack"]
            self._registry.delete(repository, version.digest, *pack)
            self._reader.forget(repository)
            left = self._versions(name)
            if left and LATEST in version.aliases:
                self._registry.point(repository, LATEST, left[0].digest)
        self._registry.collect(repository)

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _names(self) -> Sequence[str]:
        names = [repository.partition("/")[2] for repository in self._registry.repositories("models/")]
        return [name for name in names if "/" not in name]

    def _versions(self, name: str, *, remembered: bool = False) -> tuple[ModelVersion, ...]:
        """All versions, newest first. A damaged one is left out here, and named by ``find``."""
        listed = self._catalogue.read(model_repository(name), remembered=remembered)
        aliases = _aliases(listed)
        return tuple(
            _from_facts(name, tag, listed.tags[tag], aliases.get(listed.tags[tag], ()), listed.facts[listed.tags[tag]])
            for tag in _newest_first(listed)
        )

    def _facts(self, repository: str, index: Manifest) -> Mapping[str, Any]:
        """What the manifest and the card say, as JSON."""
        notes = index.descriptor.annotations
        numbers = {key[len(METRIC) :]: _number(text) for key, text in notes.items() if key.startswith(METRIC)}
        version = ModelVersion(
            name=repository.partition("/")[2],
            tag="",
            digest=index.descriptor.digest,
            metrics={metric: number for metric, number in numbers.items() if number is not None},
            created=seconds(notes.get(CREATED, "")),
            format=notes.get(FORMAT, ""),
            run=notes.get(ANNOTATION + "run"),
        )
        size, signature = notes.get(BYTES, ""), _object(notes.get(SIGNATURE, ""))
        if size.isdecimal() and signature is not None:
            version = replace(version, bytes=int(size), **_tensors(signature))
        else:
            version = self._whole(version, index)
        return {key: getattr(version, key) for key in _KEPT}

    def _whole(self, version: ModelVersion, index: Manifest | None = None) -> ModelVersion:
        """With the card, and what only the layers and it tell of one that other tools published."""
        repository = model_repository(version.name)
        try:
            if index is not None:
                version = replace(version, bytes=sum(layer.size for layer in layers_of(self._image(index, repository))))
            card = self.card(version)
        except (Corrupt, NotFound, WrongUsage) as error:
            _LOG.warning("%s cannot be read whole: %s", version.reference, error)
            return version
        return replace(
            version, format=version.format or str(card.get("format", "")), card=card, **_tensors(card.get("signature") or {})
        )

    def _image(self, index: Manifest, repository: str) -> Manifest:
        """A manifest of the index whose layers are the model: any image will do, since all share them."""
        for child in children_of(index.document):
            if (child.platform or {}).get("os") == "linux":
                return self._reader.get(repository, child.digest)
        raise Corrupt(
            f"{index.descriptor.digest} in {repository} holds no image for linux", code="not-a-model", fix="Register it again."
        )


def _newest_first(listed: Listed) -> list[str]:
    """The tags that are versions."""
    numbers = [(number, tag) for tag in listed.tags if (number := version_number(tag)) is not None]
    return [tag for _, tag in sorted(numbers, reverse=True)]


def _aliases(listed: Listed) -> dict[str, list[str]]:
    """Digest → the aliases that name it."""
    found: dict[str, list[str]] = {}
    for tag in sorted(listed.tags):
        if version_number(tag) is None:
            found.setdefault(listed.tags[tag], []).append(tag)
    return found


def _summary(listed: Listed) -> Mapping[str, Any]:
    """The short form of a model: its newest version whole, of the others their number and the aliases."""
    tags, aliases = _newest_first(listed), _aliases(listed)
    named = {alias: tag for tag in tags for alias in aliases.get(listed.tags[tag], ())}
    newest = {"tag": tags[0], "digest": listed.tags[tags[0]], "facts": listed.facts[listed.tags[tags[0]]]} if tags else {}
    return {"versions": len(tags), "aliases": named, "newest": newest}


def _summarised(name: str, head: Mapping[str, Any]) -> ModelSummary:
    newest, named = head["newest"], head["aliases"]
    aliases = [alias for alias, tag in named.items() if tag == newest["tag"]]
    return ModelSummary(name, head["versions"], _from_facts(name, newest["tag"], newest["digest"], aliases, newest["facts"]), named)


def _from_facts(name: str, tag: str, digest: str, aliases: Sequence[str], facts: Mapping[str, Any]) -> ModelVersion:
    tensors = {key: tuple(facts[key]) for key in ("inputs", "outputs")}
    return ModelVersion(name=name, tag=tag, digest=digest, aliases=tuple(aliases), **{**facts, **tensors})


def to_json(value: Model | ModelVersion) -> dict[str, Any]:
    """As REST and ``--json`` show it. Metrics that JSON cannot say (NaN, infinity) are left out."""
    if isinstance(value, Model):
        return {"name": value.name, "versions": [to_json(version) for version in value.versions]}
    return {
        "tag": value.tag,
        "digest": value.digest,
        "aliases": list(value.aliases),
        "metrics": {name: number for name, number in value.metrics.items() if math.isfinite(number)},
        "created": value.created,
        "bytes": value.bytes,
        "format": value.format,
        "run": value.run,
        "inputs": [dict(tensor) for tensor in value.inputs],
        "outputs": [dict(tensor) for tensor in value.outputs],
    }


def _is_hidden(tag: str) -> bool:
    """Tags that are there for other tools and for the collector."""
    return tag.startswith(_HIDDEN) or tag.endswith(".modelpack") or ".linux-" in tag


def _tensors(signature: Mapping[str, Any]) -> dict[str, Any]:
    return {"inputs": tuple(signature.get("inputs") or ()), "outputs": tuple(signature.get("outputs") or ())}


def _object(text: str) -> Mapping[str, Any] | None:
    """The JSON object that a text is, or None."""
    try:
        return parse_object(text.encode(), "an annotation")
    except Corrupt:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
