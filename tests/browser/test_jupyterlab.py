"""The first two notebooks in JupyterLab, in a browser, as somebody uses them who runs all cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jupyterlab
import psutil
import pytest
from chromium import Watched, watched_page
from jupyterlab import Server, open_notebook, prompts, run_all, wait_until_idle
from playwright.sync_api import Browser, Page, expect

from provenir_lab.mock import generate

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATIENCE_MS = 60_000
ERROR = "[data-mime-type='application/vnd.jupyter.stderr']"
"""Errors of cells, and what is written to standard error."""


def copy(name: str, folder: Path, *, then: str = "", **parameters: object) -> str:
    """A notebook of the project with other parameters and one more cell; its name in `folder`."""
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    first = next(c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", []))
    text = "".join(first["source"])
    for parameter, value in parameters.items():
        text, found = re.subn(rf"(?m)^({parameter}: \w+ = ).*$", rf"\g<1>{value!r}", text)
        assert found == 1, parameter
    first["source"] = text
    if then:
        cell = {"cell_type": "code", "execution_count": None, "id": "then", "metadata": {}, "outputs": []}
        notebook["cells"].append(cell | {"source": then})
    target = f"{name}-{len(list(folder.glob('*.ipynb')))}.ipynb"
    (folder / target).write_text(json.dumps(notebook), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebooks are copied to, so that nothing is written into the project."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def server(browser: Browser, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyterlab.serve(root, tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    expect.set_options(timeout=PATIENCE_MS)
    with watched_page(browser, viewport={"width": 1400, "height": 1000}) as opened:
        opened.page.set_default_timeout(PATIENCE_MS)
        yield opened


def all_ran(page: Page) -> None:
    """Every code cell was run, and none complained."""
    assert all(re.fullmatch(r"\[\d+\]:", prompt.strip()) for prompt in prompts(page)), prompts(page)
    assert page.locator(ERROR).all_inner_texts() == []


def test_explore_shows_a_document_its_rows_and_where_the_bytes_go(
    watched: Watched, server: Server, root: Path
) -> None:
    page = watched.page
    open_notebook(page, server, copy("00-explore", root, count=3))
    run_all(page)
    expect(page.locator("table", has_text="parse the mapped part")).to_have_count(1)
    wait_until_idle(page)
    all_ran(page)
    tree = page.locator(".jp-OutputArea details", has=page.locator("code", has_text="CustData")).first
    expect(tree).to_have_attribute("open", "")
    expect(page.locator("summary", has_text=re.compile("app_base: 1 row"))).to_be_visible()
    assert page.locator(".jp-OutputArea th:not([scope])").count() == 0
    here = f"{server.address}/"
    elsewhere = [url for url in watched.requests if not url.startswith((here, "data:", "blob:"))]
    assert elsewhere == []


def test_explore_takes_a_file_of_ones_own(watched: Watched, server: Server, root: Path) -> None:
    page = watched.page
    document = next(iter(generate(1, seed=3, profile="heavy")))
    (root / "mine.xml").write_text(document.text, encoding="utf-8")
    open_notebook(page, server, copy("00-explore", root, document="mine.xml"))
    run_all(page)
    expect(page.locator("table", has_text="parse the mapped part")).to_have_count(1)
    wait_until_idle(page)
    all_ran(page)
    expect(page.locator("strong", has_text="mine.xml")).to_be_visible()
    rows = page.locator("details", has_text="app_base: 1 row").last
    assert "filled" in rows.inner_text() and str(document.app_id) not in rows.inner_text()


def test_a_malformed_file_is_told_in_one_line(watched: Watched, server: Server, root: Path) -> None:
    page = watched.page
    (root / "broken.xml").write_text("<Provenir><Request ID='1'>", encoding="utf-8")
    open_notebook(page, server, copy("00-explore", root, document="broken.xml"))
    run_all(page)
    expect(page.locator(ERROR)).to_have_count(1)
    told = page.locator(ERROR).inner_text().strip()
    assert re.fullmatch(r"error: broken\.xml: malformed_xml: .+; the processor refuses it too", told)


def test_baseline_runs_to_its_figures(watched: Watched, server: Server, root: Path) -> None:
    page = watched.page
    open_notebook(page, server, copy("01-baseline", root, runs=2, documents=60))
    run_all(page)
    expect(page.locator(".jp-OutputArea progress").first).to_be_visible()  # while it goes on
    expect(page.locator("figure svg[aria-labelledby='forecast-title forecast-desc']")).to_be_visible()
    wait_until_idle(page)
    all_ran(page)
    assert page.locator("figure svg").count() >= 3
    assert page.locator(".jp-OutputArea progress").count() == 0
    assert page.locator(".jp-OutputArea", has_text="median of 2 runs").count() == 1
    assert list((root / "results" / "baseline").glob("*/report.html"))


def test_an_interrupted_cell_leaves_a_clean_state(watched: Watched, server: Server, root: Path) -> None:
    page = watched.page
    again = "again = asked.model_copy(update={'runs': 1})\nagain.run()"
    open_notebook(page, server, copy("01-baseline", root, runs=500, documents=60, then=again))
    run_all(page)
    expect(page.locator(".jp-OutputArea", has_text="of 502").first).to_be_visible()
    page.locator("[data-command='notebook:interrupt-kernel'] >> visible=true").first.click()
    expect(page.locator(ERROR, has_text="KeyboardInterrupt")).to_have_count(1)
    wait_until_idle(page)
    assert processes_of_runs(server) == []

    page.locator(".jp-CodeCell").last.click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea", has_text="median of 1 run")).to_have_count(1)
    wait_until_idle(page)
    assert processes_of_runs(server) == []


def processes_of_runs(server: Server) -> list[str]:
    """Command lines of processors that kernels of this server started and that still live."""
    children = psutil.Process(server.pid).children(recursive=True)
    return [line for child in children if "run_once" in (line := " ".join(child.cmdline()))]
