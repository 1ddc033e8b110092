"""Nothing personal and no password leaves the tables, whatever happens to the documents that hold it.

Documents full of telling values go through success, every rejection, refusals of the database, kills, verify,
load, reports and notebooks; then all that was printed, logged, written and raised is searched for them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from dying import COORDINATOR, KILL, Moment
from lab_simulation import SimulatedWorkshop, experiment, noisy
from labs import documents, failed, new_lab, put
from places import Place
from rights import open_to_others
from telling import NAME, NUMBER, OWN_FAULTS, PASSWORD, WORDS, telling_documents
from witness import Captured, Witness, change

from provenir_lab.api import Lab
from provenir_lab.files import make_folder
from provenir_lab.lab.campaign import conduct_campaign, load_campaign
from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.record import Result
from provenir_lab.mock import FAULTS, spoil
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine, reading


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_what_is_said_and_written_holds_no_value_and_no_password(
    with_password: Place, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, schema = with_password.url, with_password.schema
    lab = new_lab(url, schema=schema)
    texts = telling_documents()
    put(lab, texts.items(), {d.campaign_num for d in documents(80)})
    witness = Witness(url, schema, tmp_path, capfd)
    patient = ("--set", "stop_after_failures=0", "--batch-size", "10")

    moment = Moment(COORDINATOR, KILL, commits=1, operations=5, delay=0, flag=str(tmp_path / "flag"))
    witness.kill(moment, "process", "--workers=1", *patient)
    assert (
        witness.call("everything fails", "process", "--set", "stop_after_failures=2", "--batch-size", "2")
        == 1
    )
    debug = ("--set", "log_level=debug", "--limit", "30")
    assert witness.call("text log", "process", *patient, *debug) == 0
    assert witness.call("JSON log", "process", "--json", *patient, "--set", "log_format=json", *debug) == 0
    assert witness.call("many workers", "process", "--workers=2", "--retry-failed", *patient) == 0
    told = {category for category, _ in failed(lab).values()}
    assert told >= {fault.category for fault in FAULTS.values()} | OWN_FAULTS.keys()

    change(lab, f"UPDATE app_contact_base SET first_name = '{NAME}2' WHERE con_id % 2 = 0")
    assert witness.call("verify", "verify", "--all") == 1
    assert witness.call("verify in JSON", "verify", "--json") == 1
    assert witness.call("status", "status", "--failed-csv", "failed.csv") == 0
    assert witness.call("status in JSON", "status", "--json") == 0
    source = tmp_path.parent / f"{tmp_path.name}-files"
    source.mkdir()
    for app_id, text in texts.items():
        (source / f"{app_id}.xml").write_text(text, encoding="utf-8", newline="")
    assert witness.call("load", "load", str(source)) == 0
    change(lab, "DELETE FROM processing_log WHERE status = 'success'")
    assert witness.call("an application that is there already", "process", *patient) == 0
    assert "constraint_violation" in witness.heard["an application that is there already"]
    witness.catch("the lab itself", lambda: (repr(lab), lab.target, lab.database) and lab.status())
    change(lab, "DROP TABLE app_contact_employment")
    assert witness.call("a table is missing", "process", *patient) == 2
    witness.catch("its exception", lab.process)
    assert witness.indiscretions(WORDS) == []


def test_results_and_notebooks_hold_no_value_and_no_password(
    postgres_url: str, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = postgres_url.replace("//lab@", f"//lab:{PASSWORD}@")
    lab = new_lab(url)
    good = dict(list(telling_documents().items())[:40])
    put(lab, good.items(), {d.campaign_num for d in documents(80)})
    result = lab.baseline(runs=2, documents=40, profile="stored", results=tmp_path / "results", notebook=True)
    assert result.runs[-1].succeeded == 40
    witness = Witness(url, None, tmp_path, capfd)
    witness.catch("result", lambda: result)
    folder = str(result.folder)
    for command in (["report", folder], ["compare", folder, folder], ["forecast", "--from", folder]):
        assert witness.say(command[0], *command) == 0
        assert witness.say(f"{command[0]} in JSON", *command, "--json") == 0
    campaign = simulated_campaign(tmp_path, result)
    assert witness.say("a campaign's report", "report", str(campaign)) == 0
    names = {path.name for path in (tmp_path / "results").rglob("*")}
    assert {"report.html", "notebook.ipynb", "notebook.html", "environment.json", "runs.csv"} <= names
    assert {"index.html", "decisions.jsonl", "decisions.csv", "campaign.json", "accepted.yaml"} <= names
    assert witness.indiscretions((NAME, NUMBER, PASSWORD)) == []
    assert open_to_others(tmp_path / "results") == []


def simulated_campaign(folder: Path, result: Result) -> Path:
    """A campaign's folder, as if it had been run where `result` was measured; its phase is skipped."""
    plan = {"name": "small", "title": "Small", "purpose": "?", "experiments": ["a.yaml"], "runs": 6}
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump(plan | {"documents": {"count": 4000}}), encoding="utf-8")
    workshop = SimulatedWorkshop(noisy(lambda settings: 1000, 0.004), environment=result.environment)
    found = conduct_campaign(
        lambda asked, settings, home: conduct(workshop, asked, settings, home.parent, home),
        load_campaign(file),
        [experiment(stages=["commit"], skip_below_percent=99)],  # one result is looked at as it is
        folder / "results",
        environment=result.environment,
    )
    return found.folder


@pytest.mark.skipif(os.name == "nt", reason="Windows knows other rights")
def test_files_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    lab = new_lab(f"sqlite:///{home / 'lab.db'}", [spoil(d, "blank") for d in documents(3)])
    held = open_engine(lab.database.url, Settings())
    with reading(held) as connection:  # while it is open there are files beside the database
        connection.execute(sa.text("SELECT * FROM app_base"))
        lab.process(metrics=home / "results" / "runs")
        lab.failed_csv(home / "failed.csv")
        lab.generate(2, to=home / "made" / "of late")
        names = {path.name for path in home.iterdir()}
        assert names == {"lab.db", "lab.db-wal", "lab.db-shm", "results", "failed.csv", "made"}
        assert open_to_others(home) == []
    held.dispose()


@pytest.mark.skipif(os.name == "nt", reason="Windows knows other rights")
def test_a_folder_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    make_folder(shared / "a" / "b")
    make_folder(shared)
    assert open_to_others(shared) == [shared]
    with pytest.raises(FileExistsError):
        make_folder(shared / "a", exist_ok=False)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://lab:{PASSWORD}@127.0.0.1:1/none",
        f"postgresql://127.0.0.1:1/none?user=lab&password={PASSWORD}",
        f"mssql+pyodbc:///?odbc_connect=Driver%3Dnone%3BServer%3D127.0.0.1%2C1%3BUID%3Dlab%3BPWD%3D{PASSWORD}",
        f"oracle://lab:{PASSWORD}@127.0.0.1/none",
        f"postgresql://lab:{PASSWORD}@127.0.0.1:port/none",
        f"postgresql://lab:{PASSWORD}@127.0.0.1:1/none?nonsense=1&sslpassword={PASSWORD}",
    ],
)
def test_no_error_tells_the_password(
    url: str, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    witness = Witness(url, None, tmp_path, capfd)
    assert witness.call("process", "process", "--set", "retry_seconds=0") in (1, 2)
    for verb in ("init", "process", "status", "verify", "clean"):
        witness.catch(verb, lambda verb=verb: getattr(Lab(url), verb)())  # type: ignore[misc]
    witness.heard["repr"] = repr(Lab(url)) + repr(Lab(url).database)
    assert all(witness.heard.values())
    assert witness.indiscretions((PASSWORD,)) == []
