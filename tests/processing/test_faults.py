"""Every database operation failing in turn, and two processors at once: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from labs import digests, documents, new_lab
from places import Place
from sqlalchemy.engine.default import DefaultDialect

from provenir_lab.api import Lab
from provenir_lab.errors import DatabaseError
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mock import spoil
from provenir_lab.processing import patience, worker
from provenir_lab.progress import silent

BUSY, FULL = 5, 13
"""SQLite's codes for a database that another connection holds, and for a full disk."""


class Faults:
    """Counts the database operations of this process; number `at` fails, before or after its work."""

    def __init__(self) -> None:
        self.calls = 0
        self.at = 0
        self.code = BUSY
        self.after = False

    def plan(self, at: int, code: int, *, after: bool) -> None:
        self.calls, self.at, self.code, self.after = 0, at, code, after

    @contextmanager
    def around(self) -> Iterator[None]:
        self.calls += 1
        fails = self.calls == self.at
        if fails and not self.after:
            raise self.error()
        yield
        if fails:
            raise self.error()

    def error(self) -> sqlite3.OperationalError:
        error = sqlite3.OperationalError("made up, with the value CANARY in it")
        error.sqlite_errorcode = self.code
        return error


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    found = Faults()
    for name in ("do_execute", "do_executemany", "do_commit"):
        real = getattr(DefaultDialect, name)

        def watched(*arguments: Any, real: Any = real, **named: Any) -> None:
            with found.around():
                real(*arguments, **named)

        monkeypatch.setattr(DefaultDialect, name, watched)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    mappers: dict[str, Mapper] = {}  # one for all runs: compiling takes longer than such a run

    def one_mapper(*arguments: Any, **named: Any) -> Mapper:
        if not mappers:
            mappers["one"] = compile_mapper(*arguments, **named)
        return mappers["one"]

    monkeypatch.setattr(worker, "compile_mapper", one_mapper)
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with twelve documents, one of them faulty."""
    path = tmp_path_factory.mktemp("template") / "lab.db"
    new_lab(f"sqlite:///{path}", [spoil(d, "doctype") if n == 5 else d for n, d in enumerate(documents(12))])
    return path


@pytest.mark.parametrize(
    ("code", "after", "first"),
    [(BUSY, False, 1), (BUSY, True, 2), (FULL, False, 3), (FULL, True, 4)],
    ids=["busy-before", "busy-after", "full-before", "full-after"],
)
def test_operations_of_a_run_fail_in_turn(
    template: Path, tmp_path: Path, faults: Faults, code: int, after: bool, first: int
) -> None:
    """A passing failure is survived by the run itself or, like any other one, by a second run.

    The four cases share the operations of the run among them; `PROVENIR_LAB_TEST_ALL` gives all to each.
    """

    def fresh(name: str) -> Lab:
        return Lab(f"sqlite:///{shutil.copy(template, tmp_path / name)}", progress=silent)

    faults.plan(0, code, after=after)
    undisturbed = fresh("undisturbed.db")
    undisturbed.process(batch_size=4)
    expected, last = digests(undisturbed), faults.calls
    assert last > 20
    whole = "PROVENIR_LAB_TEST_ALL" in os.environ
    for at in range(1, last + 1) if whole else range(first, last + 1, 4):
        lab = fresh(f"{at}.db")
        faults.plan(at, code, after=after)
        try:
            outcome = lab.process(batch_size=4)
        except DatabaseError as error:
            assert "CANARY" not in str(error)
        else:
            assert outcome.documents == 12
        faults.plan(0, code, after=after)
        lab.process(batch_size=4)
        assert digests(lab) == expected, f"operation {at} of {last}"


def test_a_passing_failure_in_the_middle_does_not_end_the_run(
    template: Path, tmp_path: Path, faults: Faults
) -> None:
    """One before the first page may: there is nothing to save."""

    def fresh(name: str) -> Lab:
        return Lab(f"sqlite:///{shutil.copy(template, tmp_path / name)}", progress=silent)

    faults.plan(0, BUSY, after=False)
    fresh("undisturbed.db").process(batch_size=12)
    before = faults.calls
    faults.plan(0, BUSY, after=False)
    fresh("longer.db").process(batch_size=1)
    for at in range(before, faults.calls - 1, 9):
        faults.plan(at, BUSY, after=False)
        assert fresh(f"{at}.db").process(batch_size=1).documents == 12


SCRIPT = (
    "import sys\n"
    "from provenir_lab.api import Lab\n"
    "from provenir_lab.settings import Settings\n"
    "lab = Lab(sys.argv[1], schema=sys.argv[2] or None)\n"
    "print('ready', flush=True)\n"
    "sys.stdin.readline()\n"
    "outcome = lab.process(batch_size=3, stop_after_failures=0)\n"
    "print(outcome.succeeded, sum(outcome.failed.values()), outcome.skipped, *outcome.failed)\n"
)


def test_two_processors_at_once_on_the_same_documents(place: Place) -> None:
    made = [spoil(d, "doctype") if n % 10 == 3 else d for n, d in enumerate(documents(120))]
    lab = new_lab(place.url, made, place.schema)
    lab.process(stop_after_failures=0)
    expected = digests(lab)
    lab.clean()
    command = [sys.executable, "-c", SCRIPT, place.url, place.schema or ""]
    pair = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for child in pair:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    threads = [threading.Thread(target=tell, args=(child,)) for child in pair]
    for thread in threads:
        thread.start()
    ends = [child.communicate()[0].split() for child in pair]
    assert [child.returncode for child in pair] == [0, 0]
    assert sum(int(succeeded) for succeeded, *_ in ends) == 108
    assert sum(int(failed) for _, failed, *_ in ends) == 12
    assert {category for _, _, _, *categories in ends for category in categories} == {"forbidden_doctype"}
    assert digests(lab) == expected


def tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()
