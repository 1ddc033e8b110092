"""Campaigns in a simulated workshop: what is kept, reverted, skipped, resumed, and what the index says."""

import csv
import datetime as dt
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_simulation import ENVIRONMENT, SimulatedWorkshop, experiment, noisy
from test_report import check_page

from provenir_lab.errors import UsageError
from provenir_lab.lab.campaign import (
    CampaignResult,
    campaign_minutes,
    conduct_campaign,
    load_campaign,
    load_campaign_result,
)
from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.decisions import decided, load_accepted, read_decisions
from provenir_lab.lab.experiment import Experiment
from provenir_lab.lab.parameters import TogetherParameters
from provenir_lab.lab.phase import Runner
from provenir_lab.lab.record import Result, load_result
from provenir_lab.lab.report import render
from provenir_lab.lab.reverts import revert_phase
from provenir_lab.settings import Settings

PLAN = {
    "name": "phase2",
    "title": "Phase II",
    "purpose": "What makes it faster?",
    "experiments": ["a.yaml"],
    "documents": {"count": 4000},
    "baseline_runs": 10,
    "runs": 6,
}
LARGE = experiment(name="batch-size", title="Batch size", phase="II.1", candidates=[1000], stages=["commit"])
PREFETCH = experiment(
    name="prefetch",
    title="Async preparation",
    phase="II.3",
    change="prefetch",
    candidates=[2],
    stages=["write"],
)
LOGGING = experiment(name="logging", title="Logging", phase="L", change="log_level", candidates=["debug"])
THREADS = experiment(
    name="threads",
    title="Async parsing",
    phase="II.5",
    change="parse_threads",
    candidates=[2],
    stages=["parse"],
    skip_below_percent=20,
)


def rate(settings: Settings) -> float:
    """Batches of 1000 give 20 %, prefetching 10 %, talkative logs cost 20 %."""
    return (
        1000
        * (1.2 if settings.batch_size == 1000 else 1)
        * (1.1 if settings.prefetch else 1)
        * (0.8 if settings.log_level == "debug" else 1)
    )


class Simulation:
    """Runs the steps of campaigns; `began` names them with the settings that they started from."""

    def __init__(self, stop_at: str = "", spread: float = 0.004, **options: Any) -> None:
        self.began: list[tuple[str, Settings]] = []
        self.stop_at = stop_at
        self.workshop = SimulatedWorkshop(noisy(rate, spread), **options)

    def __call__(self, asked: Experiment, settings: Settings, folder: Path) -> Result:
        if asked.name == self.stop_at:
            raise KeyboardInterrupt
        self.began.append((asked.name, settings))
        return conduct(self.workshop, asked, settings, folder.parent, folder)


def campaign(
    tmp_path: Path, simulation: Runner, experiments: list[Experiment], **options: Any
) -> CampaignResult:
    clock = (dt.datetime(2026, 1, 2, tzinfo=dt.UTC) + dt.timedelta(seconds=i) for i in itertools.count())
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
    plan = load_campaign(tmp_path / "campaign.yaml")
    results = tmp_path / "results"
    return conduct_campaign(simulation, plan, experiments, results, now=lambda: next(clock), **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[CampaignResult, Simulation]:
    simulation = Simulation()
    folder = tmp_path_factory.mktemp("campaign")
    result = campaign(
        folder, simulation, [LARGE, LOGGING, PREFETCH, THREADS], accepted_file=folder / "accepted.yaml"
    )
    return result, simulation


def test_each_phase_starts_from_what_was_accepted_before_it(
    finished: tuple[CampaignResult, Simulation],
) -> None:
    large = Settings(batch_size=1000)
    assert finished[1].began == [
        ("baseline", Settings()),
        ("batch-size", Settings()),
        ("logging", large),
        ("prefetch", large),
        ("end-to-end", Settings()),
    ]


def test_decisions_with_their_evidence(finished: tuple[CampaignResult, Simulation]) -> None:
    result = finished[0]
    decisions = {d.experiment: d for d in result.decisions}
    assert {name: (d.verdict, d.decision) for name, d in decisions.items()} == {
        "batch-size": ("FASTER", "keep"),
        "logging": ("SLOWER", "revert"),
        "prefetch": ("FASTER", "keep"),
        "threads": ("SKIPPED", "skipped"),
    }
    assert "parse takes 14% of the baseline's time, under 20 %" in decisions["threads"].reason
    assert decisions["batch-size"].ceiling == pytest.approx(1 / (1 - 1 / 7), rel=0.01)
    for decision in result.decisions:
        if decision.evidence:
            assert (result.folder / decision.evidence / "report.html").is_file()
    lines = (result.folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["hypothesis"] for line in lines] == ["Larger batches amortise commits."] * 4
    assert tuple(read_decisions(result.folder)) == result.decisions


def test_a_spreadsheet_reads_the_expected_gain_as_numbers(tmp_path: Path) -> None:
    expected = experiment(expected_gain_percent=[-10, 0])
    result = campaign(tmp_path, Simulation(), [expected, LOGGING])
    text = (result.folder / "tables" / "decisions.csv").read_text(encoding="utf-8-sig")
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert [first[f"expected_gain_percent.{end}"] for end in ("low", "high")] == ["-10.0", "0.0"]
    assert [second[f"expected_gain_percent.{end}"] for end in ("low", "high")] == ["", ""]


def test_accepted_settings_and_the_revert_of_one(
    finished: tuple[CampaignResult, Simulation], tmp_path: Path
) -> None:
    result = finished[0]
    text = (result.folder / "accepted.yaml").read_text(encoding="utf-8")
    assert text == (result.folder.parents[1] / "accepted.yaml").read_text(encoding="utf-8")
    file = tmp_path / "accepted.yaml"
    file.write_text(text, encoding="utf-8")
    accepted = load_accepted(file)
    assert accepted.settings() == Settings(batch_size=1000, prefetch=2)
    assert accepted.entries["batch_size"]["experiment"] == "batch-size"
    assert load_accepted(file).without("II.1").settings() == Settings(prefetch=2)
    with pytest.raises(UsageError, match="did you mean prefetch"):
        load_accepted(file).without("prefetsh")


def test_a_notebook_shows_every_phase_and_what_came_of_it(
    finished: tuple[CampaignResult, Simulation], tmp_path: Path
) -> None:
    home = finished[0].folder
    found = TogetherParameters(results=str(home.parent)).decided()
    assert found.title == f"Campaign {home.name}: 2 of 4 phases kept"
    assert [row[2:4] for row in found.rows] == [
        ("FASTER", "keep"), ("SLOWER", "revert"), ("FASTER", "keep"), ("SKIPPED", "skipped"),
    ]  # fmt: skip
    assert decided(tmp_path / "empty").rows == ()


def test_each_accepted_setting_names_the_result_that_earned_it(
    finished: tuple[CampaignResult, Simulation],
) -> None:
    result = finished[0]
    for entry in load_accepted(result.folder / "accepted.yaml").entries.values():
        assert load_result(result.folder.parent / str(entry["result"])).summary["comparisons"]


def test_one_phase_of_a_finished_campaign_is_reverted(tmp_path: Path) -> None:
    result = campaign(tmp_path, Simulation(), [LARGE, PREFETCH], accepted_file=tmp_path / "accepted.yaml")
    file, results = tmp_path / "campaign.yaml", result.folder.parent
    file.write_text(yaml.safe_dump(PLAN | {"accepted": "accepted.yaml"}), encoding="utf-8")
    log = (result.folder / "decisions.jsonl").read_bytes()
    noon = dt.datetime(2026, 1, 3, 12, tzinfo=dt.UTC)
    left = revert_phase(file, "II.1", results=results, now=lambda: noon)
    assert left.values() == {"prefetch": 2}
    for folder in (tmp_path, result.folder):
        assert load_accepted(folder / "accepted.yaml") == left
    lines = (result.folder / "decisions.jsonl").read_bytes()
    assert lines.startswith(log)
    added = json.loads(lines.removeprefix(log))
    assert (added["verdict"], added["setting"], added["value"]) == ("REVERTED", "batch_size", 1000)
    assert (added["time"], added["evidence"]) == (noon.isoformat(), result.decisions[0].evidence)
    after = load_campaign_result(result.folder)
    assert after.decisions == result.decisions
    assert after.headline == result.headline + "; taken back since: batch_size=1000"
    text = after.report.read_text(encoding="utf-8")
    check_page(text)
    assert "REVERTED" in text
    assert "batch_size" not in text.partition("Settings that were kept")[2].partition("</table>")[0]
    with pytest.raises(
        UsageError, match=r"nothing accepted belongs to II\.1: accepted is: II\.3 \(prefetch\)"
    ):
        revert_phase(file, "II.1", results=results)
    assert revert_phase(file, "prefetch", results=results).values() == {}


def test_what_other_campaigns_have_accepted_stays_in_the_file(tmp_path: Path) -> None:
    shared, entry = tmp_path / "accepted.yaml", {"phase": "II.1", "experiment": "other"}
    before = {
        "workers": {"value": 2, **entry, "result": "another/a"},
        "pool": {"value": "none"},
        "prefetch": {"value": 4, **entry, "result": "phase2/old"},
    }
    shared.write_text(yaml.safe_dump(before), encoding="utf-8")
    result = campaign(tmp_path, Simulation(), [LARGE], accepted_file=shared)
    assert load_accepted(shared).values() == {"workers": 2, "pool": "none", "batch_size": 1000}
    assert load_accepted(result.folder / "accepted.yaml").values() == {"batch_size": 1000}
    file = tmp_path / "campaign.yaml"
    file.write_text(yaml.safe_dump(PLAN | {"accepted": "accepted.yaml"}), encoding="utf-8")
    assert revert_phase(file, "II.1", results=tmp_path / "results").values() == {"workers": 2, "pool": "none"}
    assert load_accepted(result.folder / "accepted.yaml").values() == {}


def test_a_phase_kept_just_before_an_interruption_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("provenir_lab.lab.campaign.save_accepted", interrupted)
        campaign(tmp_path, Simulation(), [LARGE])
    result = campaign(tmp_path, Simulation(), [LARGE], accepted_file=tmp_path / "accepted.yaml")
    for folder in (tmp_path, result.folder):
        assert load_accepted(folder / "accepted.yaml").values() == {"batch_size": 1000}


def test_nothing_is_reverted_of_a_campaign_that_never_ran_or_is_not_finished(tmp_path: Path) -> None:
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
    with pytest.raises(UsageError, match="has accepted nothing yet: run it first"):
        revert_phase(tmp_path / "campaign.yaml", "II.1", results=tmp_path / "results")
    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, Simulation(stop_at="prefetch"), [LARGE, PREFETCH])
    with pytest.raises(UsageError, match="is not finished: run it again to go on"):
        revert_phase(tmp_path / "campaign.yaml", "II.1", results=tmp_path / "results")


def test_the_whole_is_measured_beside_the_product_of_the_phases(
    finished: tuple[CampaignResult, Simulation],
) -> None:
    result = finished[0]
    assert result.end_to_end is not None
    variants = result.end_to_end.summary["variants"]
    assert variants[1]["settings"]["batch_size"] == 1000 and variants[1]["settings"]["prefetch"] == 2
    assert result.end_to_end.summary["comparisons"][-1]["ratio"]["centre"] == pytest.approx(1.32, rel=0.02)
    assert "2 of 4 phases kept, end to end FASTER" in result.headline
    assert result.after is not None and result.after["median"] > result.before["median"]


def test_the_index_page(finished: tuple[CampaignResult, Simulation]) -> None:
    result = finished[0]
    text = result.report.read_text(encoding="utf-8")
    page = check_page(text)
    assert len(page.all("svg")) == 4
    for words in (
        "records a minute before",
        "saved for 11 million documents",
        "Batch size",
        "SKIPPED",
        "End to end",
        "prefetch",
    ):
        assert words in text
    for attributes in page.all("a"):
        assert (result.folder / str(attributes["href"])).is_file()
    assert render(result.folder).read_text(encoding="utf-8") == text
    assert load_campaign_result(result.folder) == result
    assert "II.1" in result._repr_html_()
    assert json.loads(json.dumps(result.to_dict()))["headline"] == result.headline


def test_how_long_the_campaign_of_the_project_is_likely_to_take() -> None:
    file = Path(__file__).parents[2] / "experiments" / "campaign-phase2.yaml"
    first, second = campaign_minutes(file)
    assert 20 < first < second <= 40
    quick = campaign_minutes(file, quick=True)
    assert 3 < quick[0] == quick[1] <= 6  # one look


@pytest.mark.parametrize("stop", ["prefetch", "end-to-end"])
def test_interrupted_and_started_again_no_finished_step_is_repeated(tmp_path: Path, stop: str) -> None:
    experiments = [LARGE, LOGGING, PREFETCH]
    first = Simulation(stop_at=stop)
    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, first, experiments)
    with pytest.raises(UsageError, match="this campaign is not finished"):
        load_campaign_result(tmp_path / "results" / "phase2")
    second = Simulation()
    result = campaign(tmp_path, second, experiments)
    names = [name for name, _ in (*first.began, *second.began)]
    assert names == ["baseline", "batch-size", "logging", "prefetch", "end-to-end"]
    assert second.began[0][0] == stop
    assert [d.verdict for d in result.decisions] == ["FASTER", "SLOWER", "FASTER"]


def test_the_quick_form_leaves_an_interrupted_full_one_alone(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, Simulation(stop_at="prefetch"), [LARGE, PREFETCH])
    quick = campaign(tmp_path, Simulation(), [LARGE], quick=True)
    assert quick.folder == tmp_path / "results" / "phase2-quick"
    for entry in load_accepted(quick.folder / "accepted.yaml").entries.values():
        assert (tmp_path / "results" / str(entry["result"]) / "report.html").is_file()
    simulation = Simulation()
    full = campaign(tmp_path, simulation, [LARGE, PREFETCH])
    assert [name for name, _ in simulation.began] == ["prefetch", "end-to-end"]
    assert [d.experiment for d in full.decisions] == ["batch-size", "prefetch"]
    file = tmp_path / "campaign.yaml"
    assert revert_phase(file, "II.1", quick=True, results=tmp_path / "results").values() == {}
    assert load_accepted(full.folder / "accepted.yaml").values() == {"batch_size": 1000, "prefetch": 2}


def test_an_interrupted_campaign_whose_files_changed_is_not_discarded(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, Simulation(stop_at="prefetch"), [LARGE, PREFETCH])
    log = (tmp_path / "results" / "phase2" / "decisions.jsonl").read_bytes()
    with pytest.raises(UsageError, match="an experiment's file has changed since: put them back"):
        campaign(tmp_path, Simulation(), [LARGE, PREFETCH.model_copy(update={"runs": 8, "max_runs": 8})])
    assert log and (tmp_path / "results" / "phase2" / "decisions.jsonl").read_bytes() == log


def test_an_interrupted_campaign_does_not_go_on_with_something_else(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, Simulation(stop_at="prefetch"), [LARGE, PREFETCH], environment=ENVIRONMENT)
    other = ENVIRONMENT | {"database": "postgresql"}
    simulation = Simulation()
    with pytest.raises(UsageError, match=r"phase2 was begun with .* \(database sqlite, now postgresql\)"):
        campaign(tmp_path, simulation, [LARGE, PREFETCH], environment=other)
    assert simulation.began == []
    campaign(tmp_path, simulation, [LARGE, PREFETCH], environment=ENVIRONMENT)
    assert [name for name, _ in simulation.began] == ["prefetch", "end-to-end"]


def test_a_phase_whose_notebook_was_interrupted_behind_its_runs_is_run_to_its_end(tmp_path: Path) -> None:
    simulation = Simulation()

    def through_a_notebook(asked: Experiment, settings: Settings, folder: Path) -> Result:
        (folder / "notebook.ipynb").touch()
        result = simulation(asked, settings, folder)
        if asked.name == "logging" and not (folder / "seen").exists():
            (folder / "seen").touch()
            raise KeyboardInterrupt
        (folder / "notebook.html").touch()
        return result

    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, through_a_notebook, [LOGGING])
    result = campaign(tmp_path, through_a_notebook, [LOGGING])
    assert [name for name, _ in simulation.began] == ["baseline", "logging", "logging"]
    assert (result.folder / str(result.decisions[0].evidence) / "notebook.html").is_file()


def test_a_finished_campaign_started_again_begins_anew(tmp_path: Path) -> None:
    campaign(tmp_path, Simulation(), [LOGGING])
    again = Simulation()
    campaign(tmp_path, again, [LOGGING])
    assert [name for name, _ in again.began] == ["baseline", "logging"]


def both(settings: Settings) -> bool:
    return settings.batch_size == 1000 and settings.prefetch == 2


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"tables": lambda settings, count: {"app_base": (int(not both(settings)), "a")}}, "0 rows instead"),
        (
            {"used": lambda settings: settings if not both(settings) else Settings()},
            "settings not as planned",
        ),
    ],
    ids=["other data", "void"],
)
def test_no_gain_is_claimed_where_all_together_is_invalid(
    tmp_path: Path, wrong: dict[str, Any], reason: str
) -> None:
    def runner(asked: Experiment, settings: Settings, folder: Path) -> Result:
        options = wrong if asked.name == "end-to-end" else {}
        return conduct(SimulatedWorkshop(noisy(rate, 0.004), **options), asked, settings, folder, folder)

    result = campaign(tmp_path, runner, [LARGE, PREFETCH])
    assert result.after is None
    assert result.headline.endswith(" records a minute before: 2 of 2 phases kept, end to end INVALID")
    text = result.report.read_text(encoding="utf-8")
    check_page(text)
    assert "is INVALID, so no gain is claimed" in text and reason in text
    assert "records a minute after" not in text and "saved for" not in text


def test_before_a_phase_runs_its_ceiling_and_what_it_can_find_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        simulation = Simulation(stop_at="batch-size")
        campaign(tmp_path, simulation, [LARGE], environment=ENVIRONMENT, say=said.append)
    assert said[0].startswith("Batch size: at best 1.17 times the throughput, for commit takes 14% of")
    assert re.search(r"; threshold 3 % \(.*\); smallest gain this design finds: \d\.\d%$", said[1])
    said.clear()
    campaign(tmp_path, Simulation(), [LARGE], environment=ENVIRONMENT, say=said.append)
    assert [line.partition(":")[0] for line in said] == ["Batch size", "Batch size", "Everything accepted"]


def test_nothing_accepted(tmp_path: Path) -> None:
    result = campaign(tmp_path, Simulation(), [LOGGING])
    assert result.end_to_end is None
    assert "none of 1 phases was kept" in result.headline
    check_page(result.report.read_text(encoding="utf-8"))


def test_an_experiment_that_has_nothing_left_to_compare_is_skipped_with_its_reason(tmp_path: Path) -> None:
    again = experiment(name="again", title="Again", phase="II.9", candidates=[1000])
    result = campaign(tmp_path, Simulation(), [LARGE, again])
    assert result.decisions[1].verdict == "SKIPPED"
    assert "no candidate differs from the accepted batch_size=1000" in result.decisions[1].reason


def test_faster_but_wrong_is_rejected(tmp_path: Path) -> None:
    simulation = Simulation(
        tables=lambda settings, count: {"app_base": (1 if settings.batch_size == 1000 else count, "a")}
    )
    result = campaign(tmp_path, simulation, [LARGE])
    assert (result.decisions[0].verdict, result.decisions[0].decision) == ("INVALID", "reject")
    assert result.decisions[0].rows_verified is None
    assert result.end_to_end is None


def test_the_quick_form_is_indicative_and_takes_the_baselines_number_of_documents(tmp_path: Path) -> None:
    automatic = experiment(
        name="batch-size", title="Batch size", candidates=[1000], documents={"count": "auto"}, runs=10,
        max_runs=40,
    )  # fmt: skip
    simulation = Simulation()
    result = campaign(tmp_path, simulation, [automatic], quick=True)
    assert result.decisions[0].indicative
    assert "(indicative)" in result.headline
    stored = yaml.safe_load(
        (result.folder / str(result.decisions[0].evidence) / "experiment.yaml").read_text(encoding="utf-8")
    )
    assert (stored["runs"], stored["max_runs"], stored["is_quick"]) == (6, 6, True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"experimints": ["a"]}, "unknown key experimints: did you mean experiments?"),
        ({"experiments": []}, "experiments: List should have at least 1 item"),
        ({"baseline_runs": 4}, "baseline_runs: Input should be greater than or equal to 10"),
    ],
)
def test_mistakes_in_a_campaign_file(tmp_path: Path, values: dict[str, object], message: str) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(PLAN | values), encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(message)):
        load_campaign(tmp_path / "c.yaml")


def test_the_noise_of_the_campaigns_own_baseline_raises_the_thresholds(tmp_path: Path) -> None:
    result = campaign(tmp_path, Simulation(spread=0.08), [LARGE])
    floor = result.baseline.summary["noise"]["floor"]
    assert floor > 0.03
    assert result.decisions[0].threshold_percent == pytest.approx(floor * 100, abs=0.01)
    phase = load_result(result.folder / str(result.decisions[0].evidence))
    assert phase.summary["threshold_source"] == "the noise floor of the last stored baseline"
