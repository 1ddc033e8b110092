"""Ctrl-C in the middle of real work: what is finished is kept, nothing is left running, and it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from provenir_lab.lab.place import ensure_lab, open_place
from provenir_lab.lab.record import Folder, interrupted_result, load_result
from provenir_lab.settings import Database

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
FEW = {"count": 10, "min_seconds": 0.01}
LOGGING = {
    "name": "logging",
    "title": "Logging",
    "change": "log_level",
    "candidates": ["error"],
    "runs": 6,
    "max_runs": 6,
    "documents": FEW,
}
CAMPAIGN = {
    "name": "small",
    "title": "Small",
    "experiments": ["logging.yaml"],
    "documents": FEW,
    "baseline_runs": 10,
    "runs": 6,
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVENIR_LAB_DATABASE", "sqlite:///lab.db")
    ensure_lab(open_place(Database("sqlite", "sqlite:///lab.db")))
    for name, content in (("logging", LOGGING), ("small", CAMPAIGN)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "provenir_lab", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def interrupted(
    here: Path, folders: str, *arguments: str, runs: int = 3, as_in_terminal: bool
) -> tuple[Path, str, str]:
    """Starts a command, and interrupts it when so many runs are finished: where it worked, those runs, and
    its last words. In a terminal, Ctrl-C reaches all its processes at once.
    """
    process = start(*arguments)
    while not (found := [path for path in here.glob(f"{folders}/runs.csv") if lines(path) > runs]):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    if as_in_terminal:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=90)
    assert process.returncode == 1
    assert [child for child in psutil.wait_procs(children, timeout=10)[1] if child.is_running()] == []
    return found[0].parent, found[0].read_text(encoding="utf-8"), error


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def test_a_campaign_goes_on_with_the_same_command(here: Path) -> None:
    said = "error: interrupted; what is done is kept, and the same command goes on from there"
    command = "campaign", "small.yaml", "--quiet"
    folder, before, error = interrupted(here, "results/small/*", *command, as_in_terminal=False)
    assert error.strip() == said
    again, after, error = interrupted(here, "results/small/*", *command, runs=6, as_in_terminal=False)
    assert error.strip() == said
    assert again == folder
    assert after.startswith(before)
    slots = [run.slot for run in Folder(folder).runs()]
    assert len(slots) == len(set(slots)) >= 6


def test_an_experiment_goes_on_when_it_is_told_to(here: Path) -> None:
    folder, before, error = interrupted(
        here, "results/logging/*", "run", "logging.yaml", "--quick", as_in_terminal=True
    )
    outlook, last = error.strip().splitlines()
    assert outlook.startswith("Logging: 14 runs up to the first look, about ")
    assert outlook.endswith("smallest gain this design finds: unknown until a baseline is stored")
    assert last == (
        "error: interrupted; finished runs are kept, and the same command with --resume goes on from there"
    )
    assert interrupted_result(here / "results", "logging") == folder
    done = start("run", "logging.yaml", "--quick", "--resume")
    assert done.wait(timeout=300) == 0, done.communicate()
    assert (folder / "runs.csv").read_text(encoding="utf-8").startswith(before)
    result = load_result(folder)
    slots = [run.slot for run in result.runs]
    assert len(slots) == len(set(slots)) == 14
    assert list((here / "results" / "logging").iterdir()) == [folder]
    (judged,) = result.summary["comparisons"]
    assert judged["pairs"] == 6
    assert judged["gates"] == {"passed": True, "problems": []}
    assert judged["verdict"] in ("FASTER", "SLOWER", "EQUIVALENT", "INCONCLUSIVE")
