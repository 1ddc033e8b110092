"""A worker killed before, in, at the end of and after a batch: the batch is absent or complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dying import BEFORE_COMMIT, KILL, WORKER, Moment
from labs import counts, digests, documents, new_lab
from places import Place

DYING = Path(__file__).parents[1] / "dying.py"
COUNT, BATCH = 60, 10


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("commits", "operations"),
    [(0, 30), (2, 0), (2, 5), (2, BEFORE_COMMIT)],
    ids=["in the first batch", "after a commit, before the next batch", "in a batch", "before a commit"],
)
def test_killed_and_run_again(place: Place, tmp_path: Path, commits: int, operations: int) -> None:
    lab = new_lab(place.url, documents(COUNT), place.schema)
    moment = Moment(WORKER, KILL, commits, operations, delay=0, flag=str(tmp_path / "flag"))
    where = ["--database", place.url, *(["--schema", place.schema] if place.schema else [])]
    settings = ["--workers=1", f"--batch-size={BATCH}", "--set=write_method=executemany"]
    command = [sys.executable, str(DYING), "process", *where, *settings, "--metrics", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, check=False, env=moment.environment())
    assert ended.returncode != 0
    assert Path(moment.flag).exists()
    done = lab.status().succeeded
    assert done == commits * BATCH
    assert counts(lab)["app_base"] == done
    assert lab.process().documents == COUNT - done  # one batch is redone, no more
    undisturbed = new_lab(f"sqlite:///{tmp_path / 'undisturbed.db'}", documents(COUNT))
    undisturbed.process()
    assert digests(lab) == digests(undisturbed)
