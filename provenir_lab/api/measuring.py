"""The verbs of `Lab` that measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from provenir_lab.api.base import File, Place
from provenir_lab.errors import UsageError
from provenir_lab.lab import MIGRATION_DOCUMENTS
from provenir_lab.progress import Say, unsaid
from provenir_lab.settings import suggestion

if TYPE_CHECKING:
    from provenir_lab.lab.campaign import CampaignResult
    from provenir_lab.lab.compare import ComparedResults, MigrationForecast
    from provenir_lab.lab.experiment import Experiment
    from provenir_lab.lab.record import Result


class Measuring(Place):
    """Baseline, experiments, campaigns; the laboratory is imported when one is asked for."""

    def baseline(
        self,
        *,
        runs: int = 10,
        documents: int | Literal["auto"] = "auto",
        profile: str = "compact",
        results: File = "results",
        notebook: bool = False,
        resume: bool = False,
        **options: Any,
    ) -> Result:
        """Measures the processor as it is: `runs` fresh processes on cleared tables.

        `notebook` runs it through the baseline notebook, whose page is then beside the report. `resume` goes
        on with the newest interrupted one, as it was asked for. `options` are those of
        `lab.session.run_baseline`.
        """
        from provenir_lab.lab.experiment import DOCUMENT_PROFILES
        from provenir_lab.lab.plan import BASELINE_NAME
        from provenir_lab.lab.record import interrupted_result

        if profile not in DOCUMENT_PROFILES:  # now rather than in the notebook's kernel
            hint = suggestion(profile, DOCUMENT_PROFILES, "profiles")
            raise UsageError(f"no document profile is named {profile}: {hint}")
        if resume:
            options["folder"] = interrupted_result(results, options.get("name", BASELINE_NAME))
        asked = {"runs": runs, "documents": documents, "profile": profile, "results": results, **options}
        return self._measure("baseline", notebook, asked)

    def run(
        self,
        experiment: File,
        *,
        runs: int | None = None,
        documents: int | None = None,
        quick: bool = False,
        results: File = "results",
        notebook: bool = False,
        resume: bool = False,
        say: Say = unsaid,
        **options: Any,
    ) -> Result:
        """Runs one experiment file; its verdict comes with the evidence.

        `notebook` runs it through its notebook; `resume` goes on with the newest interrupted one, as it was
        asked for. `say` is told, before a first run, what the experiment costs and can find.
        """
        from provenir_lab.lab.experiment import adjusted, load_experiment
        from provenir_lab.lab.notebooks import find_file
        from provenir_lab.lab.record import interrupted_result

        experiment = find_file(experiment)
        if resume:
            options["folder"] = interrupted_result(results, load_experiment(experiment).name)
        else:
            self._tell_plan(adjusted(load_experiment(experiment), runs, documents, quick=quick), results, say)
        asked = {"runs": runs, "documents": documents, "quick": quick, "results": results, **options}
        return self._measure("experiment", notebook, asked, experiment)

    def compare_code(
        self,
        ref_a: str,
        ref_b: str,
        experiment: File,
        *,
        tests: Sequence[str] | None = (),
        repository: File = ".",
        runs: int | None = None,
        documents: int | None = None,
        quick: bool = False,
        results: File = "results",
        resume: bool = False,
    ) -> Result:
        """Measures commit B against commit A in the way of an experiment, with both test suites as a gate.

        The experiment file gives documents and number of pairs. `tests` are arguments of pytest; None: no
        suite runs, and nothing is kept. Git must know both commits in `repository`.
        """
        from provenir_lab.lab.compare_code import compare_code, result_name
        from provenir_lab.lab.notebooks import find_file
        from provenir_lab.lab.record import interrupted_result

        self._require_tables()
        file = find_file(experiment)
        folder = interrupted_result(results, result_name(file)) if resume else None
        with self._showing() as progress:
            return compare_code(
                self.database,
                ref_a,
                ref_b,
                file,
                tests=tests,
                repository=repository,
                contract=self._contract_file,
                runs=runs,
                documents=documents,
                quick=quick,
                settings=self.settings,
                results=results,
                folder=folder,
                progress=progress,
            )

    def campaign(
        self, file: File, *, quick: bool = False, results: File = "results", say: Say = unsaid
    ) -> CampaignResult:
        """Runs the experiments of a campaign file in order, each from the settings accepted so far.

        `say` is told, before each phase, its ceiling and the smallest gain that it can find.
        """
        from provenir_lab.lab.campaign import run_campaign

        self._require_tables()
        with self._showing() as progress:
            return run_campaign(
                self.database,
                file,
                contract=self._contract_file,
                quick=quick,
                results=results,
                progress=progress,
                say=say,
            )

    def report(self, folder: File) -> Path:
        """Renders the page of a stored result or campaign again; returns where it is."""
        from provenir_lab.lab.report import render

        return render(folder)

    def compare(self, result_a: File, result_b: File) -> ComparedResults:
        """The throughput of stored result B against that of A, with interval and verdict."""
        from provenir_lab.lab.compare import compare

        return compare(result_a, result_b)

    def forecast(
        self, documents: int = MIGRATION_DOCUMENTS, *, result: File | None = None, results: File = "results"
    ) -> MigrationForecast:
        """How long `documents` take at the throughput of a stored result; None: of the newest baseline."""
        from provenir_lab.lab.compare import forecast

        return forecast(result, documents, results=results)

    def _tell_plan(self, experiment: Experiment, results: File, say: Say) -> None:
        from provenir_lab.lab.session import plan_experiment

        if experiment.is_baseline:
            return
        self._require_tables()
        contract, settings = self._contract_file, self.settings
        plan = plan_experiment(
            self.database, experiment, contract=contract, settings=settings, results=results
        )
        say(plan.outlook)

    def _measure(self, kind: str, notebook: bool, asked: Mapping[str, Any], *what: File) -> Result:
        from provenir_lab.lab import notebooks, session

        functions: dict[tuple[str, bool], Any] = {
            ("baseline", False): session.run_baseline,
            ("baseline", True): notebooks.run_baseline_notebook,
            ("experiment", False): session.run_experiment,
            ("experiment", True): notebooks.run_experiment_notebook,
        }
        self._require_tables()
        with self._showing() as progress:
            result: Result = functions[kind, notebook](
                self.database,
                *what,
                contract=self._contract_file,
                settings=self.settings,
                progress=progress,
                **asked,
            )
            return result
