"""How far a database is: pending, succeeded and failed documents, and the last sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from provenir_lab.display import html_table
from provenir_lab.errors import UsageError
from provenir_lab.files import private
from provenir_lab.processing.metrics import read_metrics
from provenir_lab.processing.outcome import rate
from provenir_lab.spreadsheet import write_rows
from provenir_lab.storage.log import LoggedSession, failures, summary
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import Pending


@dataclass(frozen=True)
class Status:
    """Counts of documents as the log has them; `sessions` newest first."""

    pending: int
    succeeded: int
    failed: Mapping[str, int]
    """Rejection category -> documents."""
    sessions: tuple[LoggedSession, ...]
    last_run: Mapping[str, Any] | None = None
    """The metrics file of the newest session, where there is one."""

    @property
    def last_ended_early(self) -> str | None:
        """Why the newest session did not do all that it was asked for, as far as its metrics file tells."""
        return None if self.last_run is None else self.last_run.get("ended_early")

    @property
    def last_rec_per_min(self) -> float | None:
        """Documents per minute of the newest session: as it measured, else from first to last log row (also
        if it ended before it had heard of all that its workers did)."""
        if not self.sessions:
            return None
        last, run = self.sessions[0], self.last_run
        if run is not None and not (self.last_ended_early and run["documents"] < last.documents):
            return float(run["rec_per_min"])
        return rate(last.documents, (last.last - last.first).total_seconds()) or None

    def to_dict(self) -> dict[str, Any]:
        sessions = [
            {
                "session_id": s.session_id,
                "documents": s.documents,
                "failed": s.failed,
                "first": s.first.isoformat(),
                "last": s.last.isoformat(),
            }
            for s in self.sessions
        ]
        return {
            "pending": self.pending,
            "succeeded": self.succeeded,
            "failed": dict(self.failed),
            "last_rec_per_min": self.last_rec_per_min,
            "sessions": sessions,
            "last_ended_early": self.last_ended_early,
            "last_run": self.last_run,
        }

    def summary(self) -> list[tuple[str, object]]:
        rec_per_min = self.last_rec_per_min
        return [
            ("pending", self.pending),
            ("succeeded", self.succeeded),
            ("failed", sum(self.failed.values())),
            *((f"  {category}", count) for category, count in self.failed.items()),
            *([("records per minute of the last run", round(rec_per_min))] if rec_per_min else []),
            *([("the last run ended early", self.last_ended_early)] if self.last_ended_early else []),
            *((f"session {s.session_id}", _described(s)) for s in self.sessions),
        ]

    def _repr_html_(self) -> str:
        return html_table("Status", self.summary())


def _described(session: LoggedSession) -> str:
    return (
        f"{session.documents:,} documents, {session.failed:,} failed, until {session.last:%Y-%m-%d %H:%M:%S}"
    )


def read_status(engine: sa.Engine, target: Target, metrics: Path | None = None) -> Status:
    """The status of a database; `metrics` is the folder of the runs' metrics files."""
    found = summary(engine, target)
    last_run = read_metrics(metrics, found.sessions[0].session_id) if metrics and found.sessions else None
    return Status(Pending(engine, target).count(), found.succeeded, found.failed, found.sessions, last_run)


def write_failed_csv(engine: sa.Engine, target: Target, file: Path) -> int:
    """Every failed document as a line `app_id,category,reason`, fit for spreadsheets; returns how many.

    Raises UsageError if the file cannot be written.
    """
    try:
        with open(file, "w", encoding="utf-8", newline="", opener=private) as stream:
            return write_rows(stream, ("app_id", "category", "reason"), failures(engine, target))
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})") from None
