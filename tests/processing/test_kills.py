"""Killed at any point and run again: every document logged once, tables as after an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from labs import FIRST_ID, SOON, digests, documents, failed, new_lab, put, rows

from provenir_lab.api import Lab
from provenir_lab.errors import LabError, TransientError
from provenir_lab.processing import coordinator, processor
from provenir_lab.processing.outcome import Tally
from provenir_lab.processing.worker import Span
from provenir_lab.progress import Step
from provenir_lab.storage import log

RUN_AND_TELL = Path(__file__).with_name("run_and_tell.py")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    lab = new_lab(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'lab.db'}", documents(200))
    lab.process()
    return dict(digests(lab))


def assert_whole(lab: Lab, expected: dict[str, object]) -> None:
    assert digests(lab) == expected
    once = "SELECT count(*), count(DISTINCT app_id) FROM processing_log"
    assert rows(lab, once) == [(200, 200)]


@contextmanager
def stopped_run(lab: Lab, stop_after: int, **settings: object) -> Iterator[psutil.Process]:
    """A process in the middle of a run: `stop_after` steps of progress are done, it waits to be killed."""
    command = [sys.executable, str(RUN_AND_TELL), lab.database.url, json.dumps(settings), str(stop_after)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "waiting\n":
                break
        else:
            pytest.fail("the run ended before it could be killed")
        yield psutil.Process(child.pid)
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("stop_after", [1, 3])
def test_killed_between_batches(sqlite_url: str, expected: dict[str, object], stop_after: int) -> None:
    lab = new_lab(sqlite_url, documents(200))
    with stopped_run(lab, stop_after, batch_size=30) as run:
        run.kill()
        run.wait()
    assert lab.status().succeeded == 30 * stop_after
    assert lab.process().documents == 200 - 30 * stop_after
    assert_whole(lab, expected)


def test_killed_inside_a_transaction(sqlite_url: str, expected: dict[str, object]) -> None:
    """The file is copied while a batch is half written: what a kill leaves behind, to the byte."""
    lab = new_lab(sqlite_url, documents(200))
    lab.process(limit=50)
    script = (
        "import os, signal, sys\n"
        "from provenir_lab.api import Lab\n"
        "from provenir_lab.storage.writer import Writer\n"
        "def die(*_): os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))\n"
        "Writer._verify = die\n"
        "Lab(sys.argv[1]).process(batch_size=30)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, lab.database.url], check=False)
    assert ended.returncode != 0
    assert lab.status().succeeded == 50
    lab.process()
    assert_whole(lab, expected)


def test_workers_end_with_their_parent_and_a_rerun_completes(
    sqlite_url: str, expected: dict[str, object]
) -> None:
    lab = new_lab(sqlite_url, documents(200))
    with stopped_run(lab, 1, workers=2, batch_size=10, stop_after_failures=10) as run:
        workers = run.children(recursive=True)
        assert len(workers) >= 2
        run.kill()
        run.wait()
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
    assert 0 < lab.status().succeeded < 200 or lab.status().pending == 0
    lab.process(workers=2)
    assert_whole(lab, expected)


def test_the_spans_of_a_dead_worker_are_run_again(
    sqlite_url: str, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was done is read from the log, though that fails in passing."""
    lab = new_lab(sqlite_url, documents(200), workers=2, batch_size=5, stop_after_failures=5)
    killed: list[int] = []

    def kill_once(step: Step) -> None:
        if not killed:
            victim = spawned_workers()[0]
            killed.append(victim.pid)
            victim.kill()

    failures = iter([TransientError("made up")])

    def read_in_the_end(*arguments: Any) -> Any:
        for failure in failures:
            raise failure
        return log.outcomes(*arguments)

    monkeypatch.setattr(processor, "outcomes", read_in_the_end)
    lab._progress = kill_once
    outcome = lab.process()
    assert killed
    assert (outcome.succeeded, outcome.failed, outcome.worker_deaths) == (200, {}, 1)
    assert_whole(lab, expected)


class DiesBehindFour(ProcessPoolExecutor):
    """All workers of the first pool are dead before its fifth span is handed out."""

    submitted = 0

    def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
        DiesBehindFour.submitted += 1
        if DiesBehindFour.submitted == 5:
            for worker in spawned_workers():
                worker.kill()
            while not self._broken:
                time.sleep(0.01)
        return super().submit(*arguments, **named)


def test_a_worker_that_dies_before_the_next_span_is_handed_out(
    sqlite_url: str, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator, "ProcessPoolExecutor", DiesBehindFour)
    lab = new_lab(sqlite_url, documents(200), workers=2, batch_size=5, stop_after_failures=5)
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed, outcome.worker_deaths) == (200, {}, 1)
    assert_whole(lab, expected)


def test_pools_that_break_with_nothing_running_are_not_opened_for_ever(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise BrokenProcessPool

    lab = new_lab(sqlite_url, documents(50), workers=2)
    monkeypatch.setattr(ProcessPoolExecutor, "submit", broken)
    with pytest.raises(LabError, match="in a row: look at the memory"):
        lab.process()


def test_workers_that_keep_dying_end_the_run_with_a_message(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(50), workers=2, batch_size=1)
    monkeypatch.setattr(coordinator, "_run_span", die)
    monkeypatch.setattr(coordinator, "DEATHS_IN_A_ROW", 4)
    monkeypatch.setattr(coordinator, "BATCHES_PER_SPAN", 1)
    with pytest.raises(LabError, match="died 4 times in a row"):
        lab.process()
    assert lab.status().pending == 50


def die(span: object) -> None:
    """What a worker does instead of its span."""
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_ends_the_run_within_ten_seconds(
    sqlite_url: str, expected: dict[str, object], workers: int
) -> None:
    lab = new_lab(sqlite_url, documents(200), workers=workers, batch_size=10, stop_after_failures=10)

    begun = 0.0

    def interrupt(step: Step) -> None:
        nonlocal begun
        begun = begun or time.monotonic()
        raise KeyboardInterrupt

    lab._progress = interrupt
    with pytest.raises(KeyboardInterrupt):
        lab.process()
    assert spawned_workers() == []
    assert time.monotonic() - begun < SOON
    assert lab.status().pending > 0
    lab._progress = None
    lab.process()
    assert_whole(lab, expected)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_a_run_ends_though_a_worker_hears_nothing(sqlite_url: str, expected: dict[str, object]) -> None:
    lab = new_lab(sqlite_url, documents(200), workers=2, batch_size=10, stop_after_failures=10)

    def stop_one(step: Step) -> None:
        spawned_workers()[0].send_signal(signal.SIGSTOP)
        raise KeyboardInterrupt

    lab._progress = stop_one
    with pytest.raises(KeyboardInterrupt):
        lab.process()
    assert spawned_workers() == []
    lab._progress = None
    lab.process()
    assert_whole(lab, expected)


def spawned_workers() -> list[psutil.Process]:
    """The live worker processes of this process; the helper that tracks resources is none."""
    found = []
    for child in psutil.Process().children():
        try:
            if "spawn_main" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


DEADLY = FIRST_ID + 77


_GAP = 5_000


def die_behind_gaps(span: Span) -> Tally:
    """The same where the ids of documents lie far apart."""
    if span.first <= 20 * _GAP <= span.last:  # type: ignore[operator]
        os._exit(9)
    return coordinator._run_span(span)


def test_gaps_between_app_ids_take_no_deaths(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab(sqlite_url, workers=2)
    made = documents(40)
    texts = {n * _GAP: d.text.replace(str(d.app_id), str(n * _GAP)) for n, d in enumerate(made, 1)}
    put(lab, texts.items(), {d.campaign_num for d in made})
    monkeypatch.setattr(coordinator, "_run_span", die_behind_gaps)
    monkeypatch.setattr(coordinator, "DEATHS_IN_A_ROW", 0)
    outcome = lab.process(batch_size=3)
    assert (outcome.succeeded, outcome.failed) == (39, {"too_large": 1})
    assert list(failed(lab)) == [20 * _GAP]
    assert outcome.worker_deaths <= 6


def die_on_one(span: Span) -> Tally:
    """What a worker does that one document kills, as it does while that document is pending."""
    if span.first <= DEADLY <= span.last:  # type: ignore[operator]
        os._exit(9)
    return coordinator._run_span(span)


def test_a_document_on_which_workers_die_fails_and_all_others_are_written(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(80), workers=2)
    monkeypatch.setattr(coordinator, "_run_span", die_on_one)
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed) == (79, {"too_large": 1})
    assert list(failed(lab)) == [DEADLY]
    assert outcome.worker_deaths < 9


def test_the_only_pending_document_does_not_end_the_run(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(78)[-1:], workers=2)
    monkeypatch.setattr(coordinator, "_run_span", die_on_one)
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed, outcome.worker_deaths) == (0, {"too_large": 1}, 2)
    assert list(failed(lab)) == [DEADLY]


def test_workers_are_replaced_after_some_documents(
    sqlite_url: str, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "BATCHES_PER_SPAN", 1)
    lab = new_lab(sqlite_url, documents(200), workers=2, batch_size=10, stop_after_failures=10)
    seen: set[int] = set()
    lab._progress = lambda step: seen.update(worker.pid for worker in spawned_workers())
    outcome = lab.process(recycle_after=30)
    assert outcome.succeeded == 200
    assert len(outcome.by_worker) >= 4
    assert outcome.peak_memory_mb == sum(sorted(s.peak_memory_mb for s in outcome.by_worker.values())[-2:])
    assert len(seen) >= 4  # two of the first pool, two of the next
    assert_whole(lab, expected)
