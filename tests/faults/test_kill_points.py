"""A process killed before, in, at the end of and after a batch: the batch is absent or complete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from dying import BEFORE_COMMIT, COORDINATOR, IN_COPY, KILL, WORKER, Moment
from labs import WHOLE, counts, digests, documents, new_lab
from places import Place

from provenir_lab.api import Lab
from provenir_lab.storage.digest import TableDigest

DYING = Path(__file__).parents[1] / "dying.py"
COUNT, BATCH = 60, 10
POINTS = {
    ("sqlite", "executemany"): [(0, 30), (2, 0), (2, 5), (2, BEFORE_COMMIT)],
    ("postgresql", "copy"): [(0, IN_COPY), (2, IN_COPY), (2, BEFORE_COMMIT)],
}
"""Kind of database and write method -> commits and further operations."""
if WHOLE:
    POINTS["postgresql", "copy"] += [(2, operations) for operations in range(30)]  # so many has the batch
    POINTS["postgresql", "executemany"] = POINTS["sqlite", "executemany"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TableDigest]:
    lab = new_lab(f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'lab.db'}", documents(COUNT))
    lab.process()
    return digests(lab)


def run_to_death(place: Place, moment: Moment, workers: int, method: str = "auto") -> tuple[Lab, int, str]:
    """A run of `process` in which a process is killed; returns its lab, exit status and output.

    Returns when the last process with this output has ended.
    """
    lab = new_lab(place.url, documents(COUNT), place.schema)
    where = ["--database", place.url, *(["--schema", place.schema] if place.schema else [])]
    settings = [f"--workers={workers}", f"--batch-size={BATCH}", f"--set=write_method={method}"]
    command = [sys.executable, str(DYING), "process", "--json", *where, *settings]
    metrics = ["--metrics", str(Path(moment.flag).parent)]
    ended = subprocess.run(
        [*command, *metrics], capture_output=True, check=False, env=moment.environment(), text=True
    )
    assert Path(moment.flag).exists()
    return lab, ended.returncode, ended.stdout


@pytest.mark.parametrize(
    ("place", "method", "commits", "operations"),
    [(kind, method, *point) for (kind, method), points in POINTS.items() for point in points],
    indirect=["place"],
)
def test_killed_and_run_again(
    place: Place,
    tmp_path: Path,
    undisturbed: dict[str, TableDigest],
    method: str,
    commits: int,
    operations: int,
) -> None:
    moment = Moment(WORKER, KILL, commits, operations, delay=0, flag=str(tmp_path / "flag"))
    lab, status, _ = run_to_death(place, moment, 1, method)
    assert status != 0
    done = lab.status().succeeded
    assert done == commits * BATCH
    assert counts(lab)["app_base"] == done
    assert lab.process().documents == COUNT - done  # one batch is redone, no more
    assert digests(lab) == undisturbed


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("commits", "operations"), [(1, IN_COPY), *([(0, IN_COPY), (1, 0), (1, BEFORE_COMMIT)] if WHOLE else [])]
)
@pytest.mark.parametrize("victim", [WORKER, COORDINATOR])
def test_one_of_two_workers_or_their_coordinator_is_killed(
    place: Place,
    tmp_path: Path,
    undisturbed: dict[str, TableDigest],
    victim: str,
    commits: int,
    operations: int,
) -> None:
    moment = Moment(victim, KILL, commits, operations, delay=0, flag=str(tmp_path / "flag"))
    lab, status, said = run_to_death(place, moment, 2)
    if victim == WORKER:
        outcome = json.loads(said)
        assert (status, outcome["succeeded"], outcome["worker_deaths"]) == (0, COUNT, 1)
    else:
        done = lab.status().succeeded
        assert status != 0
        assert done % BATCH == 0
        assert counts(lab)["app_base"] == done
        assert lab.process().documents == COUNT - done
    assert digests(lab) == undisturbed
