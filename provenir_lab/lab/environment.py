"""What a result was measured on: machine, system, versions, commit. No names of persons or hosts."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from provenir_lab.errors import UsageError

LIBRARIES = (
    "lxml",
    "SQLAlchemy",
    "pydantic",
    "pyodbc",
    "psycopg",
    "numpy",
    "scipy",
    "matplotlib",
    "papermill",
)

DECIDES = {
    "cpu": "processor",
    "logical_cores": "logical cores",
    "python": "Python",
    "database": "database",
    "database_version": "database version",
    "git_commit": "commit of provenir_lab",
    "contract": "contract",
}
"""What runs must have in common to be compared -> how it is called."""


def describe_environment(database: str, database_version: str) -> dict[str, Any]:
    """Plain data for `environment.json`. `database` is the name of the profile or of the database system."""
    import psutil

    return {
        "provenir_lab": metadata.version("provenir_lab"),
        "git_commit": git_commit(Path(__file__).parents[1]),
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "logical_cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "database": database,
        "database_version": database_version,
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
    }


def require_same(
    begun: Mapping[str, Any], now: Mapping[str, Any], what: str, *, but: Collection[str] = ()
) -> None:
    """Raises UsageError unless `what`, begun in one environment, can go on in another: in all of `DECIDES`
    that both tell, `but` for these, they are the same.
    """
    other = [
        f"{label} {begun[key] or 'unknown'}, now {now[key] or 'unknown'}"
        for key, label in DECIDES.items()
        if key not in but and key in begun and key in now and begun[key] != now[key]
    ]
    if other:
        raise UsageError(
            f"{what} was begun with other things than there are now, and such runs do not compare"
            f" ({'; '.join(other)}): go on with it where it was begun, or start a new one"
        )


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is at, `+` behind it when files in it differ; None outside a repository."""
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
