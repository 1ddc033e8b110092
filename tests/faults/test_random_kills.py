"""A few rounds of random kills, always the same ones; `python3 dev.py faults` plays many more."""

from __future__ import annotations

import random
from pathlib import Path

from random_kills import plan, play_rounds

ROUNDS = [1, 2]
SEED = 1
"""With it both databases take part, and a coordinator and the only process of a run are killed."""


def test_nothing_is_lost_or_doubled_by_kills_at_random_moments() -> None:
    figures, problems = play_rounds(SEED, ROUNDS, documents=60)
    assert problems == []
    assert (figures.lost, figures.doubled) == (0, 0)
    assert figures.hits.total() > 0


def test_a_seed_replays_the_same_choices(tmp_path: Path) -> None:
    first, again, other = (plan(random.Random(seed), 2000, tmp_path) for seed in ("1 1", "1 1", "1 2"))
    assert first == again != other


def test_rounds_cover_every_kind_of_kill(tmp_path: Path) -> None:
    """Else `dev.py faults` would promise more than it does."""
    runs = [run for n in range(50) for run in plan(random.Random(f"1 {n}"), 2000, tmp_path)]
    killed = [run for run in runs if run.moment]
    kinds = {(run.moment.victim, run.moment.signal) for run in killed if run.moment}
    assert len(kinds) == 4
    for option in ("--workers=1", "--workers=2", "--set=prefetch=0", "--set=prefetch=2"):
        assert any(option in run.arguments for run in killed), option
