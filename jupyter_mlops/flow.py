"""The whole product on one screen: read, analyse, plan, compile, submit, register, deploy, predict.

A ``Workbench`` ties the rooms together for one set of settings and one target: this machine, or a namespace of a cluster. The
command line, the magics and the server extension are three thin faces of it: what they offer is a method here, and nothing
they do is done elsewhere.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_mlops.errors import Diagnostic, NotFound, PlatformError, Where, WrongUsage
from jupyter_mlops.settings import Settings, Target

if TYPE_CHECKING:
    from jupyter_mlops.cluster.base import Cluster
    from jupyter_mlops.engine.base import Engine, Run
    from jupyter_mlops.engine.kernels import Kernel
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.oci.store import Store
    from jupyter_mlops.pipeline.pipeline import Pipeline
    from jupyter_mlops.registry.copy import Copying
    from jupyter_mlops.registry.datasets import Datasets
    from jupyter_mlops.registry.index import Index
    from jupyter_mlops.registry.lineage import Lineage
    from jupyter_mlops.registry.models import Models, ModelVersion
    from jupyter_mlops.serving.base import Backend, Service
    from jupyter_mlops.serving.kserve.backend import KServeBackend
    from jupyter_mlops.serving.predict import Prediction
    from jupyter_mlops.targets.find import Targets
    from jupyter_mlops.targets.imagefit import Images


@dataclass(frozen=True)
class Workbench:
    """Engine, registry and model server of one target. Each is made when it is first used.

    ``Workbench()`` is this machine, ``Workbench().at("kind-dev")`` a cluster.
    """

    settings: Settings = field(default_factory=Settings)
    target: Target = field(default_factory=Target)
    _others: dict[str, Workbench] = field(default_factory=dict, repr=False, compare=False)
    """Benches by the name of their target, for all that come from one another."""

    # -- the targets -------------------------------------------------------------------------------------------------------

    @cached_property
    def targets(self) -> Targets:
        """The targets that there are, and what each one's settings are."""
        from jupyter_mlops.targets.find import Targets

        return Targets(self.settings)

    def at(self, name: str | None = None) -> Workbench:
        """The bench of a target; None is the default one.

        Raises:
            NotFound: code ``target-not-found``; the fix lists those that there are.
            Unavailable, NotAllowed: the cluster does not answer, or does not let us in.
        """
        found = self.targets.get(name)
        self._others.setdefault(self.target.name, self)
        kept = self._others.get(found.name)
        if kept is None or kept.target != found:
            kept = Workbench(self.settings, found, self._others)
            kept.__dict__["targets"] = self.targets
            self._others[found.name] = kept
        return kept

    # -- the rooms ---------------------------------------------------------------------------------------------------------

    @cached_property
    def cluster(self) -> Cluster:
        """The target's cluster. Raises WrongUsage for this machine."""
        return self.targets.cluster(self.target)

    @cached_property
    def store(self) -> Store:
        """The target's registry; this machine's is embedded.

        Raises:
            WrongUsage: code ``no-registry``: nobody said where a cluster's is.
        """
        if self.target.local:
            from jupyter_mlops.oci.layout import Layout

            return Layout(self.settings.storage.registry)
        from jupyter_mlops.oci.open import open_store
        from jupyter_mlops.targets.registry import address_here

        return open_store(address_here(self.target))

    @cached_property
    def engine(self) -> Engine:
        """What runs pipelines: processes of this machine, or Argo."""
        if self.target.local:
            from jupyter_mlops.engine.local.engine import LocalEngine

            return LocalEngine(self.settings, self.store)
        from jupyter_mlops.engine.argo.engine import ArgoEngine

        return ArgoEngine(self.settings, self.cluster, self.target, self.store)

    @cached_property
    def models(self) -> Models:
        """Registered models."""
        from jupyter_mlops.registry.models import Models

        return Models(self.store, index=self._index)

    @cached_property
    def datasets(self) -> Datasets:
        """Recorded datasets."""
        from jupyter_mlops.registry.datasets import Datasets

        return Datasets(self.store, index=self._index)

    @cached_property
    def lineage(self) -> Lineage:
        """What made what."""
        from jupyter_mlops.registry.lineage import Lineage

        return Lineage(self.store, index=self._index)

    @property
    def _index(self) -> Index | None:
        """Where lists of a registry elsewhere are remembered; a folder has an index of its own."""
        from jupyter_mlops.registry.index import Index

        return None if self.target.local else Index(self.settings.storage.cache / "lists", self.store.address)

    @cached_property
    def services(self) -> Backend:
        """What serves models: processes of this machine, or KServe."""
        if self.target.local:
            from jupyter_mlops.serving.local.backend import LocalBackend

            return LocalBackend(self.settings, self.store)
        from jupyter_mlops.serving.kserve.backend import KServeBackend

        return KServeBackend(self.settings, self.cluster, self.target, self.store)

    @property
    def namespace(self) -> str:
        """Where services are looked for when nobody names a namespace."""
        return self.settings.serving.namespace if self.target.local else self.target.namespace

    # -- the flow ----------------------------------------------------------------------------------------------------------

    def read(self, path: Path) -> Notebook:
        """The notebook at a path. Raises NotFound or Refused."""
        from jupyter_mlops.notebook.read import parse

        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NotFound(f"no notebook at {path}", fix="Check the path; notebooks end in .ipynb.") from error
        except UnicodeDecodeError as error:
            raise WrongUsage(f"{path} is not a notebook", fix="Give a file that ends in .ipynb.", where=Where(path.name)) from error
        return parse(text, path.name)

    def convert(self, notebook: Notebook, folder: Path | None = None) -> Pipeline:
        """Analyse and plan. Raises Refused with every diagnostic.

        Where the notebook's folder is given, files and modules that it asks for and that are not there are said.
        No interpreter is asked: the Python is the one that the notebook says it was last run with, else this one. ``run`` puts
        the kernel's own in its place.
        """
        from jupyter_mlops.around import surroundings
        from jupyter_mlops.pipeline.plan import plan

        this = f"{sys.version_info.major}.{sys.version_info.minor}"
        around = None if folder is None else surroundings(notebook, folder, local=self.target.local)
        return replace(plan(notebook, around), kernel=notebook.kernel or "python3", python=notebook.python or this)

    def compile(
        self,
        notebook: Notebook,
        pipeline: Pipeline,
        folder: Path | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        push: bool = False,
        tell: Callable[[Diagnostic], None] = lambda _: None,
    ) -> Mapping[str, Any]:
        """The Workflow for this bench's target; for this machine registry and image are left to whoever submits it.

        Args:
            notebook: what runs.
            pipeline: its plan.
            folder: where local modules are looked for.
            parameters: values of the notebook's parameters, already checked; None: its defaults.
            push: store the bundle in the target's registry, so that ``kubectl create -f`` can run it; else nothing is written.
            tell: is told where the environment that a pushed bundle holds is not known.

        Raises:
            WrongUsage: ``push`` to a target without a registry.
            Refused: more steps than a Workflow holds.
        """
        from jupyter_mlops.packing import data_only, pack_for_others
        from jupyter_mlops.registry.bundles import bundle_reference, push_bundle, source_digest
        from jupyter_mlops.workflow.compile import compile_workflow

        packed = None
        if folder is not None and not self.target.local:
            packing = (self.settings, notebook, pipeline, folder, tell)
            packed = pack_for_others(*packing) if push else data_only(self.settings, notebook, folder)
        about = (notebook, pipeline, folder, packed)
        bundle = push_bundle(self.store, *about) if push else bundle_reference(*about)
        options: dict[str, Any] = {} if self.target.local else self._options()
        return compile_workflow(pipeline, bundle=bundle, source_digest=source_digest(notebook), parameters=parameters, **options)

    def run(
        self,
        path: Path,
        parameters: Mapping[str, Any] | None = None,
        kernel: str | None = None,
        resume: str | None = None,
        tell: Callable[[Diagnostic], None] = lambda _: None,
    ) -> Run:
        """Convert, compile, push the bundle and submit; returns at once.

        Args:
            path: the notebook.
            parameters: values of its parameters.
            kernel: kernelspec to use instead of the notebook's.
            resume: a run of the same notebook whose finished steps are taken over where nothing they depend on has changed.
            tell: is told what does not fit, and stops nothing: packages that an image lacks.

        Raises:
            Refused: the notebook, or (``python-mismatch``) the kernel's Python is not that of the target's image.
            NotFound: the notebook, the kernel, or the run to resume.
            PlatformError: code ``no-argo``.
        """
        from jupyter_mlops.engine.argo.installed import check_argo
        from jupyter_mlops.engine.base import Submission
        from jupyter_mlops.engine.resuming import check_same
        from jupyter_mlops.gitfacts import annotations_of
        from jupyter_mlops.packing import left_behind, pack
        from jupyter_mlops.registry.bundles import push_bundle, source_digest
        from jupyter_mlops.registry.learned import with_learned
        from jupyter_mlops.workflow.compile import compile_workflow
        from jupyter_mlops.workflow.parameters import check_parameters

        notebook = self.read(path)
        if resume is not None:
            check_same(self.engine.get(resume), self.convert(notebook).name)
        found, pipeline = self._at_kernel(notebook, self.convert(notebook), kernel)
        pipeline, notes = with_learned(self.store, pipeline, source_digest(notebook), resume)
        values = check_parameters(pipeline, parameters or {})
        if not self.target.local:
            check_argo(self.cluster)  # before anything is pushed for it
        images = self.images(pipeline)
        packed = pack(self.settings, notebook, pipeline, path.parent, found, local=self.target.local)
        environment = json.loads(packed.environment or b"null")
        for diagnostic in (*notes, *images.findings(environment), *left_behind(environment, notebook.code)):
            tell(diagnostic)
        bundle = push_bundle(self.store, notebook, pipeline, path.parent, packed)
        options = {"registry": self.store.address, "resume": resume} if self.target.local else self._options(resume)
        workflow = compile_workflow(pipeline, bundle=bundle, source_digest=source_digest(notebook), parameters=values, **options)
        workflow["metadata"]["annotations"] |= annotations_of(path.resolve().parent)
        return self.engine.submit(Submission(workflow, str(path.resolve()), found.command if found else (), resume))

    def _options(self, resume: str | None = None) -> dict[str, Any]:
        """What the compiler is told of a cluster."""
        from jupyter_mlops.targets.creator import creator

        return {"target": self.target, "resume": resume, "creator": creator()}

    def _at_kernel(self, notebook: Notebook, pipeline: Pipeline, kernel: str | None) -> tuple[Kernel | None, Pipeline]:
        """The pipeline with its kernel's Python. A cluster needs no kernel here: then it is the Python that the notebook says."""
        from jupyter_mlops.engine.kernels import find_kernel

        try:
            found = find_kernel(kernel or notebook.kernel)
        except (NotFound, PlatformError):
            if self.target.local or kernel is not None:
                raise
            return None, pipeline
        return found, replace(pipeline, kernel=found.name, python=found.minor)

    def images(self, pipeline: Pipeline) -> Images:
        """The images of its steps; what does not fit is told by ``findings``. On this machine there are none."""
        from jupyter_mlops.targets.imagefit import Images, images_of

        return Images(self.target, pipeline, {}) if self.target.local else images_of(self.settings, self.target, pipeline)

    def resume(
        self,
        name: str,
        path: Path | None = None,
        parameters: Mapping[str, Any] | None = None,
        tell: Callable[[Diagnostic], None] = lambda _: None,
    ) -> Run:
        """Run again what a run ran, as its notebook is now, taking over the steps that are as they were.

        Args:
            name: the run.
            path: its notebook; None: where it was.
            parameters: values that differ from the run's.
            tell: as for ``run``.

        Raises:
            NotFound: no such run, or its notebook is not on this machine.
        """
        from jupyter_mlops.engine.resuming import notebook_of

        earlier = self.engine.get(name)
        return self.run(path or notebook_of(earlier), {**earlier.parameters, **(parameters or {})}, None, name, tell)

    def deploy(
        self, model: str, name: str | None = None, namespace: str | None = None, port: int | None = None, **options: Any
    ) -> Service:
        """Serve ``NAME``, ``NAME:TAG`` or ``NAME@DIGEST``; returns at once.

        A model that only this machine's registry has is copied to the cluster's first.

        Args:
            model: the model.
            name: of the service; None: the model's.
            namespace: on this machine; a cluster's is that of the target.
            port: fixed port on this machine.
            options: for clusters: ``mode``, ``image``, ``gpu``, ``resources``, ``env``, ``secrets``, ``runtime``.

        Raises:
            NotFound: no such model, here or there.
            WrongUsage: an option that this target does not have.
        """
        chosen = {key: value for key, value in options.items() if value}
        if self.target.local:
            from jupyter_mlops.serving.manifest import inference_service

            if chosen:
                raise WrongUsage(
                    f"{next(iter(chosen))} is for clusters; this machine has no such choice",
                    fix="Name a target: --target NAME.",
                    where=Where(field=next(iter(chosen))),
                )
            version = self.models.find(model)
            return self.services.apply(
                inference_service(version, name=name, namespace=namespace or self.settings.serving.namespace, port=port)
            )
        from jupyter_mlops.serving.kserve.facts import check_kserve
        from jupyter_mlops.targets.choices import check_place

        check_place(self.target, namespace, port)
        check_kserve(self.cluster)  # before a model is copied for it
        backend = cast("KServeBackend", self.services)
        return backend.apply(backend.prepare(self._model_there(model), name=name, **chosen))

    def _model_there(self, model: str) -> ModelVersion:
        """A version in the target's registry, copied from this machine's if only that has it. Raises NotFound."""
        try:
            return self.models.find(model)
        except NotFound as missing:
            from jupyter_mlops.registry.copy import copy
            from jupyter_mlops.registry.models import Models

            here = self.at("local")
            try:
                version = here.models.find(model)
            except NotFound:
                raise missing from None
            copy(cast("Copying", here.store), cast("Copying", self.store), f"models/{version.name}", version.tag)
            return Models(self.store).find(f"{version.name}@{version.digest}")

    def predict(self, service: str, data: Any = None, namespace: str | None = None) -> Prediction:
        """Call a service with rows, or with the sample recorded at training."""
        from jupyter_mlops.serving.predict import predict

        return predict(self.services, self.models, service, namespace or self.namespace, data)

    def sample(self, service: str, namespace: str | None = None) -> list[Any]:
        """Rows recorded at training that a service takes. Raises NotFound where none were recorded."""
        from jupyter_mlops.serving.predict import sample

        return sample(self.services, self.models, service, namespace or self.namespace)

    def delete_model(self, name: str, tag: str, reason: str = "") -> None:
        """Delete a version of a model. Raises as ``deletion.delete_model``."""
        from jupyter_mlops.deletion import delete_model

        delete_model(self, name, tag, reason)

    def delete_dataset(self, name: str, tag: str, reason: str = "") -> None:
        """Delete a version of a dataset. Raises as ``deletion.delete_dataset``."""
        from jupyter_mlops.deletion import delete_dataset

        delete_dataset(self, name, tag, reason)
