"""What the tests of transfers share."""

from contextlib import ExitStack

import pytest

from tests.unit.oci.scripted import scripted


@pytest.fixture
def scripted_server():
    """Start a server: ``scripted_server(answer)``; it ends with the test."""
    with ExitStack() as running:
        yield lambda answer: running.enter_context(scripted(answer))
