"""`provenir-lab` that is killed at a planned moment: `python dying.py ARGUMENTS...`.

The plan is in the environment. Worker processes import this file as their main module, so it holds in them
too. A moment is counted in
commits and database operations of one process, not in seconds: the same plan hits the same place again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VARIABLE = "PROVENIR_LAB_TEST_MOMENT"
COORDINATOR, WORKER = "coordinator", "worker"
KILL, TERMINATE = "SIGKILL", "SIGTERM"
BEFORE_COMMIT, IN_COPY = -1, -2
"""In place of a number of operations."""
OPERATION, COMMIT, COPY = "operation", "commit", "copy"
_ALONE_COUNTS = {BEFORE_COMMIT: COMMIT, IN_COPY: COPY}


@dataclass(frozen=True)
class Moment:
    """When one process of a run is killed: of those that write, the first that gets there says so."""

    victim: str
    """The coordinator or a worker; with one worker they are the same process."""
    signal: str
    commits: int
    """Behind so many commits of the process,"""
    operations: int
    """and so many further database operations (`BEFORE_COMMIT`: right before the next commit; `IN_COPY`: in
    PostgreSQL's next COPY, when its rows are sent but not their end),"""
    delay: float
    """and so many seconds, in which it goes on working."""
    flag: str
    """A file that is made then: nothing happens twice."""

    def environment(self) -> dict[str, str]:
        """For the process that is to be killed."""
        return {**os.environ, VARIABLE: json.dumps(asdict(self))}


class Countdown:
    """Counts this process's commits and operations up to the moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._lock = threading.Lock()
        self._commits = moment.commits
        self._operations = max(0, moment.operations)

    def committed(self) -> None:
        """A commit is done."""
        with self._lock:
            self._commits -= 1

    def begins(self, what: str) -> None:
        """An operation, a commit too, or the end of a COPY is about to begin."""
        with self._lock:
            if self._commits > 0 or _ALONE_COUNTS.get(self._moment.operations, what) != what:
                return
            self._operations -= 1
            if self._operations != -1:
                return
        try:
            Path(self._moment.flag).touch(exist_ok=False)
        except FileExistsError:
            return
        if self._moment.delay:
            threading.Thread(target=self._kill, daemon=True).start()
        else:
            self._kill()

    def _kill(self) -> None:
        time.sleep(self._moment.delay)
        parent = multiprocessing.parent_process()
        victim = parent.pid if parent and self._moment.victim == COORDINATOR else os.getpid()
        assert victim is not None
        os.kill(victim, getattr(signal, self._moment.signal, signal.SIGTERM))  # Windows knows SIGTERM alone


def arm(moment: Moment) -> None:
    """Makes every database operation of this process count."""
    from sqlalchemy.engine.default import DefaultDialect

    countdown = Countdown(moment)
    for name in ("do_execute", "do_executemany", "do_commit"):
        real = getattr(DefaultDialect, name)
        what = COMMIT if name == "do_commit" else OPERATION

        def counted(*arguments: Any, real: Any = real, what: str = what, **named: Any) -> None:
            countdown.begins(what)
            real(*arguments, **named)
            if what == COMMIT:
                countdown.committed()

        setattr(DefaultDialect, name, counted)
    if any(argument.startswith("postgresql") for argument in sys.argv):
        _arm_copy(countdown)


def _arm_copy(countdown: Countdown) -> None:
    """SQLAlchemy does not see a COPY."""
    import psycopg

    real: Any = psycopg.Cursor.copy

    @contextmanager
    def counted(*arguments: Any, **named: Any) -> Iterator[Any]:
        countdown.begins(OPERATION)
        with real(*arguments, **named) as stream:
            yield stream
            countdown.begins(COPY)

    psycopg.Cursor.copy = counted  # type: ignore[method-assign]


ALONE = "--workers=1"
"""Without this argument it is the worker processes that count, not their coordinator."""

if VARIABLE in os.environ and __name__ == ("__main__" if ALONE in sys.argv else "__mp_main__"):
    arm(Moment(**json.loads(os.environ[VARIABLE])))

if __name__ == "__main__":
    from provenir_lab.cli import main

    sys.exit(main(sys.argv[1:]))
