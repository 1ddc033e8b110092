"""Pages: self-contained, accessible in their structure, escaped, and made from stored results alone."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, experiment, noisy, run

from provenir_lab.lab.experiment import Documents, parse_experiment, together
from provenir_lab.lab.notebook_page import render_notebook
from provenir_lab.lab.record import Result
from provenir_lab.lab.report import render

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags with their attributes; complains of tags that do not close as they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def check_page(text: str) -> Page:
    """What every page of the lab keeps to."""
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert page.all("title")
    assert page.all("script") == []
    for name, key in (("link", "href"), ("img", "src"), ("use", "xlink:href"), ("a", "href")):
        for attributes in page.all(name):
            target = attributes.get(key) or ""
            assert not re.match(r"(https?:)?//", target), target
    assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", text)
    for attributes in page.all("svg"):
        assert attributes["role"] == "img" and attributes["aria-labelledby"]
    for attributes in page.all("img"):
        assert attributes["alt"]
    for attributes in page.all("th"):
        assert attributes["scope"] in ("row", "col")
    ids = [value for _, attributes in page.tags if (value := attributes.get("id"))]
    assert len(ids) == len(set(ids))
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    return page


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Result:
    plan = parse_experiment({"name": "baseline", "title": "Baseline", "documents": {"count": 2000}}, "test")
    workshop = SimulatedWorkshop(noisy(lambda settings: 1000, 0.02))
    return run(workshop, plan, tmp_path_factory.mktemp("baseline"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Result:
    plan = experiment(candidates=[50, 1000, 2000], documents={"count": 8000}, title="Batch <size> & co")
    workshop = SimulatedWorkshop(noisy(lambda settings: 1000 + settings.batch_size / 10, 0.01))
    return run(workshop, plan, tmp_path_factory.mktemp("sweep"))


def test_a_baseline_report_holds_what_people_look_for(baseline: Result) -> None:
    text = baseline.report.read_text(encoding="utf-8")
    page = check_page(text)
    assert len(page.all("svg")) == 4  # run order, stages, slices, forecast
    assert f"{baseline.summary['variants'][0]['rec_per_min']['median']:,.0f}" in text
    for words in (
        "11,000,000 documents would take",
        "compact documents",
        "Noise floor",
        "Every run",
        "app_base",
    ):
        assert words in text
    assert sorted(p.name for p in (baseline.folder / "figures").iterdir()) == [
        "forecast.svg", "run-order.svg", "slices.svg", "stages.svg",
    ]  # fmt: skip


def test_an_experiment_report(sweep: Result) -> None:
    text = sweep.report.read_text(encoding="utf-8")
    page = check_page(text)
    assert len(page.all("svg")) == 7
    assert "Batch &lt;size&gt; &amp; co" in text
    assert "FASTER" in text and "confirmation" in text
    assert re.search(r'<span class="verdict FASTER">FASTER</span>', text)


def test_a_report_is_rendered_again_from_what_is_stored(baseline: Result) -> None:
    before = baseline.report.read_text(encoding="utf-8")
    baseline.report.unlink()
    assert render(baseline.folder).read_text(encoding="utf-8") == before


def test_tables_for_spreadsheets_lie_beside_the_report(baseline: Result, sweep: Result) -> None:
    def read(result: Result, name: str) -> list[dict[str, str]]:
        with (result.folder / "tables" / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    (only,) = read(baseline, "variants.csv")
    assert float(only["rec_per_min.median"]) == baseline.summary["variants"][0]["rec_per_min"]["median"]
    (forecast,) = read(baseline, "forecast.csv")
    assert float(forecast["hours"]) == baseline.summary["forecast"]["hours"]
    compared = read(sweep, "comparisons.csv")
    assert [row["variant"] for row in compared] == [c["variant"] for c in sweep.summary["comparisons"]]
    assert "tables/comparisons.csv" in sweep.report.read_text(encoding="utf-8")


def test_a_result_shows_itself_in_a_notebook(sweep: Result) -> None:
    text = sweep._repr_html_()
    assert "FASTER" in text and "<table>" in text and "report.html" in text


def test_what_to_do_names_the_settings_as_they_are_typed(sweep: Result, tmp_path: Path) -> None:
    assert "add --set batch_size=2000 when processing" in str(sweep.conclusion)
    plan = together({"batch_size": 1000, "workers": 2}, Documents(count=8000), runs=6)
    workshop = SimulatedWorkshop(noisy(lambda settings: 1000 * settings.workers, 0.01))
    both = str(run(workshop, plan, tmp_path).conclusion)
    assert "Keep them: add --set batch_size=1000 --set workers=2 when processing." in both


def test_what_to_do_about_void_runs_is_not_to_look_for_other_data(tmp_path: Path) -> None:
    faster = noisy(lambda settings: 1000 + settings.batch_size / 10, 0.01)
    crashed = run(SimulatedWorkshop(faster, crashes=frozenset({9})), experiment(), tmp_path / "crash")
    assert crashed.summary["comparisons"][-1]["verdict"] == "INVALID"
    assert "Nothing is known against the data" in str(crashed.conclusion)
    loses = SimulatedWorkshop(
        faster, tables=lambda settings, count: {"app_base": (count * (settings.batch_size == 500), "a")}
    )
    assert "Do not use it, however fast" in str(run(loses, experiment(), tmp_path / "loses").conclusion)


def test_no_figure_is_written_in_half(baseline: Result) -> None:
    assert not list(baseline.folder.rglob("*.part"))


def test_an_executed_notebook_becomes_a_page(tmp_path: Path) -> None:
    import nbformat
    from nbformat import v4

    outputs = [
        v4.new_output("stream", text="plain <text> \x1b[31mred\x1b[0m"),
        v4.new_output("display_data", data={"image/png": "aGk=\n", "text/plain": "a picture"}),
        v4.new_output("execute_result", data={"text/html": "<table><caption>T</caption></table>"}),
        v4.new_output(
            "error", ename="ValueError", evalue="no", traceback=["\x1b[0;31mValueError\x1b[0m: no"]
        ),
    ]
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# A question\n\nSome *words*."),
            v4.new_code_cell("runs = 3", metadata={"tags": ["injected-parameters"]}),
            v4.new_code_cell("show(1 < 2)", outputs=outputs),
        ]
    )
    path = tmp_path / "name" / "result" / "notebook.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    text = render_notebook(path)
    check_page(text)
    assert "plain &lt;text&gt; red" in text
    assert "data:image/png;base64,aGk=" in text
    assert "<caption>T</caption>" in text
    assert "ValueError: no" in text
    assert "\x1b" not in text
    assert "Parameters, as given" in text
