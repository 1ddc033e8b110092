"""Log lines of the work, for people or for machines: run, batch, counts, seconds; no value of a document."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from provenir_lab.settings import Settings

if TYPE_CHECKING:
    from provenir_lab.processing.preparation import Batch

ROOT = "provenir_lab"
_log = logging.getLogger(__name__)


def configure_logging(settings: Settings) -> None:
    """Sends the log of this process to standard error, as `log_level` and `log_format` say.

    For programs and worker processes; a library user configures logging themselves.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(settings.log_level.upper())


class TextLines(logging.Formatter):
    """`2026-01-02T03:04:05.678Z INFO batch committed documents=500 failed=2`."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        return f"{_time(record)} {record.levelname} {record.getMessage()}{facts}"


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, message, and the facts by name."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps({**line, **_facts(record)}, default=str)


def log_batch(
    session_id: str, number: int, batch: Batch, done: Mapping[str, float], held: Collection[object]
) -> None:
    """One line for a batch; at level debug also one for each document.

    `number` counts the batches of a span; `done` is what was committed since the one before, counts and
    seconds by name; `held` are failures that wait to be logged.
    """
    if _log.isEnabledFor(logging.DEBUG):
        for app_id, rows in batch.documents:
            count = sum(len(found) for found in rows.values())
            _log.debug("document mapped", extra=facts(session=session_id, app_id=app_id, rows=count))
        for app_id, category, _ in batch.failures:
            _log.debug("document failed", extra=facts(session=session_id, app_id=app_id, category=category))
    if _log.isEnabledFor(logging.INFO):
        ids = [*(app_id for app_id, _ in batch.documents), *(app_id for app_id, *_ in batch.failures)]
        which = {"batch": number, "first": min(ids, default=None), "last": max(ids, default=None)}
        counts = dict(done)
        landed = counts["documents"] or counts["failed"]
        _log.info(
            "batch committed" if landed else "batch without a commit",
            extra=facts(session=session_id, **which, held=len(held), **counts),
        )


def log_failures_committed(session_id: str, done: Mapping[str, float]) -> None:
    """One line for failures that were held and are logged at the end of a span."""
    _log.info("failures committed", extra=facts(session=session_id, **done))


def facts(**named: object) -> Mapping[str, Any]:
    """What a log line carries beside its message, as `extra` of a logging call."""
    return {"facts": named}


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = getattr(record, "facts", {})
    return found


def _time(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
