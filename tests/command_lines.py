"""Command lines of guides and help texts, taken apart by the program's own parser without being run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import typer

from provenir_lab.cli import app
from provenir_lab.cli.options import with_category

ALIASES = ("establish_baseline", "generate_mock_xml", "parallel_coordinator", "production_processor")


def words_of(line: str, *, windows: bool = False) -> list[str]:
    """A shell line as words. Windows' shells keep backslashes, all others only those in quotes."""
    if windows:
        return [word.strip("'\"") for word in shlex.split(line, comments=True, posix=False)]
    unquoted = re.sub(r"""'[^']*'|"[^"]*\"""", "", line)
    assert "\\" not in unquoted, f"a shell takes the backslash away: {line}"
    return shlex.split(line, comments=True)


def parse(arguments: Sequence[str]) -> None:
    """Parses what follows `provenir-lab`; raises what the parser raises for wrong use."""
    command: Any = typer.main.get_command(app)
    left = with_category(arguments)
    while hasattr(command, "commands") and left[:1] != ["--help"]:
        name, *left = left
        assert name in command.commands, f"no command {name}"
        command = command.commands[name]
    if "--help" not in left:
        command.make_context(command.name, list(left))
