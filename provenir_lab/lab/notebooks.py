"""Running a phase's notebook with papermill into the folder of its result, and its page.

Templates stay as they are: what was executed lies beside the report, as `notebook.ipynb` and as
`notebook.html`.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from provenir_lab.errors import LabError, UsageError
from provenir_lab.files import private
from provenir_lab.lab.cell_errors import keep_discreet, make_discreet, translated
from provenir_lab.lab.conduct import utc_now
from provenir_lab.lab.experiment import Experiment, adjusted, load_experiment
from provenir_lab.lab.kernel import own_kernel
from provenir_lab.lab.notebook_page import render_notebook
from provenir_lab.lab.plan import BASELINE_NAME
from provenir_lab.lab.record import Folder, Result, load_result, new_folder
from provenir_lab.lab.session import run_experiment
from provenir_lab.progress import Progress, Step, silent
from provenir_lab.settings import DATABASE_VARIABLE, Database, Settings, find_database

BASELINE_NOTEBOOK = "notebooks/01-baseline.ipynb"
PAGE = "notebook.html"
"""Written last: a result made by a notebook is finished with it."""
FAILED_PAGE = "notebook-failed.html"
"""Instead, where a cell failed."""
NOTEBOOKS = {
    "mapper_without": "notebooks/02-phase1-ablation.ipynb",
    "log_level": "notebooks/02-phase1-ablation.ipynb",
    "batch_size": "notebooks/21-batch-size.ipynb",
    "pool": "notebooks/22-connection-pool.ipynb",
    "prefetch": "notebooks/23-async-preparation.ipynb",
    "duplicate_check": "notebooks/24-duplicate-cache.ipynb",
    "parse_threads": "notebooks/25-async-parsing.ipynb",
    "parse_mode": "notebooks/26-selective-parsing.ipynb",
    "write_method": "notebooks/27-write-path.ipynb",
    "workers": "notebooks/30-parallel-scaling.ipynb",
}
"""The setting that varies -> the notebook about it, for experiments that name none."""


def run_baseline_notebook(
    database: Database,
    *,
    contract: str | Path | None = None,
    runs: int = 10,
    documents: int | Literal["auto"] = "auto",
    profile: str = "compact",
    seed: int = 1,
    min_seconds: float = 2.0,
    settings: Settings | None = None,
    results: str | Path = "results",
    folder: str | Path | None = None,
    progress: Progress = silent,
) -> Result:
    """`session.run_baseline` through the baseline notebook. Raises as that does."""
    parameters = {
        "runs": runs,
        "documents": 0 if documents == "auto" else documents,
        "profile": profile,
        "seed": seed,
        "min_seconds": float(min_seconds),
    }
    kept = _folder(folder, results, BASELINE_NAME)
    parameters |= _common(database, contract, settings, results)
    return _run(BASELINE_NOTEBOOK, parameters, kept, database, _Watch("Baseline", progress))


def run_experiment_notebook(
    database: Database,
    experiment: str | Path,
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
    """`session.run_experiment` through the experiment's notebook: the one that its file names, else the one
    that is about the setting that varies, else none. Raises as that does.
    """
    file = find_file(experiment)
    plan = load_experiment(file)
    if plan.is_baseline:
        return notebook_runner(database, contract, results, progress)(
            adjusted(plan, runs, documents, quick=quick),
            settings or Settings(),
            _folder(folder, results, plan.name).path,
        )
    notebook = notebook_of(plan)
    if notebook is None:
        return run_experiment(
            database,
            file,
            contract=contract,
            runs=runs,
            documents=documents,
            quick=quick,
            settings=settings,
            results=results,
            folder=folder,
            progress=progress,
        )
    parameters = {
        "experiment": str(file),
        "quick": quick,
        "runs": runs or 0,
        "documents": documents if isinstance(documents, int) else 0,
    }
    kept = _folder(folder, results, plan.name)
    parameters |= _common(database, contract, settings, results)
    return _run(notebook, parameters, kept, database, _Watch(plan.title, progress))


def notebook_of(experiment: Experiment) -> str | None:
    """The notebook that shows an experiment; None: there is none, and its report says it all."""
    usual = BASELINE_NOTEBOOK if experiment.is_baseline else NOTEBOOKS.get(experiment.change or "")
    return experiment.notebook or usual


def notebook_runner(
    database: Database, contract: str | Path | None, results: str | Path, progress: Progress
) -> Callable[[Experiment, Settings, Path], Result]:
    """What runs the steps of a campaign: each through its notebook, one without a notebook in this
    process.
    """

    def run(experiment: Experiment, settings: Settings, path: Path) -> Result:
        kept = Folder(path)
        notebook = notebook_of(experiment)
        if notebook is None:
            return run_experiment(
                database,
                experiment,
                contract=contract,
                settings=settings,
                results=results,
                folder=path,
                progress=progress,
            )
        if not (path / "plan.json").is_file():
            kept.write_yaml("experiment.yaml", experiment.model_dump(mode="json"))
        parameters: dict[str, Any] = {"experiment": str((path / "experiment.yaml").resolve())}
        if not experiment.is_baseline:
            parameters |= {"quick": False}  # the file is in the form that was asked for
        parameters |= _common(database, contract, settings, results)
        return _run(notebook, parameters, kept, database, _Watch(experiment.title, progress))

    return run


def find_file(path: str | Path) -> Path:
    """A notebook or experiment file: as named, or so named from a folder above, or from the project's root.

    Raises UsageError if there is none.
    """
    wanted = Path(path)
    here = Path.cwd()
    project = Path(__file__).resolve().parents[2]
    for folder in (here, *here.parents, project):
        if (folder / wanted).is_file():
            return (folder / wanted).resolve()
    raise UsageError(
        f"there is no {path}, here or above: run inside a clone of the project, or name the path"
    )


def _folder(folder: str | Path | None, results: str | Path, name: str) -> Folder:
    return Folder(Path(folder)) if folder else new_folder(results, name, utc_now(), secrets.token_hex(3))


def _common(
    database: Database, contract: str | Path | None, settings: Settings | None, results: str | Path
) -> dict[str, Any]:
    """Parameters of every notebook. Never a URL: it may hold a password, and parameters are stored."""
    return {
        "database": database.name if _is_profile(database) else "",
        "database_schema": database.schema or "",
        "contract": str(Path(contract).resolve()) if contract else "",
        "settings": settings.model_dump(exclude_defaults=True) if settings else {},
        "results": str(Path(results).resolve()),
    }


def _is_profile(database: Database) -> bool:
    try:
        return find_database(database.name).url == database.url
    except UsageError:
        return False


def _run(
    notebook: str, parameters: Mapping[str, Any], kept: Folder, database: Database, watch: _Watch
) -> Result:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    source = find_file(notebook)
    output = kept.path / "notebook.ipynb"
    url = {} if parameters["database"] else {DATABASE_VARIABLE: database.url}
    with _environment(url), watch.watching(kept), own_kernel() as kernel:
        try:
            with open(output, "ab", opener=private):
                pass
            for page in (PAGE, FAILED_PAGE):
                (kept.path / page).unlink(missing_ok=True)
            try:
                papermill.execute_notebook(
                    str(source),
                    str(output),
                    parameters={**parameters, "folder": str(kept.path.resolve())},
                    progress_bar=False,
                    log_output=False,
                    kernel_manager_class=kernel,
                    extra_arguments=["--log-level=CRITICAL"],  # of its transport, and of being interrupted
                    on_cell_error=make_discreet,  # before it is written
                )
            finally:
                keep_discreet(output)
        except PapermillExecutionError as error:
            kept.write(FAILED_PAGE, render_notebook(output))
            raise translated(source.name, error) from None
        except OSError as error:
            raise LabError(
                f"cannot write {output}: {error.strerror or error}; finished runs are kept"
            ) from None
    kept.write(PAGE, render_notebook(output))
    return load_result(kept.path)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """`values` in the environment that a kernel inherits; the kernel is this process's child."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Watch:
    """Tells the progress of a kernel by the runs that appear on disk."""

    def __init__(self, activity: str, progress: Progress, every: float = 0.5) -> None:
        self._activity = activity
        self._progress = progress
        self._every = every

    @contextmanager
    def watching(self, folder: Folder) -> Iterator[None]:
        if self._progress is silent:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._look, args=(folder.path / "runs.csv", ended.wait), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _look(self, path: Path, wait: Callable[[float], bool]) -> None:
        seen = -1
        while True:
            over = wait(self._every)
            done = max(0, path.read_bytes().count(b"\n") - 1) if path.is_file() else 0
            if done != seen:
                self._progress(Step(self._activity, done, done if over else None, "runs"))
                seen = done
            if over:
                return
