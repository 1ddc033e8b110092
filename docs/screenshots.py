"""Takes the pictures of the guides from a finished campaign, with an installed Chromium.

    .venv/bin/python docs/screenshots.py [CAMPAIGN_FOLDER]        default: results/reference/phase2

Writes images/campaign.png (its index), images/phase.png and images/report.png (the reports of its first kept
phase and of its baseline), and images/jupyterlab.png: 00-explore in JupyterLab, run to its end.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from chromium import browser, watched_page  # noqa: E402
from jupyterlab import open_notebook, run_all, serve, wait_until_idle  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page  # noqa: E402

IMAGES = ROOT / "docs" / "images"
CAMPAIGN = ROOT / "results" / "reference" / "phase2"
"""The stored campaign, whose figures the guides show."""
WIDTH, HEIGHT = 1280, 1000
COLOURS = 128
"""As many as text and flat figures need; it makes the files small."""


def main(campaign: Path) -> None:
    """All pictures."""
    folders = json.loads((campaign / "campaign.json").read_text(encoding="utf-8"))["folders"]
    IMAGES.mkdir(exist_ok=True)
    with browser() as opened:
        picture_of(opened, campaign / "index.html", "campaign")
        picture_of(opened, campaign / folders[kept_phase(campaign)] / "report.html", "phase")
        picture_of(opened, campaign / folders["baseline"] / "report.html", "report")
        explore(opened)


def kept_phase(campaign: Path) -> str:
    """The experiment that was kept first; the first one measured if none was."""
    lines = (campaign / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    decisions = [found for line in lines if (found := json.loads(line))["evidence"]]
    return str(min(decisions, key=lambda found: found["decision"] != "keep")["experiment"])


def picture_of(opened: Browser, report: Path, name: str) -> None:
    """The top of a page of a result."""
    with watched_page(opened, viewport={"width": WIDTH, "height": HEIGHT}) as watched:
        watched.page.goto(report.resolve().as_uri())
        save(watched.page, name)


def explore(opened: Browser) -> None:
    """00-explore in JupyterLab, at the document and its rows."""
    with tempfile.TemporaryDirectory() as folder:
        notebooks = Path(folder) / "notebooks"
        notebooks.mkdir()
        shutil.copy(ROOT / "notebooks" / "00-explore.ipynb", notebooks)
        with (
            serve(notebooks, Path(folder)) as server,
            watched_page(opened, viewport={"width": WIDTH + 120, "height": HEIGHT}) as watched,
        ):
            watched.page.set_default_timeout(120_000)
            open_notebook(watched.page, server, "00-explore.ipynb")
            run_all(watched.page)
            watched.page.locator("table", has_text="parse the mapped part").wait_for()
            wait_until_idle(watched.page)
            watched.page.keyboard.press("Control+B")  # without the list of files
            watched.page.locator("h2", has_text="The document and its rows").evaluate(
                "heading => heading.scrollIntoView({block: 'start'})"
            )
            save(watched.page, "jupyterlab")


def save(page: Page, name: str) -> None:
    """What is on the screen, as a small PNG."""
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    with Image.open(file) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(file, optimize=True)
    print(f"{file}: {file.stat().st_size // 1000} KB")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]) if len(sys.argv) == 2 else CAMPAIGN)
