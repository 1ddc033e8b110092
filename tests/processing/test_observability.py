"""What a run leaves behind for people and machines: log lines, a metrics file; and no value of a document."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

import pytest
import unlucky_start
from labs import FIRST_ID, documents, execute, new_lab

from provenir_lab.api import Lab
from provenir_lab.cli import main
from provenir_lab.errors import DatabaseError, LabError, PreflightError, TransientError, UsageError
from provenir_lab.mock import FAULTS, spoil
from provenir_lab.processing import patience, worker
from provenir_lab.processing.metrics import read_metrics
from provenir_lab.progress import Step, silent


def process(url: str, *arguments: str) -> int:
    return main(["process", "--database", url, "--quiet", "--json", *arguments])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_json_lines_tell_of_every_batch(
    sqlite_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], workers: str
) -> None:
    new_lab(sqlite_url, documents(40))
    settings = ("--set", "log_level=info", "--set", "log_format=json", "--batch-size", "10")
    assert process(sqlite_url, "--workers", workers, "--metrics", str(tmp_path), *settings) == 0
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    batches = [line for line in lines if line["message"] == "batch committed"]
    assert sum(line["documents"] for line in batches) == 40
    assert {line["session"] for line in batches} == {json.loads(out)["session_id"]}
    assert all(min(line[f"{stage}_seconds"] for stage in ("map", "write", "commit")) > 0 for line in batches)
    assert sorted(line["first"] for line in batches) == [FIRST_ID + n for n in range(0, 40, 10)]
    assert all(line["last"] == line["first"] + 9 for line in batches)
    assert {line["batch"] for line in batches} >= {1}


def test_lines_count_what_was_committed_and_not_what_was_meant_to_be(
    sqlite_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lab = new_lab(sqlite_url, [*documents(20), *(spoil(d, "unclosed") for d in documents(30)[20:])])
    # the database refuses one of the first ten
    refused = f"CREATE TRIGGER rule BEFORE INSERT ON app_base WHEN NEW.app_id = {FIRST_ID + 3} BEGIN "
    execute(lab, f"{refused} SELECT RAISE(ABORT, 'no'); END")
    settings = ("--set", "log_level=info", "--set", "log_format=json", "--batch-size", "10")
    assert process(sqlite_url, "--metrics", str(tmp_path), *settings) == 0
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["message"], line["documents"], line["failed"], line.get("held")) for line in lines] == [
        ("batch committed", 9, 1, 0),  # logged with the half that was written behind it
        ("batch committed", 10, 0, 0),
        ("batch without a commit", 0, 0, 10),
        ("failures committed", 0, 10, None),
    ]


def test_warnings_name_their_run(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab = new_lab(sqlite_url, documents(10))
    monkeypatch.setattr(worker, "Writer", worker.Writer)  # put back at the end
    monkeypatch.setattr(patience, "FIRST_PAUSE", patience.FIRST_PAUSE)
    unlucky_start.be_unlucky()
    outcome = lab.process()
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert {record.__dict__["facts"]["session"] for record in warnings} == {outcome.session_id}


def test_text_lines_and_levels(sqlite_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    new_lab(sqlite_url, documents(20))
    metrics = ("--metrics", str(tmp_path))
    process(sqlite_url, *metrics, "--limit", "5")
    assert capfd.readouterr().err == ""
    process(sqlite_url, *metrics, "--limit", "5", "--set", "log_level=info")
    assert re.fullmatch(
        r"\S+Z INFO batch committed session=\S+ batch=1 .*documents=5 .*\n", capfd.readouterr().err
    )
    process(sqlite_url, *metrics, "--limit", "5", "--set", "log_level=debug")
    assert capfd.readouterr().err.count(" DEBUG document mapped ") == 5


def test_a_metrics_file_for_every_run(sqlite_url: str, tmp_path: Path) -> None:
    lab = new_lab(sqlite_url, documents(20))
    first = lab.process(limit=10, metrics=tmp_path / "runs")
    second = lab.process(metrics=tmp_path / "runs")
    assert sorted(p.stem for p in (tmp_path / "runs").iterdir()) == sorted(
        [first.session_id, second.session_id]
    )
    found = read_metrics(tmp_path / "runs", second.session_id)
    assert found is not None
    assert found["documents"] == 10
    assert found["stages"].keys() == second.stages.keys()
    assert found["ended_early"] is None
    status = lab.status(tmp_path / "runs")
    assert status.last_ended_early is None
    assert status.last_rec_per_min == pytest.approx(second.rec_per_min)
    assert lab.status().last_run is None


def only_metrics(folder: Path) -> dict[str, Any]:
    """The one metrics file of a folder."""
    (file,) = folder.iterdir()
    found = read_metrics(folder, file.stem)
    assert found is not None and found["session_id"] == file.stem
    return found


def test_an_interrupted_run_leaves_its_metrics(sqlite_url: str, tmp_path: Path) -> None:
    new_lab(sqlite_url, documents(60))

    def interrupt(step: Step) -> None:
        if step.done >= 10:
            raise KeyboardInterrupt

    lab = Lab(sqlite_url, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.process(batch_size=5, metrics=tmp_path / "runs")
    found = only_metrics(tmp_path / "runs")
    assert found["ended_early"] == "interrupted"
    assert found["documents"] == 10
    assert found["rows"]["app_base"] == found["documents"]
    assert found["stages"]["write"] > 0 and found["cpu_seconds"] > 0 and found["connects"] > 0
    assert sum(share["documents"] for share in found["by_worker"].values()) == found["documents"]
    status = lab.status(tmp_path / "runs")
    assert (status.last_ended_early, status.last_rec_per_min is None) == ("interrupted", False)
    assert ("the last run ended early", "interrupted") in status.summary()
    assert status.to_dict()["last_ended_early"] == "interrupted"


def test_a_run_that_stops_leaves_its_metrics(sqlite_url: str, tmp_path: Path) -> None:
    lab = new_lab(sqlite_url, [spoil(d, "unclosed") for d in documents(20)])
    with pytest.raises(LabError) as stopped:
        lab.process(stop_after_failures=5, batch_size=5, metrics=tmp_path / "runs")
    found = only_metrics(tmp_path / "runs")
    assert found["ended_early"] == str(stopped.value)
    assert (found["documents"], found["stages"]["parse"] > 0, found["characters_read"] > 0) == (0, True, True)


def test_a_run_whose_database_stays_away_leaves_its_metrics(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(20))
    write = worker.Writer.write

    def write_once(self: worker.Writer, *what: Any) -> Any:
        monkeypatch.setattr(worker.Writer, "write", away)
        return write(self, *what)

    def away(*_: object) -> NoReturn:
        raise TransientError("the connection was lost")

    monkeypatch.setattr(worker.Writer, "write", write_once)
    with pytest.raises(DatabaseError, match="the database is unavailable"):
        lab.process(batch_size=5, retry_seconds=0, metrics=tmp_path / "runs")
    found = only_metrics(tmp_path / "runs")
    assert found["ended_early"].startswith("the connection was lost; tried again for 0 s")
    assert (found["documents"], lab.status().succeeded) == (5, 5)


def test_a_run_that_is_refused_leaves_no_metrics(sqlite_url: str, tmp_path: Path) -> None:
    lab = new_lab(sqlite_url, documents(5))
    execute(lab, "ALTER TABLE app_base DROP COLUMN receive_date")
    with pytest.raises(PreflightError):
        lab.process(metrics=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_metrics_that_cannot_be_written_cost_no_run(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = new_lab(sqlite_url, documents(5))
    (tmp_path / "file").touch()
    outcome = lab.process(metrics=tmp_path / "file")
    assert outcome.succeeded == 5
    assert [r.__dict__["facts"]["session"] for r in caplog.records] == [outcome.session_id]
    assert read_metrics(tmp_path / "file", "none") is None
    (tmp_path / "damaged.json").write_text("{", encoding="utf-8")
    assert read_metrics(tmp_path, "damaged") is None


def test_nothing_that_a_run_says_holds_a_value(
    sqlite_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = [
        spoil(d, fault).text.replace('first_name="', 'first_name="CANARY')
        for d, fault in zip(documents(len(FAULTS)), FAULTS, strict=True)
    ]
    lab = new_lab(sqlite_url, documents(0))
    from labs import put

    put(lab, [(d.app_id, text) for d, text in zip(documents(len(FAULTS)), made, strict=True)])
    assert any("CANARY" in text for text in made)
    settings = (
        "--set",
        "log_level=debug",
        "--set",
        "stop_after_failures=0",
        "--metrics",
        str(tmp_path / "runs"),
    )
    process(sqlite_url, *settings)
    main(["status", "--database", sqlite_url, "--failed-csv", str(tmp_path / "failed.csv")])
    main(["verify", "--database", sqlite_url])
    out, err = capfd.readouterr()
    written = [
        p.read_text(encoding="utf-8-sig") for p in (*(tmp_path / "runs").iterdir(), tmp_path / "failed.csv")
    ]
    assert not [text for text in (out, err, *written) if "CANARY" in text]


def test_a_run_with_another_contract_is_refused_unless_meant(
    sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lab = new_lab(sqlite_url, documents(10))
    lab.process(limit=5)
    mine, other = lab.contract.fingerprint, "0123abcd"
    execute(lab, f"UPDATE processing_log SET session_id = replace(session_id, '{mine}', '{other}')")
    with pytest.raises(UsageError, match=f"another contract .{other}, this is {mine}"):
        lab.process()
    assert process(sqlite_url) == 2
    assert "--allow-contract-change" in capfd.readouterr().err
    assert lab.process(allow_contract_change=True, limit=1).succeeded == 1
    assert lab.process().succeeded == 4


def test_sessions_of_other_programs_are_no_concern(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(10))
    lab.process(limit=5)
    execute(lab, "UPDATE processing_log SET session_id = '20240101_101112'")
    assert lab.process().succeeded == 5


@pytest.mark.parametrize("session", [None, "20240101_101112", "another_program-of_8char-tool"])
def test_rows_of_other_programs_do_not_hide_the_last_run(
    sqlite_url: str, tmp_path: Path, session: str | None
) -> None:
    lab = new_lab(sqlite_url, documents(10))
    lab.process(limit=5)
    theirs = "INSERT INTO processing_log (app_id, status, session_id) VALUES (:app_id, 'success', :session)"
    execute(lab, theirs, app_id=7, session=session)
    contract = json.loads((resources.files("provenir_lab.contracts") / "credit_card.json").read_text("utf-8"))
    contract["mappings"].pop()
    other = tmp_path / "other.json"
    other.write_text(json.dumps(contract), encoding="utf-8")
    with pytest.raises(UsageError, match=f"another contract .{lab.contract.fingerprint}"):
        Lab(sqlite_url, contract=other, progress=silent).process()
    assert lab.process(limit=1).succeeded == 1
