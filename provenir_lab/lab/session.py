"""Baselines and experiments on a lab database: the entrance that the command line and `Lab` use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.environment import describe_environment
from provenir_lab.lab.experiment import Documents, Experiment, adjusted, load_experiment, parse_experiment
from provenir_lab.lab.measure import Bench, DatabaseBench
from provenir_lab.lab.place import Place, open_place
from provenir_lab.lab.plan import BASELINE_NAME, Plan, make_plan
from provenir_lab.lab.record import Result
from provenir_lab.lab.workload import Workload, prepare, stored_count
from provenir_lab.progress import Progress, silent
from provenir_lab.settings import Database, Settings
from provenir_lab.storage.methods import choose_method


class DatabaseWorkshop:
    """The real workshop: a lab database."""

    def __init__(self, place: Place, packages: Mapping[str, Path] | None = None) -> None:
        """`packages`: variant -> the folder of its version of the package, where that is not this one."""
        self._place = place
        self._packages = packages
        self._workload: Workload | None = None

    def environment(self) -> dict[str, Any]:
        engine = self._place.engine()
        try:
            with engine.connect():
                version = ".".join(str(part) for part in engine.dialect.server_version_info or ())
            described = describe_environment(engine.dialect.name, version)
            return described | {"contract": self._place.contract.fingerprint}
        finally:
            engine.dispose()

    def available(self, documents: Documents) -> int | None:
        return stored_count(self._place) if documents.profile == "stored" else None

    def require(self, variants: Iterable[Settings]) -> None:
        engine = self._place.engine()
        try:
            for settings in variants:
                choose_method(engine, settings.write_method)
        finally:
            engine.dispose()

    @contextmanager
    def bench(self, documents: Documents, count: int) -> Iterator[tuple[Bench, Mapping[str, Any]]]:
        workload = self._workload = prepare(self._place, documents, count, self._workload)
        bench = DatabaseBench(self._place, workload, packages=self._packages)
        try:
            yield bench, workload.passport
        finally:
            bench.close()


def run_baseline(
    database: Database,
    *,
    contract: str | Path | None = None,
    runs: int = 10,
    documents: int | Literal["auto"] = "auto",
    profile: str = "compact",
    seed: int = 1,
    min_seconds: float = 2.0,
    name: str = BASELINE_NAME,
    settings: Settings | None = None,
    results: str | Path = "results",
    folder: str | Path | None = None,
    progress: Progress = silent,
) -> Result:
    """`runs` runs of the processor with `settings` on a clean database, and their report in a new folder.

    The folder is in `results/<name>/`; `documents` "auto": as many as make a run last `min_seconds`.
    Raises UsageError for a database that is no lab.
    """
    experiment = parse_experiment(
        {
            "name": name,
            "title": "Baseline",
            "notebook": "notebooks/01-baseline.ipynb",
            "runs": runs,
            "documents": {"count": documents, "profile": profile, "seed": seed, "min_seconds": min_seconds},
        },
        "baseline",
    )
    return run_experiment(
        database,
        experiment,
        contract=contract,
        settings=settings,
        results=results,
        folder=folder,
        progress=progress,
    )


def run_experiment(
    database: Database,
    experiment: str | Path | Experiment,
    *,
    contract: str | Path | None = None,
    runs: int | None = None,
    documents: int | Literal["auto"] | None = None,
    quick: bool = False,
    settings: Settings | None = None,
    results: str | Path = "results",
    folder: str | Path | None = None,
    progress: Progress = silent,
) -> Result:
    """An experiment against `settings` (default: all defaults); its result, on disk in a new folder of
    `results`.

    `folder` names an existing folder instead: empty, or an interrupted experiment's, which then goes on.
    Raises UsageError for an experiment that cannot show what it asks, or a database that is no lab.
    """
    place = open_place(database, contract)
    place.require_lab()
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment)
    experiment = adjusted(experiment, runs, documents, quick=quick)
    return conduct(
        DatabaseWorkshop(place), experiment, settings or Settings(), results, folder, progress=progress
    )


def plan_experiment(
    database: Database,
    experiment: str | Path | Experiment,
    *,
    contract: str | Path | None = None,
    settings: Settings | None = None,
    results: str | Path = "results",
    folder: str | Path | None = None,
) -> Plan:
    """What `run_experiment` would fix before its first run. Raises UsageError as that does."""
    place = open_place(database, contract)
    place.require_lab()
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment)
    accepted, workshop = settings or Settings(), DatabaseWorkshop(place)
    experiment.check(accepted, workshop.available(experiment.documents))
    workshop.require(experiment.variants(accepted).values())
    environment = workshop.environment()
    return make_plan(experiment, accepted, Path(results), environment, Path(folder) if folder else None)
