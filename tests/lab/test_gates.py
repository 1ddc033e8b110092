"""What the lab does with candidates that are wrong or slow: the real chain, from runs in processes of their
own to the decisions of a campaign.
"""

import json
from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, experiment
from labs import nightly
from tampered_run import TABLE
from test_campaign import PLAN

from provenir_lab.lab import measure
from provenir_lab.lab.campaign import Campaign, conduct_campaign
from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.decisions import load_accepted
from provenir_lab.lab.experiment import Experiment
from provenir_lab.lab.place import ensure_lab, open_place
from provenir_lab.lab.record import Result, load_result
from provenir_lab.lab.session import run_experiment
from provenir_lab.settings import Database, Settings

LEVELS = {"wrong": "error", "slow": "debug"}
"""What `tampered_run` takes for its two faults."""


@nightly
@pytest.mark.parametrize("kind", ["wrong", "slow"])
def test_wrong_is_rejected_however_fast_and_slow_is_reverted(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "RUN_MODULE", "tampered_run")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    database = Database("sqlite", f"sqlite:///{(tmp_path / 'lab.db').as_posix()}")
    ensure_lab(open_place(database))

    def runner(asked: Experiment, settings: Settings, folder: Path) -> Result:
        if asked.is_baseline:
            return conduct(SimulatedWorkshop(), asked, settings, folder.parent, folder)
        return run_experiment(database, asked, settings=settings, folder=folder)

    made = experiment(
        name=kind, change="log_level", candidates=[LEVELS[kind]], documents={"count": 30, "min_seconds": 0.01}
    )
    plan = Campaign.model_validate(PLAN)
    result = conduct_campaign(
        runner, plan, [made], tmp_path / "results", accepted_file=tmp_path / "accepted.yaml"
    )

    (decided,) = map(json.loads, (result.folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines())
    assert load_accepted(tmp_path / "accepted.yaml").entries == {}
    assert result.end_to_end is None
    runs = load_result(result.folder / decided["evidence"]).runs
    assert all(run.valid and run.succeeded == 30 for run in runs)  # each document counts as done, and yet
    if kind == "slow":
        assert (decided["verdict"], decided["decision"]) == ("SLOWER", "revert")
        return
    assert (decided["verdict"], decided["decision"]) == ("INVALID", "reject")
    assert f"{TABLE}: 0 rows instead of " in decided["reason"]
    page = (result.folder / decided["evidence"] / "report.html").read_text(encoding="utf-8")
    assert "INVALID" in page and TABLE in page
