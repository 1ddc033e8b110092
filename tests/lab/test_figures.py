"""What the figures show (their data), and that what is drawn is a self-contained, described picture."""

import re
from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lab_simulation import SimulatedWorkshop, experiment, noisy, run

from provenir_lab.lab.experiment import parse_experiment
from provenir_lab.lab.figures import data, draw, main_picture, pictures_of
from provenir_lab.lab.figures.picture import Picture
from provenir_lab.lab.record import Result
from provenir_lab.settings import Settings

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Result:
    rate = noisy(lambda settings: 1000 + settings.batch_size / 10, 0.01)
    plan = experiment(candidates=[50, 2000, 1000], documents={"count": 8000})
    workshop = SimulatedWorkshop(rate, crashes=frozenset({12}))
    return run(workshop, plan, tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def scaling(tmp_path_factory: pytest.TempPathFactory) -> Result:
    plan = experiment(name="scaling", change="workers", candidates=[2, 4], documents={"count": 8000})
    rate = noisy(lambda settings: {1: 1000, 2: 1900, 4: 3000}[settings.workers], 0.001)
    return run(SimulatedWorkshop(rate), plan, tmp_path_factory.mktemp("scaling"))


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Result:
    plan = parse_experiment({"name": "baseline", "title": "B", "documents": {"count": 2000}}, "test")
    return run(
        SimulatedWorkshop(noisy(lambda settings: 1000, 0.02)), plan, tmp_path_factory.mktemp("baseline")
    )


def test_run_order_shows_every_run_with_its_kind(sweep: Result) -> None:
    found = data.run_order(sweep.summary, sweep.runs)
    assert [p.order for p in found.points] == [r.order for r in sweep.runs]
    kinds = [p.kind for p in found.points]
    assert (kinds.count("warm-up"), kinds.count("void")) == (8, 1)
    assert re.match(r"The baseline varies by \d\.\d% from run to run", found.title)


def test_an_odd_run_is_marked_and_counts(tmp_path: Path) -> None:
    def rate(settings: Settings, number: int) -> float:
        return 500 if number == 9 else 1000 + number % 4

    result = run(SimulatedWorkshop(rate), experiment(), tmp_path)
    found = data.run_order(result.summary, result.runs)
    assert [(p.order, p.kind) for p in found.points if p.odd] == [(10, "measured")]
    assert "1 odd" in found.description
    assert "odd, counts all the same" in draw.run_order(found).svg
    (odd,) = [v for v in result.summary["variants"] if v["outliers"]]
    assert (odd["outliers"], odd["valid"]) == ([10], 6)
    page = result.report.read_text(encoding="utf-8")
    assert re.findall(r'<th scope="row">(\d+)</th>(?:(?!</tr>).)*odd: far from the others', page) == ["10"]
    assert "with the odd pair " in page  # a single one


def test_run_order_tells_a_drift(tmp_path: Path) -> None:
    plan = parse_experiment({"name": "baseline", "title": "B", "documents": {"count": 2000}}, "test")
    result = run(SimulatedWorkshop(lambda settings, number: 1000 - 20 * number), plan, tmp_path)
    assert "drifts by -21%" in data.run_order(result.summary, result.runs).title


def test_points_and_their_medians(baseline: Result, sweep: Result) -> None:
    found = data.points(baseline.summary, baseline.runs)
    (strip,) = found.strips
    assert len(strip.values) == 10
    assert strip.median == baseline.summary["variants"][0]["rec_per_min"]["median"]
    labels = [strip.label for strip in data.points(sweep.summary, sweep.runs).strips]
    assert labels[-2:] == ["baseline, confirmation", "batch_size=1000, confirmation"]


def test_forest_tells_estimates_from_verdicts(sweep: Result) -> None:
    found = data.experiment_forest(sweep.summary)
    assert [row.note for row in found.rows][:3] == ["estimate only"] * 3
    assert found.rows[-1].label.endswith("(confirmed)")
    assert all(row.low <= row.centre <= row.high for row in found.rows)
    assert set(found.thresholds) == {0.03}


def test_sweep_is_in_order_of_the_setting_and_names_the_nominated(sweep: Result) -> None:
    found = data.sweep(sweep.summary, "batch_size")
    assert [v.label for v in found.values] == ["50", "500", "1000", "2000"]
    assert found.tied == ("1000",)  # a run of the faster 2000 crashed
    assert found.title.startswith("batch_size 1000 was nominated: 1.0")
    assert found.title.endswith(" times the baseline's throughput")


@pytest.fixture(scope="module")
def slower_later(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A sweep whose nominated candidate is confirmed at half the speed of the machine."""
    plan = experiment(name="scaling", change="workers", candidates=[2, 4, 8], documents={"count": 16000})
    sweep_runs = 4 * (6 + 2)
    rates = {1: 1000, 2: 1800, 4: 1790, 8: 1500}

    def rate(settings: Settings, number: int) -> float:
        speed = 1 if number < sweep_runs else 0.5
        return rates[settings.workers] * speed * (1 + 0.01 * (number % 3))

    return run(SimulatedWorkshop(rate), plan, tmp_path_factory.mktemp("later"))


def test_a_sweep_is_drawn_from_its_own_runs(slower_later: Result) -> None:
    nominated = slower_later.summary["comparisons"][-1]["variant"]
    found = data.sweep(slower_later.summary, "workers")
    centres = {v.label: v.centre for v in found.values}
    best = max(centres, key=lambda label: centres[label])
    assert nominated == f"workers={best}" and best in ("2", "4")
    assert found.title.startswith(f"workers {best} was nominated")
    assert set(found.tied) == {"2", "4"} and found.tied[0] == best
    assert centres["2"] == pytest.approx(1.8, rel=0.03) and centres["8"] == pytest.approx(1.5, rel=0.03)


def test_scaling_is_that_of_the_sweep(slower_later: Result) -> None:
    found = data.scaling(slower_later.summary, slower_later.runs)
    assert found is not None
    best = slower_later.summary["comparisons"][-1]["variant"].removeprefix("workers=")
    assert found.title.startswith(f"{best} workers are 1.8") and found.title.endswith("(in the sweep)")
    assert {w: round(gain, 1) for w, gain, _ in found.points} == {1: 1.0, 2: 1.8, 4: 1.8, 8: 1.5}
    page = slower_later.report.read_text(encoding="utf-8")
    (table,) = re.findall(r"from the pairs of the sweep</span>.*?</table>", page, re.S)
    cells = re.findall(r'<th scope="row"[^>]*>(\d+)</th><td>([\d.]+)</td>', table)
    assert {w: round(float(gain), 1) for w, gain in cells} == {"1": 1.0, "2": 1.8, "4": 1.8, "8": 1.5}


def test_a_sweep_without_a_sound_candidate_nominates_none(tmp_path: Path) -> None:
    plan = experiment(candidates=[50, 1000], documents={"count": 8000})
    workshop = SimulatedWorkshop(
        noisy(lambda settings: 1000, 0.01),
        tables=lambda settings, count: {"app_base": (count, str(settings.batch_size))},
    )
    result = run(workshop, plan, tmp_path)
    found = data.sweep(result.summary, "batch_size")
    assert (found.title, found.tied) == ("No value of batch_size passed the gates", ())
    assert "gates not passed" in found.description
    check_picture(draw.sweep(found))


def test_stages_are_milliseconds_a_document(baseline: Result) -> None:
    found = data.stages(baseline.summary)
    ((name, parts),) = found.bars
    assert name == "baseline"
    seconds = baseline.summary["variants"][0]["seconds"]["median"]
    assert sum(parts) == pytest.approx(seconds / 2000 * 1000, rel=0.02)
    assert sum(data.stage_shares(baseline.summary).values()) == pytest.approx(1)


def test_slices_tell_decay_from_steadiness() -> None:
    def summary(rates: list[float]) -> dict[str, object]:
        slices = [{"documents": 100 * (i + 1), "rec_per_min": rate} for i, rate in enumerate(rates)]
        return {"variants": [{"variant": "baseline", "slices": slices}]}

    steady, falling = data.slices(summary([100, 101, 99])), data.slices(summary([100, 80, 60]))
    assert steady is not None and falling is not None
    assert steady.title == "Throughput holds as the tables fill"
    assert "-40%" in falling.title
    assert data.slices(summary([100])) is None


def test_scaling_is_against_one_worker(scaling: Result) -> None:
    found = data.scaling(scaling.summary, scaling.runs)
    assert found is not None
    assert [w for w, _, _ in found.points] == [1, 2, 4]
    assert [round(gain, 1) for _, gain, _ in found.points] == [1.0, 1.9, 3.0]
    assert found.title == "4 workers are 3.00 times as fast as one: efficiency 75% (in the sweep)"


def test_waterfall_multiplies_and_shows_what_was_measured() -> None:
    measured = data.Interval("end to end", 1.3, 1.25, 1.36)
    found = data.waterfall([("II.1", 1.2), ("II.3", 1.1)], measured)
    assert found.product == pytest.approx(1.32)
    assert found.title == "Kept phases multiply to 1.32; measured end to end: 1.30 times"
    assert found.span == pytest.approx((1, 1.36))
    assert data.waterfall([("II.1", 1.1)], data.Interval("", 0.9, 0.85, 0.95)).span == pytest.approx(
        (0.85, 1.1)
    )
    assert data.waterfall([], None).title == "No phase was kept"


def test_a_forest_shades_each_row_within_its_own_threshold() -> None:
    ratio = {"centre": 1.1, "low": 1.0, "high": 1.2}
    rows = [(name, {"ratio": ratio, "verdict": "INCONCLUSIVE"}, t) for name, t in (("a", 0.03), ("b", 0.2))]
    found = data.forest("Two phases", rows)
    assert found.thresholds == (0.03, 0.2)
    assert "within each one&#39;s threshold" in draw.forest(found).svg.replace("'", "&#39;")


def test_forecast_names_the_profile(baseline: Result) -> None:
    found = data.forecast([("baseline", baseline.summary["forecast"])], "compact")
    assert found.title.startswith("11 million compact documents take ")
    assert found.rows[0].low <= found.rows[0].centre <= found.rows[0].high


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.5, "30 minutes"), (1.3, "78 minutes"), (2.0, "2.0 hours"), (47.9, "47.9 hours"), (72, "3.0 days")],
)
def test_duration(hours: float, text: str) -> None:
    assert data.duration(hours) == text


def test_a_picture_shows_itself_in_notebooks_in_every_form_with_its_alternative_text(
    baseline: Result,
) -> None:
    picture = main_picture(baseline)
    shown, metadata = picture._repr_mimebundle_()
    assert set(shown) == {"text/html", "image/svg+xml", "image/png", "text/plain"}
    assert picture.svg in shown["text/html"]
    assert ElementTree.fromstring(shown["image/svg+xml"]).tag == f"{SVG}svg"
    assert b64decode(shown["image/png"], validate=True).startswith(b"\x89PNG\r\n")
    assert len(shown["image/png"]) < 100_000
    assert shown["text/plain"] == f"{picture.title}. {picture.description}"
    assert metadata["image/png"] == metadata["image/svg+xml"] == {"alt": shown["text/plain"]}


def test_a_picture_is_drawn_by_its_name(sweep: Result) -> None:
    for picture in pictures_of(sweep):
        assert sweep.picture(picture.name) == picture
    assert sweep.picture("scaling") is None


def check_picture(picture: Picture) -> None:
    root = ElementTree.fromstring(picture.svg)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == picture.title
    assert root.findtext(f"{SVG}desc") == picture.description
    ids = re.findall(r'\bid="([^"]+)"', picture.svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith(f"{picture.name}-") for name in ids)
    for target in re.findall(r'(?:href="#|url\(#)([^")]+)', picture.svg):
        assert target in ids
    links = [
        x for x in re.findall(r"https?://[^\s\"']+", picture.svg) if not x.startswith("http://www.w3.org/")
    ]
    assert links == []
    assert not re.search(r"nan|inf\b", picture.svg)


def test_every_picture_is_described_and_self_contained(
    sweep: Result, scaling: Result, baseline: Result
) -> None:
    pictures = [*pictures_of(sweep), *pictures_of(scaling), *pictures_of(baseline)]
    pictures.append(draw.waterfall(data.waterfall([("II.1", 1.2)], data.Interval("", 1.3, 1.2, 1.4))))
    for picture in pictures:
        check_picture(picture)
    assert {p.name for p in pictures} == {
        "run-order", "points", "forest", "waterfall", "sweep", "stages", "slices", "scaling", "forecast",
    }  # fmt: skip
    assert main_picture(sweep).name == "forest"
    assert main_picture(baseline).name == "run-order"
