"""The order of runs: counterbalanced, reproducible; and which runs form pairs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenir_lab.lab.order import blocks, pairs_of, pairs_of_same, repeats
from provenir_lab.lab.record import MEASURE, STAGES, Run, Slot


def as_run(slot: Slot, order: int) -> Run:
    zero = dict.fromkeys(STAGES, 0.0)
    return Run(
        order, slot.part, slot.block, slot.position, slot.variant, "now", 1, 1, 0, {}, 5, 1.0, 60.0 + order,
        1.0, 1.0, 1.0, zero, (), "d",
    )  # fmt: skip


def as_runs(slots: list[Slot]) -> list[Run]:
    return [as_run(slot, order) for order, slot in enumerate(slots, 1)]


def test_two_variants_run_abba() -> None:
    slots = blocks(MEASURE, ["baseline", "new"], 4, seed=1)
    assert [slot.variant for slot in slots] == ["baseline", "new", "new", "baseline"] * 2
    assert [(slot.block, slot.position) for slot in slots] == [(b, p) for b in (1, 2) for p in (1, 2, 3, 4)]


def test_pairs_are_of_positions_one_two_and_four_three() -> None:
    pairs = pairs_of(as_runs(blocks(MEASURE, ["baseline", "new"], 4, seed=1)), "new", (MEASURE,))
    assert [(a.position, b.position) for a, b in pairs] == [(1, 2), (4, 3), (1, 2), (4, 3)]


@given(st.integers(2, 6), st.integers(1, 12), st.integers(0, 99))
def test_every_candidate_gets_its_pairs_and_blocks_mirror(variants: int, pairs: int, seed: int) -> None:
    names = ["baseline", *(f"v{i}" for i in range(variants - 1))]
    slots = blocks(MEASURE, names, pairs, seed)
    runs = as_runs(slots)
    for name in names[1:]:
        assert len(pairs_of(runs, name, (MEASURE,))) == pairs
    for block in {slot.block for slot in slots}:
        order = [slot.variant for slot in slots if slot.block == block]
        if len(order) == 2 * variants:
            assert order == order[::-1]


def test_permutations_come_from_the_seed_and_differ_between_blocks() -> None:
    names = ["baseline", "a", "b", "c", "d"]
    slots = blocks(MEASURE, names, 10, seed=3)
    assert slots == blocks(MEASURE, names, 10, seed=3)
    assert slots != blocks(MEASURE, names, 10, seed=4)
    orders = {tuple(s.variant for s in slots if s.block == b and s.position <= 5) for b in range(1, 6)}
    assert len(orders) > 1


def test_more_pairs_continue_the_same_plan() -> None:
    short, long = (blocks(MEASURE, ["baseline", "new"], pairs, seed=1) for pairs in (7, 20))
    assert long[: len(short)] == short


def test_void_runs_and_other_parts_do_not_pair() -> None:
    runs = as_runs(
        blocks(MEASURE, ["baseline", "new"], 4, seed=1) + blocks("confirm", ["baseline", "new"], 2, seed=1)
    )
    runs[1] = replace(runs[1], void="crashed")
    assert len(pairs_of(runs, "new", (MEASURE,))) == 3
    assert len(pairs_of(runs, "new", ("confirm",))) == 2


def test_a_linear_drift_cancels_over_a_block() -> None:
    pairs = pairs_of(as_runs(blocks(MEASURE, ["baseline", "new"], 2, seed=1)), "new", (MEASURE,))
    assert sum(b.rec_per_min - a.rec_per_min for a, b in pairs) == pytest.approx(0)


def test_neighbours_of_a_baseline_pair_in_turns() -> None:
    pairs = pairs_of_same(as_runs(repeats(MEASURE, 5)), MEASURE)
    assert [(a.order, b.order) for a, b in pairs] == [(1, 2), (4, 3)]
