"""Commands about what is in the database: init, generate, load, status, clean."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from provenir_lab.cli import completion
from provenir_lab.cli.options import ContractFile, Database, Json, Metrics, Quiet, Schema, open_lab
from provenir_lab.cli.output import show, show_message
from provenir_lab.errors import LabError, UsageError
from provenir_lab.storage.database import masked


def init(
    *,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Create the tables and the lab marker in an empty schema."""
    show(open_lab(database, contract, schema, quiet=quiet).init(), as_json=json)


def generate(
    *,
    count: Annotated[int, typer.Option("--count", min=1, metavar="N", help="How many documents.")],
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Same seed, same bytes.")] = 1,
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            autocompletion=completion.generated_profiles,
            help="compact (10 KB), realistic (median 130 KB) or heavy (up to 2 MB).",
        ),
    ] = "compact",
    start_app_id: Annotated[
        int, typer.Option("--start-app-id", metavar="A", help="The first app_id.")
    ] = 100_001,
    duplicate_contacts: Annotated[
        float,
        typer.Option(
            "--duplicate-contacts",
            metavar="SHARE",
            help="Share of documents, 0 to 1, with a contact of an earlier one.",
        ),
    ] = 0.0,
    faults: Annotated[
        float,
        typer.Option("--faults", metavar="SHARE", help="Share of documents, 0 to 1, that cannot be mapped."),
    ] = 0.0,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Write files there, not into the database.")
    ] = None,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make valid mock documents, in the database or as files."""
    result = open_lab(database, contract, schema, quiet=quiet).generate(
        count,
        profile=profile,
        seed=seed,
        start_app_id=start_app_id,
        duplicate_contacts=duplicate_contacts,
        faults=faults,
        to=to,
    )
    show(result, as_json=json)


def load(
    *,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="XML files, or directories of them.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME|URL",
            autocompletion=completion.databases,
            help="Copy from another database, which is only read.",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", help="With --from: how many documents, chosen by chance."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="With --from: same seed, same documents.")
    ] = 1,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put XML files, or another database's documents, into the lab. Each one that is refused is listed."""
    if bool(paths) == bool(from_):
        raise UsageError("give files or directories, or --from DATABASE --sample N")
    if (from_ is None) != (sample is None):
        raise UsageError("--from DATABASE and --sample N go together")
    lab = open_lab(database, contract, schema, quiet=quiet)
    loaded = (
        lab.load_from(from_, sample, seed=seed) if from_ and sample is not None else lab.load(*paths or ())
    )
    show(loaded, as_json=json)


def status(
    *,
    failed_csv: Annotated[
        Path | None, typer.Option("--failed-csv", metavar="FILE", help="Write the failed documents as CSV.")
    ] = None,
    metrics: Metrics = Path("results/runs"),
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what is pending, done and failed, and the last runs."""
    lab = open_lab(database, contract, schema, quiet=quiet)
    found = lab.status(metrics)
    if failed_csv is not None:
        count = lab.failed_csv(failed_csv)
        show_message(f"{count} failed documents written to {failed_csv}", quiet=quiet)
    show(found, as_json=json)


def clean(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database: Database = None,
    schema: Schema = None,
    contract: ContractFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Empty the target tables and the log of a lab. Its documents stay."""
    lab = open_lab(database, contract, schema, quiet=quiet)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("clean deletes rows and cannot ask here: give --yes if that is meant")
        schema_too = "" if lab.database.url.startswith("sqlite") else f", schema {lab.target.schema}"
        place = f"{masked(lab.database.url)}{schema_too}"
        if not typer.confirm(f"Delete all rows that provenir-lab has written to {place}?", err=True):
            raise LabError("not confirmed: nothing was deleted")
    show(lab.clean(), as_json=json)
