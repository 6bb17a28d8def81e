"""Finished runs as artifacts: ``runs/<pipeline>:run-<run>``, beside the states and reports that its steps pushed.

The config is the run as REST shows it, so that a listing reads one small blob a run; the layers are the executed notebook,
the Workflow with its status, one log a step, what the steps logged as artifacts, and all values of the metrics.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Corrupt, MlopsError, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import layers_of, push_artifact, read_config
from jupyter_mlops.oci.canonical import parse_object
from jupyter_mlops.oci.modelpack import TITLE
from jupyter_mlops.oci.names import NOTEBOOK, RUN, RUN_CONFIG, RUN_WORKFLOW
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.registry.base import Registry
from jupyter_mlops.registry.layout import registry_of
from jupyter_mlops.registry.provenance import made_by, record_lineage
from jupyter_mlops.registry.reading import Reader
from jupyter_mlops.registry.series import MEDIA_TYPE as SERIES_TYPE
from jupyter_mlops.registry.series import TITLE as SERIES
from jupyter_mlops.registry.series import Point, read_series, series_of
from jupyter_mlops.registry.suggest import suggestion

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

PREFIX = "run-"
ARTIFACTS = "artifacts/"
"""Before the titles of what steps kept with a run."""

REMEMBERED = 500
"""Records that are kept in memory; each has a digest, and can never change."""

_LOG = logging.getLogger(__name__)
_TYPES = {".ipynb": NOTEBOOK, ".json": RUN_WORKFLOW, ".log": "text/plain", ".jsonl": SERIES_TYPE}


def run_repository(pipeline: str) -> str:
    """Where all artifacts of a pipeline's runs lie."""
    return f"runs/{pipeline}"


class RunRecords:
    """The records of a store."""

    def __init__(self, store: Store, registry: Registry | None = None) -> None:
        self._store = store
        self._registry = registry or registry_of(store)
        self._reader = Reader(store, lambda _: False)
        self._records: dict[str, dict[str, Any]] = {}

    def put(self, pipeline: str, run: str, record: Mapping[str, Any], files: Mapping[str, Path | bytes]) -> str:
        """Push the record of a finished run and return its digest; a second time replaces it.

        Args:
            pipeline: its name.
            run: the run's name.
            record: the run as REST shows it.
            files: title → content; ``.ipynb`` is the executed notebook, ``.json`` the Workflow, ``.log`` a step's log.
        """
        repository = run_repository(pipeline)
        layers = []
        series = series_of(files)
        for title, content in sorted({**files, **({SERIES: series} if series else {})}.items()):
            kind = _TYPES.get(PurePosixPath(title).suffix, "application/octet-stream")
            layer = self._store.put_blob(repository, content, kind)
            layers.append(Descriptor(layer.media_type, layer.digest, layer.size, {TITLE: title}))
        layers += self._artifacts(repository, run)
        manifest = push_artifact(self._store, repository, RUN, record, layers, config_type=RUN_CONFIG, tags=[PREFIX + run])
        digest = manifest.descriptor.digest
        try:
            record_lineage(self._store, made_by(self._store, pipeline, run, record, self.workflow(pipeline, run), digest))
        except (MlopsError, OSError) as error:  # the record is what counts; `registry reindex` tells what is missing here
            _LOG.warning("what run %s made could not be recorded with it: %s", run, error)
        return digest

    def get(self, pipeline: str, run: str) -> dict[str, Any]:
        """The record of a run.

        Raises:
            NotFound: there is none; the fix names similar ones.
            Corrupt: it is damaged.
        """
        repository = run_repository(pipeline)
        try:
            manifest = self._reader.get(repository, PREFIX + run)
        except (NotFound, WrongUsage) as error:
            if PREFIX + run in (known := self._store.tags(repository)):
                raise
            runs = [tag.removeprefix(PREFIX) for tag in known if tag.startswith(PREFIX)]
            raise NotFound(
                f"no record of run {run!r} of {pipeline}", code="run-not-found", fix=suggestion(run, runs, "recorded run")
            ) from error
        digest = manifest.descriptor.digest
        if digest not in self._records:
            if len(self._records) >= REMEMBERED:
                self._records.clear()
            self._records[digest] = read_config(self._store, repository, manifest)
        return dict(self._records[digest])

    def open(self, pipeline: str, run: str, title: str) -> AbstractContextManager[BinaryIO]:
        """One file of a record, verified while it is read. Raises NotFound."""
        repository = run_repository(pipeline)
        layers = layers_of(self._store.get_manifest(repository, PREFIX + run))
        for layer in layers:
            if layer.annotations.get(TITLE) == title:
                return self._store.open_blob(repository, layer.digest)
        known = [layer.annotations.get(TITLE, "") for layer in layers]
        raise NotFound(f"run {run} has no file {title!r}", code="file-not-found", fix=suggestion(title, known, "file"))

    def series(self, pipeline: str, run: str) -> Sequence[Point]:
        """All values of the run's metrics, in order; none where none were logged. Raises NotFound, Corrupt."""
        if SERIES not in self.files(pipeline, run):
            return ()
        with self.open(pipeline, run, SERIES) as stream:
            return read_series(stream.read())

    def files(self, pipeline: str, run: str) -> Mapping[str, int]:
        """Title → bytes of the files of a record. Raises NotFound."""
        layers = layers_of(self._store.get_manifest(run_repository(pipeline), PREFIX + run))
        return {title: layer.size for layer in layers if (title := layer.annotations.get(TITLE))}

    def workflow(self, pipeline: str, run: str) -> Mapping[str, Any]:
        """The Workflow of a run with its status; empty where the record has none. Raises NotFound, Corrupt."""
        repository = run_repository(pipeline)
        for layer in layers_of(self._store.get_manifest(repository, PREFIX + run)):
            if layer.media_type == RUN_WORKFLOW:
                with self._store.open_blob(repository, layer.digest) as stream:
                    return parse_object(stream.read(), f"the Workflow of {run}")
        return {}

    def digest(self, pipeline: str, run: str) -> str:
        """Digest of a run's record. Raises NotFound."""
        return self._store.get_manifest(run_repository(pipeline), PREFIX + run).descriptor.digest

    def runs(self, pipeline: str) -> list[str]:
        """Names of the recorded runs of a pipeline, sorted."""
        return [tag.removeprefix(PREFIX) for tag in self._store.tags(run_repository(pipeline)) if tag.startswith(PREFIX)]

    def pipelines(self) -> list[str]:
        """Names of the pipelines that have left anything, sorted."""
        return [name.partition("/")[2] for name in self._registry.repositories("runs/")]

    def delete(self, pipeline: str, run: str) -> None:
        """Remove what a run left (record, states, reports) and free what only it needs. No error if it left nothing."""
        repository = run_repository(pipeline)
        tags = [
            tag
            for tag in self._store.tags(repository)
            if tag == PREFIX + run or tag.startswith((f"state.{run}.", f"report.{run}.", f"artifact.{run}."))
        ]
        if tags:
            self._registry.delete(repository, *tags)
            self._registry.collect(repository)

    def _artifacts(self, repository: str, run: str) -> list[Descriptor]:
        """What the steps of a run kept with it, as layers; of two with one name the later."""
        found: dict[str, Descriptor] = {}
        for tag in self._store.tags(repository):
            if tag.startswith(f"report.{run}."):
                with suppress(NotFound, Corrupt, WrongUsage):
                    report = read_config(self._store, repository, self._store.get_manifest(repository, tag))
                    for one in report.get("artifacts") or ():
                        for layer in layers_of(self._store.get_manifest(repository, str(one["digest"]))):
                            title = ARTIFACTS + layer.annotations.get(TITLE, "")
                            found[title] = Descriptor(layer.media_type, layer.digest, layer.size, {TITLE: title})
        return [layer for _, layer in sorted(found.items())]


def kept(store: Store, pipeline: str, run: str) -> dict[str, Any]:
    """What a run keeps, as REST and ``--json`` show it: ``files`` and ``series``; both empty until the run is recorded.

    Raises:
        Corrupt, PlatformError: the registry cannot tell.
    """
    records = RunRecords(store)
    try:
        files, series = records.files(pipeline, run), records.series(pipeline, run)
    except NotFound:
        files, series = {}, ()
    return {
        "files": [{"name": name, "bytes": size} for name, size in files.items()],
        "series": [point.to_json() for point in series],
    }
