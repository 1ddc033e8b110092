"""On a Dask cluster: the same tables, whatever becomes of workers, scheduler and coordinator."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dask_accidents
import psutil
import pytest
import unlucky_start
from labs import FIRST_ID, WHOLE, digests, documents, failed, new_lab, put

from provenir_lab.api import Lab
from provenir_lab.cli import main
from provenir_lab.errors import LabError, UsageError
from provenir_lab.processing import cluster
from provenir_lab.progress import Step, silent

distributed = pytest.importorskip("distributed")

COUNT = 120
PASSWORD_ENV = "PROVENIR_LAB_TEST_PASSWORD"
SMALL = {"batch_size": 2, "stop_after_failures": 4}
"""So that there are many spans and batches."""


@contextmanager
def separate_cluster(workers: int) -> Iterator[str]:
    """The address of a scheduler in another process, whose workers have a database password of their own."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, PASSWORD_ENV: "theirs"}
    command = [sys.executable, dask_accidents.__file__, str(workers)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with separate_cluster(8) as address:
        yield address


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The tables after documents and one worker."""
    lab = new_lab(
        f"sqlite:///{(tmp_path_factory.mktemp('expected') / 'lab.db').as_posix()}", documents(COUNT)
    )
    lab.process()
    return dict(digests(lab))


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def lab(request: pytest.FixtureRequest) -> Lab:
    """A lab with documents."""
    return new_lab(request.getfixturevalue(request.param), documents(COUNT), **SMALL)


def in_place_of_run_span(
    monkeypatch: pytest.MonkeyPatch, accident: Callable[..., object], about: object
) -> None:
    monkeypatch.setattr(cluster, "run_span", partial(accident, about))


# ---- a cluster that is there


def test_eight_workers_give_the_same_tables(lab: Lab, scheduler: str, expected: dict[str, object]) -> None:
    steps: list[Step] = []
    lab._progress = steps.append
    outcome = lab.process(executor="dask", scheduler=scheduler)
    assert (outcome.succeeded, outcome.failed, outcome.skipped, outcome.worker_deaths) == (COUNT, {}, 0, 0)
    assert digests(lab) == expected
    assert outcome.settings.workers == 8
    assert outcome.cluster is not None and outcome.cluster in steps[0].note
    assert outcome.cluster.startswith("8 workers, dashboard http")
    assert 0 < outcome.seconds < 600, "the clocks of processes are brought together"
    assert lab.process(executor="dask", scheduler=scheduler).documents == 0


@pytest.mark.parametrize(
    "accident",
    [dask_accidents.die_in_a_batch, dask_accidents.die_when_asked],
    ids=["mid-range", "after finishing"],
)
def test_a_lost_worker_loses_and_doubles_nothing(
    postgres_url: str,
    scheduler: str,
    expected: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    accident: Callable[..., object],
) -> None:
    lab = new_lab(postgres_url, documents(COUNT), batch_size=1)
    happened = tmp_path / "happened"
    in_place_of_run_span(monkeypatch, accident, str(happened))
    outcome = lab.process(executor="dask", scheduler=scheduler)
    assert happened.exists()
    assert (outcome.succeeded, outcome.failed) == (COUNT, {}), (
        "counted from the log, not from what workers told"
    )
    assert digests(lab) == expected


def test_a_passing_failure_at_the_start_of_a_span_is_waited_for(
    sqlite_url: str, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(20), **SMALL)
    in_place_of_run_span(monkeypatch, unlucky_start.run_unlucky_span, "")
    outcome = lab.process(executor="dask", scheduler=scheduler)
    assert (outcome.succeeded, outcome.failed, outcome.worker_deaths) == (20, {}, 0)


def test_an_interrupt_cancels_what_is_not_begun(
    sqlite_url: str, scheduler: str, expected: dict[str, object]
) -> None:
    lab = new_lab(sqlite_url, documents(COUNT), **SMALL)

    def interrupt(step: Step) -> None:
        if step.done:
            raise KeyboardInterrupt

    lab._progress = interrupt
    with pytest.raises(KeyboardInterrupt):
        lab.process(executor="dask", scheduler=scheduler)
    assert lab.status().pending > 0
    lab._progress = silent
    lab.process(executor="dask", scheduler=scheduler)
    assert digests(lab) == expected


@pytest.mark.parametrize("how", ["cancelled", "client gone"])
def test_a_worker_sees_that_its_span_is_not_wanted(scheduler: str, tmp_path: Path, how: str) -> None:
    begun, stopped = tmp_path / "begun", tmp_path / "stopped"
    with distributed.Client(scheduler, set_as_default=False) as client:
        future = client.submit(dask_accidents.work_until_cancelled, str(begun), str(stopped))
        wait_for(begun)
        if how == "cancelled":
            future.cancel()
            wait_for(stopped)
    wait_for(stopped)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 120
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} never came"
        time.sleep(0.02)


def test_what_a_worker_raises_ends_the_run(sqlite_url: str, scheduler: str) -> None:
    lab = new_lab(sqlite_url, **SMALL)
    put(lab, [(FIRST_ID + i, "no document") for i in range(COUNT)])
    with pytest.raises(LabError, match="malformed_xml"):
        lab.process(executor="dask", scheduler=scheduler)
    assert lab.status().pending == COUNT


def test_the_password_stays_where_it_is(
    postgres_url: str, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_lab(postgres_url, documents(40))
    monkeypatch.chdir(tmp_path)
    profile = f'[databases.ours]\nurl = "{postgres_url}"\npassword_env = "{PASSWORD_ENV}"\n'
    Path("provenir_lab.toml").write_text(profile, encoding="utf-8")
    monkeypatch.setenv(PASSWORD_ENV, "ours")
    in_place_of_run_span(monkeypatch, dask_accidents.tell_url, str(tmp_path / "url"))
    assert Lab("ours").process(executor="dask", scheduler=scheduler).succeeded == 40
    assert (tmp_path / "url").read_text(encoding="utf-8") == postgres_url


def test_a_worker_without_the_password_says_so(
    postgres_url: str, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_lab(postgres_url, documents(40))
    monkeypatch.chdir(tmp_path)
    profile = f'[databases.ours]\nurl = "{postgres_url}"\npassword_env = "ONLY_HERE"\n'
    Path("provenir_lab.toml").write_text(profile, encoding="utf-8")
    monkeypatch.setenv("ONLY_HERE", "ours")
    with pytest.raises(UsageError, match="set the environment variable ONLY_HERE where workers are started"):
        Lab("ours").process(executor="dask", scheduler=scheduler)


def test_a_password_in_a_url_is_refused(postgres_url: str, scheduler: str) -> None:
    new_lab(postgres_url, documents(40))
    with pytest.raises(UsageError, match="would travel to the Dask cluster") as raised:
        Lab(postgres_url.replace("lab@", "lab:hunter2@")).process(executor="dask", scheduler=scheduler)
    assert "hunter2" not in str(raised.value)


def test_another_version_is_refused(sqlite_url: str, scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "__version__", "99.1")
    with pytest.raises(UsageError, match=r"has provenir_lab .*, this is 99.1: install the same version"):
        new_lab(sqlite_url, documents(40)).process(executor="dask", scheduler=scheduler)


def test_a_scheduler_that_ends_during_the_run(sqlite_url: str, expected: dict[str, object]) -> None:
    lab = new_lab(sqlite_url, documents(COUNT), **SMALL)
    with separate_cluster(1) as scheduler:

        def kill(step: Step) -> None:
            if step.done:
                found = [child for child in psutil.Process().children() if own(child)]
                for process in [*found, *(worker for child in found for worker in child.children())]:
                    process.kill()

        def own(child: psutil.Process) -> bool:
            return child.cmdline()[-2:] == [dask_accidents.__file__, "1"]

        lab._progress = kill
        with pytest.raises(LabError, match="of the Dask cluster is gone; what is done is kept"):
            lab.process(executor="dask", scheduler=scheduler)
    lab._progress = silent
    lab.process()
    assert digests(lab) == expected


# ---- a cluster that is not as it should be


def test_a_scheduler_that_is_not_there_is_one_line_and_status_2(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new_lab(sqlite_url, documents(40))
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        asked = ["process", "--database", sqlite_url, "--executor", "dask", "--scheduler", address]
        assert main(asked) == 2
    assert capsys.readouterr().err.startswith(f"error: no Dask scheduler can be reached at {address}: ")


def test_a_cluster_without_workers(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        pytest.raises(UsageError, match="has no workers: start some with dask worker"),
    ):
        new_lab(sqlite_url, documents(40)).process(executor="dask", scheduler=empty.scheduler_address)


@pytest.mark.skipif(sys.platform == "darwin", reason="this machine has one loopback address")
def test_a_sqlite_file_is_no_database_for_many_machines(sqlite_url: str) -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, processes=False, protocol="tcp", host="127.0.0.2", dashboard_address=None
        ) as other,
        pytest.raises(UsageError, match="is a file of one machine"),
    ):
        new_lab(sqlite_url, documents(40)).process(executor="dask", scheduler=other.scheduler_address)


def test_without_dask_it_is_said_how_to_install_it(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    lab = new_lab(sqlite_url, documents(40))
    with pytest.raises(UsageError, match=r'pip install "provenir_lab\[dask\]"'):
        lab.process(executor="dask")


def test_executor_and_scheduler_must_fit(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(40))
    with pytest.raises(UsageError, match="did you mean dask"):
        lab.process(executor="desk")
    with pytest.raises(UsageError, match="goes with the executor dask"):
        lab.process(scheduler="tcp://127.0.0.1:8786")


# ---- a cluster made for the run


@pytest.mark.skipif(not WHOLE, reason="eight processes take long to start; dev.py faults does")
def test_eight_workers_of_this_machine_give_the_same_tables(
    sqlite_url: str, expected: dict[str, object]
) -> None:
    lab = new_lab(sqlite_url, documents(COUNT), workers=8, **SMALL)
    outcome = lab.process(executor="dask")
    assert (outcome.succeeded, outcome.failed, outcome.settings.workers) == (COUNT, {}, 8)
    assert digests(lab) == expected


def test_a_document_on_which_workers_die_fails_and_all_others_are_written(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(40), batch_size=2, stop_after_failures=2, workers=2)
    in_place_of_run_span(monkeypatch, dask_accidents.die_on, FIRST_ID + 17)
    outcome = lab.process(executor="dask")
    assert (outcome.succeeded, outcome.failed) == (39, {"too_large": 1})
    assert list(failed(lab)) == [FIRST_ID + 17]
    assert outcome.worker_deaths >= 2
    assert [child for child in psutil.Process().children() if "spawn_main" in str(child.cmdline())] == []


RUN = """
import sys, time
from provenir_lab.api import Lab
from provenir_lab.settings import Settings

def wait(step):
    if step.done:
        print("waiting", flush=True)
        time.sleep(600)

if __name__ == "__main__":
    settings = Settings(workers=1, batch_size=4, stop_after_failures=4)
    try:
        Lab(sys.argv[1], settings=settings, progress=wait).process(executor="dask")
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
@pytest.mark.parametrize("end", ["ctrl-c", "kill"])
def test_the_cluster_ends_with_its_run(
    sqlite_url: str, expected: dict[str, object], tmp_path: Path, end: str
) -> None:
    lab = new_lab(sqlite_url, documents(COUNT), **SMALL)
    script = tmp_path / "run.py"
    script.write_text(RUN, encoding="utf-8")
    run = subprocess.Popen(
        [sys.executable, str(script), sqlite_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "waiting\n"
    workers = psutil.Process(run.pid).children(recursive=True)
    assert workers
    if end == "ctrl-c":
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to coordinator and workers
    else:
        run.kill()
    printed, complaints = run.communicate(timeout=60)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    if end == "ctrl-c":
        assert (printed, complaints) == ("interrupted\n", "")
    assert lab.status().pending > 0
    lab.process()
    assert digests(lab) == expected
