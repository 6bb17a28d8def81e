"""What keeps the browser tests apart from the server tests when one session runs both."""

from __future__ import annotations

import pytest


@pytest.fixture
def jp_asyncio_loop() -> None:
    """No event loop for each test.

    pytest-jupyter gives every test of the session one and closes it afterwards. Playwright's synchronous interface keeps a
    loop of its own running as long as the browser is open, for many tests; that is the one which would be closed.
    """


@pytest.fixture
def jp_server_cleanup() -> None:
    """Nothing to clean up: the servers of these tests are processes of their own, and end with them."""
