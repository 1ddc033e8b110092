"""The HTML pages in a browser: accessible, readable on a telephone, light and dark, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import Watched, watched_page
from example_results import finished_campaign, measured_baseline
from playwright.sync_api import Browser

DESKTOP, TELEPHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PAGES = ("index", "sweep", "invalid", "baseline", "notebook")
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}


@pytest.fixture(scope="module")
def pages(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each page by its name."""
    home = tmp_path_factory.mktemp("pages")
    campaign, baseline = finished_campaign(home), measured_baseline(home)
    phases = {decision.experiment: decision for decision in campaign.decisions}
    assert [d.verdict for d in phases.values()] == ["FASTER", "INVALID", "SKIPPED"]
    shown = {"sweep": "batch-size", "invalid": "duplicates"}
    return {
        "index": campaign.report,
        **{name: campaign.folder / str(phases[of].evidence) / "report.html" for name, of in shown.items()},
        "baseline": baseline.report,
        "notebook": baseline.folder / "notebook.html",
    }


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[DESKTOP, TELEPHONE], ids=["desktop", "telephone"])
def opened(request: pytest.FixtureRequest, browser: Browser, scheme: str) -> Iterator[Watched]:
    with watched_page(browser, viewport=request.param, color_scheme=scheme, offline=True) as watched:
        yield watched


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_needs_no_network(
    name: str, pages: dict[str, Path], opened: Watched, scheme: str
) -> None:
    address = pages[name].as_uri()
    page = opened.page
    page.goto(address)
    assert [url for url in opened.requests if not url.startswith("data:")] == [address]
    assert opened.errors == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == GROUNDS[scheme]
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0, "the page itself scrolls sideways"
    assert violations(Axe().run(page).response) == []


def violations(found: dict[str, Any]) -> list[str]:
    """What axe-core complains of, however slight, with the first place of each."""
    return [f"{v['impact']} {v['id']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]]
