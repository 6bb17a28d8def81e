"""Every store passes the suite that third parties run on theirs."""

from pathlib import Path

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.testing.registry import StoreConformance


class TestLayout(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Layout:
        return Layout(tmp_path / "a folder with spaces, % and ü")
