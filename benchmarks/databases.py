"""Settings against each other on every database that is there, and how far it is from merely parsing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import psutil

from benchmarks.race import interleaved
from benchmarks.runs import Place
from benchmarks.stages import parse_whole
from provenir_lab.mock import generate
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine
from provenir_lab.storage.methods import possible_methods

DEFAULT, TWO_WORKERS = "default", "workers=2"
WORKERS: dict[str, dict[str, object]] = {DEFAULT: {}, TWO_WORKERS: {"workers": 2}}
"""One worker against two; neither reads ahead, so that each has one thread at work."""
_TRIED: dict[str, Sequence[object]] = {
    "write_method": (),
    "fetch": (),
    "pool": (),
    "duplicate_check": (),
    "prefetch": (2,),
    "parse_threads": (2,),
    "batch_size": (20, 100, 1000),
}
"""Setting -> values to try; none: all that it may have. Settings that do not exist are left out."""
_QUICK = ("write_method", "fetch", "batch_size")
_PARSED_AT_ONCE = 50
PARSED = 1000
"""Documents that lxml parses in a round."""


@dataclass(frozen=True)
class Database:
    """A place to measure on."""

    name: str
    place: Place
    server_cpu: Callable[[], float] | None
    """CPU seconds that the server has used; None if it is not ours or there is none."""


@dataclass(frozen=True)
class Measured:
    """One run, per document."""

    seconds: float
    cpu_seconds: float
    """Of the processor."""
    server_seconds: float
    """CPU of the server."""
    outcome: dict[str, Any]


@contextmanager
def databases(folder: Path) -> Iterator[tuple[list[Database], list[str]]]:
    """SQLite, a PostgreSQL of our own, and the SQL Server that PROVENIR_LAB_TEST_SQLSERVER names; and why
    others are missing."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))  # what the tests start servers with
    from places import drop_sqlserver_schema
    from postgres_server import PostgresServer, Unavailable

    found = [Database("SQLite", Place(f"sqlite:///{(folder / 'databases.db').as_posix()}"), None)]
    missing = []
    with ExitStack() as ends:
        try:
            server = PostgresServer()
        except Unavailable as reason:
            missing.append(f"PostgreSQL: {reason}")
        else:
            ends.callback(server.remove)
            url = server.create_database("bench")
            found.append(Database("PostgreSQL", Place(url, "lab"), _postgres_cpu(server.port)))
        sqlserver = os.environ.get("PROVENIR_LAB_TEST_SQLSERVER")
        if sqlserver:
            schema = f"lab_bench_{os.getpid()}"
            ends.callback(drop_sqlserver_schema, sqlserver, schema)
            found.append(Database("SQL Server", Place(sqlserver, schema), None))
        else:
            missing.append("SQL Server: PROVENIR_LAB_TEST_SQLSERVER names none")
        yield found, missing


def variants(database: Database, *, quick: bool) -> dict[str, dict[str, object]]:
    """Name -> settings: the default, and all that differ from it in one setting (`quick`: one of a few)."""
    found: dict[str, dict[str, object]] = {DEFAULT: {}}
    for name, values in _TRIED.items():
        field = Settings.model_fields.get(name)
        if field is None or (quick and name not in _QUICK):
            continue
        every: Sequence[object] = values
        if name == "write_method":
            engine = open_engine(database.place.url, Settings())
            every = possible_methods(engine)[1:]  # the first is what auto means
            engine.dispose()
        elif get_origin(field.annotation) is Literal:
            every = get_args(field.annotation)
        others = [value for value in every if value not in (field.default, "auto")]
        found |= {f"{name}={value}": {name: value} for value in others[: 1 if quick else None]}
    return found


def measure_database(
    database: Database, arms: Mapping[str, dict[str, object]], count: int, rounds: int
) -> tuple[dict[str, list[Measured]], list[float]]:
    """The runs of every arm over the first `count` documents of the place, and CPU seconds a document of
    parsing realistic ones with lxml alone.
    """
    runs: dict[str, list[Measured]] = {name: [] for name in arms}
    parsing: list[float] = []
    for number, order in interleaved(list(arms), rounds):
        bare = _parse_documents(min(count, PARSED))
        if number:
            parsing.append(bare)
        for name in order:
            run = _measured(database, arms[name], count)
            if number:
                runs[name].append(run)
    return runs, parsing


def _measured(database: Database, settings: dict[str, object], count: int) -> Measured:
    used = database.server_cpu or (lambda: 0.0)
    before = used()
    outcome = database.place.process(settings, limit=count)
    documents = outcome["documents"]
    return Measured(
        outcome["seconds"] / documents,
        outcome["cpu_seconds"] / documents,
        (used() - before) / documents,
        outcome,
    )


def _parse_documents(count: int) -> float:
    """CPU seconds a document of parsing them whole, on one core, with lxml and nothing else."""
    seconds = 0.0
    texts = (document.text for document in generate(count, profile="realistic"))
    while some := [text for _, text in zip(range(_PARSED_AT_ONCE), texts, strict=False)]:
        begun = time.process_time()
        parse_whole(some)
        seconds += time.process_time() - begun
    return seconds / count


def _postgres_cpu(port: int) -> Callable[[], float]:
    """CPU seconds of the server on `port`, ended backends included."""
    server = next(p for p in psutil.process_iter(["cmdline"]) if _serves(p, port))

    def used() -> float:
        time.sleep(0.2)  # backends of closed connections end
        own = server.cpu_times()
        living = (child.cpu_times() for child in server.children())
        return (
            own.user
            + own.system
            + own.children_user
            + own.children_system
            + sum(times.user + times.system for times in living)
        )

    return used


def _serves(process: psutil.Process, port: int) -> bool:
    line = process.info["cmdline"] or []
    return bool(line) and Path(line[0]).stem == "postgres" and f"-p {port}" in " ".join(line)
