"""dev.py, used as a user does, and its own parts with the installation left out."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT_ENSUREPIP = """
import runpy, sys
sys.modules["ensurepip"] = None
sys.argv = ["dev.py", "demo"]
runpy.run_path("dev.py", run_name="__main__")
"""
INTERRUPTED_CHILD = """
import time
try:
    time.sleep(1)  # the parent gets to where it waits
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.5)
    print("saved", flush=True)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that dev.py reads, in a folder of their own."""
    for name in ("dev.py", "pyproject.toml", "constraints.txt", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture
def dev(clone: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_of_clone", clone / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installed(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The sets of extras that dev.py asked pip for; nothing is really installed."""
    asked: list[list[str]] = []

    def make_venv() -> None:
        dev.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        dev.PYTHON.touch()

    monkeypatch.setattr(dev, "_make_venv", make_venv)
    monkeypatch.setattr(dev, "_pip_install", asked.append)
    return asked


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "dev.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_names_every_command_and_installs_nothing(dev: ModuleType, clone: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(clone / "dev.py"), "--help"], capture_output=True, text=True, check=True
    )
    for command in dev.COMMANDS:
        assert f"dev.py {command} " in result.stdout
    assert not (clone / ".venv").exists()


def test_no_command_shows_the_help_and_is_a_usage_error() -> None:
    result = call()
    assert result.returncode == 2
    assert "python3 dev.py demo" in result.stdout


def test_unknown_command_is_one_line_and_a_usage_error() -> None:
    result = call("tset")
    assert result.returncode == 2
    assert result.stderr == "dev.py: no command tset; commands are demo, test, lab, bench, faults, docs\n"


def test_missing_ensurepip_names_the_package_that_brings_it(clone: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_ENSUREPIP], cwd=clone, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "apt-get install python3-venv" in result.stderr
    assert not (clone / ".venv").exists()


def test_exit_status_of_the_program_is_passed_on(dev: ModuleType) -> None:
    assert dev.run(sys.executable, "-c", "raise SystemExit(7)") == 7


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups to signal")
def test_interrupted_program_ends_in_its_own_way() -> None:
    script = f"import sys, dev; sys.exit(dev.run(sys.executable, '-c', {INTERRUPTED_CHILD!r}))"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "saved\n"
    assert process.returncode == 130


def test_installs_once(dev: ModuleType, installed: list[list[str]]) -> None:
    dev.install({"test"})
    dev.install({"test"})
    dev.install(set())
    assert installed == [["test"]]


def test_installs_further_extras_beside_those_present(dev: ModuleType, installed: list[list[str]]) -> None:
    dev.install({"test"})
    dev.install({"docs"})
    dev.install({"docs", "test"})
    assert installed == [["test"], ["docs", "test"]]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_installs_again_when_what_is_asked_changes(
    dev: ModuleType, installed: list[list[str]], clone: Path, name: str
) -> None:
    dev.install(set())
    with (clone / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    dev.install(set())
    assert len(installed) == 2


def test_installs_again_after_an_interrupted_installation(
    dev: ModuleType, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.install(set())
    with (dev.ROOT / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    monkeypatch.setattr(dev, "_pip_install", lambda extras: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        dev.install(set())
    monkeypatch.setattr(dev, "_pip_install", installed.append)
    dev.install(set())
    assert installed == [[], []]


def test_checks_stop_at_the_first_that_fails_and_name_it(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(*command: str) -> int:
        ran.append(command[2])
        return 3 if command[2] == "mypy" else 0

    monkeypatch.setattr(dev, "run", run)
    assert dev.test([]) == 3
    assert ran == ["ruff", "ruff", "mypy", "mypy"]
    assert "dev.py: mypy for here and for Windows failed" in capsys.readouterr().err


def test_further_arguments_reach_pytest(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(dev, "run", lambda *command: commands.append(command) or 0)
    assert dev.test(["-k", "mapping"]) == 0
    assert commands[-1][2] == "pytest"
    assert commands[-1][-2:] == ("-k", "mapping")


@pytest.mark.parametrize(
    ("cell", "dirty"),
    [
        ({"cell_type": "markdown", "source": []}, False),
        ({"cell_type": "code", "outputs": [], "execution_count": None}, False),
        ({"cell_type": "code", "outputs": [{"output_type": "stream"}], "execution_count": None}, True),
        ({"cell_type": "code", "outputs": [], "execution_count": 4}, True),
    ],
)
def test_notebooks_with_outputs_are_found(
    dev: ModuleType, tmp_path: Path, cell: dict[str, object], dirty: bool
) -> None:
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    assert dev.notebooks_with_outputs(tmp_path) == ([path] if dirty else [])


def test_every_fault_has_tests_that_are_run(dev: ModuleType) -> None:
    found = dev.fault_tests()
    assert [name for name in found if not (ROOT / name).exists()] == []
    rows = re.findall(r"^\| ([\d, ]+): .* \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    assert sorted(int(number) for numbers, _ in rows for number in numbers.split(", ")) == list(range(1, 28))
    named = {name for _, names in rows for name in re.findall("`(.*?)`", names)}
    assert {name for name in named if not name.startswith(("tests/faults/", "tests/security/"))} < {*found}


def test_random_kills_follow_the_tests_of_faults_and_can_be_replayed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(dev, "run", lambda *command: commands.append(command) or 0)
    monkeypatch.setenv("PROVENIR_LAB_TEST_ALL", "")
    assert dev.faults(["--rounds", "3"]) == 0
    tests, kills = commands
    assert tests[2] == "pytest"
    assert kills[1:3] == ("tests/random_kills.py", "--seed")
    assert kills[4:] == ("--rounds", "3")
    assert f"--seed {kills[3]} " in capsys.readouterr().out
    assert dev.faults(["--seed=4", "--round=2"]) == 0
    assert [command[1:] for command in commands[2:]] == [("tests/random_kills.py", "--seed=4", "--round=2")]


def test_makefile_knows_every_command(dev: ModuleType) -> None:
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f".PHONY: {' '.join(dev.COMMANDS)}\n" in targets
    assert f"\n{' '.join(dev.COMMANDS)}:\n" in targets


def test_ci_runs_the_readmes_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert "exec python3 dev.py test\n" in script.read_text(encoding="utf-8")
    assert "\npython3 dev.py test\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert os.name == "nt" or os.access(script, os.X_OK)
