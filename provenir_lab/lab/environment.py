"""What a result was measured on: machine, system, versions, commit. No names of persons or hosts."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

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


def describe_environment(database: str, database_version: str) -> dict[str, Any]:
    """Plain data for `environment.json`. `database` is the name of the profile or of the database system."""
    import psutil

    return {
        "provenir_lab": metadata.version("provenir_lab"),
        "git_commit": git_commit(Path(__file__).parent),
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


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is at, `+` behind it when files differ from it; None outside a repository."""
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
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
