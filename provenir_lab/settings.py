"""Every tunable of the processor, validated; and database profiles by name.

The command line, the notebooks and the experiments all build the same `Settings`.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from provenir_lab.errors import UsageError

DEFAULT_DATABASE = "sqlite:///lab.db"
DATABASE_VARIABLE = "PROVENIR_LAB_DATABASE"
PROFILE_FILE = "provenir_lab.toml"
_CAN_BE_SHOWN = re.compile(r"[\w .\\/-]{1,100}")
"""Names and paths; anything else may be a mistyped URL with its password."""
_FILES = (".db", ".sqlite", ".sqlite3")
_PASSWORD_KEYS = ("password", "passwd", "pwd")
_PASSWORD_ADVICE = (
    "put the password into an environment variable and the variable's name here, as in "
    'password_env = "DATABASE_PASSWORD"'
)
_SINGLE_QUOTES = r"put a value with a backslash in single quotes, as in host = 'server\INSTANCE'"


class Settings(BaseModel):
    """The processor's tunables. Frozen; an experiment varies one field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(default=500, ge=1, le=100_000)
    """Documents written per transaction (1 to 100,000)."""
    workers: int = Field(default=1, ge=1, le=256)
    """Worker processes (1 to 256)."""
    parse_mode: Literal["selective", "full"] = "selective"
    """`selective` stops where the mapped subtree ends; `full` demands a well-formed whole document."""
    fetch: Literal["prefix", "whole"] = "prefix"
    """`prefix` reads only the beginning of a text, and all of it if the mapped subtree does not end there;
    `whole` reads all of it, as `parse_mode` full does always."""
    prefetch: int = Field(default=0, ge=0, le=64)
    """Pages that are read, and batches that are mapped, ahead of the one being written (0: one step after the
    other; 0 to 64)."""
    parse_threads: int = Field(default=0, ge=0, le=64)
    """Threads among which the parsing of a page is shared (0: none, parsed where it is mapped; 0 to 64)."""
    mapper_without: Literal["none", "enum_cache", "preparsed_types", "indexed_lookup", "regex_cache"] = "none"
    """For experiments: maps with one optimisation of the mapper taken out; the rows are the same."""
    max_document_mb: int = Field(default=16, ge=1, le=2000)
    """Largest document that is parsed, in MB (1,000,000 bytes of UTF-8); larger ones fail as `too_large`."""
    stop_after_failures: int = Field(default=100, ge=0, le=1_000_000)
    """Failed documents in a row after which a run stops and logs none of them (0: never stops)."""
    write_method: Literal["auto", "executemany", "fast_executemany", "copy", "json"] = "auto"
    """How rows reach the database: `executemany` (all databases), `fast_executemany` (SQL Server through
    pyodbc and Microsoft's driver), `copy` (PostgreSQL), `json` (one parameter that the server takes apart,
    all databases); `auto` takes the best known for the database."""
    retry_seconds: int = Field(default=60, ge=0, le=86_400)
    """Seconds for which a database that fails in passing (lost connection, restart, deadlock, busy) is tried
    again before the run ends (0 to 86,400)."""
    recycle_after: int = Field(default=200_000, ge=0, le=100_000_000)
    """Documents after which worker processes are replaced, which bounds their memory (0: never)."""
    log_format: Literal["text", "json"] = "text"
    """Log lines for people, or one JSON object a line."""
    duplicate_check: Literal["per_batch", "per_record", "cache", "database"] = "per_batch"
    """How contacts that other applications own are found: one query for a batch, one for each contact, a
    cache in each worker with the batch query behind it, or the database itself when they are inserted."""
    pool: Literal["per_worker", "none"] = "per_worker"
    """`per_worker` keeps connections open between batches; `none` opens a new one for each use."""
    pool_recycle_seconds: int = Field(default=0, ge=0, le=86_400)
    """Age in seconds (0 to 86,400) after which a kept connection is replaced before use; 0: never."""
    pool_pre_ping: bool = False
    """Whether a kept connection is tested before each use."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """Least severe log line that is written."""


def build_settings(values: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """`base` (default: all defaults) with `values` laid over it.

    Raises UsageError naming the field, what is wrong with it and the nearest valid name.
    """
    for name in values:
        if name not in Settings.model_fields:
            raise UsageError(
                f"no setting is named {name}: {suggestion(name, Settings.model_fields, 'settings')}"
            )
    try:
        return Settings.model_validate({**(base or Settings()).model_dump(), **values})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise UsageError(f"setting {name}={values.get(name)!r}: {plain_problem(problem)}") from None


_WANTED = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "a text",
}


def plain_problem(problem: Mapping[str, Any]) -> str:
    """What is wrong according to one of pydantic's errors; of a value of another kind what to give."""
    wanted = _WANTED.get(problem["type"])
    return f"give {wanted}" if wanted else str(problem["msg"]).removeprefix("Value error, ")


def suggestion(name: str, known: Iterable[str], kind: str) -> str:
    """What to do about an unknown `name`: the nearest of `known`, or all of them (`kind` is their plural)."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"{kind} are: {', '.join(names)}" if names else f"there are no {kind}"


@dataclass(frozen=True)
class Database:
    """Where a lab lives: a profile of `provenir_lab.toml`, or a URL given directly."""

    name: str
    """The profile's name, or the URL's database system when there is no profile. Never holds a password."""
    url: str = field(repr=False)
    """SQLAlchemy URL; may hold a password, so it is never shown (see `storage.database.masked`)."""
    schema: str | None = None
    """Schema of the lab's tables; None: the contract's `target_schema` where the database has schemas."""
    password_env: str | None = None
    """Environment variable that the password of `url` came from."""


def find_database(
    name_or_url: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Database:
    """The database meant by a profile name, a URL, or nothing (environment variable, else `sqlite:///lab.db`).

    Profiles come from the nearest `provenir_lab.toml` in `folder` (default: the current one) or above it.
    Raises UsageError when the profile is unknown or cannot be read, or its password variable is not set.
    """
    environ = os.environ if environ is None else environ
    variable = environ.get(DATABASE_VARIABLE)
    if variable and not name_or_url:
        try:
            return find_database(variable, environ=environ, folder=folder)
        except UsageError as error:
            raise UsageError(f"environment variable {DATABASE_VARIABLE}: {error}") from None
    wanted = name_or_url or DEFAULT_DATABASE
    if "://" in wanted:
        return Database(name=wanted.partition("://")[0].partition("+")[0], url=wanted)
    path = _profile_file(folder or Path.cwd())
    profiles = _read_profiles(path) if path else {}
    can_be_shown = _CAN_BE_SHOWN.fullmatch(wanted)
    if wanted not in profiles and can_be_shown and Path(wanted).suffix in _FILES:
        url = f"sqlite:///{Path(wanted).as_posix()}"
        raise UsageError(
            f"no database profile is named {wanted}; a file is named by a URL: did you mean {url}?"
        )
    if wanted not in profiles:
        if path is None:
            advice = f"there is no {PROFILE_FILE} here or above; give a URL such as {DEFAULT_DATABASE}"
        else:
            advice = f"{path}: {suggestion(wanted, profiles, 'profiles')}"
        if not can_be_shown:
            raise UsageError(
                f"the database is neither a URL (system://user@host/name) nor a profile: {advice}"
            )
        raise UsageError(f"no database profile is named {wanted}: {advice}")
    assert path is not None
    return _read_profile(wanted, profiles[wanted], f"{path}: databases.{wanted}", environ)


def profile_names(folder: Path | None = None) -> list[str]:
    """The profiles of the nearest `provenir_lab.toml`; none if there is none that can be read."""
    path = _profile_file(folder or Path.cwd())
    try:
        return list(_read_profiles(path)) if path else []
    except UsageError:
        return []


class _Profile(BaseModel):
    """One `[databases.NAME]` table: either `url`, or the parts of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    driver: str | None = None
    """SQLAlchemy's name, such as `mssql+pyodbc` or `postgresql+psycopg`."""
    host: str | None = None
    port: int | None = None
    database: str | None = None
    username: str | None = None
    password_env: str | None = None
    """Name of the environment variable that holds the password."""
    options: dict[str, str] = {}
    """What follows `?` in a URL, such as `driver = "ODBC Driver 18 for SQL Server"`; true is `yes`."""
    schema_name: str | None = Field(default=None, alias="schema")

    @field_validator("options", mode="before")
    @classmethod
    def _as_texts(cls, options: Any) -> Any:
        if not isinstance(options, dict):
            return options
        words = {True: "yes", False: "no"}
        return {
            name: words[value] if isinstance(value, bool) else str(value) if isinstance(value, int) else value
            for name, value in options.items()
        }


def _profile_file(folder: Path) -> Path | None:
    folder = folder.resolve()
    return next((p for f in (folder, *folder.parents) if (p := f / PROFILE_FILE).is_file()), None)


def _read_profiles(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors add a mark
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}; {_how_to_write(error)}") from None
    profiles = content.get("databases", {})
    if not isinstance(profiles, dict):
        raise UsageError(f"{path}: databases: expected tables such as [databases.production]")
    return profiles


def _how_to_write(error: Exception) -> str:
    if not isinstance(error, tomllib.TOMLDecodeError):
        return "it must be a text file in UTF-8 that may be read"
    # of a backslash TOML complains in words of its own, which differ between versions of Python
    return f'write name = "value", and {_SINGLE_QUOTES}'


def _refuse_control_characters(values: Mapping[str, Any], where: str) -> None:
    """`"srv\\test"` in double quotes is read as srv, a tabulator, est."""
    for key, value in values.items():
        if isinstance(value, dict):
            _refuse_control_characters(value, f"{where}.{key}")
        elif isinstance(value, str) and re.search(r"[\x00-\x1f\x7f]", value):
            problem = "a backslash in double quotes has become a control character"
            raise UsageError(f"{where}.{key}: {problem}: {_SINGLE_QUOTES}")


def _read_profile(name: str, values: Any, where: str, environ: Mapping[str, str]) -> Database:
    if isinstance(values, dict):
        for key in values:
            known = [f.alias or n for n, f in _Profile.model_fields.items()]
            if key.casefold() in _PASSWORD_KEYS:
                raise UsageError(f"{where}: {key} has no place in the file: {_PASSWORD_ADVICE}")
            if key not in known:
                raise UsageError(f"{where}: unknown key {key}: {suggestion(key, known, 'keys')}")
        _refuse_control_characters(values, where)
    try:
        profile = _Profile.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise UsageError(f"{where}.{place}: {plain_problem(problem)}") from None
    if (profile.url is None) == (profile.driver is None):
        raise UsageError(f"{where}: give either url, or driver with host, database, username …")
    password = None
    if profile.password_env is not None:
        variable = profile.password_env
        if not re.fullmatch(r"[A-Za-z_]\w*", variable, re.ASCII):
            raise UsageError(
                f"{where}.password_env: not the name of an environment variable (letters, digits, _): "
                f"{_PASSWORD_ADVICE}"
            )
        password = environ.get(variable)
        if password is None:  # what is no name by custom may be the password itself, and is not repeated
            named = variable if variable.isupper() else "that password_env names"
            raise UsageError(f"{where}: set the environment variable {named} to the password")
    return Database(name, _profile_url(profile, password, where), profile.schema_name, profile.password_env)


def _profile_url(profile: _Profile, password: str | None, where: str) -> str:
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if profile.url is not None:
        try:
            url = make_url(profile.url)
        except ArgumentError:
            raise UsageError(f"{where}.url: not a database URL (system://user@host/database)") from None
        if password is not None:
            url = url.set(password=password)
    else:
        assert profile.driver is not None
        url = URL.create(
            profile.driver,
            username=profile.username,
            password=password,
            host=profile.host,
            port=profile.port,
            database=profile.database,
            query=profile.options,
        )
    return url.render_as_string(hide_password=False)
