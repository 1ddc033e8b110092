"""Workers on a Dask cluster: one of this machine for the run alone, or one that is there, on many machines.

Dask decides only where a span runs. What is done stands in the database's log: a span that Dask runs twice,
or whose result it loses, is found done and does no harm. Documents and rows never pass through Dask.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Set
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from provenir_lab import __version__
from provenir_lab.errors import LabError, UsageError, fault
from provenir_lab.processing.logs import configure_logging
from provenir_lab.processing.outcome import Tally
from provenir_lab.processing.worker import Job, Span, Worker
from provenir_lab.settings import Settings
from provenir_lab.storage.database import masked

ANSWER_SECONDS = 10.0
"""How long a scheduler may take to answer, and a cluster to have its first worker."""
LOOK_SECONDS = 5.0
"""How often it is looked whether the cluster has workers, while none of them finishes a span."""
_IGNORE_INTERRUPT = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
"""Ctrl-C reaches the whole terminal; the coordinator decides."""


@dataclass(frozen=True)
class Dask:
    """Asks for a Dask cluster in place of this machine's own processes."""

    scheduler: str | None = None
    """Address of a cluster's scheduler, such as `tls://host:8786`; None: a cluster of this machine, made for
    the run with `workers` processes."""
    password_env: str | None = None
    """Environment variable in which workers of a scheduler's cluster find the database's password."""


class Cluster:
    """A cluster with workers. Made by `open_cluster`."""

    def __init__(self, client: Any, url: str, password_env: str | None) -> None:
        self._client = client
        self._url = url
        self._password_env = password_env
        self.size: int = sum(client.nthreads().values())
        """How many spans it runs at a time."""

    @property
    def description(self) -> str:
        """Size and dashboard, for people."""
        return f"{self.size} workers, dashboard {self._client.dashboard_link}"

    def pool(self, job: Job, size: int) -> _DaskPool:
        """A pool that keeps `size` workers busy."""
        run = partial(run_span, replace(job, url=self._url), password_env=self._password_env)
        return _DaskPool(self._client, run, size, job.settings.retry_seconds)


@contextmanager
def open_cluster(asked: Dask, url: str, settings: Settings) -> Iterator[Cluster]:
    """The cluster asked for, whose workers shall use the database `url`; a cluster made here ends here.

    Raises UsageError if Dask is not installed, the scheduler cannot be reached or has no workers, these hold
    another version of this package or cannot use the database.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise UsageError('Dask is not installed: pip install "provenir_lab[dask]"') from None
    url = _absolute(url)
    if asked.scheduler is None:
        with _own_cluster(distributed, settings.workers) as client:
            yield Cluster(client, url, None)
        return
    shared = _without_password(url, asked.password_env)
    with _connected(distributed, asked.scheduler) as client:
        _check_workers(client, asked.scheduler, shared)
        yield Cluster(client, shared, asked.password_env)


@contextmanager
def _own_cluster(distributed: Any, workers: int) -> Iterator[Any]:
    """A client of a cluster on this machine, reachable with its own keys from this machine alone."""
    # a span is given back at the first death, not tried on further workers: the coordinator sees to it
    options = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.multiprocessing-method": "spawn",
    }
    config: Any = importlib.import_module("dask.config")
    with config.set(options), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the dashboard's usual port is taken
        made = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:8787",
            security=True,
            silence_logs=logging.CRITICAL,
            preload=[_IGNORE_INTERRUPT],
        )
    with made, distributed.Client(made, set_as_default=False) as client:
        yield client


@contextmanager
def _connected(distributed: Any, scheduler: str) -> Iterator[Any]:
    # a client that never connected waits and complains when it is collected
    quiet: Any = type("Client", (distributed.Client,), {"__del__": lambda self: None})
    try:
        client = quiet(scheduler, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, TypeError, ValueError, RuntimeError):
        raise UsageError(
            f"no Dask scheduler can be reached at {scheduler}: is it running, are name and port right, and "
            "are Dask's TLS files configured if the address begins with tls?"
        ) from None
    with client:
        yield client


def _check_workers(client: Any, scheduler: str, url: str) -> None:
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError:
        raise UsageError(
            f"the Dask scheduler at {scheduler} has no workers: start some with dask worker {scheduler}"
        ) from None
    versions = client.get_versions(packages=["provenir_lab"])
    places = {"the scheduler": versions["scheduler"], **versions["workers"]}
    for place, found in places.items():
        version = found["packages"].get("provenir_lab")
        if version != __version__:
            raise UsageError(
                f"{place} of the Dask cluster has provenir_lab {version or 'not installed'}, this is "
                f"{__version__}: install the same version on every machine"
            )
    elsewhere = {urlsplit(address).hostname for address in client.nthreads()} - {"127.0.0.1", "::1"}
    if elsewhere and make_url(url).get_backend_name() == "sqlite":
        raise UsageError(
            f"{url} is a file of one machine, and workers of the Dask cluster at {scheduler} are reached "
            "over the network: use PostgreSQL or SQL Server, or leave --scheduler away"
        )


def _absolute(url: str) -> str:
    """`url` with the whole path of a SQLite file: workers have folders of their own."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    return parsed.set(database=Path(parsed.database).resolve().as_posix()).render_as_string()


def _without_password(url: str, password_env: str | None) -> str:
    """What may travel: `url` without its password, if workers find that in `password_env`.

    Raises UsageError for a URL whose password, or another secret, would have to travel.
    """
    parsed = make_url(url)
    if password_env is not None:
        parsed = parsed._replace(password=None)  # `set` leaves what is None as it was
    bare = parsed.render_as_string(hide_password=False)
    if masked(bare) != bare:
        raise UsageError(
            f"the password in {masked(url)} would travel to the Dask cluster: name it by password_env in a "
            "profile of provenir_lab.toml, and set that environment variable where the workers run"
        )
    return bare


def _with_password(url: str, password_env: str | None) -> str:
    if password_env is None:
        return url
    password = os.environ.get(password_env)
    if password is None:
        raise UsageError(
            f"a worker of the Dask cluster has no database password: set the environment variable "
            f"{password_env} where workers are started"
        )
    return make_url(url).set(password=password).render_as_string(hide_password=False)


class _DaskPool:
    """Hands spans to a cluster. The death of a worker costs the spans on it, not those of others."""

    def __init__(self, client: Any, run: Callable[[Span], Report], size: int, patience: float) -> None:
        self._client = client
        self._run = run
        self._size = size
        self._patience = patience
        # one more span for each worker than it works on, so that none has to wait; a suspect stays alone
        self._in_flight = 2 * size if size > 1 else 1
        self._executor = client.get_executor(pure=False, retries=0)
        self.running: dict[Future[Report], Span] = {}
        self.lost: list[Span] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False)  # cancels; who works on a span sees it after the batch

    @property
    def died(self) -> bool:
        return bool(self.lost)

    @property
    def is_spent(self) -> bool:
        return len(self.lost) >= self._size

    def fill(self, queue: deque[Span]) -> None:
        while queue and len(self.running) < self._in_flight:
            self._submit(queue.popleft())

    def finished(self) -> Iterator[Tally]:
        distributed: Any = importlib.import_module("distributed")
        error: LabError | None = None
        for future in self._wait():
            span = self.running.pop(future)
            try:
                report = future.result()
            except distributed.KilledWorker:
                self.lost.append(span)
                continue
            except CancelledError:
                raise self._gone("scheduler") from None
            except Exception as unexpected:  # its text may hold anything
                raise LabError(
                    f"the Dask cluster could not run a span: {type(unexpected).__name__}"
                ) from None
            error = error or report.error
            if report.stopped:
                self._submit(span)
            report.tally.shift(report.clock - _clock())
            yield report.tally
        if error:
            raise error

    def _submit(self, span: Span) -> None:
        self.running[self._executor.submit(self._run, span)] = span

    def _wait(self) -> Set[Future[Report]]:
        """The futures that are done, at least one. Raises LabError if no worker is left to do any."""
        alone = 0.0
        while True:
            done, _ = wait(self.running, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            if done:
                return done
            try:
                workers = self._client.nthreads()
            except OSError:
                raise self._gone("scheduler") from None
            alone = 0.0 if workers else alone + LOOK_SECONDS
            if alone > self._patience:
                raise self._gone("last worker")

    def _gone(self, what: str) -> LabError:
        return LabError(
            f"the {what} of the Dask cluster is gone; what is done is kept, and running again goes on "
            "from there"
        )


# ---- inside a Dask worker


@dataclass(frozen=True)
class Report:
    """What a worker tells of a span. An error is told too: one that is raised would be logged by Dask."""

    tally: Tally
    clock: float
    """`time.time() - time.perf_counter()` of the worker's machine."""
    stopped: bool = False
    error: LabError | None = None


def run_span(job: Job, span: Span, password_env: str | None = None) -> Report:
    """Processes a span with a worker of its own, whose connections end with it."""
    stopping = _cancellation()
    tally, error = Tally(), None
    try:
        configure_logging(job.settings)
        worker = Worker(replace(job, url=_with_password(job.url, password_env)))
        try:
            tally = worker.run(span, stopping=stopping, hand_back=True)
        finally:
            worker.close()
    except LabError as known:
        error = known
    except Exception as unexpected:
        error = fault(unexpected, "a Dask worker")
    return Report(tally, _clock(), stopping(), error)


def _cancellation() -> Callable[[], bool]:
    """Whether the present task was cancelled, or its client is gone: Dask itself lets such tasks run on."""
    distributed: Any = importlib.import_module("distributed")
    worker = distributed.get_worker()
    key = worker.get_current_task()

    def cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return cancelled


def _clock() -> float:
    return time.time() - time.perf_counter()
