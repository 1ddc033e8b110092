"""Commands that do the work: process, map, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provenir_lab.cli import completion
from provenir_lab.cli.options import (
    ContractFile,
    Database,
    Json,
    Metrics,
    Quiet,
    Schema,
    Set,
    open_lab,
    settings_of,
)
from provenir_lab.cli.output import show, show_json, show_message


def process(
    *,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Process at most so many documents.")
    ] = None,
    app_id_start: Annotated[
        int | None, typer.Option("--app-id-start", metavar="A", help="First app_id of a range.")
    ] = None,
    app_id_end: Annotated[
        int | None, typer.Option("--app-id-end", metavar="A", help="Last app_id of a range, included.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="W", help="How many worker processes.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", metavar="B", help="Documents per transaction.")
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Take failed documents again: all, or those of the category named after it.",
        ),
    ] = False,
    category: Annotated[
        str | None,
        typer.Option(
            "--category",
            metavar="NAME",
            autocompletion=completion.categories,
            help="With --retry-failed: only failures of this category.",
        ),
    ] = None,
    allow_contract_change: Annotated[
        bool,
        typer.Option(
            "--allow-contract-change",
            help="Process even if the last run used another contract: without this, refuse.",
        ),
    ] = False,
    executor: Annotated[
        str,
        typer.Option(
            "--executor",
            metavar="processes|dask",
            autocompletion=completion.executors,
            help="Where workers run; see the guide Scale out.",
        ),
    ] = "processes",
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="With --executor dask: a running cluster, such as tls://host:8786, all of whose workers are "
            "used. Default: --workers processes of this machine, started for the run.",
        ),
    ] = None,
    metrics: Metrics = Path("results/runs"),
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a document failed.")] = False,
    set_: Set = None,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Process pending documents into the tables. Run it again to go on after anything."""
    from provenir_lab.processing.logs import configure_logging

    settings = settings_of(set_, workers=workers, batch_size=batch_size)
    lab = open_lab(database, contract, schema, quiet=quiet, settings=settings)
    configure_logging(lab.settings)
    outcome = lab.process(
        limit=limit,
        app_id_start=app_id_start,
        app_id_end=app_id_end,
        retry_failed=category or retry_failed,
        allow_contract_change=allow_contract_change,
        executor=executor,
        scheduler=scheduler,
        metrics=metrics,
    )
    show(outcome, as_json=json)
    if outcome.failed:
        advice = "each with its reason: provenir-lab status --failed-csv failed.csv"
        show_message(f"{sum(outcome.failed.values())} failed; {advice}", quiet=quiet or json)
    if strict and outcome.failed:
        raise typer.Exit(1)


def map_(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="XML files, or directories of them.")],
    set_: Set = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print the rows that documents map to, as JSON. A line for each document; needs no database."""
    found = open_lab("sqlite:///lab.db", contract, quiet=quiet).map(*files, **settings_of(set_))
    if json:
        show_json(found.to_dict())
    else:
        for mapped in found:
            show_json(mapped)


def verify(
    *,
    sample: Annotated[
        int, typer.Option("--sample", min=1, metavar="N", help="So many documents, evenly spread.")
    ] = 1000,
    every: Annotated[bool, typer.Option("--all", help="All documents.")] = False,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Map documents again and compare with the tables. Exits with 1 if they differ; writes nothing."""
    found = open_lab(database, contract, schema, quiet=quiet).verify(None if every else sample)
    show(found, as_json=json)
    if not found.equal:
        raise typer.Exit(1)
