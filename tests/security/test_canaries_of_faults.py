"""What is said while databases, memory, workers and start-ups fail holds no value and no password either."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from pathlib import Path

import limited_memory
import psutil
import pytest
import telling_faults
from dying import COORDINATOR, Moment
from labs import FIRST_ID, documents, failed, new_lab, put
from limited_memory import greedy
from places import Place
from telling import NAME, NUMBER, PASSWORD, WORDS, telling, telling_documents
from witness import Captured, Witness, change

from provenir_lab.api import Lab
from provenir_lab.processing import cluster, coordinator, patience
from provenir_lab.storage.writer import Writer

CAMPAIGNS = {d.campaign_num for d in documents(80)}
DEBUG = ("--set=log_level=debug", "--batch-size=10", "--set=stop_after_failures=10")
IMPATIENT = (*DEBUG, "--set=retry_seconds=0")
STOPS_ITSELF = Path(__file__).parents[1] / "processing" / "stops_itself.py"


def telling_lab(place: Place) -> Lab:
    """A lab with documents that can all be written."""
    lab = new_lab(place.url, schema=place.schema)
    put(lab, list(telling_documents().items())[:40], CAMPAIGNS)
    return lab


@pytest.fixture
def witness(
    with_password: Place, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> Witness:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    return Witness(with_password.url, with_password.schema, tmp_path, capfd)


# a server's text quotes a value, as those of real faults can
RAISES = """CREATE OR REPLACE FUNCTION lab.raises() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'with %', NEW.first_name USING ERRCODE = '{code}', DETAIL = NEW.last_name; END $$"""
CUTS_ONCE = """CREATE OR REPLACE FUNCTION lab.raises() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF nextval('lab.turns') % 60 = 0 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
RETURN NEW; END $$"""
TRIGGER = """CREATE TRIGGER raises BEFORE INSERT ON lab.app_contact_base
FOR EACH ROW EXECUTE FUNCTION lab.raises()"""
CODES = {
    "40P01": "the database is unavailable",  # a deadlock
    "57P01": "the database is unavailable",  # the server shuts down
    "53100": "the disk of the server is full",
    "53200": "the server is out of memory",
    "XX000": "",  # an error that nobody foresaw
}


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_server_that_fails(with_password: Place, witness: Witness) -> None:
    lab = telling_lab(with_password)
    for number, (code, says) in enumerate(CODES.items()):
        change(lab, RAISES.format(code=code))
        if number == 0:
            change(lab, TRIGGER)
        for method in ("copy", "executemany"):
            name = f"{code} {method}"
            assert witness.call(name, "process", *IMPATIENT, f"--set=write_method={method}") == 1
            assert says in witness.heard[name]
    witness.catch("exception", lambda: lab.process(retry_seconds=0))
    change(lab, "CREATE SEQUENCE lab.turns")
    change(lab, CUTS_ONCE)
    assert witness.call("connection cut", "process", *DEBUG) == 0
    assert lab.status().succeeded == 40
    assert witness.indiscretions((NAME, NUMBER, PASSWORD)) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals to other processes")
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_stopped_worker_and_interrupted_starts(
    with_password: Place, witness: Witness, tmp_path: Path
) -> None:
    lab = telling_lab(with_password)
    for workers, operations in ((1, 12), (2, 0)):
        flag = str(tmp_path / f"flag-{workers}-{operations}")
        moment = Moment(COORDINATOR, "SIGINT", commits=0, operations=operations, delay=0, flag=flag)
        witness.kill(moment, "process", f"--workers={workers}", *DEBUG)
    assert lab.status().pending > 0
    with witness.start("stopped", STOPS_ITSELF, with_password.url, "lab", "inside") as run:
        while run.status() != psutil.STATUS_STOPPED:
            assert run.is_running()
            threading.Event().wait(0.02)
        assert witness.call("beside a stopped run", "process", *DEBUG) == 0
        run.send_signal(signal.SIGCONT)
    assert witness.indiscretions((NAME, NUMBER, PASSWORD)) == []


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_full_disk_and_too_little_memory(
    with_password: Place, witness: Witness, most_pages: list[int]
) -> None:
    lab = telling_lab(with_password)
    size = Path(with_password.url.removeprefix("sqlite:///")).stat().st_size
    most_pages.append(size // 4096 + 2)
    assert witness.call("disk full", "process", *DEBUG) == 1
    assert "the disk is full" in witness.heard["disk full"]
    most_pages.clear()
    if sys.platform.startswith("linux"):
        put(lab, [(FIRST_ID + 900, greedy(telling_documents()[FIRST_ID], 14_000_000))])
        script, environment = Path(limited_memory.__file__), limited_memory.environment()
        assert witness.run("memory", script, "process", "--workers=1", *DEBUG, env=environment) == 0
        assert [category for category, _ in failed(lab).values()] == ["too_large"]
    assert witness.indiscretions((NAME, NUMBER)) == []


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_fault_of_the_program_in_a_worker(
    with_password: Place, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = telling_lab(with_password)
    where = "unexpected ValueError in telling_faults.py line 15 of a"
    debug = {"batch_size": 10, "stop_after_failures": 10, "log_level": "debug"}
    with monkeypatch.context() as here:
        here.setattr(Writer, "_settle", telling_faults.fail)
        witness.catch("this process", lambda: lab.process(workers=1, **debug))
        assert witness.call("this process, called", "process", "--workers=1", *DEBUG) == 1
    assert f"{where} worker" in witness.heard["this process"]
    assert f"{where} worker, a fault of provenir-lab: please" in witness.heard["this process, called"]
    assert lab.status().pending == 40
    monkeypatch.setattr(coordinator, "_start_worker", telling_faults.start_worker)
    witness.catch("processes", lambda: lab.process(workers=2, **debug))
    assert f"{where} worker" in witness.heard["processes"]
    assert lab.status().pending == 40
    pytest.importorskip("distributed")
    put(lab, list(telling_documents().items())[40:])
    last = documents(100)[-1]
    put(lab, [(last.app_id, telling(last.text))])
    monkeypatch.setattr(cluster, "run_span", partial(telling_faults.run_span_on_dask, last.app_id))
    arguments = ("--executor=dask", "--workers=2", *DEBUG[:2], "--set=stop_after_failures=0")
    assert witness.call("Dask", "process", *arguments) == 1
    assert f"{where} Dask worker" in witness.heard["Dask"]
    assert failed(lab)
    assert witness.indiscretions(WORDS) == []
