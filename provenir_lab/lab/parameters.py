"""Parameters of notebooks, validated strictly in one call.

papermill only warns of an unknown parameter and converts no types, so the first code cell of every notebook
hands its names to `check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provenir_lab.display import html_table
from provenir_lab.errors import UsageError
from provenir_lab.lab.decisions import Accepted, decided, load_accepted
from provenir_lab.lab.experiment import Experiment, adjusted, first_problem, load_experiment, together
from provenir_lab.lab.place import ensure_lab, open_place
from provenir_lab.lab.plan import Plan
from provenir_lab.lab.record import Result
from provenir_lab.progress import shown_progress
from provenir_lab.settings import Database, Settings, build_settings, find_database, suggestion

if TYPE_CHECKING:
    from provenir_lab.lab.compare import MigrationForecast
    from provenir_lab.lab.explore import Exploration, View
    from provenir_lab.lab.old_benchmark import OldBenchmark

_PLAIN = (str, int, float, list, dict, tuple, type(None))
_NOTEBOOK_NAMES = ("In", "Out")


class Parameters(BaseModel):
    """What every notebook can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    database: str = ""
    """A profile of `provenir_lab.toml`, or a URL without a password; empty: the environment variable
    PROVENIR_LAB_DATABASE, else `sqlite:///lab.db`."""
    database_schema: str = ""
    """Schema of the lab's tables; empty: the profile's, else the contract's."""
    contract: str = ""
    """A contract file; empty: the shipped credit-card contract."""
    settings: dict[str, Any] = {}
    """Settings to start from, where they differ from the defaults."""
    results: str = "results"
    """Folder under which a new folder for the result is made."""
    folder: str = ""
    """An existing folder for the result instead; an interrupted experiment there goes on."""

    def _repr_html_(self) -> str:
        return html_table("Parameters", [(name, repr(value)) for name, value in self])

    def place(self) -> Database:
        """The database, which is made a lab if it is a SQLite file that does not exist yet."""
        found = find_database(self.database or None)
        database = Database(found.name, found.url, self.database_schema or found.schema)
        ensure_lab(open_place(database, self.contract or None))
        return database

    def common(self) -> dict[str, Any]:
        """The arguments that `run_baseline` and `run_experiment` share."""
        return {
            "contract": self.contract or None,
            "settings": build_settings(self.settings, Settings()),
            "results": self.results,
            "folder": self.folder or None,
        }


class BaselineParameters(Parameters):
    """Of `01-baseline`."""

    experiment: str = ""
    """An experiment file without candidates, which says all that is below."""
    runs: int = Field(default=10, ge=1, le=1000)
    documents: int = Field(default=0, ge=0)
    """0: as many as make a run last `min_seconds`."""
    profile: Literal["compact", "realistic", "heavy", "stored"] = "compact"
    seed: int = 1
    min_seconds: float = Field(default=2.0, gt=0, le=3600)
    name: str = "baseline"
    """Under which name the result is kept."""

    def run(self) -> Result:
        """Runs the baseline, with its progress shown in the notebook."""
        from provenir_lab.lab.notebooks import find_file
        from provenir_lab.lab.session import run_baseline, run_experiment

        database = self.place()
        with shown_progress() as progress:
            if self.experiment:
                file = find_file(self.experiment)
                return run_experiment(database, file, progress=progress, **self.common())
            return run_baseline(
                database,
                runs=self.runs,
                documents=self.documents or "auto",
                profile=self.profile,
                seed=self.seed,
                min_seconds=self.min_seconds,
                name=self.name,
                progress=progress,
                **self.common(),
            )


class ExperimentParameters(Parameters):
    """Of the notebooks that run an experiment file."""

    experiment: str
    """Path of the experiment file, from here or from the root of the project."""
    quick: bool = True
    """The quick form: fewer candidates, six pairs, one-second runs; its verdict is indicative."""
    runs: int = Field(default=0, ge=0, le=1000)
    """Pairs; 0: as many as the experiment file says."""
    documents: int = Field(default=0, ge=0)
    """0: as the experiment file says."""

    def asked(self) -> Experiment:
        """The experiment of the file, with what the parameters say otherwise."""
        from provenir_lab.lab.notebooks import find_file

        experiment = load_experiment(find_file(self.experiment))
        return adjusted(experiment, self.runs or None, self.documents or None, quick=self.quick)

    def plan(self) -> Plan:
        """What is fixed before the first run, to be looked at."""
        from provenir_lab.lab.session import plan_experiment

        return plan_experiment(self.place(), self.asked(), **self.common())

    def run(self) -> Result:
        """Runs the experiment, with its progress shown in the notebook."""
        from provenir_lab.lab.session import run_experiment

        database = self.place()
        with shown_progress() as progress:
            return run_experiment(database, self.asked(), progress=progress, **self.common())


class ScalingParameters(ExperimentParameters):
    """Of `30-parallel-scaling`: the experiment, and the old parallel benchmark beside it."""

    old_runs: int = Field(default=3, ge=1, le=100)
    """Runs of 50 documents with each number of workers, as the old benchmark had them."""

    def old_benchmark(self, result: Result) -> OldBenchmark:
        """Does the old benchmark again, with the workers of `result`."""
        from provenir_lab.lab.old_benchmark import measure_old_benchmark
        from provenir_lab.lab.session import DatabaseWorkshop

        workshop = DatabaseWorkshop(open_place(self.place(), self.contract or None))
        with shown_progress() as progress:
            return measure_old_benchmark(workshop, result, self.old_runs, progress=progress)


class ExploreParameters(BaseModel):
    """Of `00-explore`, which needs no database."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    contract: str = ""
    document: str = ""
    """A file to look at instead of generated documents."""
    values: bool = False
    """Show what the file's rows hold; a notebook keeps what it shows."""
    profile: Literal["compact", "realistic", "heavy"] = "realistic"
    count: int = Field(default=50, ge=1, le=10_000)
    seed: int = 1

    def run(self) -> Exploration:
        """Looks at the file, or generates the documents and looks at them."""
        from provenir_lab.lab.explore import explore

        return explore(
            count=self.count,
            profile=self.profile,
            seed=self.seed,
            contract=self.contract or None,
            document=self.document or None,
            values=self.values,
        )


class ForecastParameters(BaselineParameters):
    """Of `40-forecast`: a baseline on realistic documents, and what it means for a migration."""

    runs: int = Field(default=6, ge=1, le=1000)
    profile: Literal["compact", "realistic", "heavy", "stored"] = "realistic"
    min_seconds: float = Field(default=1.0, gt=0, le=3600)
    migration: int = Field(default=11_000_000, ge=1)
    """Documents of the migration."""
    name: str = "forecast"

    def forecast(self, result: Result) -> MigrationForecast:
        """What the result means for the migration."""
        from provenir_lab.lab.compare import forecast

        return forecast(result.folder, self.migration)


ACCEPTED = "experiments/accepted.yaml"
"""Where campaigns keep what they accepted."""


class TogetherParameters(Parameters):
    """Of `90-campaign`: the original settings against all that is accepted."""

    accepted: str = ACCEPTED
    quick: bool = True
    runs: int = Field(default=0, ge=0, le=1000)
    documents: int = Field(default=0, ge=0)

    def settled(self) -> Accepted:
        """The accepted settings; none where the usual file does not exist yet.

        Raises UsageError if another file is named and does not exist.
        """
        from provenir_lab.lab.notebooks import find_file

        try:
            file = find_file(self.accepted)
        except UsageError:
            if self.accepted != ACCEPTED:
                raise
            return Accepted({})
        return load_accepted(file)

    def decided(self) -> View:
        """Every phase of the last campaign in the results: kept, reverted, rejected, skipped, and why."""
        return decided(Path(self.results))

    def run(self) -> Result:
        """Measures the original settings and the accepted ones in one session of blocks; where nothing is
        accepted, the original ones alone.
        """
        from provenir_lab.lab.session import run_experiment

        values = self.settled().values()
        alone = Experiment(name="original", title="Original settings", runs=6)
        experiment = together(values) if values else alone
        asked = adjusted(experiment, self.runs or None, self.documents or None, quick=self.quick)
        database = self.place()
        with shown_progress() as progress:
            return run_experiment(database, asked, progress=progress, **self.common())


Model = TypeVar("Model", bound=BaseModel)


def check(model: type[Model], names: Mapping[str, Any]) -> Model:
    """The parameters among a notebook's `globals()`, called before anything else is defined there.

    Raises UsageError for a name that is no parameter (with the nearest one), a wrong type or a wrong value.
    """
    values = {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and name not in _NOTEBOOK_NAMES and isinstance(value, _PLAIN)
    }
    for name in values:
        if name not in model.model_fields:
            hint = suggestion(name, model.model_fields, "parameters")
            raise UsageError(f"this notebook has no parameter {name}: {hint}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"parameter {first_problem(error)}") from None
