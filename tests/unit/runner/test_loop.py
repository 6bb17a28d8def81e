"""Cells of one step share what a kernel's cells share."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest

from jupyter_mlops.runner.loop import Loop

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE", default=0)


class Shell:
    """What the loop asks of a shell: a sync cell is called, an async one awaited."""

    class events:  # noqa: N801
        trigger = staticmethod(lambda *_: None)

    def transform_cell(self, source: str) -> str:
        return source

    def should_run_async(self, source: str, **_: Any) -> bool:
        return "await" in source

    def run_cell(self, source: str, **_: Any) -> Any:
        exec(source, {"VARIABLE": VARIABLE})

    async def run_cell_async(self, source: str, **_: Any) -> Any:
        exec(source.replace("await ", ""), {"VARIABLE": VARIABLE})


@pytest.mark.parametrize("source", ["VARIABLE.set(7)", "await VARIABLE.set(7)"])
def test_what_a_cell_leaves_in_a_context_variable_stays(source: str) -> None:
    def step() -> int:
        loop = Loop(Shell())
        loop.run(source)
        loop.run("assert VARIABLE.get() == 7")
        found = VARIABLE.get()
        loop._loop.close()
        return found

    assert contextvars.copy_context().run(step) == 7
    assert VARIABLE.get() == 0


def test_it_stays_also_when_the_cell_raises() -> None:
    def step() -> int:
        loop = Loop(Shell())
        with pytest.raises(ZeroDivisionError):
            loop.run("VARIABLE.set(3)\n1 / 0")
        loop._loop.close()
        return VARIABLE.get()

    assert contextvars.copy_context().run(step) == 3
