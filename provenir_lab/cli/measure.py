"""Commands that measure: baseline, run, campaign, report, compare-code, compare, forecast, demo."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import typer

from provenir_lab.cli import completion
from provenir_lab.cli.options import (
    ContractFile,
    Database,
    Json,
    Quiet,
    Results,
    Schema,
    Set,
    open_lab,
    settings_of,
)
from provenir_lab.cli.output import show, show_json, show_message
from provenir_lab.errors import LabError, UsageError
from provenir_lab.lab import MIGRATION_DOCUMENTS

Documents = Annotated[
    str | None,
    typer.Option("--documents", metavar="N|auto", help="Documents of each run; auto: enough for 2 seconds."),
]
Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        autocompletion=completion.document_profiles,
        help="compact, realistic or heavy documents are made for it; stored: those loaded are used.",
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Fewer candidates, six pairs, one-second runs: indicative.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the newest interrupted one; finished runs are kept.")
]
Folder = Annotated[Path, typer.Argument(metavar="RESULT_DIR", help="A folder of results.")]


def baseline(
    *,
    runs: Annotated[int, typer.Option("--runs", min=2, metavar="N", help="How many runs.")] = 10,
    documents: Documents = "auto",
    profile: Profile = "compact",
    resume: Resume = False,
    results: Results = Path("results"),
    set_: Set = None,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure how fast the processor is, and how noisy this machine."""
    lab = open_lab(database, contract, schema, quiet=quiet, settings=settings_of(set_))
    count: int | Literal["auto"] = _count(documents) or "auto"
    with _kept_when_interrupted():
        result = lab.baseline(
            runs=runs, documents=count, profile=profile, resume=resume, results=results, notebook=True
        )
    _show(result, json)


def run(
    *,
    experiment: Annotated[Path, typer.Argument(metavar="EXPERIMENT.yaml", help="An experiment file.")],
    runs: Annotated[int | None, typer.Option("--runs", metavar="N", help="Pairs of runs.")] = None,
    documents: Documents = None,
    quick: Quick = False,
    resume: Resume = False,
    results: Results = Path("results"),
    set_: Set = None,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run one experiment through its notebook. The verdict comes with the evidence."""
    lab = open_lab(database, contract, schema, quiet=quiet, settings=settings_of(set_))
    with _kept_when_interrupted():
        result = lab.run(
            experiment,
            runs=runs,
            documents=_count(documents),
            quick=quick,
            resume=resume,
            results=results,
            notebook=True,
            say=lambda line: show_message(line, quiet=quiet or json),
        )
    _show(result, json)


def compare_code(
    *,
    ref_a: Annotated[str, typer.Argument(metavar="REF_A", help="A commit: the version to start from.")],
    ref_b: Annotated[str, typer.Argument(metavar="REF_B", help="A commit: the version to judge.")],
    experiment: Annotated[
        Path,
        typer.Argument(metavar="EXPERIMENT.yaml", help="Gives documents, settings and number of pairs."),
    ],
    tests: Annotated[
        str, typer.Option("--tests", metavar="ARGS", help="Arguments of pytest, such as tests/mapping.")
    ] = "",
    no_tests: Annotated[
        bool,
        typer.Option("--no-tests", help="Run no test suite; the verdict then never says to keep the change."),
    ] = False,
    repository: Annotated[
        Path,
        typer.Option("--repository", metavar="DIR", help="The clone of the project that has both commits."),
    ] = Path(),
    runs: Annotated[int | None, typer.Option("--runs", metavar="N", help="Pairs of runs.")] = None,
    documents: Documents = None,
    quick: Quick = False,
    resume: Resume = False,
    results: Results = Path("results"),
    set_: Set = None,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure two git commits against each other. The test suite of each must pass."""
    if tests and no_tests:
        raise UsageError("--tests and --no-tests contradict each other: give one of them")
    lab = open_lab(database, contract, schema, quiet=quiet, settings=settings_of(set_))
    with _kept_when_interrupted():
        result = lab.compare_code(
            ref_a,
            ref_b,
            experiment,
            tests=None if no_tests else shlex.split(tests),
            repository=repository,
            runs=runs,
            documents=_count(documents),
            quick=quick,
            resume=resume,
            results=results,
        )
    _show(result, json)


def campaign(
    *,
    file: Annotated[Path, typer.Argument(metavar="CAMPAIGN.yaml", help="A campaign file.")],
    quick: Quick = False,
    revert: Annotated[
        str | None,
        typer.Option("--revert", metavar="PHASE", help="Run nothing: take back what one phase has earned."),
    ] = None,
    results: Results = Path("results"),
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run experiments in order, keeping what is proved faster. Each starts from the settings kept so far."""
    from provenir_lab.lab.campaign import campaign_minutes
    from provenir_lab.lab.reverts import revert_phase

    if revert is not None:
        show(revert_phase(file, revert, quick=quick, results=results), as_json=json)
        return
    lab = open_lab(database, contract, schema, quiet=quiet)
    first, second = campaign_minutes(file, quick=quick)
    longer = (
        f", up to {second:.0f} where phases need their second look" if round(second) > round(first) else ""
    )

    def say(line: str) -> None:
        show_message(line, quiet=quiet or json)

    say(f"the whole campaign takes about {first:.0f} minutes{longer}")
    _show(lab.campaign(file, quick=quick, results=results, say=say), json)


def report(folder: Folder, json: Json = False, quiet: Quiet = False) -> None:
    """Render a result's page again from what is stored."""
    from provenir_lab.lab.report import render

    page = render(folder)
    if json:
        show_json({"report": str(page)})
    else:
        print(page)


def compare(
    *,
    result_a: Annotated[Path, typer.Argument(metavar="RESULT_A", help="A folder of results.")],
    result_b: Annotated[Path, typer.Argument(metavar="RESULT_B", help="Another one.")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two stored results, with interval and verdict."""
    from provenir_lab.lab.compare import compare

    found = compare(result_a, result_b)
    if json:
        show_json(found.to_dict())
        return
    print(found.headline)
    if found.verdict:  # over different documents a change says nothing
        low, high = (f"{(bound - 1) * 100:+.1f} %" for bound in (found.ratio.low, found.ratio.high))
        print(f"interval of the change: {low} to {high} ({found.ratio.confidence:.1%} confidence)")
    print(found.first.folder / found.report.name)
    print(found.report)


def forecast(
    *,
    documents: Annotated[
        int, typer.Option("--documents", min=1, metavar="N", help="Documents of the migration.")
    ] = MIGRATION_DOCUMENTS,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="RESULT", help="A result. Default: the newest baseline.")
    ] = None,
    results: Results = Path("results"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell how long a migration takes at a measured throughput."""
    from provenir_lab.lab.compare import forecast

    _show(forecast(from_, documents, results=results), json)


def demo(
    *,
    folder: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder of the demo.")] = Path(
        "demo"
    ),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show it all on SQLite in a folder of its own. Makes documents, a baseline of 5 runs and its report."""
    from provenir_lab.api import Lab
    from provenir_lab.progress import silent

    _show(Lab.demo(folder, progress=silent if quiet else None), json)


@contextmanager
def _kept_when_interrupted() -> Iterator[None]:
    """Says of a single measurement, which begins anew unless it is told otherwise, how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise LabError(
            "interrupted; finished runs are kept, and the same command with --resume goes on from there"
        ) from None


def _count(documents: str | None) -> int | None:
    """`--documents` as a number; None for `auto` and for nothing."""
    if documents is None or documents == "auto":
        return None
    if not documents.isdecimal() or int(documents) < 1:
        raise UsageError(f"--documents {documents}: give a number or auto")
    return int(documents)


class _Finding(Protocol):
    """A result of the lab."""

    @property
    def headline(self) -> str: ...

    @property
    def report(self) -> Path: ...

    def to_dict(self) -> dict[str, Any]: ...


def _show(result: _Finding, as_json: bool) -> None:
    if as_json:
        show_json(result.to_dict())
    else:
        print(result.headline)
        print(result.report)
