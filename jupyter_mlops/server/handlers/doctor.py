"""The checks of this machine, for the panel."""

from __future__ import annotations

from dataclasses import asdict

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.server.handlers.base import MlopsHandler


class DoctorHandler(MlopsHandler):
    """``/doctor``."""

    @web.authenticated
    @authorized("read", "mlops:doctor")
    async def get(self) -> None:
        """Each check with what was seen and what to do."""
        from jupyter_mlops.doctor.run import examine

        found = await self.work(examine, self.bench.settings, self.app.facts())
        self.answer({"checks": [asdict(check) for check in found]})
