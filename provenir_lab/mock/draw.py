"""Reproducible randomness: a stream of bytes that depends on its key alone.

SHAKE-128 rather than `random`: the same numbers on every Python version and platform, cheap to start at any
document, and nothing to share between processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_128
from typing import TypeVar

T = TypeVar("T")

_FIRST = 1024


class Draw:
    """Random numbers from the key `key`: equal keys give equal sequences of equal calls."""

    __slots__ = ("_at", "_bytes", "_hash")

    def __init__(self, key: str) -> None:
        self._hash = shake_128(key.encode("utf-8"))
        self._bytes = self._hash.digest(_FIRST)
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._at + count
        if end > len(self._bytes):
            self._bytes = self._hash.digest(2 * end)  # a longer digest starts with the shorter one
        found = self._bytes[self._at : end]
        self._at = end
        return found

    def below(self, limit: int) -> int:
        """An integer of 0..limit-1 (limit up to some 10^15 without noticeable bias)."""
        return int.from_bytes(self.take(8), "little") % limit

    def fraction(self) -> float:
        """A number of [0, 1)."""
        return (int.from_bytes(self.take(8), "little") >> 11) / (1 << 53)

    def chance(self, share: float) -> bool:
        """True in `share` of all calls."""
        return self.fraction() < share

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]
