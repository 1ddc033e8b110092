"""The guides as a site, as `dev.py docs` builds it: whole, and opened from disk without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from chromium import watched_page
from playwright.sync_api import Browser
from playwright.sync_api import TimeoutError as NotThere

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*stylesheet[^>]*//"""
)
"""Parts of a page that a browser would ask a server for."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guides") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_no_page_fetches_anything(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 5
    assert [page.name for page in pages if FETCHED.search(page.read_text(encoding="utf-8"))] == []


def test_it_opens_from_disk_and_is_searched_without_a_network(site: Path, browser: Browser) -> None:
    with watched_page(browser, offline=True) as watched:
        page = watched.page
        page.goto((site / "index.html").as_uri())
        page.get_by_role("link", name="Installation").first.click()
        page.get_by_role("heading", name="A machine without internet").wait_for()
        page.get_by_text("Windows (PowerShell)").first.click()  # a tab
        for _ in range(10):  # what is typed before the search has begun is not always heard
            page.get_by_placeholder("Search").fill("connection pool")
            with suppress(NotThere):
                page.locator(".md-search-result__item").first.wait_for(timeout=15_000)
                break
            page.reload()
        else:
            pytest.fail("nothing was found")
        assert [url for url in watched.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert watched.errors == []
