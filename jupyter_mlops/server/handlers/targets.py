"""Targets: where runs and services can go, whether that works, and what a person says about them.

What is shown is names of objects and addresses. Credentials stay in the kubeconfig and in the cluster's secrets: this
server uses them and tells them to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.web import HTTPError

from jupyter_mlops.server.handlers.base import MlopsHandler
from jupyter_mlops.server.requests import DefaultTargetRequest, TargetSettings
from jupyter_mlops.targets.view import target_view

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

MOST = 1024
"""Characters of a target's name; a kubeconfig's context can be called anything."""

REACH = "TK01"
"""The check that the cluster answers."""


class _TargetHandler(MlopsHandler):
    """A target by the name in the path."""

    def named(self, target: str) -> str:
        """The name, which may hold anything but what no kubeconfig has."""
        if len(target) > MOST or "\0" in target:
            raise HTTPError(404, "there is no such target")
        return target


class TargetsHandler(MlopsHandler):
    """``/targets``."""

    @web.authenticated
    @authorized("read", "mlops:workspaces")
    async def get(self) -> None:
        """All targets with what the last check found; no cluster is asked."""
        self.answer(await self.work(all_targets, self.bench))


class TargetHandler(_TargetHandler):
    """``/targets/{target}``."""

    @web.authenticated
    @authorized("write", "mlops:workspaces")
    async def put(self, target: str) -> None:
        """Change settings; what is not named stays."""
        asked = self.body_as(TargetSettings)
        name = self.named(target)
        await self.work(self.bench.targets.set, name, asked.given())
        self.app.watches.drop(name)
        self.done("settings", "target", name, target=name)
        self.answer(await self.work(one_target, self.bench, name))


class TargetCheckHandler(_TargetHandler):
    """``/targets/{target}/check``."""

    @web.authenticated
    @authorized("execute", "mlops:workspaces")
    async def post(self, target: str) -> None:
        """Look now whether the target works. Asked although the cluster is known to be down: that may be over."""
        place = await self.app.places.find(self.named(target))
        checked = await self.work_at(place.name)
        reached = next((check["level"] for check in checked["checks"] if check["id"] == REACH), "ok")
        if reached == "ok":
            place.circuit.closed()
        self.answer(checked)

    async def work_at(self, name: str) -> dict[str, Any]:
        """The check in the pool of those who find targets: it has its own limits of time."""
        return await self.app.places.examine(lambda: _checked(self.bench, name))


class DefaultTargetHandler(MlopsHandler):
    """``/default-target``."""

    @web.authenticated
    @authorized("write", "mlops:workspaces")
    async def put(self) -> None:
        """Choose the target that is used where nobody names one: by the command line and the magics too."""
        asked = self.body_as(DefaultTargetRequest)
        await self.work(self.bench.targets.use, asked.target)
        self.done("default", "target", asked.target, target=asked.target)
        self.answer(await self.work(all_targets, self.bench))


def all_targets(bench: Workbench) -> dict[str, Any]:
    """Every target, and which is the default. Raises WrongUsage for a kubeconfig that cannot be read."""
    targets = bench.targets
    views = [target_view(found, targets.health(found.target.name)) for found in targets.list()]
    return {"targets": views, "default": targets.default}


def one_target(bench: Workbench, name: str) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    return target_view(bench.targets.found(name), bench.targets.health(name))


def _checked(bench: Workbench, name: str) -> dict[str, Any]:
    return target_view(bench.targets.found(name), bench.targets.check(name))
