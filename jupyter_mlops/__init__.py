"""From notebook cells to pipelines, models and endpoints.

Importing this costs nothing: every public name is resolved when it is first used (PEP 562), since the same package is
imported by a kernel, by a step from its bundle, by the command line and by a Jupyter Server, and none of them shall pay
for the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC: dict[str, str] = {
    "load_dataset": "jupyter_mlops.runner.load",
    "load_model": "jupyter_mlops.runner.loadmodel",
    "log_artifact": "jupyter_mlops.runner.record",
    "log_dataset": "jupyter_mlops.runner.record",
    "log_figure": "jupyter_mlops.runner.record",
    "log_metrics": "jupyter_mlops.runner.record",
    "log_model": "jupyter_mlops.runner.record",
    "Workbench": "jupyter_mlops.flow",
    "RunView": "jupyter_mlops.kernel.widgets",
}
"""Public name → module that defines it."""


def __getattr__(name: str) -> Any:
    """Resolve a public name on first use."""
    from importlib import import_module

    if name == "__version__":
        try:
            return import_module("jupyter_mlops._version").__version__
        except ModuleNotFoundError:
            return "0.0.0"
    if name not in PUBLIC:
        message = f"module 'jupyter_mlops' has no attribute {name!r}"
        raise AttributeError(message)
    try:
        return getattr(import_module(PUBLIC[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("jupyter_mlops"):
            message = f"jupyter_mlops.{name} is not available inside a step"
            raise AttributeError(message) from error
        raise


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted([*PUBLIC, "__version__"])


def _jupyter_server_extension_points() -> list[Mapping[str, Any]]:
    """Where Jupyter Server finds the extension; the app is imported here, not at the top, so that a kernel does not need it."""
    from jupyter_mlops.server.app import MlopsApp

    return [{"module": "jupyter_mlops", "app": MlopsApp}]


def _jupyter_labextension_paths() -> list[Mapping[str, str]]:
    """Where ``jupyter-builder develop`` finds the built front end."""
    return [{"src": "../labextension/dist", "dest": "jupyter-mlops"}]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext jupyter_mlops``: register the magics."""
    from jupyter_mlops.kernel.magics import register

    register(shell)
