"""The extension as Jupyter Server sees it: settings, routes, the watcher, and what happens at the end.

Runs and services belong to their supervisors, not to this server: it may stop, or two of them may share one folder, and
nothing ends. What the extension owns is the bounded pools in which everything slow happens, and the watchers that tell open
panels what changed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server._tz import utcnow
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Enum, Float, Int, Unicode

import jupyter_mlops
from jupyter_mlops.server.events.cluster import ClusterWatches
from jupyter_mlops.server.events.watcher import Watcher
from jupyter_mlops.server.handlers import table
from jupyter_mlops.server.places import Places
from jupyter_mlops.settings import PICKLES, UNSIGNED, Settings, default_home

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.server.embedded import EmbeddedRegistry

ACTION = "https://jupyter-mlops.github.io/events/action/v1"
POOL = 8
"""Threads for calls that block on the disk. More would only queue there."""

CALLS = 16
"""Threads for calls of model servers, apart from the others: a slow model shall not keep the panels from being told anything."""


class MlopsApp(ExtensionApp):
    """From notebook cells to pipelines, models and endpoints."""

    name = "mlops"
    version = Unicode(jupyter_mlops.__version__)
    description = Unicode(__doc__)

    home = Unicode("", config=True, help="Folder of runs, models and services; empty: as JUPYTER_MLOPS_HOME or XDG says.")
    keep_runs = Int(50, min=1, config=True, help="Finished runs kept for each pipeline.")
    copy_limit = Int(1 << 30, min=0, config=True, help="Bytes of a notebook's folder that a run may copy.")
    early_after = Float(
        None,
        allow_none=True,
        config=True,
        help="Seconds that a step runs before later ones are tried beside it; -1: never. None: as JUPYTER_MLOPS_EARLY_AFTER says.",
    )
    unsigned = Enum(
        UNSIGNED,
        None,
        allow_none=True,
        config=True,
        help="Models that no trusted key signed: allow or refuse. None: as JUPYTER_MLOPS_UNSIGNED says.",
    )
    pickles = Enum(
        PICKLES,
        None,
        allow_none=True,
        config=True,
        help="Models that may run code in services: never, listed, own or any. None: JUPYTER_MLOPS_PICKLES, which kernels read.",
    )
    stop_grace = Float(5.0, min=0, config=True, help="Seconds between asking a step to stop and killing it.")
    ready_timeout = Float(60.0, min=1, config=True, help="Seconds that a deployment may take to become ready.")
    body_limit = Int(64 << 20, min=1, config=True, help="Bytes of one prediction request at most.")
    registry_port = Int(
        None,
        allow_none=True,
        min=0,
        max=65535,
        config=True,
        help="Port of 127.0.0.1 at which the registry of this machine is served to other tools; 0: a free one. None: it is not.",
    )
    allow_guests = Bool(
        default_value=False,
        config=True,
        help="On a shared JupyterHub server: whether users other than its owner may start, change and delete.",
    )
    behind_proxy = Bool(
        default_value=False,
        config=True,
        help="Whether a proxy in front of this server asks for the password, so that an empty token is fine.",
    )

    registry: EmbeddedRegistry | None = None
    """The registry server, where one is wanted."""

    @cached_property
    def mlops_settings(self) -> Settings:
        """The settings of the product, as configured."""
        base = Settings()
        home = Path(self.home).expanduser() if self.home else default_home()
        return replace(
            base,
            storage=replace(base.storage, home=home, keep_runs=self.keep_runs),
            workspace=replace(base.workspace, copy_limit=self.copy_limit),
            steps=replace(
                base.steps,
                stop_grace=self.stop_grace,
                early_after=base.steps.early_after if self.early_after is None else self.early_after,
            ),
            serving=replace(
                base.serving,
                ready_timeout=self.ready_timeout,
                body_limit=self.body_limit,
                unsigned=base.serving.unsigned if self.unsigned is None else self.unsigned,
                pickles=base.serving.pickles if self.pickles is None else self.pickles,
            ),
        )

    @cached_property
    def bench(self) -> Workbench:
        """The product, made at the first request."""
        from jupyter_mlops.flow import Workbench

        return Workbench(self.mlops_settings)

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        """Threads for what blocks on this machine."""
        return ThreadPoolExecutor(POOL, thread_name_prefix="mlops")

    @cached_property
    def callers(self) -> ThreadPoolExecutor:
        """Threads for calls of model servers."""
        return ThreadPoolExecutor(CALLS, thread_name_prefix="mlops-call")

    @cached_property
    def places(self) -> Places:
        """The targets, each with threads of its own."""
        return Places(self.bench, self.pool, self.callers)

    @cached_property
    def watches(self) -> ClusterWatches:
        """What tells open panels of changes on clusters."""
        return ClusterWatches(self._emit, self.bench.at)

    @cached_property
    def watcher(self) -> Watcher:
        """What tells open panels that something changed."""
        return Watcher(self.mlops_settings.storage, self._emit, self.pool, self.bench.engine.get, self._beat)

    def initialize_settings(self) -> None:
        """Register the schema of our events."""
        for schema in sorted((Path(__file__).parent / "events").glob("*.yaml")):
            self.serverapp.event_logger.register_event_schema(schema)

    def initialize_handlers(self) -> None:
        """Add our routes."""
        self.handlers.extend(table())

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """The loop is up: start to watch, and to serve the registry if that is wanted."""
        self.watcher.start()
        if self.registry_port is not None:
            from jupyter_mlops.server.embedded import EmbeddedRegistry

            root, runtime = self.mlops_settings.storage.registry, Path(serverapp.runtime_dir)
            self.registry = EmbeddedRegistry(root, self.registry_port, runtime, self.log)
            self.registry.start()

    def current_activity(self) -> dict[str, int] | None:
        """Runs that go on: they keep a server alive that would else shut down for want of activity."""
        return {"runs": len(self.watcher.active)} if self.watcher.active else None

    def facts(self) -> dict[str, Any]:
        """What only a running server knows, for the doctor. No secret is among it, only whether there is one."""
        server = self.serverapp
        return {
            "ip": server.ip,
            "token": bool(server.identity_provider.token),
            "password": bool(getattr(server.identity_provider, "hashed_password", "")),
            "unauthenticated": bool(server.allow_unauthenticated_access),
            "behind_proxy": self.behind_proxy,
        }

    async def stop_extension(self) -> None:
        """Stop watching. Runs and services go on."""
        if self.registry is not None:
            await self.registry.stop()
        await self.watcher.stop()
        self.watches.stop()
        self.places.stop()
        for pool in (self.pool, self.callers):
            pool.shutdown(wait=False, cancel_futures=True)

    def _emit(self, schema: str, data: dict[str, Any]) -> None:
        """Send an event; called on the loop."""
        self.serverapp.event_logger.emit(schema_id=schema, data=data)

    def record(self, action: dict[str, str]) -> None:
        """Tell who did what, to the log of a site that keeps one."""
        self._emit(ACTION, action)

    def _beat(self) -> None:
        """A run goes on: whoever culls idle servers by their last activity shall see it."""
        self.serverapp.web_app.settings["mlops_last_activity"] = utcnow()
