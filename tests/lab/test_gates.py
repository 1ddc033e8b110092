"""What the lab does with candidates that are wrong or slow: the real chain, from runs in processes of their
own to the decisions of a campaign.
"""

import json
from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, experiment
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


def test_wrong_is_rejected_however_fast_and_slow_is_reverted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "RUN_MODULE", "tampered_run")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    database = Database("sqlite", f"sqlite:///{(tmp_path / 'lab.db').as_posix()}")
    ensure_lab(open_place(database))

    def runner(asked: Experiment, settings: Settings, folder: Path) -> Result:
        if asked.is_baseline:
            return conduct(SimulatedWorkshop(), asked, settings, folder.parent, folder)
        return run_experiment(database, asked, settings=settings, folder=folder)

    few = {"count": 30, "min_seconds": 0.01}
    wrong = experiment(name="wrong", change="log_level", candidates=["error"], documents=few)
    slow = experiment(name="slow", change="log_level", candidates=["debug"], documents=few)
    plan = Campaign.model_validate(PLAN)
    result = conduct_campaign(
        runner, plan, [wrong, slow], tmp_path / "results", accepted_file=tmp_path / "accepted.yaml"
    )

    lines = (result.folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    decided = {line["experiment"]: line for line in map(json.loads, lines)}
    assert (decided["wrong"]["verdict"], decided["wrong"]["decision"]) == ("INVALID", "reject")
    assert f"{TABLE}: 0 rows instead of " in decided["wrong"]["reason"]
    assert (decided["slow"]["verdict"], decided["slow"]["decision"]) == ("SLOWER", "revert")
    assert load_accepted(tmp_path / "accepted.yaml").entries == {}
    assert result.end_to_end is None
    page = (result.folder / decided["wrong"]["evidence"] / "report.html").read_text(encoding="utf-8")
    assert "INVALID" in page and TABLE in page
    runs = load_result(result.folder / decided["wrong"]["evidence"]).runs
    assert all(run.valid and run.succeeded == 30 for run in runs)  # each document counts as done, and yet
