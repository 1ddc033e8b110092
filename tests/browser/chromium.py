"""An installed Chromium, driven without a window: a page that notes all that it asks for and complains of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
PATIENCE = 180_000
"""Milliseconds until what does not appear counts as absent: the machine may be busy."""
MISSING = f"no browser found ({', '.join(NAMES)}); on Debian: apt-get install chromium"


def installed() -> str | None:
    """The path of a browser of the Chromium family; None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """The installed browser. Raises FileNotFoundError if there is none."""
    path = installed()
    if path is None:
        raise FileNotFoundError(MISSING)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=path,
            args=["--no-sandbox"] if as_root else [],  # Chromium's sandbox refuses to work for root
        )
        yield opened
        opened.close()


@dataclass
class Watched:
    """A page, the addresses it asked for and the errors it reported."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def watched_page(opened: Browser, **options: Any) -> Iterator[Watched]:
    """A new page in a context of its own; `options` are those of Playwright's `new_context`."""
    context = opened.new_context(**options)
    context.set_default_timeout(PATIENCE)
    watched = Watched(context.new_page())
    watched.page.on("request", lambda request: watched.requests.append(request.url))
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    watched.page.on(
        "console", lambda said: watched.errors.append(said.text) if said.type == "error" else None
    )
    try:
        yield watched
    finally:
        context.close()
