"""The local engine passes the conformance suite of its port."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.engine.local.engine import LocalEngine
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Steps, Storage
from jupyter_mlops.testing.engine import EngineConformance


class TestLocalEngine(EngineConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> LocalEngine:
        settings = Settings(storage=Storage(home=tmp_path / "home"), steps=Steps(stop_grace=1.0))
        return LocalEngine(settings, Layout(settings.storage.registry))
