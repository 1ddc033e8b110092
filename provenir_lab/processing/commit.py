"""Batches into the database, so that every document ends in exactly one outcome, whatever goes wrong.

The log rows are the truth. After any failure they are read again before anything else is done: what they hold
has landed (perhaps only the answer to a COMMIT was lost), or was done by another process, and is left alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from provenir_lab.errors import DatabaseError, DatabaseRefusal, LabError, TransientError
from provenir_lab.processing.outcome import Tally
from provenir_lab.processing.patience import Patience
from provenir_lab.storage.duplicates import Rows
from provenir_lab.storage.writer import Session, Written

Document = tuple[int, Rows]
"""app_id and its rows."""
Failure = tuple[int, str, str]
"""app_id, rejection category, reason."""


class BatchWriter(Protocol):
    """What `storage.writer.Writer` does."""

    def write(
        self, documents: Sequence[Document], failures: Sequence[Failure], session: Session
    ) -> Written: ...


def all_failed(failures: Collection[Failure]) -> LabError:
    """Why a run stops that has nothing but `failures` to log."""
    categories = Counter(category for _, category, _ in failures).most_common(3)
    found = ", ".join(f"{category}: {count}" for category, count in categories)
    return LabError(
        f"stopped: {len(failures)} documents in a row failed ({found}) and none of them is logged: "
        "check contract and database, or go on with --set stop_after_failures=0"
    )


class Committer:
    """Writes the batches of one worker and counts them in `tally`.

    Failures wait until a document is written, or the range ends: so a run in which everything fails can stop
    with nothing logged (`stop_after_failures`), and a mistaken contract costs no clean-up.
    """

    def __init__(
        self,
        writer: BatchWriter,
        logged: Callable[[Sequence[int]], Mapping[int, str | None]],
        session: Session,
        stop_after_failures: int,
        tally: Tally,
        patience: Patience,
    ) -> None:
        """`logged` tells which of some app_ids have a log row, and of which session."""
        self._writer = writer
        self._logged = logged
        self._session = session
        self._stop_after = stop_after_failures
        self._tally = tally
        self._patience = patience
        self._held: list[Failure] = []
        self._refused_in_a_row = 0

    def commit(self, documents: Sequence[Document], failures: Sequence[Failure]) -> None:
        """Writes `documents`; `failures` are logged with them or held.

        Raises LabError when too many documents failed in a row, DatabaseError when the database stays away.
        """
        self._held += failures
        if documents or not self._stop_after:
            self._write(documents)
        self._check(len(self._held))

    @property
    def held(self) -> Sequence[Failure]:
        """The failures that are not logged yet."""
        return self._held

    def flush(self) -> bool:
        """Logs the failures that are still held; tells whether there were any."""
        held = bool(self._held)
        self._write(())
        return held

    def _write(self, documents: Sequence[Document]) -> None:
        """One transaction; if the database refuses it, halves, down to the documents at fault."""
        refusal, documents = self._attempt(documents)
        if refusal is None:
            return
        if len(documents) > 1:
            middle = len(documents) // 2
            self._write(documents[:middle])
            self._write(documents[middle:])
        elif documents:
            self._held.append((documents[0][0], refusal.category, refusal.reason))
            self._refused_in_a_row += 1
            self._check(self._refused_in_a_row)
        else:
            raise DatabaseError(f"processing_log cannot be written ({refusal.reason}): nothing more was done")

    def _attempt(self, documents: Sequence[Document]) -> tuple[DatabaseRefusal | None, Sequence[Document]]:
        """Tries until `documents` and the held failures are written, or refused.

        Returns the refusal and the documents it was about: those that nobody has logged meanwhile.
        """
        while documents or self._held:
            try:
                written = self._writer.write(documents, self._held, self._session)
            except TransientError as error:
                self._pause(error)
                self._tally.retries += 1
                documents, _ = self._without_logged(documents)
            except DatabaseRefusal as refusal:
                documents, changed = self._without_logged(documents)
                if not changed:
                    self._patience.reset()
                    return refusal, documents
            else:
                self._count(documents, self._held, written)
                self._held = []
                if documents:
                    self._refused_in_a_row = 0
                break
        self._patience.reset()
        return None, ()

    def _without_logged(self, documents: Sequence[Document]) -> tuple[Sequence[Document], bool]:
        """`documents` that have no log row; held failures are sifted too. True if any had one."""
        logged = self._read_log([d[0] for d in documents] + [f[0] for f in self._held])
        ours = {app_id for app_id, session_id in logged.items() if session_id == self._session.session_id}
        if ours:
            landed = [d for d in documents if d[0] in ours]
            self._count(landed, [f for f in self._held if f[0] in ours], None)
        self._tally.skipped += len(logged) - len(ours)
        self._held = [f for f in self._held if f[0] not in logged]
        return [d for d in documents if d[0] not in logged], bool(logged)

    def _read_log(self, app_ids: Sequence[int]) -> Mapping[int, str | None]:
        while True:
            try:
                return self._logged(app_ids)
            except TransientError as error:
                self._pause(error)

    def _pause(self, error: TransientError) -> None:
        self._tally.add_seconds({"wait": self._patience.wait(error)})

    def _count(
        self, documents: Sequence[Document], failures: Sequence[Failure], written: Written | None
    ) -> None:
        """`written` None: the answer was lost, so rows are counted as they were sent."""
        tally = self._tally
        tally.commits.append((time.perf_counter(), len(documents) + len(failures)))
        tally.succeeded += len(documents)
        tally.failed.update(category for _, category, _ in failures)
        if written is None:
            for _, rows in documents:
                tally.rows.update({table: len(found) for table, found in rows.items()})
            return
        tally.rows.update(written.rows)
        tally.duplicate_contacts += written.duplicate_contacts
        tally.duplicate_keys += written.duplicate_keys
        tally.add_seconds(written.seconds)

    def _check(self, failed_in_a_row: int) -> None:
        if 0 < self._stop_after <= failed_in_a_row:
            raise all_failed(self._held)
