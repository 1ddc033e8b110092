"""How pending documents are shared out among workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provenir_lab.processing.processor import spans_of


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 12))
def test_spans_cover_all_pieces_in_order_and_get_shorter(pieces: int, workers: int, longest: int) -> None:
    """A piece has ten ids and is followed by a gap of five."""
    found = spans_of([(15 * i, 15 * i + 9) for i in range(pieces)], workers, longest)
    lengths = [
        (span.last - span.first + 6) // 15 for span in found if span.last is not None is not span.first
    ]
    assert sum(lengths) == pieces
    assert lengths == sorted(lengths, reverse=True)
    assert all(1 <= length <= longest for length in lengths)
    assert [span.first for span in found] == [15 * sum(lengths[:i]) for i in range(len(found))]
    assert lengths[-workers:] == [1] * min(len(lengths), workers)


def test_where_there_are_few_all_workers_get_as_many() -> None:
    assert [(s.first, s.last) for s in spans_of([(1, 5), (6, 9), (10, 14), (15, 18)], 2, 10)] == [
        (1, 5), (6, 9), (10, 14), (15, 18),
    ]  # fmt: skip
