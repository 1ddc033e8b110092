"""`--server`, `--database` and `--username` of the earlier tools as a SQLAlchemy URL and as a profile."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import URL

from provenir_lab.errors import UsageError

PASSWORD_VARIABLE = "PROVENIR_LAB_PASSWORD"
PROFILE = "sqlserver"
"""Name of the profile that is proposed in place of the options."""


@dataclass(frozen=True)
class Server:
    """A database of a SQL Server; `username` None: Windows authentication."""

    host: str
    """Such as `localhost\\SQLEXPRESS`."""
    port: int | None
    database: str
    username: str | None
    driver: str | None = None
    """The ODBC driver; None: the best that is installed."""
    trusted: bool = False
    """Whether the server's certificate is taken as it is."""

    @property
    def options(self) -> dict[str, str]:
        """What the driver is told beside host, database and login."""
        options = {"driver": self.driver} if self.driver else {}
        if self.trusted:
            options["TrustServerCertificate"] = "yes"
        return options

    def url(self, password: str | None = None) -> str:
        """The URL with its password in it: for a connection, never to be shown."""
        url = URL.create(
            "mssql+pyodbc",
            username=self.username,
            password=password,
            host=self.host,
            port=self.port,
            database=self.database,
            query=self.options,
        )
        return url.render_as_string(hide_password=False)

    def profile(self) -> str:
        """The same as a table of provenir_lab.toml; the password stays in an environment variable."""
        values = {"driver": "mssql+pyodbc", "host": self.host, "port": self.port, "database": self.database}
        if self.username is not None:
            values |= {"username": self.username, "password_env": PASSWORD_VARIABLE}
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
        if self.options:
            options = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.options.items())
            lines.append(f"options = {{ {options} }}")
        return "\n".join([f"[databases.{PROFILE}]", *lines])


def server_of(
    server: str, database: str | None, username: str | None, driver: str | None, *, trusted: bool
) -> Server:
    """The database that the options mean; `server` is a name, `name\\INSTANCE` or `name,port`.

    Raises UsageError if the database is missing or the port is none.
    """
    if not database or "://" in database:
        raise UsageError("--server needs --database NAME, the database's name on that server")
    host, comma, port = server.removeprefix("tcp:").partition(",")
    if not host or (comma and not port.strip().isdecimal()):
        raise UsageError(f"--server {server}: write a name, name\\INSTANCE or name,port")
    return Server(host, int(port) if comma else None, database, username, driver, trusted)


def password_for(username: str, environ: Mapping[str, str]) -> str:
    """From the environment, else asked for without an echo. Raises UsageError where nobody can be asked."""
    if PASSWORD_VARIABLE in environ:
        return environ[PASSWORD_VARIABLE]
    if not sys.stdin.isatty():
        raise UsageError(
            f"--username {username}: set the environment variable {PASSWORD_VARIABLE} to the password"
        )
    return getpass.getpass(f"Password of {username}: ")
