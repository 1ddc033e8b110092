"""Results with everything that pages show: a sweep, a wrong candidate, a void run, a real notebook."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path

from provenir_lab.lab.campaign import Campaign, CampaignResult, conduct_campaign
from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.experiment import Experiment
from provenir_lab.lab.notebooks import run_baseline_notebook
from provenir_lab.lab.record import Result
from provenir_lab.settings import Database, Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from lab_simulation import SimulatedWorkshop, experiment, noisy

PHASES = [
    experiment(candidates=[50, 1000, 2000], documents={"count": 8000}),
    experiment(
        name="duplicates",
        title="Duplicate contact cache",
        phase="II.4",
        change="duplicate_check",
        candidates=["cache"],
        documents={"count": 4000, "duplicate_contacts": 0.2},
        hypothesis="Contacts that several applications share need not be looked up again.",
    ),
    experiment(
        name="threads",
        title="Async parsing",
        phase="II.5",
        change="parse_threads",
        candidates=[2],
        stages=["parse"],
        skip_below_percent=20,
    ),
]


def finished_campaign(results: Path) -> CampaignResult:
    """A simulated campaign: a phase kept, one rejected, one skipped; and a run that crashed."""
    workshop = SimulatedWorkshop(noisy(_rate, 0.02), tables=_tables, crashes=frozenset({9}))
    seconds = itertools.count()
    started = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    plan = Campaign(
        name="phase2",
        title="Phase II: writing less often",
        purpose="What makes the processor faster without changing a row?",
        experiments=["any.yaml"],
        baseline_runs=12,
        runs=6,
    )

    def run(asked: Experiment, settings: Settings, folder: Path) -> Result:
        return conduct(workshop, asked, settings, folder.parent, folder)

    return conduct_campaign(
        run, plan, PHASES, results, now=lambda: started + dt.timedelta(seconds=next(seconds))
    )


def measured_baseline(folder: Path) -> Result:
    """A real baseline, small, through its notebook."""
    database = Database("sqlite", f"sqlite:///{(folder / 'lab.db').as_posix()}")
    return run_baseline_notebook(database, runs=2, documents=60, results=folder / "results")


def _rate(settings: Settings) -> float:
    return (
        5000
        * (1.2 if settings.batch_size >= 1000 else 0.9 if settings.batch_size < 100 else 1)
        * (1.3 if settings.duplicate_check == "cache" else 1)
    )


def _tables(settings: Settings, count: int) -> Mapping[str, tuple[int, str]]:
    contacts = (count, "cc" * 16) if settings.duplicate_check == "cache" else (count * 2, "bb" * 16)
    return {"app_base": (count, "aa" * 16), "app_contact_base": contacts}
