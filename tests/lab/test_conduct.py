"""Whole experiments in a simulated workshop: order of steps, looks, sweeps, resume, and what is on disk."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from lab_simulation import ENVIRONMENT, SimulatedWorkshop, experiment, noisy, run

from provenir_lab.errors import LabError, UsageError
from provenir_lab.lab.experiment import load_experiment, parse_experiment
from provenir_lab.lab.record import load_result
from provenir_lab.progress import Step
from provenir_lab.settings import Settings

ONE_RUN = ["clear", "prove ready", "process", "digests"]
BASELINE = {"name": "baseline", "title": "Baseline", "runs": 10, "documents": {"count": 2000}}


def larger_is(gain: float, slower_from: int = 10**9):  # type: ignore[no-untyped-def]
    """Batches above 500 change throughput by `gain`, from `slower_from` on they halve it."""

    def rate(settings: Settings) -> float:
        return 1000 * (
            0.5 if settings.batch_size >= slower_from else 1 + gain if settings.batch_size > 500 else 1
        )

    return rate


def test_every_run_takes_all_steps_in_order(tmp_path: Path) -> None:
    workshop = SimulatedWorkshop(noisy(larger_is(0.2), 0.01))
    result = run(workshop, experiment(), tmp_path)
    assert workshop.calls == ["documents 4000", *ONE_RUN * 16]
    assert Counter(r.part for r in result.runs) == {"warm-up": 4, "measure": 12}
    assert [r.variant for r in result.runs[4:8]] == [
        "baseline",
        "batch_size=1000",
        "batch_size=1000",
        "baseline",
    ]


@pytest.mark.parametrize(
    ("gain", "verdict", "decision"),
    [(0.2, "FASTER", "keep"), (-0.2, "SLOWER", "revert"), (0.0, "EQUIVALENT", "baseline stays")],
)
def test_verdicts(tmp_path: Path, gain: float, verdict: str, decision: str) -> None:
    result = run(SimulatedWorkshop(noisy(larger_is(gain), 0.004)), experiment(), tmp_path)
    judged = result.summary["comparisons"][-1]
    assert (judged["verdict"], judged["decision"]) == (verdict, decision)
    assert judged["ratio"]["centre"] == pytest.approx(1 + gain, rel=0.02)
    assert verdict in result.headline


def test_faster_but_wrong_is_invalid(tmp_path: Path) -> None:
    def drops_rows(settings: Settings, count: int) -> dict[str, tuple[int, str]]:
        contacts = 0 if settings.batch_size > 500 else count
        return {"app_base": (count, "aa"), "app_contact_base": (contacts, f"c{contacts}")}

    result = run(SimulatedWorkshop(noisy(larger_is(0.5), 0.01), tables=drops_rows), experiment(), tmp_path)
    judged = result.summary["comparisons"][-1]
    assert (judged["verdict"], judged["decision"]) == ("INVALID", "reject")
    assert "app_contact_base: 0 rows instead of 4,000" in judged["reason"]
    assert result.summary["accepted_variant"] == "baseline"


def test_one_inconclusive_comparison_goes_on_once(tmp_path: Path) -> None:
    plan = experiment(runs=7, max_runs=12)
    result = run(SimulatedWorkshop(noisy(larger_is(0.03), 0.05)), plan, tmp_path)
    judged = result.summary["comparisons"][-1]
    assert judged["planned"] == 12
    assert judged["pairs"] == 12
    assert judged["ratio"]["confidence"] >= 0.975
    assert sum(r.part == "measure" for r in result.runs) == 24


def test_a_settled_comparison_takes_no_second_look(tmp_path: Path) -> None:
    result = run(SimulatedWorkshop(noisy(larger_is(0.3), 0.01)), experiment(runs=7, max_runs=20), tmp_path)
    assert sum(r.part == "measure" for r in result.runs) == 14


def test_a_sweep_nominates_and_a_confirmation_decides(tmp_path: Path) -> None:
    plan = experiment(candidates=[50, 1000, 2000], documents={"count": 8000})
    result = run(SimulatedWorkshop(noisy(larger_is(0.2, slower_from=2000), 0.01)), plan, tmp_path)
    *sweep, judged = result.summary["comparisons"]
    assert [c["verdict"] for c in sweep] == [None, None, None]
    assert (judged["variant"], judged["parts"], judged["verdict"]) == (
        "batch_size=1000",
        ["confirm"],
        "FASTER",
    )
    confirmed = [r.variant for r in result.runs if r.part == "confirm"]
    assert confirmed == ["baseline", "batch_size=1000", "batch_size=1000", "baseline"] * 3
    assert result.summary["tied"] == []


def test_settings_that_do_as_well_are_listed_as_tied(tmp_path: Path) -> None:
    plan = experiment(candidates=[50, 1000, 1500], documents={"count": 8000})
    result = run(SimulatedWorkshop(noisy(larger_is(0.2), 0.02)), plan, tmp_path)
    best = result.summary["comparisons"][-1]["variant"]
    assert result.summary["tied"] == [n for n in ("batch_size=1000", "batch_size=1500") if n != best]


def test_a_wrong_candidate_is_not_nominated(tmp_path: Path) -> None:
    plan = experiment(candidates=[50, 1000, 2000], documents={"count": 8000})
    workshop = SimulatedWorkshop(
        noisy(larger_is(0.2), 0.01),
        tables=lambda settings, count: {"app_base": (count if settings.batch_size < 2000 else 1, "a")},
    )
    result = run(workshop, plan, tmp_path)
    assert result.summary["comparisons"][-1]["variant"] == "batch_size=1000"


def test_a_wrong_candidate_is_not_listed_as_tied(tmp_path: Path) -> None:
    plan = experiment(candidates=[50, 1000, 1500], documents={"count": 8000})
    workshop = SimulatedWorkshop(
        noisy(larger_is(0.2), 0.02),
        tables=lambda settings, count: {"app_base": (count if settings.batch_size != 1500 else 1, "a")},
    )
    result = run(workshop, plan, tmp_path)
    assert result.summary["comparisons"][-1]["variant"] == "batch_size=1000"
    assert result.summary["tied"] == []


def test_interrupted_and_started_again_it_goes_on(tmp_path: Path) -> None:
    rate = noisy(larger_is(0.2), 0.0)
    with pytest.raises(KeyboardInterrupt):
        run(SimulatedWorkshop(rate, interrupt_at=9), experiment(), tmp_path)
    (folder,) = (tmp_path / "batch-size").iterdir()
    before = (folder / "runs.csv").read_text(encoding="utf-8")
    assert not (folder / "summary.json").exists()

    workshop = SimulatedWorkshop(rate)
    result = run(workshop, experiment(), tmp_path, folder=folder)
    assert workshop.calls.count("process") == 16 - 9
    assert (folder / "runs.csv").read_text(encoding="utf-8").startswith(before)
    undisturbed = run(SimulatedWorkshop(rate), experiment(), tmp_path / "other")
    assert [r.slot for r in result.runs] == [r.slot for r in undisturbed.runs]
    assert result.summary == undisturbed.summary


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"cpu": "Another"}, "processor Simulated, now Another"),
        ({"database": "postgresql", "database_version": "17.1"},
         "database sqlite, now postgresql; database version 3.40, now 17.1"),
        ({"git_commit": "abc"}, "commit of provenir_lab unknown, now abc"),
        ({"contract": "f1"}, "contract f0, now f1"),
    ],
)  # fmt: skip
def test_an_interrupted_experiment_does_not_go_on_with_something_else(
    tmp_path: Path, other: dict[str, str], message: str
) -> None:
    environment = ENVIRONMENT | {"contract": "f0"}
    with pytest.raises(KeyboardInterrupt):
        run(SimulatedWorkshop(interrupt_at=5, environment=environment), experiment(), tmp_path)
    folder = next((tmp_path / "batch-size").iterdir())
    before = (folder / "runs.csv").read_bytes()
    workshop = SimulatedWorkshop(environment=environment | other)
    with pytest.raises(UsageError, match=re.escape(f"do not compare ({message}): go on with it where")):
        run(workshop, experiment(), tmp_path, folder=folder)
    assert (folder / "runs.csv").read_bytes() == before
    same = {key: value for key, value in environment.items() if key != "contract"}  # of an earlier version
    run(SimulatedWorkshop(environment=same), experiment(), tmp_path, folder=folder)


def test_a_finished_experiment_runs_nothing_again(tmp_path: Path) -> None:
    first = run(SimulatedWorkshop(), experiment(), tmp_path)
    workshop = SimulatedWorkshop()
    run(workshop, experiment(), tmp_path, folder=first.folder)
    assert "process" not in workshop.calls


def test_everything_that_decides_is_on_disk_before_the_first_run(tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    def look(settings: Settings, number: int) -> float:
        if number == 0:
            (folder,) = (tmp_path / "batch-size").iterdir()
            seen["experiment"] = yaml.safe_load((folder / "experiment.yaml").read_text(encoding="utf-8"))
            seen["plan"] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        return 1000.0

    run(SimulatedWorkshop(look), experiment(threshold_percent=4), tmp_path)
    assert isinstance(seen["experiment"], dict) and isinstance(seen["plan"], dict)
    assert seen["experiment"]["threshold_percent"] == 4
    assert seen["plan"]["accepted"] == Settings().model_dump()
    assert seen["plan"]["confidence"] == 0.95


def test_the_stored_experiment_can_be_run_again(tmp_path: Path) -> None:
    result = run(SimulatedWorkshop(), experiment(), tmp_path)
    assert load_experiment(result.folder / "experiment.yaml") == experiment()


def test_the_noise_floor_of_the_last_baseline_raises_the_threshold(tmp_path: Path) -> None:
    run(SimulatedWorkshop(noisy(lambda settings: 1000, 0.06)), parse_experiment(BASELINE, "test"), tmp_path)
    newer = SimulatedWorkshop(noisy(lambda settings: 1000, 0.2), environment=ENVIRONMENT | {"cpu": "Another"})
    elsewhere = run(newer, parse_experiment(BASELINE, "test"), tmp_path / "elsewhere").folder
    elsewhere.rename(tmp_path / "baseline" / "20260103T000000Z-newer")
    result = run(SimulatedWorkshop(noisy(larger_is(0.0), 0.06)), experiment(), tmp_path)
    floor = json.loads(min((tmp_path / "baseline").glob("*/summary.json")).read_text(encoding="utf-8"))[
        "noise"
    ]
    assert result.summary["threshold_percent"] == pytest.approx(floor["floor"] * 100, abs=0.01)
    assert result.summary["threshold_percent"] > 3
    assert result.summary["threshold_source"] == "the noise floor of the last stored baseline"
    assert ", the noise of this machine" in result.summary["comparisons"][-1]["reason"]
    plan = json.loads((result.folder / "plan.json").read_text(encoding="utf-8"))
    assert plan["findable_percent"] > result.summary["threshold_percent"]


def test_a_baseline(tmp_path: Path) -> None:
    result = run(
        SimulatedWorkshop(noisy(lambda settings: 1000, 0.02)), parse_experiment(BASELINE, "test"), tmp_path
    )
    metrics = json.loads((result.folder / "baseline_metrics.json").read_text(encoding="utf-8"))
    assert set(metrics) == {
        "median_rec_per_min", "mean_rec_per_min", "stdev_rec_per_min", "min_rec_per_min", "max_rec_per_min",
        "median_time_seconds", "stdev_time_seconds", "num_runs", "confidence",
    }  # fmt: skip
    rates = sorted(r.rec_per_min for r in result.runs if r.part == "measure")
    assert metrics["num_runs"] == 10
    assert metrics["median_rec_per_min"] == pytest.approx(math.sqrt(rates[4] * rates[5]))
    times = metrics["median_time_seconds"] / 60 * metrics["median_rec_per_min"]
    assert times == pytest.approx(result.runs[-1].documents, rel=1e-6)
    assert metrics["confidence"] == "High"
    assert result.summary["noise"]["pairs"] == 5
    assert result.summary["forecast"]["documents"] == 11_000_000
    assert "records a minute: median of 10 runs" in result.headline


def test_the_number_of_documents_is_found(tmp_path: Path) -> None:
    plan = parse_experiment(BASELINE | {"documents": {"count": "auto", "min_seconds": 2}}, "test")
    result = run(SimulatedWorkshop(lambda settings, number: 1000), plan, tmp_path)
    assert 2 <= result.runs[-1].seconds <= 3
    assert result.runs[0].part == "calibration"
    assert len({r.documents for r in result.runs if r.part == "measure"}) == 1
    assert result.summary["warnings"] == []


def test_short_runs_are_flagged(tmp_path: Path) -> None:
    plan = parse_experiment(BASELINE | {"documents": {"count": 50}}, "test")
    result = run(SimulatedWorkshop(), plan, tmp_path)
    assert "shorter than 2 s and measure start-up and noise" in result.summary["warnings"][0]


def test_a_processor_that_never_runs_ends_the_session_with_its_reason(tmp_path: Path) -> None:
    workshop = SimulatedWorkshop(crashes=frozenset(range(99)))
    with pytest.raises(LabError, match="the baseline does not run: the processor failed: simulated crash"):
        run(workshop, parse_experiment(BASELINE, "test"), tmp_path)


def test_a_candidate_that_never_runs_is_invalid_and_still_reported(tmp_path: Path) -> None:
    workshop = SimulatedWorkshop(
        used=lambda s: s if s.batch_size == 500 else s.model_copy(update={"batch_size": 7})
    )
    result = run(workshop, experiment(), tmp_path)
    judged = result.summary["comparisons"][-1]
    assert (judged["verdict"], judged["ratio"], judged["pairs"]) == ("INVALID", None, 0)
    assert "settings not as planned: batch_size is 7, not 1000" in judged["reason"]
    assert "INVALID" in result.report.read_text(encoding="utf-8")


def test_a_baseline_of_which_no_run_counts_ends_the_session(tmp_path: Path) -> None:
    workshop = SimulatedWorkshop(crashes=frozenset(range(1, 99)))
    with pytest.raises(LabError, match="no run of the baseline is valid: the processor failed"):
        run(workshop, experiment(), tmp_path)


def test_a_void_run_is_reported_and_makes_the_comparison_invalid(tmp_path: Path) -> None:
    result = run(SimulatedWorkshop(crashes=frozenset({6})), experiment(), tmp_path)
    judged = result.summary["comparisons"][-1]
    assert judged["verdict"] == "INVALID"
    assert "is void: the processor failed: simulated crash" in judged["reason"]
    assert [v["void"] for v in result.summary["variants"]][1] != []


def test_an_experiment_that_cannot_show_its_effect_starts_nothing(tmp_path: Path) -> None:
    workshop = SimulatedWorkshop()
    with pytest.raises(UsageError, match="too few"):
        run(workshop, experiment(documents={"count": 100}), tmp_path / "results")
    assert workshop.calls == []


@pytest.mark.parametrize("count", ["auto", 4000])
def test_too_few_stored_documents_are_refused_however_many_were_asked_for(
    tmp_path: Path, count: int | str
) -> None:
    stored = {"profile": "stored", "count": count}
    plan = experiment(change="workers", candidates=[2], documents=stored)
    workshop = SimulatedWorkshop(stored=1999)
    with pytest.raises(UsageError, match=r"1999 documents are too few: .* from 2000 on .*; load or generate"):
        run(workshop, plan, tmp_path)
    assert workshop.calls == []
    run(SimulatedWorkshop(stored=2000), plan, tmp_path)


def test_progress_names_every_run(tmp_path: Path) -> None:
    steps: list[Step] = []
    run(SimulatedWorkshop(), experiment(), tmp_path, progress=steps.append)
    assert [step.done for step in steps] == list(range(1, 17))
    assert steps[-1].total == 16
    assert steps[-1].note == "measure, baseline: 60,000 rec/min"


def test_results_are_read_back_from_disk_alone(tmp_path: Path) -> None:
    result = run(SimulatedWorkshop(), experiment(), tmp_path)
    again = load_result(result.folder)
    assert again == result
    assert json.loads(json.dumps(again.to_dict()))["report"] == str(result.report)
