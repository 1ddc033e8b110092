"""Commands that look without working: contract check, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provenir_lab.cli.options import Database, Json, Quiet
from provenir_lab.cli.output import show, show_json


def contract_check(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A contract file, .json or .yaml.")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List every problem of a contract, each with its place."""
    from provenir_lab.api import check_contract

    show(check_contract(file), as_json=json)


def doctor(database: Database = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show what is installed and reachable, and how to fix what is not."""
    from provenir_lab.doctor import examine

    checks = examine(database)
    if json:
        show_json({"checks": [check.to_dict() for check in checks]})
    else:
        for check in checks:
            mark = "ok     " if check.ok else "missing" if check.optional else "FAILED "
            print(f"{mark} {check.name}: {check.found}")
            if check.fix:
                print(f"        fix: {check.fix}")
    if not all(check.ok or check.optional for check in checks):
        raise typer.Exit(1)
