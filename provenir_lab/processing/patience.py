"""Waiting for a database that fails in passing: pauses that grow, with jitter, up to a limit."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from provenir_lab.errors import DatabaseError, TransientError
from provenir_lab.processing.logs import facts

FIRST_PAUSE = 0.2
"""Seconds before the second attempt, shortened by up to a half at random; doubled each time."""
LONGEST_PAUSE = 5.0

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Patience:
    """How long one kind of work has waited since it last succeeded. Not to be shared between threads."""

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        session: str = "",
    ) -> None:
        """`seconds` is the limit of all pauses in a row and the attempts between them (`retry_seconds`);
        log lines carry the `session`."""
        self._limit = seconds
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._clock = clock
        self._session = session
        self._pause = FIRST_PAUSE
        self._waited = 0.0
        self._attempt_begun: float | None = None

    def wait(self, error: TransientError) -> float:
        """Pauses before the next attempt; returns the seconds. Raises DatabaseError at the limit."""
        if self._attempt_begun is not None:
            self._waited += self._clock() - self._attempt_begun
        if self._waited >= self._limit:
            raise DatabaseError(
                f"{error}; tried again for {self._waited:.0f} s: the database is unavailable. What is done "
                "is kept, and running again goes on from there"
            ) from None
        pause = self._pause * self._rng.uniform(0.5, 1)
        _log.warning(
            "transient database error, trying again",
            extra=facts(session=self._session, error=str(error), pause=round(pause, 2)),
        )
        self._sleep(pause)
        self._waited += pause
        self._attempt_begun = self._clock()
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return pause

    def reset(self) -> None:
        """The work succeeded: the next failure is a first one."""
        self._pause, self._waited, self._attempt_begun = FIRST_PAUSE, 0.0, None


def patiently(work: Callable[[], T], patience: Patience) -> T:
    """What `work` returns, tried until no passing failure ends it. Raises DatabaseError at the limit."""
    while True:
        try:
            return work()
        except TransientError as error:
            patience.wait(error)
