"""Runs that are killed at random moments, run again, and compared with an undisturbed load.

    python tests/random_kills.py --seed 7 --rounds 50 --documents 2000
    python tests/random_kills.py --seed 7 --round 13
    python tests/random_kills.py --seed 7 --rounds 50 --json kills.json

A round: a fresh database (SQLite or PostgreSQL), one or two runs of `provenir-lab process` of which a process
is killed, then a run to the end. Afterwards every table must equal that of the undisturbed load, every
document must have one outcome in the log, no process may be left over, and nothing that was said or written
may hold a value of a document or the password. Everything that chance decides in a round comes from the seed
and the number of the round. The exit status is 1 if a round failed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count, cycle
from math import ceil
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dying import ALONE, COORDINATOR, KILL, TERMINATE, WORKER, Moment
from labs import digests, failed, new_lab
from postgres_server import PostgresServer, Unavailable
from telling import OWN_FAULTS, PASSWORD, WORDS, telling

from provenir_lab.api import Lab
from provenir_lab.mock import MockDocument, generate
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine, reading
from provenir_lab.storage.digest import TableDigest

ROOT = Path(__file__).parents[1]
DYING = Path(__file__).with_name("dying.py")
LONGEST_RUN = 300
"""Seconds after which a run that does not end counts as hanging."""
LONGEST_GRACE = 15
"""Seconds within which all processes of a killed run must be gone."""


class Broken(Exception):
    """A round in which something was lost, doubled, different, left over or told."""


@dataclass(frozen=True)
class Run:
    """One run of a round: how it is called and, unless it is the last one, when it is killed."""

    arguments: tuple[str, ...]
    moment: Moment | None


@dataclass
class Figures:
    """What the rounds on one database, or all, came to."""

    rounds: int = 0
    planned: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    """Kind of kill -> how often it came about: a run may be done before its moment comes."""
    lost: int = 0
    doubled: int = 0
    told: int = 0
    """How often an output, a metrics file or a reason in the log held a telling value or the password."""
    problems: int = 0
    seconds: float = 0.0

    def lines(self) -> list[str]:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(self.hits.items()))
        return [
            f"{self.rounds} rounds in {self.seconds:.0f} s",
            f"{self.hits.total()} of {self.planned} kills came before the run was done",
            f"kills: {kinds}",
            f"lost {self.lost}, doubled {self.doubled}, told {self.told}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "rounds": self.rounds,
            "kills_planned": self.planned,
            "kills_before_the_run_was_done": self.hits.total(),
            "kills": dict(sorted(self.hits.items())),
            "lost": self.lost,
            "doubled": self.doubled,
            "canary_hits": self.told,
            "rounds_that_failed": self.problems,
            "seconds": round(self.seconds, 1),
        }


def total(figures: Iterable[Figures]) -> Figures:
    """The sums."""
    found = Figures()
    for one in figures:
        for name in ("rounds", "planned", "lost", "doubled", "told", "problems", "seconds"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
        found.hits += one.hits
    return found


def plan(rng: random.Random, documents: int, folder: Path) -> list[Run]:
    """The runs of one round."""
    runs = []
    for number in range(rng.choice((1, 1, 2))):
        workers = rng.choice((1, 2))
        batch = round(documents ** rng.uniform(0.35, 0.85))
        arguments = _arguments(rng, workers, batch)
        moment = Moment(
            victim=rng.choice((COORDINATOR, WORKER)),
            signal=rng.choice((KILL, KILL, TERMINATE)),
            commits=rng.randrange(ceil(documents / batch / workers)),
            operations=rng.randrange(20),
            delay=rng.choice((0.0, rng.uniform(0, 0.03))),
            flag=str(folder / f"moment-{number}"),
        )
        runs.append(Run(arguments, moment))
    last = _arguments(rng, rng.choice((1, 2)), 500)
    return [*runs, Run(last, None)]


def _arguments(rng: random.Random, workers: int, batch: int) -> tuple[str, ...]:
    return (
        f"--workers={workers}",
        f"--batch-size={batch}",
        f"--set=prefetch={rng.choice((0, 2))}",
        f"--set=write_method={rng.choice(('auto', 'executemany'))}",
        "--set=log_level=debug",
    )


def play(runs: list[Run], kind: Kind, figures: Figures) -> None:
    """Plays one round on a fresh database. Raises Broken."""
    lab = Lab(kind.make())
    for run in runs:
        _play_run(run, lab.database.url, figures)
        _check_halves(lab)
    _check_whole(lab, kind.expected, figures)


def _play_run(run: Run, url: str, figures: Figures) -> None:
    command = [sys.executable, str(DYING), "process", "--database", url, "--quiet", *run.arguments]
    environment = run.moment.environment() if run.moment else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "log").open("wb") as log:  # more than fits into a pipe
            child = subprocess.Popen(
                [*command, "--metrics", name], stdout=subprocess.PIPE, stderr=log, env=environment
            )
        try:
            _wait(child, LONGEST_RUN, "the run hangs")
            # its workers hold the same pipe: it ends when the last of them has
            (folder / "output").write_bytes(_wait_for_end(child))
        finally:
            child.kill()
        said = {path.name: path.read_text("utf-8", "replace") for path in folder.iterdir()}
    hit = run.moment is not None and Path(run.moment.flag).exists()
    figures.planned += run.moment is not None
    if run.moment and hit:
        alone = ALONE in run.arguments
        figures.hits[f"{'the only process' if alone else run.moment.victim} {run.moment.signal}"] += 1
    if child.returncode not in _statuses(run if hit else Run(run.arguments, None)):
        raise Broken(f"a run ended with {child.returncode}: {(said['output'] + said['log'])[-1000:]}")
    check_words(said, figures)


def check_words(said: dict[str, str], figures: Figures) -> None:
    """Nothing that was said, under its name, holds a value of a document or the password."""
    found = {name: [word for word in WORDS if word.lower() in text.lower()] for name, text in said.items()}
    found = {name: words for name, words in found.items() if words}
    figures.told += len(found)
    if found:
        raise Broken(f"values or the password were told: {found}")


def _statuses(run: Run) -> set[int]:
    """The exit statuses that a run may have: its own end, or that of the signal."""
    if run.moment is None:
        return {0}
    if run.moment.victim == WORKER and ALONE not in run.arguments:
        return {0}  # the coordinator goes on
    if run.moment.signal == TERMINATE:
        return {0, 1}
    return {0, -signal.SIGKILL}  # 0: the delay was longer than the rest of the run


def _wait(child: subprocess.Popen[bytes], seconds: float, problem: str) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Broken(problem) from None


def _wait_for_end(child: subprocess.Popen[bytes]) -> bytes:
    try:
        return child.communicate(timeout=LONGEST_GRACE)[0]
    except subprocess.TimeoutExpired:
        raise Broken("processes of the run are left over") from None


def _check_halves(lab: Lab) -> None:
    """Whatever happened, applications and successes in the log are the same ones."""
    succeeded, written = _number(lab, "processing_log WHERE status = 'success'"), _number(lab, "app_base")
    if succeeded != written:
        raise Broken(f"{succeeded} successes in the log, {written} applications in the tables")


def _check_whole(lab: Lab, expected: dict[str, TableDigest], figures: Figures) -> None:
    found = digests(lab)
    logged, outcomes = _number(lab, "processing_log"), _number(lab, "processing_log", "DISTINCT app_id")
    lost, doubled = _number(lab, "app_xml") - outcomes, logged - outcomes
    figures.lost += lost
    figures.doubled += doubled
    different = [table for table in expected if found[table] != expected[table]]
    if lost or doubled or different:
        raise Broken(f"{lost} documents lost, {doubled} doubled, tables that differ: {different or 'none'}")
    check_words({"processing_log": "\n".join(reason for _, reason in failed(lab).values())}, figures)


def _number(lab: Lab, what: str, of: str = "*") -> int:
    engine = open_engine(lab.database.url, Settings())
    prefix = "" if engine.dialect.name == "sqlite" else f"{lab.target.schema}."
    with reading(engine) as connection:
        number = connection.scalar(sa.text(f"SELECT count({of}) FROM {prefix}{what}"))
    engine.dispose()
    return int(number or 0)


@dataclass(frozen=True)
class Kind:
    """A kind of database: how a fresh one with all documents is made, and what an undisturbed load gives."""

    make: Callable[[], str]
    """Returns the URL."""
    expected: dict[str, TableDigest]


def _telling_documents(number: int) -> list[MockDocument]:
    """Mock documents full of telling values, of which about one in twenty cannot be written."""
    faults = cycle(OWN_FAULTS.values())
    found = []
    for place, document in enumerate(generate(number, seed=3, profile="compact", faults=0.02)):
        text = telling(document.text)
        if place % 40 == 20 and document.fault is None:
            text = next(faults)(text)
        found.append(replace(document, text=text))
    return found


@contextmanager
def kinds_of_databases(documents: int, folder: Path) -> Iterator[dict[str, Kind]]:
    """Those that are here, by name."""
    made = _telling_documents(documents)
    template = folder / "template.db"
    new_lab(f"sqlite:///{template.as_posix()}", made)
    numbers = count()

    def copied() -> str:
        return f"sqlite:///{shutil.copy(template, folder / f'{next(numbers)}.db')}"

    kinds = {"sqlite": _kind(copied)}
    try:
        server = PostgresServer()
    except Unavailable as reason:
        print(f"SQLite alone: {reason}")
        yield kinds
        return
    try:
        new_lab(server.create_database("template_lab"), made)

        def created() -> str:
            name = f"round_{next(numbers)}"
            server.execute(f"CREATE DATABASE {name} TEMPLATE template_lab")
            return server.url(name).replace("//lab@", f"//lab:{PASSWORD}@")  # it asks for none

        yield {**kinds, "postgresql": _kind(created)}
    finally:
        server.remove()


def _kind(make: Callable[[], str]) -> Kind:
    undisturbed = Lab(make())
    undisturbed.process(stop_after_failures=0)
    return Kind(make, digests(undisturbed))


def choose(
    seed: int, number: int, documents: int, kinds: Iterable[str], folder: Path
) -> tuple[str, list[Run]]:
    """What chance decides in a round: the kind of database, and the runs."""
    rng = random.Random(f"{seed} {number}")
    names = sorted(kinds)
    kind = names[rng.randrange(2) % len(names)]
    return kind, plan(rng, documents, folder)


def play_rounds(seed: int, rounds: list[int], documents: int) -> tuple[dict[str, Figures], list[str]]:
    """Plays the rounds of these numbers; returns the figures by database, and what went wrong."""
    problems = []
    with tempfile.TemporaryDirectory() as name, kinds_of_databases(documents, Path(name)) as kinds:
        figures = {kind: Figures() for kind in kinds}
        for number in rounds:
            begun = time.monotonic()
            folder = Path(name) / f"round-{number}"
            folder.mkdir()
            kind, runs = choose(seed, number, documents, kinds, folder)
            found = figures[kind]
            try:
                play(runs, kinds[kind], found)
                print(f"round {number}: {kind}, whole", flush=True)
            except Broken as broken:
                found.problems += 1
                problems.append(f"round {number}, {kind}: {broken}; {runs}")
                print(problems[-1], flush=True)
            found.rounds += 1
            found.seconds += time.monotonic() - begun
    return figures, problems


def write_json(file: Path, arguments: dict[str, Any], figures: dict[str, Figures]) -> None:
    """Keeps what the rounds found, with commit and environment, as the benchmarks do."""
    sys.path.append(str(ROOT))
    from benchmarks.report import Report

    report = Report(judge=False)
    report.keep("total", total(figures.values()).to_dict())
    report.keep("databases", {kind: found.to_dict() for kind, found in figures.items()})
    report.write(file, arguments)
    print(f"written to {file}")


def main(arguments: list[str]) -> int:
    """Plays the rounds, prints the seed first and the figures last; returns the exit status."""
    parser = argparse.ArgumentParser(prog="dev.py faults", description="Kills runs at random moments.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rounds", type=int, default=50, metavar="N")
    parser.add_argument("--round", type=int, metavar="K", help="only this round, to see it again")
    parser.add_argument("--documents", type=int, default=2000, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what the rounds found there")
    asked = parser.parse_args(arguments)
    print(f"seed {asked.seed}, {asked.documents} documents", flush=True)
    numbers = list(range(1, asked.rounds + 1)) if asked.round is None else [asked.round]
    figures, problems = play_rounds(asked.seed, numbers, asked.documents)
    print("\n".join(total(figures.values()).lines()))
    if asked.json is not None:
        write_json(
            asked.json, {"seed": asked.seed, "rounds": len(numbers), "documents": asked.documents}, figures
        )
    for problem in problems:
        number = problem.split()[1].rstrip(",")
        print(
            f"again: python3 dev.py faults --seed {asked.seed} --documents {asked.documents} --round {number}"
        )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
