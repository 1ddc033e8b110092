"""One command from a fresh clone to work: makes `.venv` beside this file, installs the package, runs.

    python3 dev.py demo     a small measurement on SQLite with its report        (Windows: py dev.py demo)
    python3 dev.py test     style, types, notebooks without outputs, then the tests
    python3 dev.py lab      JupyterLab on the notebooks
    python3 dev.py bench    speed and memory of the stages, as ratios
    python3 dev.py faults   the tests that kill, cut and starve the processor, then 50 runs killed by chance
    python3 dev.py docs     builds the guides into site/

Further arguments go to the program behind the command (`dev.py test -k mapping`). The exit status is that
program's. Needs Python 3.11 or later and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "installed.json"
INSTALL_LOG = VENV / "install.log"
INTERRUPTED = 130


class Failure(Exception):
    """Ends the program with one line."""


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"dev.py: no command {name}; commands are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    command = COMMANDS[name]
    try:
        install(command.extras)
        return command.run(rest)
    except Failure as failure:
        print(f"dev.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def install(extras: set[str]) -> None:
    """Make `.venv` hold the package with at least these extras; does nothing when it already does."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what meets an old Python
        raise Failure(f"needs Python 3.11 or later, this is {sys.version.split()[0]}")
    present = _installed_extras() if PYTHON.exists() else None
    if present is not None and extras <= present:
        return
    _make_venv()
    STAMP.unlink(missing_ok=True)
    wanted = sorted(extras | (present or set()))
    _pip_install(wanted)
    STAMP.write_text(json.dumps({"fingerprint": _fingerprint(), "extras": wanted}), encoding="utf-8")


def _installed_extras() -> set[str] | None:
    """The extras that `.venv` holds; None if it holds nothing or what it holds is out of date."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return set(stamp["extras"]) if stamp["fingerprint"] == _fingerprint() else None


def _fingerprint() -> str:
    """Changes with what is asked of pip, and with the folder, to which an editable installation points."""
    asked = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        asked.update((ROOT / name).read_bytes())
    return asked.hexdigest()


def _make_venv() -> None:
    if PYTHON.exists() and run_quietly(PYTHON, "-m", "pip", "--version") == 0:
        return
    if importlib.util.find_spec("ensurepip") is None:
        raise Failure("this Python has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv")
    print(f"making {VENV}", file=sys.stderr)
    venv.create(VENV, with_pip=True, clear=True)


def _pip_install(extras: list[str]) -> None:
    """Install the package, editable, with pip's output in a log and its present step on one line."""
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    constraints = str(ROOT / "constraints.txt")
    # most modules are never used: Python compiles those that are
    command = [str(PYTHON), "-m", "pip", "install", "--no-compile", "--constraint", constraints]
    command += ["--editable", target]
    print("installing the package and what it needs (a few minutes the first time)", file=sys.stderr)
    start, lines = time.monotonic(), []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        for line in pip.stdout or ():
            lines.append(line)
            _show_line(line.strip())
    _show_line("")
    INSTALL_LOG.write_text("".join(lines), encoding="utf-8")
    if pip.returncode != 0:
        print("".join(lines[-15:]), file=sys.stderr)
        raise Failure(f"installation failed; all of pip's output is in {INSTALL_LOG}")
    print(f"installed in {time.monotonic() - start:.0f} s", file=sys.stderr)


def _show_line(text: str) -> None:
    """Show `text` in place of the last one, when somebody watches."""
    if sys.stderr.isatty():
        print(f"\r{text[:78]:78}\r", end="", file=sys.stderr, flush=True)


def run(*command: str | Path) -> int:
    """Run a program in the repository's folder to its end; returns its exit status (130: interrupted)."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV), "NO_MKDOCS_2_WARNING": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # thousands of processes would compile the package anew
    interrupted = False
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environment) as child:
        while True:
            try:
                status = child.wait()
                break
            except KeyboardInterrupt:
                interrupted = True  # the child was interrupted too; let it end in its own way
    return INTERRUPTED if interrupted else status if status >= 0 else 128 - status


def run_quietly(*command: str | Path) -> int:
    """Run a program without showing its output; returns its exit status."""
    return subprocess.run([str(part) for part in command], capture_output=True, check=False).returncode


def module(name: str, *fixed: str) -> Callable[[list[str]], int]:
    """A command that runs a Python module with `fixed` arguments, then the user's."""
    return lambda arguments: run(PYTHON, "-m", name, *fixed, *arguments)


def test(arguments: list[str]) -> int:
    """Run every check; stops at the first that fails and names it."""
    checks: dict[str, Callable[[], int]] = {
        "ruff check": lambda: run(PYTHON, "-m", "ruff", "check", "."),
        "ruff format": lambda: run(PYTHON, "-m", "ruff", "format", "--check", "."),
        "mypy for here and for Windows": check_types,
        "notebooks without outputs": check_notebooks,
        "pytest": lambda: run(PYTHON, "-m", "pytest", *PARALLEL, *arguments),
    }
    for name, check in checks.items():
        print(f"== {name}", flush=True)
        status = check()
        if status != 0:
            print(f"dev.py: {name} failed", file=sys.stderr)
            return status
    return 0


def check_types() -> int:
    """mypy for this system and for Windows at the same time; the worse of their exit statuses."""
    with ThreadPoolExecutor() as threads:
        return max(threads.map(lambda options: run(PYTHON, "-m", "mypy", *options), ((), WINDOWS)))


def faults(arguments: list[str]) -> int:
    """Run the tests of faults, each over every point it knows, then rounds of random kills.

    `arguments` are those of the rounds: --seed, --rounds, --documents; with --round, that one alone is run.
    """
    if not any(argument.partition("=")[0] == "--seed" for argument in arguments):
        arguments = ["--seed", str(random.SystemRandom().randrange(10**6)), *arguments]
    print("== random kills come last, with", *arguments, flush=True)
    os.environ["PROVENIR_LAB_TEST_ALL"] = "1"
    one_round = any(argument.partition("=")[0] == "--round" for argument in arguments)
    status = 0 if one_round else run(PYTHON, "-m", "pytest", *PARALLEL, *fault_tests())
    return status or run(PYTHON, "tests/random_kills.py", *arguments)


def fault_tests() -> list[str]:
    """The tests of faults: those that the table in CONTRIBUTING.md names, and what is in their folders."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = guide.partition("## Faults and their tests")[2].partition("\n## ")[0]
    named = re.findall(r"`(tests/\w+/test_\w+\.py)`", section)
    folders = ["tests/faults", "tests/security"]
    return [*folders, *sorted({name for name in named if name.rpartition("/")[0] not in folders})]


def check_notebooks() -> int:
    """1 if a notebook of the repository holds outputs or execution counts, else 0."""
    dirty = notebooks_with_outputs(ROOT / "notebooks")
    for path in dirty:
        print(f"{path}: holds outputs; clear them: jupyter nbconvert --clear-output --inplace {path}")
    return 1 if dirty else 0


def notebooks_with_outputs(folder: Path) -> list[Path]:
    """The notebooks of `folder` in which a cell holds outputs or an execution count."""
    return [
        path
        for path in sorted(folder.glob("*.ipynb"))
        if any(
            cell.get("outputs") or cell.get("execution_count")
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        )
    ]


class Command(NamedTuple):
    """What a command needs installed, and what it does with the user's further arguments."""

    extras: set[str]
    run: Callable[[list[str]], int]


WORKERS = min(6, (os.cpu_count() or 1) + 2)  # two more than cores: many tests wait for other processes
PARALLEL = ("--numprocesses", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
WINDOWS = ("--platform", "win32", "--cache-dir", ".mypy_cache/windows")
AS_ROOT = getattr(os, "geteuid", lambda: 1)() == 0  # in a container; Jupyter wants to be told
LAB = (
    f"--ServerApp.root_dir={ROOT}",
    "--LabApp.default_url=/lab/tree/notebooks",
    *(["--allow-root"] if AS_ROOT else []),
)
TEST_EXTRAS = {"test", "docs", "postgresql", "dask"}
COMMANDS = {
    "demo": Command(set(), module("provenir_lab", "demo")),
    "test": Command(TEST_EXTRAS, test),
    "lab": Command({"postgresql"}, module("jupyterlab", *LAB)),
    "bench": Command({"postgresql"}, module("benchmarks")),
    "faults": Command(TEST_EXTRAS, faults),
    "docs": Command({"docs"}, module("mkdocs", "build", "--strict")),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
