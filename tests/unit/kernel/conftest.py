"""A real IPython shell, gone after each test."""

from __future__ import annotations

import pytest


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """IPython as in a terminal, without a history file; gone after the test."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(
        config=Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    )
    yield made
    from IPython.core import async_helpers

    if async_helpers._asyncio_event_loop is not None:  # IPython keeps the loop of `await` cells for the life of the process
        async_helpers._asyncio_event_loop.close()
        async_helpers._asyncio_event_loop = None
    InteractiveShell.clear_instance()
