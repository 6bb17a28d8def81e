"""The bodies that requests may have, as ``api.yaml`` says; msgspec checks them and names the path of what does not fit."""

from __future__ import annotations

from typing import Any

import msgspec


class ConvertRequest(msgspec.Struct, frozen=True):
    """A saved notebook, or the very content that is open in a panel."""

    path: str
    content: dict[str, Any] | None = None


class RunRequest(msgspec.Struct, frozen=True):
    """A saved notebook to run."""

    path: str
    parameters: dict[str, Any] = {}
    kernel: str | None = None


class ServiceRequest(msgspec.Struct, frozen=True):
    """A model to deploy: ``NAME``, ``NAME:TAG`` or ``NAME@DIGEST``."""

    model: str
    name: str | None = None
    namespace: str | None = None


class PredictRequest(msgspec.Struct, frozen=True):
    """Rows to predict; the recorded sample where there are none."""

    instances: list[Any] | None = None


class AliasRequest(msgspec.Struct, frozen=True):
    """The tag that an alias shall name."""

    tag: str
