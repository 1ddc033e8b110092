"""Reading `processing_log`: which documents have their outcome, and what the outcomes were."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from provenir_lab.storage.database import reading, writing
from provenir_lab.storage.ids import among, as_parameter
from provenir_lab.storage.schema import Target, log_table

SUCCESS = "success"
FAILED = "failed"
SESSION_ID = re.compile(r"\d{8}_\d{6}-([0-9a-f]{8})-[0-9a-f]{4}")
"""The names of this program's runs; the group is the contract's fingerprint."""
_AS_LONG = f"{'_' * 15}-{'_' * 8}-{'_' * 4}"
"""The same for LIKE: any characters between the dashes."""


@dataclass(frozen=True)
class LoggedSession:
    """One run as the log has it. Times are naive UTC, of its first and last document."""

    session_id: str
    documents: int
    failed: int
    first: dt.datetime
    last: dt.datetime


@dataclass(frozen=True)
class LogSummary:
    """Outcomes in the log: `failed` by category; `sessions` newest first."""

    succeeded: int
    failed: dict[str, int]
    sessions: tuple[LoggedSession, ...]


def logged(engine: sa.Engine, target: Target, app_ids: Collection[int]) -> dict[int, str | None]:
    """app_id -> session_id, of those of `app_ids` that have an outcome already.

    What to ask after a commit whose fate is unknown, and before a refused document is logged as failed.
    """
    dialect = engine.dialect.name
    log = log_table(target, dialect)
    query = sa.select(log.c.app_id, log.c.session_id).where(among(log.c.app_id, "ids", dialect))
    with reading(engine) as connection:
        found = connection.execute(query, {"ids": as_parameter(app_ids, dialect)})
        return {row.app_id: row.session_id for row in found}


def outcomes(engine: sa.Engine, target: Target, session_id: str) -> tuple[int, dict[str, int]]:
    """What one session logged: succeeded documents, and failed ones by category."""
    log = log_table(target, engine.dialect.name)
    parts = (log.c.status, log.c.failure_reason)
    query = sa.select(*parts, sa.func.count()).where(log.c.session_id == session_id).group_by(*parts)
    succeeded, failed = 0, Counter[str]()
    with reading(engine) as connection:
        for status, reason, count in connection.execute(query):
            if status == SUCCESS:
                succeeded += count
            else:
                failed[(reason or "unknown").partition(": ")[0]] += count
    return succeeded, dict(failed.most_common())


def newest_session(engine: sa.Engine, target: Target) -> re.Match[str] | None:
    """The run of this program that logged last, as `SESSION_ID` matches its name; None if there is none.

    Rows of other programs, and those without a session, are passed over.
    """
    log = log_table(target, engine.dialect.name)
    session = sa.func.rtrim(log.c.session_id)  # a column of fixed length fills up with blanks
    query = sa.select(session).where(session.like(_AS_LONG)).order_by(log.c.log_id.desc()).limit(1)
    with reading(engine) as connection:
        while (found := connection.scalar(query)) is not None:
            if ours := SESSION_ID.fullmatch(found):
                return ours
            query = query.where(session != found)  # it only looked like one
    return None


def failures(engine: sa.Engine, target: Target) -> Iterator[tuple[int, str, str]]:
    """(app_id, category, reason) of every failed document, by app_id."""
    log = log_table(target, engine.dialect.name)
    query = sa.select(log.c.app_id, log.c.failure_reason).where(log.c.status == FAILED).order_by(log.c.app_id)
    with reading(engine) as connection:
        for app_id, reason in connection.execution_options(yield_per=1000).execute(query):
            category, _, rest = (reason or "unknown").partition(": ")
            yield app_id, category, rest


def summary(engine: sa.Engine, target: Target, last_sessions: int = 5) -> LogSummary:
    """Counts of outcomes, and the newest sessions."""
    log = log_table(target, engine.dialect.name)
    failed: dict[str, int] = {}
    for _, category, _ in failures(engine, target):
        failed[category] = failed.get(category, 0) + 1
    count = sa.func.count()
    when = log.c.processing_time
    with reading(engine) as connection:
        succeeded = connection.scalar(sa.select(count).select_from(log).where(log.c.status == SUCCESS))
        sessions = connection.execute(
            sa.select(
                log.c.session_id,
                count,
                sa.func.sum(sa.case((log.c.status == FAILED, 1), else_=0)),
                sa.func.min(when),
                sa.func.max(when),
            )
            .where(log.c.session_id.is_not(None))
            .group_by(log.c.session_id)
            .order_by(sa.func.max(log.c.log_id).desc())
            .limit(last_sessions)
        ).all()
    return LogSummary(
        int(succeeded or 0),
        dict(sorted(failed.items())),
        tuple(LoggedSession(name, n, int(bad), _moment(a), _moment(b)) for name, n, bad, a, b in sessions),
    )


def reopen_failed(
    engine: sa.Engine,
    target: Target,
    category: str | None = None,
    first: int | None = None,
    last: int | None = None,
) -> int:
    """Makes failed documents pending again (of one category, in an inclusive range); returns how many."""
    log = log_table(target, engine.dialect.name)
    query = sa.delete(log).where(log.c.status == FAILED)
    if category is not None:
        query = query.where(log.c.failure_reason.startswith(f"{category}:", autoescape=True))
    if first is not None:
        query = query.where(log.c.app_id >= first)
    if last is not None:
        query = query.where(log.c.app_id <= last)
    with writing(engine) as connection:
        return connection.execute(query).rowcount


def _moment(value: Any) -> dt.datetime:
    return dt.datetime.fromisoformat(value) if isinstance(value, str) else value
