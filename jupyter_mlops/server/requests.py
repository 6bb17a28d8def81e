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
    target: str | None = None
    resume: str | None = None


class Split(msgspec.Struct, frozen=True, tag_field="do", tag="split"):
    """A step begins at a cell; ``name``: its own, else after the step that the cell was in."""

    cell: int
    name: str = ""


class Join(msgspec.Struct, frozen=True, tag_field="do", tag="join"):
    """The first and the last of the steps that become one."""

    first: str
    last: str


class Rename(msgspec.Struct, frozen=True, tag_field="do", tag="rename"):
    """A step gets another name."""

    step: str
    name: str


class Pin(msgspec.Struct, frozen=True, tag_field="do", tag="pin"):
    """A step waits for an earlier one, also where no value flows."""

    first: str
    last: str


class Unpin(msgspec.Struct, frozen=True, tag_field="do", tag="unpin"):
    """It does so no longer."""

    first: str
    last: str


class Reset(msgspec.Struct, frozen=True, tag_field="do", tag="reset"):
    """All names of steps are taken back, so that steps are proposed."""


class Skip(msgspec.Struct, frozen=True, tag_field="do", tag="skip"):
    """No step runs these cells."""

    cells: list[int]


class Unskip(msgspec.Struct, frozen=True, tag_field="do", tag="unskip"):
    """They are run again."""

    cells: list[int]


class Put(msgspec.Struct, frozen=True, tag_field="do", tag="set"):
    """A cell's metadata holds a value of the table of keys; None takes the key out."""

    cell: int
    key: str
    value: Any


class StepsRequest(msgspec.Struct, frozen=True):
    """The notebook as it is open, and what somebody wants of its steps."""

    path: str
    content: dict[str, Any]
    change: Split | Join | Rename | Pin | Unpin | Skip | Unskip | Put | Reset


class OptionsRequest(msgspec.Struct, frozen=True):
    """What a cell's metadata holds under ``mlops``, or a part of it."""

    options: dict[str, Any]


class CheckRequest(msgspec.Struct, frozen=True):
    """A saved notebook to run both ways and compare."""

    path: str
    parameters: dict[str, Any] = {}
    kernel: str | None = None


class ServiceRequest(msgspec.Struct, frozen=True):
    """A model to deploy: ``NAME``, ``NAME:TAG`` or ``NAME@DIGEST``."""

    model: str
    name: str | None = None
    namespace: str | None = None
    target: str | None = None
    mode: str | None = None
    image: str | None = None
    gpu: int | None = None
    memory: str | None = None
    runtime: str | None = None


class PredictRequest(msgspec.Struct, frozen=True):
    """Rows to predict; the recorded sample where there are none."""

    instances: list[Any] | None = None


class AliasRequest(msgspec.Struct, frozen=True):
    """The tag that an alias shall name, and why."""

    tag: str
    reason: str = ""


class DefaultTargetRequest(msgspec.Struct, frozen=True):
    """The target that is used where nobody names one."""

    target: str


class TargetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a target that a person changes; '' takes one back, what is absent stays."""

    namespace: str | msgspec.UnsetType = msgspec.UNSET
    registry: str | msgspec.UnsetType = msgspec.UNSET
    registry_here: str | msgspec.UnsetType = msgspec.UNSET
    image: str | msgspec.UnsetType = msgspec.UNSET
    service_account: str | msgspec.UnsetType = msgspec.UNSET
    pull_secret: str | msgspec.UnsetType = msgspec.UNSET
    ca: str | msgspec.UnsetType = msgspec.UNSET
    queue: str | msgspec.UnsetType = msgspec.UNSET
    mirrors: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    def given(self) -> dict[str, Any]:
        """What the request holds."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not msgspec.UNSET}
