"""What all tests share: Jupyter's own server fixtures, and a home of their own for whatever they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ("pytest_jupyter.jupyter_server",)


@pytest.fixture
def mlops_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of runs, models and services for one test; nothing of the person who runs the tests is read or written."""
    home = tmp_path / "mlops"
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(home))
    return home


@pytest.fixture
def jp_server_config(mlops_home: Path) -> dict[str, Any]:
    """A real Jupyter Server with the extension, as strict as it can be."""
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}, "allow_unauthenticated_access": False},
        "MlopsApp": {"home": str(mlops_home)},
    }


_UNRAISED: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what Python could not raise: it belongs to whatever ran before, and is found by reading it, not by its test's name."""
    if report.failed and "unraisable exception" in report.longreprtext:
        marks = ("Warning:", "Error:", "Exception ignored")
        told = [line for line in report.longreprtext.splitlines() if any(mark in line for mark in marks)]
        _UNRAISED.append(f"{report.nodeid}: {' | '.join(told)}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say it at the end, where a cut log still shows it."""
    for line in _UNRAISED:
        terminalreporter.write_line(f"unraisable: {line[:2000]}")
