"""Shell lines of README and guides, really run: in the page's folder, on its databases, on a few documents.

What cannot be run stands in NOT_RUN with its reason; a line that is neither is an error.
"""

from __future__ import annotations

import importlib
import io
import re
import runpy
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from command_lines import ALIASES, parse, words_of

from provenir_lab import Lab
from provenir_lab.api.measuring import Measuring
from provenir_lab.cli import main
from provenir_lab.lab import notebooks, session

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from lab_simulation import SimulatedWorkshop, noisy

ROOT = Path(__file__).parents[2]

NOT_RUN = {
    r"\. \.venv/bin/activate": "what follows it runs in the environment of the tests anyway",
    r"conda .*": "there is no conda here; test_dependencies.py compares its file with pyproject.toml",
    r"jupyter lab": "it serves until it is stopped; tests/browser opens notebooks in it",
    r"(python3|py) dev\.py lab": "it serves until it is stopped; tests/browser opens notebooks in it",
    r"python3 dev\.py test.*": "this test is a part of it; test_dev.py asks what else it runs",
    r"python3 dev\.py faults .*": "tests/faults/test_random_kills.py plays rounds of it",
    r"\.venv/bin/python -m pytest .*": "these tests are run beside this one",
    r"\.venv/bin/python -m pip install .*": "it changes the environment of the tests, and needs a network",
    r"\.venv[/\\](bin|Scripts)[/\\]python -m pip download .*": "it needs a network",
    r"provenir-lab run experiments/(phase1-\w+|selective-parsing|parallel-scaling)\.yaml": "tests/notebooks "
    "runs every experiment of the project through its notebook",
    r"python3 dev\.py bench --databases --json .*": "test_benchmarks.py runs it on few documents",
    r"\.venv/bin/python -m benchmarks\.long_run .*": "test_long_run.py runs it on few documents",
    r"\.venv/bin/python docs/living\.py --from results": "test_keep.py keeps results, test_living_pages.py "
    "writes pages of them",
    r"\.venv/bin/python docs/screenshots\.py": "it changes pictures; test_docs.py looks for their campaign",
    r"pre-commit install": "it changes the git hooks of the clone",
    r"chgrp .*": "it needs a group of users on this machine",
}
"""Line -> why no test runs it."""

FEW = 60
"""Documents of everything that is measured."""
DASK = re.compile(r"\bt(?:cp|ls)://scheduler\.example\.org:8786")
NEED_NO_LAB = ("contract", "demo", "doctor", "map", "report")
"""Commands before which no lab is made; `init` makes its own."""
_seen: set[str] = set()
"""What this process has run and need not run on every page: dev.py, a real baseline, whole experiments."""


@dataclass
class Page:
    """What the lines of one page share: the present folder, which is empty at first, and patches."""

    patches: pytest.MonkeyPatch
    dask: str = field(default_factory=lambda: f"tcp://127.0.0.1:{_free_port()}")
    """Address of the cluster that a page may start."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, text: str, language: str, place: str) -> None:
        """Every line of a block of `sh`, `bat` or `powershell`."""
        for line in filter(None, map(str.strip, text.splitlines())):
            try:
                self._line(line, windows=language != "sh")
            except AssertionError as error:
                raise AssertionError(f"{place}: {line}\n{error}") from error

    def close(self) -> None:
        """Ends what the lines left running: workers before their scheduler, which they would wait for."""
        for process in reversed(self.processes):
            family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            process.wait()

    def _line(self, line: str, *, windows: bool) -> None:
        if reason_not_run(line):
            if line.startswith("provenir-lab "):
                parse(words_of(line)[1:])
            return
        if self._sets_variables(line):
            return
        words = words_of(self.local(line), windows=windows)
        program, *words = [word.replace("\\", "/") for word in words] if windows else words
        program = re.sub(r"^\.venv/(?:bin|Scripts)/", "", program)
        if program == "provenir-lab":
            self._provenir_lab(words)
        elif program in ALIASES:
            self._old_name(program, words)
        elif program in ("python", "python3", "py"):
            self._python(words)
        elif program == "papermill":
            notebook, output, *parameters = words
            few = ["-p", "runs", "2", "-p", "documents", str(FEW)]  # the last value of a name is taken
            ended(sys.executable, "-m", "papermill", str(ROOT / notebook), output, *parameters, *few)
        elif program == "ruff":
            ended(sys.executable, "-m", "ruff", *words)
        else:
            raise AssertionError("neither run nor listed in NOT_RUN")

    def local(self, text: str) -> str:
        """`text` with the page's own Dask cluster in it."""
        return DASK.sub(self.dask, text)

    def _sets_variables(self, line: str) -> bool:
        """Sets the environment variables of a line that sets nothing but such."""
        posix = re.fullmatch(r"export((?: \w+=\S+)+)", line)
        cmd = re.fullmatch(r"set (\w+=.+)", line)
        assigned = posix[1].split() if posix else [cmd[1]] if cmd else []
        powershell = [re.fullmatch(r'\$env:(\w+) = "([^"]*)"', part.strip()) for part in line.split(";")]
        if all(powershell):
            assigned = [f"{part[1]}={part[2]}" for part in powershell if part]
        for one in assigned:
            self.patches.setenv(*one.split("=", 1))
        return bool(assigned)

    def _provenir_lab(self, words: list[str]) -> None:
        parse(words)
        words = shrunk(words)
        if words[0] == "init":
            self._forget_lab(words)
        elif words[0] not in NEED_NO_LAB:
            self._make_lab(words)
        if words[0] == "load" and not Path(words[1]).exists():
            Path(words[1]).mkdir(parents=True)
            shutil.copy(ROOT / "tests" / "data" / "samples" / "typical-1.xml", words[1])
        measures = words[0] in ("run", "campaign")
        if measures:
            if (line := " ".join(words)) in _seen:
                return
            _seen.add(line)
            copy_experiment(words[1])
        with simulated() if measures else few_documents():
            status, output = quietly(partial(main, words))
        assert status == 0, output

    def _forget_lab(self, words: list[str]) -> None:
        """Removes the lab that a line is to make: one page shows the first steps for several systems."""
        for file in Path().glob(f"{_file(words).stem}.db*"):
            file.unlink()

    def _make_lab(self, words: list[str]) -> None:
        """A lab with a few documents in the database that a line names, where there is none."""
        if not _file(words).exists():
            lab = Lab(_database(words))
            lab.init()
            lab.generate(20, profile="compact")

    def _old_name(self, program: str, words: list[str]) -> None:
        """On the page's SQLite lab in place of a server; test_docs.py compares the profile that is told."""
        if "--server" in words:
            words = without(words, "--server", 1)
            words = [word for word in without(words, "--database", 1) if word != "--trust-server-certificate"]
            words += ["--database", "sqlite:///lab.db"]
        self._make_lab(words)
        alias = importlib.import_module(f"provenir_lab.aliases.{program}")
        status, output = quietly(partial(alias.main, shrunk(words)))
        assert status == 0, output
        assert f"{program} is now: provenir-lab " in output

    def _python(self, words: list[str]) -> None:
        match words:
            case ["dev.py", *arguments]:
                if (line := " ".join(arguments)) not in _seen:
                    _seen.add(line)
                    run_dev(arguments, self.patches)
            case [script, *arguments] if script.startswith("docs/"):
                run_in_copy(script, arguments)
            case ["-m", "pip", "freeze", *arguments]:
                ended(sys.executable, "-m", "pip", "freeze", *arguments)
            case ["-m", "dask", role, *arguments]:
                self._start_dask(role, arguments)
            case _:
                raise AssertionError("neither run nor listed in NOT_RUN")

    def _start_dask(self, role: str, arguments: list[str]) -> None:
        """A scheduler or its worker, left running until the page is at its end."""
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        here += ["--port", self.dask.rpartition(":")[2]] if role == "scheduler" else []
        command = [sys.executable, "-m", "dask", role, *shrunk(arguments), *here]
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        if role == "scheduler":
            _wait_for(self.dask)


def reason_not_run(line: str) -> str | None:
    """Why a line is not run; None if it is."""
    return next((reason for pattern, reason in NOT_RUN.items() if re.fullmatch(pattern, line)), None)


def shrunk(words: list[str]) -> list[str]:
    """The words of a command with small numbers in them."""
    small = {"--workers": "2", "--nworkers": "2", "--runs": "2"}
    return [small.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def without(words: list[str], option: str, values: int) -> list[str]:
    """The words but for an option and its values."""
    place = words.index(option)
    return words[:place] + words[place + 1 + values :]


@contextmanager
def few_documents() -> Iterator[None]:
    """The first baseline is real: two runs over a few documents in its notebook. Others are simulated."""
    if "baseline" in _seen:
        with simulated():
            yield
        return
    measured = Measuring.baseline

    def baseline(lab: Lab, **asked: Any) -> Any:
        _seen.add("baseline")
        return measured(lab, **{**asked, "runs": 2, "documents": FEW})

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(Measuring, "baseline", baseline)
        yield


@contextmanager
def simulated() -> Iterator[None]:
    """Experiments without their notebooks, which tests/notebooks runs, and with runs that take no time."""
    workshop = SimulatedWorkshop(noisy(lambda settings: 1000.0 * settings.workers, 0.02))
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(session, "DatabaseWorkshop", lambda *_: workshop)
        patches.setattr(notebooks, "run_baseline_notebook", session.run_baseline)
        patches.setattr(notebooks, "notebook_of", lambda _: None)
        yield


def copy_experiment(name: str) -> None:
    """Puts an experiment or campaign of the project where a line names it; of a campaign its first phase."""
    if Path(name).exists():
        return
    Path(name).parent.mkdir(exist_ok=True)
    content = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    if "experiments" in content:
        del content["experiments"][1:]
        copy_experiment(str(Path(name).parent / content["experiments"][0]))
    Path(name).write_text(yaml.safe_dump(content), encoding="utf-8")


def run_dev(arguments: list[str], patches: pytest.MonkeyPatch) -> None:
    """A command of dev.py with the environment of the tests in place of its own."""
    dev: Any = importlib.import_module("dev")

    def run(program: str, *words: str) -> int:
        assert words[:2] == ("-m", "provenir_lab"), "neither run nor listed in NOT_RUN"
        with few_documents():
            return main(words[2:])

    patches.setattr(dev, "install", lambda _: None)
    patches.setattr(dev, "PYTHON", sys.executable)
    patches.setattr(dev, "run", run)
    status, output = quietly(partial(dev.main, arguments))
    assert status == 0, output


def run_in_copy(script: str, arguments: list[str]) -> None:
    """A script of docs that writes pages, on copies of them."""
    shutil.copytree(ROOT / "docs", "docs", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    shutil.copy(ROOT / "README.md", "README.md")
    if not Path("experiments").exists():
        shutil.copytree(ROOT / "experiments", "experiments")
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(sys, "argv", [script, *arguments])
        patches.setattr(sys, "path", [*sys.path])
        for name in ("living", "living_parts"):  # of the copy, not of the project
            patches.delitem(sys.modules, name, raising=False)
        quietly(partial(runpy.run_path, script, run_name="__main__"))
        for name in ("living", "living_parts"):
            sys.modules.pop(name, None)


def ended(*command: str) -> None:
    """Runs a program, which must end well."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def quietly(call: Callable[[], Any]) -> tuple[Any, str]:
    """Exit status and all output of a command line run in this process: a new one takes half a second."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        status = call()
    return status, output.getvalue()


def _database(words: list[str]) -> str:
    return words[words.index("--database") + 1] if "--database" in words else "sqlite:///lab.db"


def _file(words: list[str]) -> Path:
    """The SQLite file of the database that a command names."""
    return Path(Lab(_database(words)).database.url.partition("///")[2])


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _wait_for(address: str) -> None:
    host, port = address.removeprefix("tcp://").split(":")
    for _ in range(600):
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"nothing answers at {address}")
