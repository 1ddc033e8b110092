"""A file for every run: what it did, with which settings, where the time went. Counts and times only."""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

from provenir_lab.files import make_folder, write_whole
from provenir_lab.processing.logs import facts
from provenir_lab.processing.outcome import Outcome

_log = logging.getLogger(__name__)


def write_metrics(
    folder: Path, outcome: Outcome, database: str, ended: dt.datetime, ended_early: str | None = None
) -> Path | None:
    """Writes `<session id>.json`, whole or not at all; returns its path.

    The file, and the folder if it is new, can be read by their owner alone. `database` is the masked URL,
    `ended` in UTC, `ended_early` why the run did not do all that it was asked for. A folder that cannot be
    written costs the metrics, not the run: it is logged, and None returned.
    """
    target = folder / f"{outcome.session_id}.json"
    when = {"ended": ended.isoformat(timespec="seconds"), "ended_early": ended_early}
    content = {"database": database, **when, **outcome.to_dict()}
    try:
        make_folder(folder)
        write_whole(target, json.dumps(content, indent=2))
    except OSError as error:
        told = facts(session=outcome.session_id, folder=str(folder), error=error.strerror)
        _log.warning("the metrics of this run cannot be written", extra=told)
        return None
    return target


def read_metrics(folder: Path, session_id: str) -> dict[str, Any] | None:
    """The metrics of a run; None if there are none, or the file is damaged."""
    try:
        content = json.loads((folder / f"{session_id}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
