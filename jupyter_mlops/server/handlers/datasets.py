"""Recorded datasets: list, look at, compare, delete a version that nothing was made of."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_mlops.registry.datasets import changes_json, to_json
from jupyter_mlops.server.handlers.base import MlopsHandler

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench


class DatasetsHandler(MlopsHandler):
    """``/datasets``."""

    @web.authenticated
    @authorized("read", "mlops:datasets")
    async def get(self) -> None:
        """The newest version of each dataset."""
        found = await self.ask(lambda bench: bench.datasets.list())
        self.answer({"datasets": [to_json(one) for one in found]})


class DatasetHandler(MlopsHandler):
    """``/datasets/{dataset}``."""

    @web.authenticated
    @authorized("read", "mlops:datasets")
    async def get(self, dataset: str) -> None:
        """All versions of one, newest first."""
        found = await self.ask(lambda bench: bench.datasets.versions(dataset))
        self.answer({"name": dataset, "versions": [to_json(one) for one in found]})


class DatasetDiffHandler(MlopsHandler):
    """``/datasets/{dataset}/diff``."""

    @web.authenticated
    @authorized("read", "mlops:datasets")
    async def get(self, dataset: str) -> None:
        """What differs between two versions: files, columns, rows."""
        one, other = self.get_query_argument("from"), self.get_query_argument("to")

        def compare(bench: Workbench) -> dict[str, Any]:
            before, after = (bench.datasets.find(f"{dataset}:{tag}") for tag in (one, other))
            told = {"from": before.reference, "to": after.reference}
            return {**told, **changes_json(bench.datasets.diff(before, after))}

        self.answer(await self.ask(compare))


class DatasetVersionHandler(MlopsHandler):
    """``/datasets/{dataset}/versions/{tag}``."""

    @web.authenticated
    @authorized("read", "mlops:datasets")
    async def get(self, dataset: str, tag: str) -> None:
        """One version with its files."""

        def look(bench: Workbench) -> dict[str, Any]:
            found = bench.datasets.find(f"{dataset}:{tag}")
            return {**to_json(found), "files": [asdict(file) for file in bench.datasets.files(found)]}

        self.answer(await self.ask(look))

    @web.authenticated
    @authorized("write", "mlops:datasets")
    async def delete(self, dataset: str, tag: str) -> None:
        """Delete a version. Conflict while something that was made of it is there, unless a reason is given."""
        reason = self.get_query_argument("reason", "")
        await self.act(lambda bench: bench.delete_dataset(dataset, tag, reason))
        self.done("delete", "dataset", f"{dataset}:{tag}")
        self.gone()
