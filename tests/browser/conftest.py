"""One browser for each test process; without an installed Chromium the tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import chromium
import pytest
from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if chromium.installed() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser() as opened:
        yield opened
