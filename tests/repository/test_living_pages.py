"""Pages whose figures come from stored results: up to date, nothing typed by hand, the results whole."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provenir_lab.lab import MIGRATION_DOCUMENTS
from provenir_lab.lab.compare import forecast
from provenir_lab.lab.experiment import Experiment, load_experiment
from provenir_lab.lab.keep import finished_results
from provenir_lab.lab.record import load_result

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "tests" / "lab")]

import living  # noqa: E402
import living_parts  # noqa: E402
from lab_simulation import SimulatedWorkshop, noisy, run  # noqa: E402
from test_campaign import Simulation, campaign  # noqa: E402
from test_files import MACHINE_PATH  # noqa: E402
from test_report import check_page  # noqa: E402

REFERENCE = ROOT / "results" / "reference"
LIVING = [page for page in living.PAGES if living.PART.search(page.read_text(encoding="utf-8"))]
GUIDES = ("execution-guide.md", "optimisation-plan.md", "assessment.md", "old-benchmark.md")
FIXED = re.compile(r"\bII\.\d|100 %|^\d\. ", re.M)
"""Numbers that nobody measures: names of phases, the most that an efficiency can be, steps of a list."""


@pytest.mark.parametrize("page", LIVING, ids=lambda page: page.name)
def test_living_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    written = living.living_page(text, living_parts.PARTS, living_parts.Reference(REFERENCE))
    assert text == written, "run: .venv/bin/python docs/living.py"


def test_figures_are_those_of_the_stored_results() -> None:
    reference = living_parts.Reference(REFERENCE)
    for page in LIVING:
        living.living_page(page.read_text(encoding="utf-8"), living_parts.PARTS, reference)
    stored = {path.name: path.read_text(encoding="utf-8") for path in living_parts.IMAGES.glob("*")}
    assert stored == reference.shown


def test_everything_that_the_pages_tell_of_is_measured() -> None:
    assert [page.name for page in LIVING if "Not measured yet" in page.read_text(encoding="utf-8")] == []


def test_every_part_stands_in_a_page() -> None:
    used = {m["name"] for page in LIVING for m in living.PART.finditer(page.read_text(encoding="utf-8"))}
    assert used == set(living_parts.PARTS)


@pytest.mark.parametrize("name", GUIDES)
def test_no_figure_is_typed_by_hand(name: str) -> None:
    text = living.PART.sub("", (ROOT / "docs" / name).read_text(encoding="utf-8"))
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", text, flags=re.S)
    assert re.findall(r".*\d.*", FIXED.sub("", prose)) == []


# ---- the results that are kept


def kept_folders() -> Iterator[Path]:
    for finished in finished_results(REFERENCE):
        yield finished.folder
        yield from (path.parent for path in finished.folder.glob("*/summary.json"))


def test_what_is_kept_is_small_and_names_no_place_or_person() -> None:
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5_000_000
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    assert [path.name for path, text in texts.items() if MACHINE_PATH.search(text)] == []


def test_what_is_kept_can_be_read_and_its_pages_are_sound() -> None:
    for folder in kept_folders():
        page = next(path for path in (folder / "index.html", folder / "report.html") if path.is_file())
        links = check_page(page.read_text(encoding="utf-8")).all("a")
        assert [link["href"] for link in links if not (folder / str(link["href"])).exists()] == []
        if page.name == "report.html":
            assert load_result(folder).runs


# ---- the parts, with everything measured


def project(name: str) -> Experiment:
    return load_experiment(living_parts.FILES[name])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> living_parts.Reference:
    """A campaign of two of the project's phases and one experiment of its own, simulated."""
    folder = tmp_path_factory.mktemp("measured")
    phases = [project("phase2-1-batch-size"), project("phase2-5-async-parsing")]
    home = campaign(folder, Simulation(), phases, quick=True).folder
    home.rename(home.with_name("phase2"))  # as it is kept
    rate = noisy(lambda settings: 800 if settings.log_level == "debug" else 1000, 0.004)
    run(SimulatedWorkshop(rate), project("phase1-logging").as_quick(), folder / "results")
    return living_parts.Reference(folder / "results")


def test_the_plan_sets_the_expected_beside_the_measured(measured: living_parts.Reference) -> None:
    text = living_parts.plan(measured)
    rows = {cells[0]: cells[1:] for line in text.splitlines() if len(cells := line.split(" | ")) == 6}
    expected, ceiling, found, verdict, decision = rows["| II.1 Batch size"]
    assert (expected, verdict, decision) == ("+5 to +15 %", "FASTER (indicative)", "keep |")
    assert re.fullmatch(r"× 1\.\d\d", ceiling)
    assert re.fullmatch(r"× 1\.(19|20)\d, 1\.\d{3} to 1\.\d{3} \(96\.9%\)", found)
    assert rows["| II.5 Async parsing"][2:] == ["–", "SKIPPED", "skipped |"]
    assert rows["| W Write path"][2] == "not measured yet"
    assert "parse takes 14% of the baseline's time" in text
    assert "images/measured/campaign-forest.svg" in text and "campaign-forest.svg" in measured.shown


def test_headline_and_forecast_are_those_of_the_campaign(measured: living_parts.Reference) -> None:
    found = measured.campaign
    assert found is not None and found.end_to_end is not None
    assert found.headline in living_parts.headline(measured)
    together = living_parts.together(measured)
    assert "measured in one session of blocks: FASTER" in together and "campaign-waterfall.svg" in together
    text = living_parts.migration(measured)
    lines = text.splitlines()
    for line, variant in zip(lines, ("baseline", "everything accepted"), strict=False):  # of one session
        assert forecast(found.end_to_end.folder, MIGRATION_DOCUMENTS, variant=variant).headline in line
    assert "days" in text or "hours" in text


def test_metrics_and_baseline_are_filled_in(measured: living_parts.Reference) -> None:
    found = measured.campaign
    assert found is not None
    rate = found.decisions[0].after_rec_per_min
    assert f"{rate:,.0f}" in living_parts.metrics(measured)
    assert found.baseline.headline in living_parts.baseline(measured)


def test_a_claim_with_what_was_measured(measured: living_parts.Reference) -> None:
    text = living_parts.PARTS["logging"](measured)
    assert "Log lines for every document cost throughput" in text
    assert "pays: slower without it (SLOWER)" in text
    assert "images/measured/phase1-logging-forest.svg" in text


@pytest.mark.parametrize("name", sorted(living_parts.PARTS))
def test_a_part_without_results_says_how_to_measure_it(name: str, tmp_path: Path) -> None:
    text = living_parts.PARTS[name](living_parts.Reference(tmp_path))
    if name == "headline":
        assert text == ""
    elif name in ("databases", "long-runs", "random-kills"):
        assert re.fullmatch(
            r"Not measured yet. `.*(dev\.py (bench|faults)|benchmarks\.long_run) .*` measures it.", text
        )
    elif name != "phases":
        assert re.search(r"Not measured yet. `provenir-lab (run|campaign) experiments/[\w-]+\.yaml`", text)
