"""A results folder that is full or read-only: one clear line, whole files only, finished runs kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from lab_simulation import SimulatedWorkshop, experiment
from small_disk import SmallDisk

from provenir_lab.errors import LabError
from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.record import Result
from provenir_lab.settings import Settings

PLAN = experiment()
ROOMS = (4096, 65_536)
"""Bytes left when the runs are done: for a summary, or for some figures and a part of the report."""


def measure(disk: SmallDisk, folder: Path, workshop: SimulatedWorkshop | None = None) -> Result:
    return conduct(workshop or SimulatedWorkshop(), PLAN, Settings(), disk.path, folder)


def assert_whole_files(folder: Path) -> None:
    """Every file there can be read to its end."""
    for path in (p for p in folder.rglob("*") if p.is_file()):
        text = path.read_text(encoding="utf-8")
        match path.suffix:
            case ".json":
                json.loads(text)
            case ".yaml":
                assert yaml.safe_load(text)
            case ".html" | ".svg":
                assert text.rstrip().endswith(("</html>", "</svg>"))
            case ".csv":
                pass  # only its last line may be cut, which reading takes out
            case _:
                pytest.fail(f"{path.name} is left over")


def finished_runs(folder: Path) -> int:
    if not (folder / "runs.csv").is_file():
        return 0
    text = (folder / "runs.csv").read_text(encoding="utf-8")
    return max(0, len(list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))) - 1)


@pytest.mark.parametrize("at", [0, 5])
def test_full_in_the_middle(small_disk: SmallDisk, at: int) -> None:
    """The disk is full when run `at` begins; what is finished then counts when the experiment goes on."""
    folder = small_disk.path / "result"
    folder.mkdir()

    def rate(settings: Settings, run: int) -> float:
        if run == at:
            small_disk.leave(0)
        return 1000.0

    with pytest.raises(LabError, match=r"cannot write .*No space left on device; free space or name another"):
        measure(small_disk, folder, SimulatedWorkshop(rate))
    assert_whole_files(folder)
    done = finished_runs(folder)
    assert done <= at + 20  # as many lines as fit into the file's last page
    small_disk.free()
    rest = SimulatedWorkshop()
    result = measure(small_disk, folder, rest)
    assert len(result.runs) == done + rest.calls.count("process")
    assert_whole_files(folder)
    assert result.report.is_file()


@pytest.mark.parametrize("room", ROOMS)
def test_full_when_the_report_is_written(small_disk: SmallDisk, room: int) -> None:
    folder = small_disk.path / "result"
    folder.mkdir()
    runs = len(measure(small_disk, folder).runs)
    for path in folder.rglob("*"):
        if path.name in ("summary.json", "report.html") or path.suffix == ".svg":
            path.unlink()
    small_disk.leave(room)
    with pytest.raises(LabError, match="free space or name another results folder"):
        measure(small_disk, folder)
    assert_whole_files(folder)
    assert not (folder / "report.html").exists()
    small_disk.free()
    again = SimulatedWorkshop()
    result = measure(small_disk, folder, again)
    assert (len(result.runs), again.calls.count("process")) == (runs, 0)
    assert result.report.is_file()


def test_read_only(small_disk: SmallDisk) -> None:
    folder = small_disk.path / "result"
    folder.mkdir()
    first = measure(small_disk, folder).report.read_bytes()
    small_disk.read_only(True)
    with pytest.raises(LabError, match=r"cannot write .*Read-only file system; free space or name another"):
        measure(small_disk, folder)
    with pytest.raises(LabError, match=r"cannot write .*Read-only file system"):
        conduct(SimulatedWorkshop(), PLAN, Settings(), small_disk.path)
    assert (folder / "report.html").read_bytes() == first
    small_disk.read_only(False)
