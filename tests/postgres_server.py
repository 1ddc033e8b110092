"""A PostgreSQL of the tests' own: temporary directory, free port, stopped and removed at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg


class Unavailable(Exception):
    """PostgreSQL cannot be started here; the message says why."""


class PostgresServer:
    """One server. `stop` and `start` again to play a restart."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._as_user = _not_as_root()
        self._home = Path(tempfile.mkdtemp(prefix="provenir-postgres-"))
        if self._as_user:
            shutil.chown(self._home, "postgres")
        self._data = self._home / "data"
        self._run(
            "initdb", "-D", self._data, "-U", "lab", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={self._home}", "fsync=off")
        options = f"-p {self.port} " + " ".join(f"-c {setting}" for setting in settings)
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self._home / "log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: no checkpoint, connections cut."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://lab@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Runs one statement outside any transaction."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="lab", dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def create_database(self, name: str) -> str:
        """A new database; returns its URL."""
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as_user, str(self._programs / program), *map(str, arguments)]
        # pg_ctl's server inherits the output: a pipe would never end
        with (self._home / "programs.log").open("ab") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, cwd=self._home, check=False, timeout=60
            )
        if done.returncode:
            raise Unavailable(f"{program} failed: {(self._home / 'programs.log').read_text()[-500:]}")


def _programs() -> Path:
    places = [Path(found).resolve().parent for name in ("pg_ctl",) if (found := shutil.which(name))]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if all((place / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            return place
    raise Unavailable("PostgreSQL's programs (initdb, pg_ctl, postgres) are not installed")


def _not_as_root() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.name == "nt" or os.geteuid() != 0:
        return []
    runuser = shutil.which("runuser")
    if runuser is None or subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode:
        raise Unavailable("PostgreSQL does not run as root, and there is no runuser or no user postgres")
    return [runuser, "-u", "postgres", "--"]
