"""What made a version: an in-toto Statement with a SLSA provenance predicate, as a referrer of each model and dataset.

It is made from what a finished run left in the registry (record, Workflow, bundle, reports of the steps), on every engine in the
same way, so that ``registry reindex`` can make it again for a run whose end nobody saw. Forms:
https://in-toto.io/Statement/v1 and https://slsa.dev/provenance/v1. See docs/decisions/0030-lineage-from-what-runs-leave.md.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import layers_of, push_artifact, read_config
from jupyter_mlops.oci.names import ANNOTATION, BUNDLE_CODE, BUNDLE_DATA, LABEL
from jupyter_mlops.oci.store import Store
from jupyter_mlops.oci.tar import read_member

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
MEDIA_TYPE = "application/vnd.in-toto+json"
PREDICATE_NOTE = "in-toto.io/predicate-type"
BUILD = f"https://{LABEL}notebook-pipeline/v1"
"""How the parameters below are to be read."""

NOTEBOOK, LIMIT = "notebook.ipynb", 64 << 20
"""The notebook in a bundle, and its bytes at most."""

_ROOMS = {"model": "models/", "dataset": "datasets/"}


@dataclass(frozen=True, slots=True)
class Thing:
    """A version of a model or dataset: ``repository`` is ``models/…`` or ``datasets/…``."""

    repository: str
    tag: str
    digest: str

    @property
    def uri(self) -> str:
        """As a statement names it."""
        return f"oci:{self.repository}:{self.tag}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Made:
    """A run as a maker. Times are seconds since the epoch."""

    pipeline: str
    run: str
    notebook: str = ""
    source_digest: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""
    dirty: bool = False
    images: Mapping[str, str] = field(default_factory=dict)
    """Template → image."""

    materials: Sequence[Mapping[str, Any]] = ()
    """Resource descriptors of notebook, code and data files."""

    inputs: Sequence[Thing] = ()
    """What the run loaded."""

    outputs: Sequence[Thing] = ()
    known: Mapping[Thing, Sequence[Thing]] = field(default_factory=dict)
    """Output → what had been loaded when its step ended; of others it is all inputs."""

    record: str = ""
    """Digest of the run's record."""

    engine: str = "local"
    started: float | None = None
    finished: float | None = None


def statement(subject: Thing, made: Made) -> dict[str, Any]:
    """The statement about one output; the same for the same run."""
    dependencies = [
        *made.materials,
        *([_commit(made)] if made.commit else []),
        *(_image(step, image) for step, image in sorted(made.images.items())),
        *(_resource(thing) for thing in sorted(made.known.get(subject, made.inputs), key=lambda one: one.uri) if thing != subject),
    ]
    siblings = sorted((one for one in made.outputs if one != subject), key=lambda one: one.uri)
    record = f"oci:runs/{made.pipeline}:run-{made.run}"
    times = {"startedOn": _time(made.started), "finishedOn": _time(made.finished)}
    return {
        "_type": STATEMENT,
        "subject": [{"name": f"{subject.repository}:{subject.tag}", "digest": _digest(subject.digest)}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "notebook": made.notebook,
                    "sourceDigest": made.source_digest,
                    "parameters": dict(made.parameters),
                },
                "internalParameters": {"pipeline": made.pipeline},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": f"https://{LABEL}engine/{made.engine}"},
                "metadata": {"invocationId": made.run, **{key: time for key, time in times.items() if time}},
                "byproducts": [
                    {"name": "run", "uri": record, "digest": _digest(made.record)},
                    *(_resource(one) for one in siblings),
                ],
            },
        },
    }


def record_lineage(store: Store, made: Made) -> int:
    """Write the statement about each output that has none of this run yet; gives how many.

    Only versions that this run published: one that a resumed run took over was made by the earlier one.

    Raises:
        StorageFull, PlatformError: the store cannot be written.
    """
    written = 0
    for thing in made.outputs:
        with suppress(NotFound, Corrupt, WrongUsage):  # deleted meanwhile, or damaged: then there is nothing to tell of
            subject = store.get_manifest(thing.repository, thing.digest).descriptor
            if subject.annotations.get(ANNOTATION + "run") != made.run or _is_told(store, thing, made.run):
                continue
            notes = {PREDICATE_NOTE: PREDICATE, ANNOTATION + "run": made.run}
            push_artifact(store, thing.repository, MEDIA_TYPE, statement(thing, made), subject=subject, annotations=notes)
            written += 1
    return written


def made_by(store: Store, pipeline: str, run: str, record: Mapping[str, Any], workflow: Mapping[str, Any], digest: str) -> Made:
    """What a finished run's record, Workflow, bundle and reports tell.

    Raises:
        Unavailable and other errors of a store that does not answer.
    """
    reports = list(_reports(store, pipeline, run))
    notes = (workflow.get("metadata") or {}).get("annotations") or {}
    local = _arguments(workflow).get("mlops-registry", "file:").startswith("file:")
    outputs = {thing for report in (*reports, record) for thing in _outputs(report)}
    inputs = {thing for report in reports for thing in _inputs(report)}
    known = {thing: _loaded_by(thing, report, reports) for report in reports for thing in _outputs(report)}
    return Made(
        pipeline=pipeline,
        run=run,
        notebook=str(notes.get(f"{LABEL}notebook") or ""),
        source_digest=str(record.get("source_digest") or ""),
        parameters=dict(record.get("parameters") or {}),
        commit=str(notes.get(f"{LABEL}git-commit") or ""),
        dirty=notes.get(f"{LABEL}git-dirty") == "true",
        images=_images(workflow, local=local),
        materials=_materials(store, workflow),
        inputs=tuple(sorted(inputs, key=lambda one: one.uri)),
        outputs=tuple(sorted(outputs, key=lambda one: one.uri)),
        known=known,
        record=digest,
        engine="local" if local else "argo",
        started=record.get("started"),
        finished=record.get("finished"),
    )


def _outputs(report: Mapping[str, Any]) -> set[Thing]:
    """The models and datasets that a report, or a record, names."""
    named = ((kind, one) for kind in _ROOMS for one in report.get(f"{kind}s") or () if one.get("digest"))
    return {Thing(_ROOMS[kind] + str(one["name"]), str(one["tag"]), str(one["digest"])) for kind, one in named}


def _inputs(report: Mapping[str, Any]) -> set[Thing]:
    """What a step loaded; what it had not published yet when it failed has no digest."""
    return _named(report.get("used") or ())


def _named(used: Iterable[Mapping[str, Any]]) -> set[Thing]:
    named = (one for one in used if one.get("kind") in _ROOMS and one.get("digest"))
    return {Thing(_ROOMS[str(one["kind"])] + str(one["name"]), str(one["tag"]), str(one["digest"])) for one in named}


def _loaded_by(made: Thing, report: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]) -> tuple[Thing, ...]:
    """What had been loaded when a step made something: by it until then, and by those that started before it."""
    began = str(report.get("started") or "")
    earlier = [one for one in reports if one is not report and str(one.get("started") or "") < began]
    used: Sequence[Mapping[str, Any]] = report.get("used") or ()
    own = _named(used[: (report.get("known") or {}).get(made.digest, len(used))])
    return tuple(sorted({thing for one in earlier for thing in _inputs(one)} | own, key=lambda one: one.uri))


def _is_told(store: Store, thing: Thing, run: str) -> bool:
    told = store.referrers(thing.repository, thing.digest, MEDIA_TYPE)
    return any(one.annotations.get(ANNOTATION + "run") == run for one in told)


def _reports(store: Store, pipeline: str, run: str) -> Iterator[Mapping[str, Any]]:
    """The reports of a run's steps, as far as they can be read."""
    repository, prefix = f"runs/{pipeline}", f"report.{run}."
    for tag in store.tags(repository):
        if tag.startswith(prefix):
            with suppress(NotFound, Corrupt, WrongUsage):
                yield read_config(store, repository, store.get_manifest(repository, tag))


def _images(workflow: Mapping[str, Any], *, local: bool) -> dict[str, str]:
    """Template → image of its container; none on this machine, where steps are processes."""
    templates = () if local else (workflow.get("spec") or {}).get("templates") or ()
    given = {f"{{{{workflow.parameters.{name}}}}}": value for name, value in _arguments(workflow).items()}
    images = {str(one.get("name")): str((one.get("container") or {}).get("image") or "") for one in templates}
    found = {name: given.get(image, image) for name, image in images.items()}
    return {name: image for name, image in found.items() if image}


def _arguments(workflow: Mapping[str, Any]) -> dict[str, str]:
    """The Workflow's own parameters."""
    listed: Sequence[Any] = ((workflow.get("spec") or {}).get("arguments") or {}).get("parameters") or ()
    return {str(one.get("name")): str(one.get("value") or "") for one in listed}


def _materials(store: Store, workflow: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Notebook, code and data files, by the digests that the bundle holds them under."""
    bundle = _arguments(workflow).get("mlops-bundle", "")
    repository, _, digest = bundle.partition("@")
    if not digest:
        return []
    found: list[Mapping[str, Any]] = [{"name": "bundle", "uri": f"oci:{bundle}", "digest": _digest(digest)}]
    with suppress(NotFound, Corrupt, WrongUsage, OSError, EOFError):
        for layer in layers_of(store.get_manifest(repository, digest)):
            if layer.media_type == BUNDLE_DATA:
                found.append({"name": "files", "uri": f"oci:{repository}@{layer.digest}", "digest": _digest(layer.digest)})
            elif layer.media_type == BUNDLE_CODE:
                with store.open_blob(repository, layer.digest) as stream, gzip.open(stream) as plain:
                    data = read_member(plain, NOTEBOOK, LIMIT)  # type: ignore[arg-type]  # reads like one
                if data is not None:
                    hashed = hashlib.sha256(data).hexdigest()
                    found.append({"name": "notebook", "uri": f"oci:{bundle}#{NOTEBOOK}", "digest": {"sha256": hashed}})
    return found


def _commit(made: Made) -> dict[str, Any]:
    return {"name": "git", "digest": {"gitCommit": made.commit}, "annotations": {"dirty": made.dirty}}


def _image(step: str, image: str) -> dict[str, Any]:
    _, _, digest = image.partition("@")
    return {"name": f"image of {step}", "uri": f"docker://{image}", **({"digest": _digest(digest)} if digest else {})}


def _resource(thing: Thing) -> dict[str, Any]:
    return {"name": thing.repository.partition("/")[0].removesuffix("s"), "uri": thing.uri, "digest": _digest(thing.digest)}


def _digest(text: str) -> dict[str, str]:
    """``sha256:…`` as in-toto's DigestSet has it."""
    algorithm, _, encoded = text.partition(":")
    return {algorithm: encoded} if encoded else {}


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
