"""The event loop of a step: one, running while any cell runs, as in a kernel.

Code without a top-level ``await`` may make tasks then (``asyncio.create_task``), they go on while a later cell of the step
waits for something, and ``asyncio.run`` is refused as in a kernel.

A task works on a copy of the context variables, in which numpy keeps its print options and error states and ``decimal`` its
precision. A kernel's cells all run in one task; here each has its own, so that what a cell leaves there is taken over.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import Any

_ROUNDS = 20
"""Turns that tasks get at the end of a cell: a kernel's loop turns between cells too, until all of them wait."""


class Loop:
    """Runs cells of one shell on one loop."""

    def __init__(self, shell: Any) -> None:
        import asyncio

        self._shell = shell
        self._asyncio = asyncio
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def run(self, source: str) -> Any:
        """Run a cell; IPython's result of it. Raises only what a signal's handler raises."""
        left: list[Context] = []

        async def cell() -> Any:
            try:
                return await self._run(source)
            finally:
                left.append(copy_context())

        try:
            return self._loop.run_until_complete(cell())
        finally:
            for context in left:
                _take_over(context)

    def pending(self) -> list[str]:
        """Names of the tasks that have not ended."""
        return sorted(task.get_coro().__qualname__ for task in self._asyncio.all_tasks(self._loop))  # type: ignore[union-attr]

    async def _run(self, source: str) -> Any:
        shell, failed = self._shell, None
        shell.unshown = None
        try:
            transformed = shell.transform_cell(source)
        except Exception:  # noqa: BLE001  (run_cell shows what is wrong with it)
            import sys

            transformed, failed = source, sys.exc_info()
        if not shell.should_run_async(source, transformed_cell=transformed, preprocessing_exc_tuple=failed):
            result = shell.run_cell(source, store_history=True)
        else:
            result = None
            try:
                result = await shell.run_cell_async(
                    source, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=failed
                )
            finally:
                shell.events.trigger("post_execute")
                shell.events.trigger("post_run_cell", result)
        for _ in range(_ROUNDS):
            if len(self._asyncio.all_tasks()) == 1:
                break
            await self._asyncio.sleep(0)
        if shell.unshown is not None and result.success:
            result.error_in_exec = shell.unshown
        return result


def _take_over(context: Context) -> None:
    """Give this context the values of another."""
    here = copy_context()
    for variable, value in context.items():
        if variable not in here or here[variable] is not value:
            variable.set(value)
