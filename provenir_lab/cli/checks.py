"""Commands that look without working: contract check, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provenir_lab.cli import completion
from provenir_lab.cli.options import Database, Json, Quiet, Schema, open_lab
from provenir_lab.cli.output import show, show_json
from provenir_lab.errors import UsageError


def contract_check(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A contract file, .json or .yaml.")],
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="NAME|URL",
            autocompletion=completion.databases,
            help="Check the contract against the tables of this database, too.",
        ),
    ] = None,
    schema: Schema = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List every problem of a contract, each with its place."""
    from provenir_lab.api import check_contract

    if database is None and schema is not None:
        raise UsageError("--schema goes with --database: give both")
    found = check_contract(file) if database is None else open_lab(database, file, schema).check_contract()
    show(found, as_json=json)


def doctor(database: Database = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show what works on this machine, and how to fix the rest."""
    from provenir_lab.doctor import examine

    checkup = examine(database)
    if json:
        show_json(checkup.to_dict())
    else:
        for check in checkup.checks:
            print(f"{check.state:7} {check.name}: {check.found}")
            if check.fix:
                print(f"        fix: {check.fix}")
    if not checkup.healthy:
        raise typer.Exit(1)
