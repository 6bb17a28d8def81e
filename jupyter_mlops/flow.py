"""The whole product on one screen: read, analyse, plan, compile, submit, register, deploy, predict.

A ``Workbench`` ties the rooms together for one set of settings. The command line, the magics and the server extension are
three thin faces of it: what they offer is a method here, and nothing they do is done elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Conflict, NotFound, Where, WrongUsage
from jupyter_mlops.settings import Settings

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Engine, Run
    from jupyter_mlops.notebook.document import Notebook
    from jupyter_mlops.oci.store import Store
    from jupyter_mlops.pipeline.pipeline import Pipeline
    from jupyter_mlops.registry.models import Models
    from jupyter_mlops.serving.base import Backend, Service
    from jupyter_mlops.serving.predict import Prediction


@dataclass(frozen=True)
class Workbench:
    """This machine's engine, registry and model server. Each is made when it is first used."""

    settings: Settings = field(default_factory=Settings)

    # -- the rooms ---------------------------------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """The embedded registry."""
        from jupyter_mlops.oci.layout import Layout

        return Layout(self.settings.storage.registry)

    @cached_property
    def engine(self) -> Engine:
        """The local engine."""
        from jupyter_mlops.engine.local.engine import LocalEngine

        return LocalEngine(self.settings, self.store)

    @cached_property
    def models(self) -> Models:
        """Registered models."""
        from jupyter_mlops.registry.models import Models

        return Models(self.store)

    @cached_property
    def services(self) -> Backend:
        """The local model servers."""
        from jupyter_mlops.serving.local.backend import LocalBackend

        return LocalBackend(self.settings, self.store)

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

    def convert(self, notebook: Notebook) -> Pipeline:
        """Analyse and plan. Raises Refused with every diagnostic.

        No interpreter is asked: the Python is the one that the notebook says it was last run with, else this one. ``run`` puts
        the kernel's own in its place.
        """
        from jupyter_mlops.pipeline.plan import plan

        this = f"{sys.version_info.major}.{sys.version_info.minor}"
        return replace(plan(notebook), kernel=notebook.kernel or "python3", python=notebook.python or this)

    def compile(self, notebook: Notebook, pipeline: Pipeline, folder: Path | None = None) -> Mapping[str, Any]:
        """The Workflow for any target: registry, bundle and image are its parameters. Nothing is written."""
        from jupyter_mlops.registry.bundles import bundle_reference, source_digest
        from jupyter_mlops.workflow.compile import compile_workflow

        return compile_workflow(
            pipeline, bundle=bundle_reference(notebook, pipeline, folder), source_digest=source_digest(notebook)
        )

    def run(self, path: Path, parameters: Mapping[str, Any] | None = None, kernel: str | None = None) -> Run:
        """Convert, compile, push the bundle and submit; returns at once."""
        from jupyter_mlops.engine.base import Submission
        from jupyter_mlops.engine.kernels import find_kernel
        from jupyter_mlops.registry.bundles import push_bundle, source_digest
        from jupyter_mlops.workflow.compile import compile_workflow
        from jupyter_mlops.workflow.parameters import check_parameters

        notebook = self.read(path)
        found = find_kernel(kernel or notebook.kernel)
        pipeline = replace(self.convert(notebook), kernel=found.name, python=found.minor)
        values = check_parameters(pipeline, parameters or {})
        bundle = push_bundle(self.store, notebook, pipeline, path.parent)
        workflow = compile_workflow(
            pipeline, bundle=bundle, source_digest=source_digest(notebook), registry=self.store.address, parameters=values
        )
        return self.engine.submit(Submission(workflow, str(path.resolve()), found.command))

    def deploy(self, model: str, name: str | None = None, namespace: str | None = None, port: int | None = None) -> Service:
        """Serve ``NAME``, ``NAME:TAG`` or ``NAME@DIGEST``; returns at once."""
        from jupyter_mlops.serving.manifest import inference_service

        version = self.models.find(model)
        return self.services.apply(
            inference_service(version, name=name, namespace=namespace or self.settings.serving.namespace, port=port)
        )

    def predict(self, service: str, data: Any = None, namespace: str | None = None) -> Prediction:
        """Call a service with rows, or with the sample recorded at training."""
        from jupyter_mlops.serving.predict import predict

        return predict(self.services, self.models, service, namespace or self.settings.serving.namespace, data)

    def sample(self, service: str, namespace: str | None = None) -> list[Any]:
        """Rows recorded at training that a service takes. Raises NotFound where none were recorded."""
        from jupyter_mlops.serving.predict import sample

        return sample(self.services, self.models, service, namespace or self.settings.serving.namespace)

    def delete_model(self, name: str, tag: str) -> None:
        """Delete a version of a model. Raises Conflict while a service uses it, NotFound if there is none."""
        from jupyter_mlops.serving.decode import model_reference

        version = self.models.find(f"{name}:{tag}")
        users = [service for service in self.services.list() if model_reference(service.document) == f"{name}@{version.digest}"]
        if users:
            raise Conflict(
                f"{name}:{tag} is served by {', '.join(service.name for service in users)}",
                fix=f"Delete the service first: jupyter mlops services delete {users[0].name}",
            )
        self.models.delete(name, tag)
