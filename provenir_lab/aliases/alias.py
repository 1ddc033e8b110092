"""What the four old names share: old options are translated, all others go to the new command as they are."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from provenir_lab import cli
from provenir_lab.aliases.connection import PASSWORD_VARIABLE, PROFILE, password_for, server_of
from provenir_lab.cli.output import show_failure, show_message, write_unicode
from provenir_lab.errors import UsageError
from provenir_lab.storage.database import masked

Options = dict[str, str]
"""Option -> value, both as typed."""

OLD_OPTIONS = {
    "--workers": "how many worker processes",
    "--batch-size": "documents per transaction",
    "--limit": "how many documents",
    "--app-id-start": "first app_id of a range",
    "--app-id-end": "last app_id of a range, included",
    "--log-level": "least severe log line that is written: DEBUG, INFO, WARNING or ERROR",
}
POOL_OPTIONS = ("--min-pool-size", "--max-pool-size", "--connection-timeout")
POOL_FLAGS = ("--enable-pooling", "--enable-mars")
POOL_ADVICE = "connections are pooled by each worker; see the settings pool and pool_recycle_seconds"


@dataclass(frozen=True)
class Alias:
    """An old name for a new command."""

    name: str
    command: str
    translate: Callable[[Options], list[str]]
    """The arguments of the new command for the old options that were given. Raises UsageError."""
    example: str
    gone: Mapping[str, str] = field(default_factory=dict)
    """Old option -> why it no longer makes sense; it is named in one line, and left out."""
    required: tuple[str, ...] = ()
    """Options, old or new, one of which must be given; the first is asked for."""


def run(alias: Alias, arguments: Sequence[str] | None = None) -> int:
    """Runs the new command with what the old options mean, then tells it; returns its exit status."""
    write_unicode()
    given = list(sys.argv[1:] if arguments is None else arguments)
    quiet = "--quiet" in given
    try:
        old, others = _parser(alias).parse_known_args(given)
        options = {name: value for name in OLD_OPTIONS if (value := getattr(old, _field(name)))}
        for name in (*POOL_OPTIONS, *POOL_FLAGS):
            if getattr(old, _field(name)):
                show_message(f"{name} no longer makes sense and is left out: {POOL_ADVICE}", quiet=quiet)
        for name in [name for name in alias.gone if name in options]:
            show_message(f"{name} no longer makes sense and is left out: {alias.gone[name]}", quiet=quiet)
            del options[name]
        given_names = {*options, *(word.partition("=")[0] for word in others)}
        if alias.required and not given_names.intersection(alias.required):
            raise UsageError(f"Missing option {alias.required[0]} (see {alias.name} --help)")
        new = [*alias.translate(options), *others]
        database, shown, profile = _database(old)
    except UsageError as error:
        return show_failure(str(error), error.exit_status, as_json="--json" in given)
    status = cli.main([alias.command, *new, *database])
    if status == 0 or (status != UsageError.exit_status and not profile):  # a profile is proved by its use
        if profile:
            show_message(f"With this in a file provenir_lab.toml:\n\n{profile}\n", quiet=quiet)
        told = _line(["provenir-lab", alias.command, *new, *shown])
        show_message(f"{alias.name} is now: {told}", quiet=quiet)
    return status


def ranges_and_sizes(options: Options) -> list[str]:
    """The options of `process`, which has kept them; the log level is a setting now."""
    level = options.pop("--log-level", None)
    kept = [part for option in options.items() for part in option]
    return [*kept, *(["--set", f"log_level={level.lower()}"] if level else [])]


def _parser(alias: Alias) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=alias.name,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Runs provenir-lab {alias.command}, which has replaced it; all of its options work too.",
        epilog=f"Example: {alias.example}",
    )
    parser.add_argument("--server", metavar="NAME", help=r"SQL Server: name, name\INSTANCE or name,port")
    parser.add_argument(
        "--database", metavar="NAME", help="with --server its database; else a profile or a database URL"
    )
    parser.add_argument(
        "--username",
        metavar="NAME",
        help=f"login with --server; its password is read from {PASSWORD_VARIABLE} or asked for. "
        "Default: Windows authentication",
    )
    parser.add_argument(
        "--driver", metavar="NAME", help="ODBC driver for --server. Default: the best there is"
    )
    parser.add_argument(
        "--trust-server-certificate",
        action="store_true",
        help="take the certificate of --server as it is, such as that of a local SQLEXPRESS",
    )
    parser.add_argument("--password", help=argparse.SUPPRESS)
    for name, meaning in OLD_OPTIONS.items():
        text = argparse.SUPPRESS if name in alias.gone else meaning
        parser.add_argument(name, metavar="N" if name != "--log-level" else "LEVEL", help=text)
    for name in POOL_OPTIONS:
        parser.add_argument(name, help=argparse.SUPPRESS)
    for name in POOL_FLAGS:
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    return parser


class _Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would end the program."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(f"{message} (see {self.prog} --help)")


def _database(old: argparse.Namespace) -> tuple[list[str], list[str], str]:
    """The new option as it is run, as it is told (no password in it), and the profile that it names then."""
    if old.password is not None:
        raise UsageError(
            "--password shows the password to everybody on this machine: leave it out, set the environment "
            f"variable {PASSWORD_VARIABLE} or wait to be asked"
        )
    if old.server is None:
        if old.username is not None:
            raise UsageError("--username goes with --server NAME --database NAME")
        if old.database is None:
            return [], [], ""
        shown = masked(old.database) if "://" in old.database else old.database
        return ["--database", old.database], ["--database", shown], ""
    server = server_of(
        old.server, old.database, old.username, old.driver, trusted=old.trust_server_certificate
    )
    password = None if old.username is None else password_for(old.username, os.environ)
    return ["--database", server.url(password)], ["--database", PROFILE], server.profile()


def _field(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _line(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
