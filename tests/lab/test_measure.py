"""One run: its steps in their order, and what makes it void. With a bench that only takes notes."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from lab_simulation import SimulatedBench, SimulatedWorkshop

from provenir_lab.errors import GuardError
from provenir_lab.lab.measure import run_digest, timed_run
from provenir_lab.lab.record import Run, Slot
from provenir_lab.settings import Settings

SLOT = Slot("measure", 3, 2, "baseline")
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def measured(bench: SimulatedBench, settings: Settings = Settings(), documents: int = 100) -> Run:
    return timed_run(bench, SLOT, settings.model_dump(), documents=documents, order=7, now=lambda: NOW).run


def test_steps_stand_in_their_order() -> None:
    workshop = SimulatedWorkshop()
    run = measured(SimulatedBench(workshop, 100))
    assert workshop.calls == ["clear", "prove ready", "process", "digests"]
    assert run.valid
    assert (run.order, run.slot, run.started) == (7, SLOT, "2026-01-02T03:04:05.000+00:00")
    assert run.rec_per_min == pytest.approx(60_000)
    assert run.rows == 200


def test_a_state_that_is_not_proved_voids_the_run_before_the_processor_starts() -> None:
    class Dirty(SimulatedBench):
        def prove_ready(self) -> str:
            super().prove_ready()
            return "app_base holds 3 rows"

    workshop = SimulatedWorkshop()
    run = measured(Dirty(workshop, 100))
    assert run.void == "database state not proved: app_base holds 3 rows"
    assert "process" not in workshop.calls


def test_a_processor_that_fails_voids_the_run() -> None:
    workshop = SimulatedWorkshop(crashes=frozenset({0}))
    run = measured(SimulatedBench(workshop, 100))
    assert run.void == "the processor failed: simulated crash"
    assert (run.documents, run.digest) == (0, "")


def test_other_settings_than_planned_void_the_run() -> None:
    workshop = SimulatedWorkshop(used=lambda settings: settings.model_copy(update={"batch_size": 7}))
    run = measured(SimulatedBench(workshop, 100))
    assert run.void == "settings not as planned: batch_size is 7, not 500"


def test_documents_without_an_outcome_void_the_run() -> None:
    run = measured(SimulatedBench(SimulatedWorkshop(), 99), documents=100)
    assert run.void == "99 documents have an outcome, not 100"


def test_rows_that_the_lab_did_not_write_end_the_session() -> None:
    class Foreign(SimulatedBench):
        def clear(self) -> None:
            raise GuardError("3 rows were not written by this lab")

    with pytest.raises(GuardError):
        measured(Foreign(SimulatedWorkshop(), 100))


def test_digest_of_a_run_sees_rows_and_contents_of_every_table() -> None:
    tables: Mapping[str, tuple[int, Any]] = {"a": (1, "x"), "b": (2, "y")}
    digest = run_digest(tables)
    assert digest == run_digest({"b": (2, "y"), "a": (1, "x")})
    assert (
        len({digest, run_digest({"a": (1, "x"), "b": (2, "z")}), run_digest({"a": (1, "x"), "b": (3, "y")})})
        == 3
    )
