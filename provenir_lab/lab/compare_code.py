"""Two versions of the code, measured like two settings: in blocks, each run in a process that imports the
package from its version's checkout, and with the test suites of both as a gate beside the data.
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from provenir_lab.errors import UsageError
from provenir_lab.lab.child import package_environment, run_child
from provenir_lab.lab.conduct import conduct, utc_now
from provenir_lab.lab.experiment import Experiment, adjusted, load_experiment, parse_experiment
from provenir_lab.lab.measure import RUN_MODULE
from provenir_lab.lab.order import BASELINE
from provenir_lab.lab.place import open_place
from provenir_lab.lab.record import Folder, Result, new_folder
from provenir_lab.lab.session import DatabaseWorkshop
from provenir_lab.lab.suites import Suites, run_suite, suite_command
from provenir_lab.lab.worktrees import Version, find_repository
from provenir_lab.progress import Progress, Step, silent
from provenir_lab.settings import Database, Settings

RUN_FILE = RUN_MODULE.replace(".", "/") + ".py"
TESTS_FILE = "tests.json"
_TAKEN_OVER = {
    "settings",
    "documents",
    "runs",
    "max_runs",
    "threshold_percent",
    "keep_if_equivalent",
    "seed",
    "quick",
}


def compare_code(
    database: Database,
    ref_a: str,
    ref_b: str,
    experiment: str | Path,
    *,
    tests: Sequence[str] | None = (),
    repository: str | Path = ".",
    contract: str | Path | None = None,
    runs: int | None = None,
    documents: int | Literal["auto"] | None = None,
    quick: bool = False,
    settings: Settings | None = None,
    results: str | Path = "results",
    folder: str | Path | None = None,
    progress: Progress = silent,
) -> Result:
    """Whether commit B is faster than commit A and writes the same; B is judged as a candidate is.

    The experiment file gives documents, settings and number of pairs; what it varies is left aside. `tests`
    are arguments of pytest for the suite of each version, run in its checkout; None: no suite runs, and
    nothing is kept. Only what is committed is measured. `folder`: as of `run_experiment`.

    Raises UsageError for an unknown commit, one that cannot be run from outside, or a folder in no
    repository.
    """
    found = find_repository(Path(repository))
    versions = [found.version(ref, RUN_FILE) for ref in (ref_a, ref_b)]
    place = open_place(database, contract)
    place.require_lab()
    asked = adjusted(_experiment(load_experiment(experiment), versions), runs, documents, quick=quick)
    kept = _folder(folder, asked) if folder else _new_folder(results, asked.name)
    warnings = ["changes that are not committed were not measured"] if found.has_changes else []
    with found.checked_out(versions) as checkouts:
        for version, checkout in zip(versions, checkouts, strict=True):
            _require_import(version, checkout)
        gate = None if tests is None else _tests(kept, checkouts, tests, progress)
        names = asked.variants(settings or Settings())
        workshop = DatabaseWorkshop(place, dict(zip(names, checkouts, strict=True)))
        return conduct(
            workshop,
            asked,
            settings or Settings(),
            results,
            kept.path,
            tests=gate,
            warnings=[*warnings, *(gate.warnings if gate else ())],
            progress=progress,
        )


def result_name(experiment: str | Path) -> str:
    """Under which name the comparisons on an experiment file's workload are kept."""
    return f"code-{load_experiment(experiment).name}"


def _experiment(plan: Experiment, versions: Sequence[Version]) -> Experiment:
    """The workload and the number of pairs of `plan`, with two versions of the code instead of settings."""
    before, after = versions
    values: dict[str, Any] = plan.model_dump(include=_TAKEN_OVER)
    if plan.is_baseline and plan.runs == 6:  # one look: a second one needs seven pairs at the first
        values["max_runs"] = 6
    values |= {
        "name": f"code-{plan.name}",
        "title": f"Code: {before.ref} → {after.ref}",
        "hypothesis": f"{after.ref} ({after.short}) is faster than {before.ref} ({before.short}).",
        "code": {"baseline": before.short, "candidate": after.short},
    }
    return parse_experiment(values, f"experiment {plan.name}")


def _new_folder(results: str | Path, name: str) -> Folder:
    return new_folder(results, name, utc_now(), secrets.token_hex(3))


def _folder(folder: str | Path, asked: Experiment) -> Folder:
    """An existing folder. Raises UsageError if it holds a comparison of other commits."""
    kept = Folder(Path(folder))
    if (kept.path / "plan.json").is_file():
        stored = parse_experiment(kept.read_yaml("experiment.yaml"), str(kept.path / "experiment.yaml"))
        if stored.code != asked.code:
            raise UsageError(f"{folder} compares other versions: {stored.title}; start without --resume")
    return kept


def _require_import(version: Version, checkout: Path) -> None:
    """Raises UsageError unless a process of this Python imports the package from `checkout`."""
    code = f"import {RUN_MODULE} as module; print(module.__file__)"
    done = run_child(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=package_environment(checkout),
    )
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip() or "no reason given").splitlines()[-1]
        raise UsageError(
            f"{version.ref} ({version.short}) cannot be imported by this Python: {reason}; install what it"
            " needs, or compare later versions"
        )
    found = Path(done.stdout.decode().strip()).resolve()
    if not found.is_relative_to(checkout.resolve()):
        raise UsageError(
            f"this Python imports the package from {found.parents[1]}, not from the version's checkout:"
            " install it with pip install -e ."
        )


def _tests(kept: Folder, checkouts: Sequence[Path], arguments: Sequence[str], progress: Progress) -> Suites:
    """What came of both suites, which run once: what an interrupted comparison has stored is taken."""
    if (kept.path / TESTS_FILE).is_file():
        return Suites.from_dict(kept.read_json(TESTS_FILE))
    suites = []
    for done, side in enumerate((BASELINE, "candidate")):
        progress(Step("Test suites", done, 2, side))
        suites.append(run_suite(checkouts[done], arguments, kept.path / f"tests-{side}.txt"))
    progress(Step("Test suites", 2, 2, ""))
    command = shlex.join(["python", *suite_command(arguments)[1:]])
    found = Suites(command, suites[0], suites[1])
    kept.write_json(TESTS_FILE, found.to_dict())
    return found
