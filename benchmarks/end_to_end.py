"""The whole way on SQLite with one worker: CPU time of the processor's process, stages, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.race import Seconds, interleaved
from benchmarks.runs import Place

ARMS: dict[str, dict[str, object]] = {"selective": {}, "full": {"parse_mode": "full"}}
"""Parse mode -> settings."""


def measure_end_to_end(
    folder: Path, profile: str, count: int, rounds: int
) -> tuple[Seconds, dict[str, list[dict[str, Any]]]]:
    """CPU seconds a document of the runs in each parse mode, and their outcomes."""
    place = Place(f"sqlite:///{(folder / f'{profile}.db').as_posix()}")
    place.fill(count, profile)
    seconds: Seconds = {name: [] for name in ARMS}
    outcomes: dict[str, list[dict[str, Any]]] = {name: [] for name in ARMS}
    for number, order in interleaved(list(ARMS), rounds):
        for name in order:
            outcome = place.process(ARMS[name])
            if number:
                outcomes[name].append(outcome)
                seconds[name].append(outcome["cpu_seconds"] / outcome["documents"])
    return seconds, outcomes
