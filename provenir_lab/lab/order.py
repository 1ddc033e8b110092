"""In which order variants run, and which runs form a pair. Pure; the random order comes from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from provenir_lab.lab.record import Run, Slot

BASELINE = "baseline"


def blocks(part: str, variants: Sequence[str], pairs: int, seed: int, first_block: int = 1) -> list[Slot]:
    """The plan of a part: as many blocks as give every candidate `pairs` pairs, two to a block.

    Two variants run baseline-candidate-candidate-baseline. More run in a permutation drawn from `seed`,
    then in its mirror: so drift over the session hits all alike. An odd last pair takes the first half of a
    block.
    """
    halves: list[list[str]] = []
    for block in range(first_block, first_block + (pairs + 1) // 2):
        order = list(variants)
        if len(order) > 2:
            random.Random(f"{seed}/{part}/{block}").shuffle(order)
        halves += [order, order[::-1]]
    slots: list[Slot] = []
    for half, order in enumerate(halves[:pairs]):
        block, start = first_block + half // 2, half % 2 * len(order)
        slots += [Slot(part, block, start + i + 1, variant) for i, variant in enumerate(order)]
    return slots


def repeats(part: str, runs: int) -> list[Slot]:
    """The plan of a baseline: `runs` runs in blocks of two."""
    return [Slot(part, i // 2 + 1, i % 2 + 1, BASELINE) for i in range(runs)]


def pairs_of(
    runs: Iterable[Run], candidate: str, parts: Sequence[str], against: str = BASELINE
) -> list[tuple[Run, Run]]:
    """(run of `against`, candidate run) of the same half of the same block, in time order; only valid runs
    pair.
    """
    halves: dict[tuple[str, int, int], dict[str, Run]] = {}
    chosen = [run for run in runs if run.part in parts]
    sizes: dict[tuple[str, int], set[str]] = {}
    for run in chosen:
        sizes.setdefault((run.part, run.block), set()).add(run.variant)
    for run in chosen:
        half = (run.position - 1) // len(sizes[run.part, run.block])
        halves.setdefault((run.part, run.block, half), {})[run.variant] = run
    return [
        (half[against], half[candidate])
        for half in halves.values()
        if against in half and candidate in half and half[against].valid and half[candidate].valid
    ]


def pairs_of_same(runs: Iterable[Run], part: str) -> list[tuple[Run, Run]]:
    """Neighbouring runs of a baseline as pairs of an A/A arm, every second one turned round against drift."""
    blocks_of: dict[int, list[Run]] = {}
    for run in runs:
        if run.part == part and run.valid:
            blocks_of.setdefault(run.block, []).append(run)
    pairs = [block for block in blocks_of.values() if len(block) == 2]
    return [(b[1], b[0]) if i % 2 else (b[0], b[1]) for i, b in enumerate(pairs)]
