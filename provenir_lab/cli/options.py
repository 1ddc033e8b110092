"""The options that commands share, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenir_lab.cli import completion
from provenir_lab.errors import UsageError

if TYPE_CHECKING:
    from provenir_lab.api import Lab

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="NAME|URL",
        autocompletion=completion.databases,
        help="A profile of provenir_lab.toml, or a database URL. "
        "Default: the environment variable PROVENIR_LAB_DATABASE, else sqlite:///lab.db.",
    ),
]
ContractFile = Annotated[
    Path | None,
    typer.Option(
        "--contract", metavar="FILE", help="A contract file. Default: the shipped credit-card contract."
    ),
]
Schema = Annotated[
    str | None,
    typer.Option("--schema", metavar="NAME", help="Schema of the lab's tables. Default: the contract's."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar, no messages.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        autocompletion=completion.settings,
        help="A setting, such as batch_size=1000; may be given several times.",
    ),
]
Metrics = Annotated[Path, typer.Option("--metrics", metavar="DIR", help="Folder of the runs' metrics files.")]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Folder that holds all results.")]


def open_lab(
    database: str | None,
    contract: Path | None,
    schema: str | None = None,
    *,
    quiet: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Lab:
    """The lab that the common options mean."""
    from provenir_lab.api import Lab
    from provenir_lab.progress import silent
    from provenir_lab.settings import build_settings

    return Lab(
        database,
        contract=contract,
        schema=schema,
        settings=build_settings(settings or {}),
        progress=silent if quiet else None,
    )


def settings_of(assignments: Sequence[str] | None, **options: Any) -> dict[str, Any]:
    """Settings from `--set FIELD=VALUE` options and from options of their own (those that were given).

    Raises UsageError for an assignment without `=`, and for a setting that is given twice.
    """
    values = {name: value for name, value in options.items() if value is not None}
    for assignment in assignments or ():
        name, sign, value = assignment.partition("=")
        if not sign:
            raise UsageError(f"--set {assignment}: write FIELD=VALUE, such as --set batch_size=500")
        name = name.strip().replace("-", "_")
        if name in values:
            raise UsageError(f"--set {assignment}: {name} is given twice")
        values[name] = value.strip()
    return values


def with_category(arguments: Sequence[str]) -> list[str]:
    """`--retry-failed X` as `--retry-failed --category X`: the parser knows no optional values."""
    expanded: list[str] = []
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        if previous == "--retry-failed" and not argument.startswith("-"):
            expanded.append("--category")
        expanded.append(argument)
    return expanded
