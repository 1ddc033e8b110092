"""Batches end in exactly one outcome: lost answers, transient failures, other processes, refusals."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labs import counts, digests, documents, new_lab, rows

from provenir_lab.api import Lab
from provenir_lab.errors import DatabaseError, LabError, TransientError
from provenir_lab.mapping.derived import tables_for
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.processing.commit import Committer, Document, Failure
from provenir_lab.processing.outcome import Tally
from provenir_lab.processing.patience import Patience
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine
from provenir_lab.storage.digest import TableDigest
from provenir_lab.storage.log import logged
from provenir_lab.storage.writer import Session, Writer, Written

SESSION = Session("20260102_030405-0123abcd-0001")
FAILURES: list[Failure] = [(i, "malformed_xml", "line 1") for i in range(1, 4)]
BEFORE, AFTER = "before", "after"
"""Whether a write fails before it is sent, or its answer is lost after it has committed."""


@dataclass
class Faulty:
    """A real writer some of whose calls fail: call number -> before or after the real write."""

    writer: Writer
    faults: dict[int, str]
    calls: int = 0

    def write(self, documents: Sequence[Document], failures: Sequence[Failure], session: Session) -> Written:
        self.calls += 1
        fault = self.faults.get(self.calls)
        if fault == BEFORE:
            raise TransientError("the connection was lost")
        written = self.writer.write(documents, failures, session)
        if fault == AFTER:
            raise TransientError("the connection was lost")
        return written


@dataclass
class Bench:
    """A committer on a real lab, with mapped documents."""

    lab: Lab
    engine: sa.Engine
    mapper: Mapper
    mapped: list[Document]
    session: Session
    pauses: list[float] = field(default_factory=list)

    def committer(self, faults: dict[int, str] | None = None, stop_after: int = 0) -> tuple[Committer, Tally]:
        tally = Tally()
        committer = Committer(
            Faulty(self.writer(), faults or {}),
            lambda ids: logged(self.engine, self.lab.target, ids),
            self.session,
            stop_after,
            tally,
            Patience(10, self.pauses.append, random.Random(1)),
        )
        return committer, tally

    def writer(self) -> Writer:
        return Writer(self.engine, self.lab.target, self.mapper.columns, Settings())


@pytest.fixture(scope="module")
def mapper() -> Mapper:
    contract = load_contract()
    return compile_mapper(contract, tables_for(contract))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a lab with twelve documents."""
    path = tmp_path_factory.mktemp("template") / "lab.db"
    new_lab(f"sqlite:///{path}", documents(12))
    return path


@pytest.fixture
def make_bench(template: Path, mapper: Mapper, tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    engines: list[sa.Engine] = []

    def make() -> Bench:
        path = shutil.copy(template, tmp_path / f"{len(engines)}.db")
        lab = Lab(f"sqlite:///{path}")
        engines.append(open_engine(lab.database.url, Settings()))
        return Bench(
            lab, engines[-1], mapper, [(d.app_id, mapper.map(d.text)) for d in documents(12)], SESSION
        )

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def bench(make_bench: Callable[[], Bench]) -> Bench:
    return make_bench()


def test_a_transient_failure_is_tried_again_after_a_pause(bench: Bench) -> None:
    committer, tally = bench.committer({1: BEFORE, 2: BEFORE})
    committer.commit(bench.mapped, [])
    assert (tally.succeeded, tally.retries, tally.skipped) == (12, 2, 0)
    assert 0.1 <= bench.pauses[0] <= 0.2 <= bench.pauses[1] <= 0.4
    assert tally.stages["wait"] >= sum(bench.pauses)


def test_a_lost_answer_to_a_commit_is_looked_up_and_not_done_again(bench: Bench) -> None:
    committer, tally = bench.committer({1: AFTER})
    committer.commit(bench.mapped, [(1, "malformed_xml", "line 1")])
    assert (tally.succeeded, tally.failed, tally.skipped) == (12, {"malformed_xml": 1}, 0)
    assert tally.rows["app_base"] == 12
    assert counts(bench.lab)["processing_log"] == 13


def test_a_database_that_stays_away_ends_the_run(bench: Bench) -> None:
    committer, tally = bench.committer(dict.fromkeys(range(1, 99), BEFORE))
    with pytest.raises(DatabaseError, match=r"the connection was lost; .* the database is unavailable"):
        committer.commit(bench.mapped, [])
    assert 10 <= sum(bench.pauses) <= 15
    assert max(bench.pauses) <= 5
    assert tally.succeeded == 0
    assert set(counts(bench.lab).values()) == {0}


def test_attempts_that_take_long_count_as_waiting(bench: Bench) -> None:
    """As with a network that falls silent: each attempt fails only after a minute."""
    committer, _ = bench.committer(dict.fromkeys(range(1, 99), BEFORE))
    minutes = itertools.count(0, 60)
    committer._patience = Patience(100, bench.pauses.append, random.Random(1), lambda: next(minutes))
    with pytest.raises(DatabaseError, match="tried again for 12"):
        committer.commit(bench.mapped, [])
    assert len(bench.pauses) == 2


def test_documents_that_another_process_has_done_are_skipped(bench: Bench) -> None:
    other = Session("20260102_030405-0123abcd-0002")
    bench.writer().write(bench.mapped[3:6], [(77, "malformed_xml", "line 1")], other)
    committer, tally = bench.committer()
    committer.commit(bench.mapped, [(77, "malformed_xml", "line 1"), (78, "too_large", "20 MB")])
    assert (tally.succeeded, tally.failed, tally.skipped) == (9, {"too_large": 1}, 4)
    sessions = "SELECT session_id, count(*) FROM processing_log GROUP BY session_id ORDER BY 1"
    assert rows(bench.lab, sessions) == [(bench.session.session_id, 10), (other.session_id, 4)]


def test_a_refused_document_stands_alone(bench: Bench) -> None:
    app_id, tables = bench.mapped[5]
    spoilt = {
        **tables,
        "app_contact_base": [],
        "app_contact_address": [],
    }  # employments without their contact
    committer, tally = bench.committer()
    committer.commit([*bench.mapped[:5], (app_id, spoilt), *bench.mapped[6:]], [])
    committer.flush()
    assert (tally.succeeded, tally.failed) == (11, {"constraint_violation": 1})
    assert tally.rows["app_base"] == counts(bench.lab)["app_base"] == 11


def test_a_log_that_refuses_rows_ends_the_run(bench: Bench) -> None:
    committer, _ = bench.committer()
    with pytest.raises(DatabaseError, match="processing_log cannot be written"):
        committer.commit([], [(1, "malformed_xml", "line 1"), (1, "malformed_xml", "line 1")])


def test_failures_wait_for_a_success_or_the_end(bench: Bench) -> None:
    committer, tally = bench.committer(stop_after=3)
    committer.commit([], [(1, "malformed_xml", "line 1")])
    committer.commit([], [(2, "malformed_xml", "line 1")])
    assert counts(bench.lab)["processing_log"] == 0
    committer.commit(bench.mapped[:1], [(3, "malformed_xml", "line 1")])
    assert counts(bench.lab)["processing_log"] == 4
    committer.commit([], [(4, "malformed_xml", "line 1")])
    assert committer.flush()
    assert not committer.flush()
    assert tally.failed == {"malformed_xml": 4}


def test_too_many_failures_in_a_row_log_nothing(bench: Bench) -> None:
    committer, _ = bench.committer(stop_after=3)
    failures = [(i, "malformed_xml" if i < 3 else "too_large", "line 1") for i in range(1, 4)]
    with pytest.raises(LabError, match=r"3 documents in a row failed \(malformed_xml: 2, too_large: 1\)"):
        committer.commit([], failures)
    assert counts(bench.lab)["processing_log"] == 0


@pytest.fixture
def undisturbed(make_bench: Callable[[], Bench]) -> dict[str, TableDigest]:
    """The tables after all went well."""
    bench = make_bench()
    committer, _ = bench.committer()
    committer.commit(bench.mapped, FAILURES)
    return digests(bench.lab)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_call_fails_every_document_is_written_once(
    make_bench: Callable[[], Bench], undisturbed: dict[str, TableDigest], data: st.DataObject
) -> None:
    bench = make_bench()
    faults = data.draw(st.dictionaries(st.integers(1, 12), st.sampled_from([BEFORE, AFTER]), max_size=6))
    size = data.draw(st.integers(1, 12))
    committer, tally = bench.committer(faults)
    for start in range(0, 12, size):
        committer.commit(bench.mapped[start : start + size], FAILURES if start == 0 else [])
    committer.flush()
    assert digests(bench.lab) == undisturbed
    assert (tally.succeeded, tally.failed, tally.skipped) == (12, {"malformed_xml": 3}, 0)
    assert sum(n for _, n in tally.commits) == 15
    assert sum(tally.rows.values()) >= sum(counts(bench.lab).values()) - 15
