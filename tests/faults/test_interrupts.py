"""Ctrl-C, SIGTERM, interrupt and restart of a notebook: the run ends soon, whole, with all its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from dying import COORDINATOR, Moment
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from labs import SOON, digests, documents, new_lab, rows
from sqlalchemy import event

from provenir_lab.api import Lab
from provenir_lab.settings import Settings
from provenir_lab.storage import database
from provenir_lab.storage.database import open_engine, writing
from provenir_lab.storage.digest import TableDigest

COUNT = 200
DYING = Path(__file__).parents[1] / "dying.py"
PATIENCE = 60
"""Seconds for what nothing is promised of, such as the start of a kernel."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TableDigest]:
    lab = new_lab(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'lab.db'}", documents(COUNT))
    lab.process()
    return digests(lab)


def assert_stopped_in_between(lab: Lab) -> None:
    """Every batch is absent or complete, and there is something left to do."""
    status = lab.status()
    assert status.pending > 0
    assert rows(lab, "SELECT count(*) FROM app_base") == [(status.succeeded,)]
    assert status.failed == {}


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals to other processes")
@pytest.mark.parametrize(("name", "workers"), [("SIGINT", 2), ("SIGTERM", 1)])
def test_a_signal_in_the_middle_of_a_batch(
    sqlite_url: str, tmp_path: Path, expected: dict[str, TableDigest], name: str, workers: int
) -> None:
    lab = new_lab(sqlite_url, documents(COUNT))
    flag = tmp_path / "flag"
    moment = Moment(COORDINATOR, name, commits=3, operations=6, delay=0, flag=str(flag))
    arguments = ["--database", sqlite_url, f"--workers={workers}", "--batch-size=5", "--quiet"]
    settings = ["--set=stop_after_failures=5", "--metrics", str(tmp_path)]
    child = subprocess.Popen(
        [sys.executable, str(DYING), "process", *arguments, *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=moment.environment(),
    )
    out, error = child.communicate(timeout=PATIENCE)  # ends when the last process with this output has
    assert time.time() - flag.stat().st_mtime < SOON
    assert (child.returncode, out) == (1, "")
    assert error == "error: interrupted; what is done is kept, and the same command goes on from there\n"
    assert_stopped_in_between(lab)
    (metrics,) = (json.loads(file.read_text("utf-8")) for file in tmp_path.glob("*.json"))
    assert metrics["ended_early"] == "interrupted"
    assert metrics["documents"] <= lab.status().succeeded
    lab.process()
    assert digests(lab) == expected


MEASURE = """
import sys
from provenir_lab.lab.experiment import Documents
from provenir_lab.lab.measure import DatabaseBench
from provenir_lab.lab.place import open_place
from provenir_lab.lab.workload import prepare
from provenir_lab.settings import Database

place = open_place(Database("sqlite", sys.argv[1]))
bench = DatabaseBench(place, prepare(place, Documents(profile="compact"), 100))
print("ready", flush=True)
sys.stdin.readline()
bench.process("baseline", {"workers": 2, "batch_size": 5, "stop_after_failures": 5, "retry_seconds": 3600})
"""


def test_a_measured_run_ends_with_its_starter(sqlite_url: str) -> None:
    """The starter is killed while the run waits for the database, as it would for an hour."""
    lab = new_lab(sqlite_url)
    engine = open_engine(sqlite_url, Settings())
    starter = subprocess.Popen(
        [sys.executable, "-c", MEASURE, sqlite_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdin is not None and starter.stdout is not None
    assert starter.stdout.readline() == "ready\n"
    with writing(engine):
        starter.stdin.write("go\n")
        starter.stdin.flush()
        started: list[psutil.Process] = []
        while sum("spawn_main" in " ".join(process.cmdline()) for process in started) < 2:
            assert starter.poll() is None
            threading.Event().wait(0.05)
            started = psutil.Process(starter.pid).children(recursive=True)
        starter.kill()  # a zombie until the end of the test, as under a shell that is busy
        _, alive = psutil.wait_procs(started, timeout=PATIENCE)
        assert alive == []
    starter.communicate()
    engine.dispose()
    assert lab.status().pending == 100


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals to other processes")
def test_workers_do_not_see_ctrl_c_from_their_first_moment_on(sqlite_url: str, tmp_path: Path) -> None:
    new_lab(sqlite_url, documents(COUNT))
    command = [sys.executable, "-m", "provenir_lab", "process", "--json", "--quiet", "--workers=2"]
    options = ["--database", sqlite_url, "--metrics", str(tmp_path)]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        signals = 0
        while run.poll() is None:
            with suppress(psutil.NoSuchProcess):
                for worker in psutil.Process(run.pid).children():
                    if "spawn_main" in " ".join(worker.cmdline()):
                        worker.send_signal(signal.SIGINT)
                        signals += 1
            time.sleep(0.01)
        out, error = run.communicate()
    outcome = json.loads(out)
    assert (outcome["succeeded"], outcome["worker_deaths"], error) == (COUNT, 0, "")
    assert signals > 2


def test_ctrl_c_while_another_process_holds_the_database(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(5))
    monkeypatch.setattr(database, "BUSY_SECONDS", 10 * SOON)
    engine = open_engine(sqlite_url, Settings())

    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement == "BEGIN IMMEDIATE":
            # a moment later, when SQLite waits; in the same place whenever it comes
            threading.Timer(0.2, interrupt_main).start()

    with writing(engine):
        event.listen(sa.Engine, "before_cursor_execute", interrupt)
        begun = time.monotonic()
        try:
            with pytest.raises(KeyboardInterrupt):
                lab.process()
        finally:
            event.remove(sa.Engine, "before_cursor_execute", interrupt)
        assert time.monotonic() - begun < SOON
    engine.dispose()
    assert lab.process().succeeded == 5


# ---- notebooks

CELL = """
import time
from provenir_lab import Lab

def tell(step):
    print("a step is done", flush=True)
    time.sleep(0.5)  # so that most is still to be done when the test hears of the first step

Lab({url!r}, progress=tell).process(workers={workers}, batch_size=5, stop_after_failures=5)
"""


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=PATIENCE)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def start_cell(client: BlockingKernelClient, lab: Lab, workers: int) -> str:
    """Runs the cell until the first step of the run is done; returns the request's id."""
    request = client.execute(CELL.format(url=lab.database.url, workers=workers))
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        assert message["msg_type"] != "error", message["content"]["evalue"]
        if message["msg_type"] == "stream" and "a step is done" in message["content"]["text"]:
            return str(request)


def processes_of(manager: KernelManager) -> list[psutil.Process]:
    return psutil.Process(manager.provisioner.process.pid).children(recursive=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_notebooks_interrupt(
    kernel: tuple[KernelManager, BlockingKernelClient],
    sqlite_url: str,
    expected: dict[str, TableDigest],
    workers: int,
) -> None:
    manager, client = kernel
    lab = new_lab(sqlite_url, documents(COUNT))
    before = set(processes_of(manager))
    request = start_cell(client, lab, workers)
    started = [process for process in processes_of(manager) if process not in before]
    assert len(started) >= (workers if workers > 1 else 0)
    manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=SOON))["parent_header"].get("msg_id") != request:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert [p for p in processes_of(manager) if "spawn_main" in " ".join(p.cmdline())] == []
    assert_stopped_in_between(lab)
    lab.process()
    assert digests(lab) == expected


def test_a_kernels_restart(
    kernel: tuple[KernelManager, BlockingKernelClient], sqlite_url: str, expected: dict[str, TableDigest]
) -> None:
    manager, client = kernel
    lab = new_lab(sqlite_url, documents(COUNT))
    start_cell(client, lab, workers=2)
    started = processes_of(manager)
    assert len(started) >= 2
    manager.restart_kernel(now=True)
    _, alive = psutil.wait_procs(started, timeout=SOON)
    assert alive == []
    assert_stopped_in_between(lab)
    lab.process()
    assert digests(lab) == expected
