"""A few rounds of random kills, always the same ones; `python3 dev.py faults` plays many more."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from random_kills import Broken, Figures, check_words, choose, plan, play_rounds, total, write_json
from telling import NAME, PASSWORD

ROUNDS = [1, 2]
SEED = 1
"""With it both databases take part, and a coordinator and the only process of a run are killed."""


def test_nothing_is_lost_doubled_or_told_by_kills_at_random_moments(tmp_path: Path) -> None:
    figures, problems = play_rounds(SEED, ROUNDS, documents=60)
    assert problems == []
    found = total(figures.values())
    assert (found.rounds, found.lost, found.doubled, found.told) == (len(ROUNDS), 0, 0, 0)
    assert found.hits.total() > 0
    write_json(tmp_path / "kept" / "kills.json", {"seed": SEED}, figures)
    kept = json.loads((tmp_path / "kept" / "kills.json").read_text(encoding="utf-8"))
    assert kept["arguments"] == {"seed": SEED} and "git_commit" in kept["environment"]
    assert kept["total"]["kills_before_the_run_was_done"] == found.hits.total()
    assert sum(one["rounds"] for one in kept["databases"].values()) == len(ROUNDS)


@pytest.mark.parametrize("word", [NAME, PASSWORD])
def test_what_is_told_is_counted_and_fails_the_round(word: str) -> None:
    figures = Figures()
    check_words({"log": "a batch is committed"}, figures)
    with pytest.raises(Broken, match="log"):
        check_words({"log": f"a batch of {word.upper()}", "output": ""}, figures)
    assert figures.told == 1


def test_a_seed_replays_the_same_choices(tmp_path: Path) -> None:
    first, again, other = (plan(random.Random(seed), 2000, tmp_path) for seed in ("1 1", "1 1", "1 2"))
    assert first == again != other


def test_rounds_cover_every_kind_of_kill(tmp_path: Path) -> None:
    """Else `dev.py faults` would promise more than it does."""
    databases = ("postgresql", "sqlite")
    rounds = [choose(SEED, n, 2000, databases, tmp_path) for n in range(1, 51)]
    killed = [run for _, runs in rounds for run in runs if run.moment]
    kinds = {
        (kind, run.arguments[0], run.moment.victim, run.moment.signal)
        for kind, runs in rounds
        for run in runs
        if run.moment
    }
    assert len(kinds) == 16  # a worker of a pool on PostgreSQL among them
    for option in ("--workers=1", "--workers=2", "--set=prefetch=0", "--set=prefetch=2"):
        assert any(option in run.arguments for run in killed), option
