"""Programs of others that more than one of these suites runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.cosign.program import build
from tests.conformance.official.program import missing


@pytest.fixture(scope="session")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program."""
    if reason := missing():
        pytest.skip(f"NOT RUN: {reason}: our signatures are NOT compared with cosign on this machine")
    program = tmp_path_factory.mktemp("cosign") / "cosign"
    failure = build(program)
    assert not failure, failure
    return program
