"""Arms against each other: interleaved rounds and CPU time, because machines are shared and clocks drift."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

Arm = Callable[[], int]
"""Does its work once; returns for how many documents."""
Seconds = dict[str, list[float]]
"""Arm -> seconds a document, one value a round."""


def interleaved(names: Sequence[str], rounds: int) -> Iterator[tuple[int, list[str]]]:
    """Number of the round and the order of its arms: each round begins with another one.

    Round 0 is for warming up; where there is but one other, it is left out.
    """
    for number in range(rounds == 1, rounds + 1):
        shift = number % len(names)
        yield number, [*names[shift:], *names[:shift]]


def race(
    arms: Mapping[str, Arm], rounds: int, prepare: Callable[[int], None], before: Callable[[], None]
) -> Seconds:
    """CPU seconds a document of every arm in every round; `prepare` is called with each round's number, and
    `before` before each arm.
    """
    seconds: Seconds = {name: [] for name in arms}
    for number, order in interleaved(list(arms), rounds):
        prepare(number)
        for name in order:
            before()
            gc.collect()
            gc.freeze()  # what the benchmark itself holds is none of the collector's work
            begun = time.process_time()
            documents = arms[name]()
            spent = (time.process_time() - begun) / documents
            if number:
                seconds[name].append(spent)
    return seconds


def rate(seconds: Sequence[float]) -> float:
    """Documents a second, by the median."""
    return 1 / median(seconds)


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """How often `faster` is done while `slower` is done once: the median over the rounds, in which both ran
    under the same conditions."""
    return median(a / b for a, b in zip(slower, faster, strict=True))
