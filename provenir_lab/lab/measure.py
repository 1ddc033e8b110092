"""One run, measured: reset and proved, in a fresh process, the outcome proved.

`Bench` is what does the steps; `timed_run` is their order. The order is what makes a run count, so it
stands in one function and is tested with a bench that only takes notes.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from provenir_lab.errors import LabError
from provenir_lab.lab.child import package_environment, run_child
from provenir_lab.lab.place import Place
from provenir_lab.lab.record import STAGES, Run, Slot
from provenir_lab.lab.workload import Workload, stored_documents
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.storage.cleanup import clean
from provenir_lab.storage.digest import digest_tables

RUN_MODULE = "provenir_lab.lab.run_once"
"""What a run's process executes."""
TableDigests = Mapping[str, tuple[int, str]]
"""Table -> (rows, digest)."""


class Bench(Protocol):
    """The steps of a run, on one database with one workload."""

    def clear(self) -> None:
        """Empties the target tables."""

    def prove_ready(self) -> str:
        """What is wrong with the state of the database before a run; empty: nothing."""

    def process(self, variant: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Runs the variant's processor with the settings `asked` for; its outcome as plain data,
        `wall_seconds` added. Raises LabError if it fails.
        """

    def digests(self) -> TableDigests:
        """What the tables hold now."""


@dataclass(frozen=True)
class Measured:
    """A run with the digests of its tables."""

    run: Run
    tables: TableDigests


def timed_run(
    bench: Bench,
    slot: Slot,
    asked: Mapping[str, Any],
    *,
    documents: int,
    order: int,
    now: Callable[[], dt.datetime],
) -> Measured:
    """One run in its four steps: clear, prove the state, process with the settings `asked` for, prove the
    outcome.

    A run whose state or outcome is not proved comes back void, with the reason; it is never left out
    silently. Raises GuardError if the tables hold rows that the lab did not write.
    """
    bench.clear()
    started = now()
    problem = bench.prove_ready()
    if problem:
        return Measured(_void(slot, order, started, f"database state not proved: {problem}"), {})
    try:
        outcome = bench.process(slot.variant, asked)
    except LabError as error:
        return Measured(_void(slot, order, started, f"the processor failed: {error}"), {})
    tables = bench.digests()
    run = Run(
        order=order,
        part=slot.part,
        block=slot.block,
        position=slot.position,
        variant=slot.variant,
        started=started.isoformat(timespec="milliseconds"),
        documents=outcome["documents"],
        succeeded=outcome["succeeded"],
        failed=sum(outcome["failed"].values()),
        failures=dict(sorted(outcome["failed"].items())),
        rows=sum(rows for rows, _ in tables.values()),
        seconds=round(outcome["seconds"], 6),
        rec_per_min=round(outcome["rec_per_min"], 6),
        wall_seconds=round(outcome["wall_seconds"], 6),
        cpu_seconds=round(outcome["cpu_seconds"], 6),
        peak_memory_mb=round(outcome["peak_memory_mb"], 6),
        stages={stage: round(outcome["stages"].get(stage, 0.0), 6) for stage in STAGES},
        slices=tuple((part["documents"], round(part["seconds"], 6)) for part in outcome["slices"]),
        digest=run_digest(tables),
        void=_outcome_problem(outcome, asked, documents),
        characters_read=outcome.get("characters_read", 0),  # earlier versions of the code do not count them
        bytes_parsed=outcome.get("bytes_parsed", 0),
    )
    return Measured(run, tables)


def _outcome_problem(outcome: Mapping[str, Any], asked: Mapping[str, Any], documents: int) -> str:
    used = outcome["settings"]
    other = [name for name in sorted(asked) if asked[name] != used.get(name)]
    if other:
        parts = [f"{name} is {used.get(name)}, not {asked[name]}" for name in other]
        return f"settings not as planned: {', '.join(parts)}"
    if outcome["documents"] != documents:
        return f"{outcome['documents']} documents have an outcome, not {documents}"
    return "no time passed" if outcome["seconds"] <= 0 else ""


def _void(slot: Slot, order: int, started: dt.datetime, reason: str) -> Run:
    return Run(
        order=order,
        part=slot.part,
        block=slot.block,
        position=slot.position,
        variant=slot.variant,
        started=started.isoformat(timespec="milliseconds"),
        documents=0,
        succeeded=0,
        failed=0,
        failures={},
        rows=0,
        seconds=0.0,
        rec_per_min=0.0,
        wall_seconds=0.0,
        cpu_seconds=0.0,
        peak_memory_mb=0.0,
        stages=dict.fromkeys(STAGES, 0.0),
        slices=(),
        digest="",
        void=" ".join(reason.split()),
    )


def run_digest(tables: TableDigests) -> str:
    """One digest (16 hex digits) of the digests of all tables."""
    content = json.dumps(sorted((name, *value) for name, value in tables.items()))
    return blake2b(content.encode(), digest_size=8).hexdigest()


class DatabaseBench:
    """The real bench: a lab database and the processor in a fresh Python process for every run."""

    def __init__(
        self,
        place: Place,
        workload: Workload,
        command: tuple[str, ...] | None = None,
        packages: Mapping[str, Path] | None = None,
    ) -> None:
        """`command` starts the process; default: this Python on `provenir_lab.lab.run_once`. `packages`:
        variant -> the folder that holds its version of the package, where that is not this one.
        """
        self._place = place
        self._workload = workload
        self._command = command or (sys.executable, "-m", RUN_MODULE)
        self._packages = packages or {}
        self._engine = place.engine()
        self._columns = compile_mapper(place.contract, place.target.tables).columns

    def close(self) -> None:
        self._engine.dispose()

    def clear(self) -> None:
        clean(self._engine, self._place.target)

    def prove_ready(self) -> str:
        filled = [f"{table} holds {rows} rows" for table, (rows, _) in self.digests().items() if rows]
        if filled:
            return ", ".join(filled)
        found = stored_documents(self._engine, self._place.target, self._workload.first, self._workload.last)
        expected = (self._workload.count, self._workload.characters)
        if found != expected:
            return (
                f"{found[0]} documents of {found[1]} characters in the experiment's range, not"
                f" {expected[0]} of {expected[1]}"
            )
        return ""

    def process(self, variant: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        package = self._packages.get(variant)
        request = {
            "place": self._place.to_dict(),
            "settings": dict(asked),
            "first": self._workload.first,
            "last": self._workload.last,
            "starter": os.getpid(),
        }
        begun = time.perf_counter()
        with tempfile.TemporaryFile() as log:  # a pipe that nobody reads would block a talkative processor
            done = run_child(
                self._command,
                input=json.dumps(request).encode(),
                stdout=subprocess.PIPE,
                stderr=log,
                env=package_environment(package) if package else None,
            )
        wall = time.perf_counter() - begun
        try:
            outcome: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise LabError(f"its process ended with status {done.returncode} and no outcome") from None
        if "error" in outcome:
            raise LabError(outcome["error"])
        return outcome | {"wall_seconds": wall}

    def digests(self) -> TableDigests:
        found = digest_tables(self._engine, self._place.target, self._columns)
        return {name: (table.rows, table.digest) for name, table in found.items()}
