"""Items made ahead in a thread: none lost, none reordered, and no thread left behind."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labs import documents, new_lab

from provenir_lab import Lab
from provenir_lab.errors import TransientError
from provenir_lab.mapping.plan import Mapper
from provenir_lab.processing import pipeline
from provenir_lab.processing.pipeline import ahead
from provenir_lab.storage.source import Pending


def threads() -> int:
    return sum(thread.name == "ahead" for thread in threading.enumerate())


@given(st.lists(st.integers(), max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_all_items_arrive_in_order_through_two_stages(items: list[int], first: int, second: int) -> None:
    doubled = ahead((2 * item for item in ahead(items, first)), second)
    assert list(doubled) == [2 * item for item in items]
    assert threads() == 0


def test_it_runs_ahead_but_not_further_than_asked() -> None:
    made: list[int] = []
    enough = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for item in range(100):
            made.append(item)
            enough.release()
            yield item

    stream = ahead(items(), 3)
    assert next(stream) == 0
    for _ in range(5):  # the one taken, three in the queue, one at its door
        assert enough.acquire(timeout=10)
    assert not enough.acquire(timeout=0.3)
    assert made == [0, 1, 2, 3, 4]
    stream.close()
    assert threads() == 0


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the source went away")

    seen: list[int] = []
    with pytest.raises(OSError, match="went away"):
        for item in ahead(items(), 1):
            seen.append(item)
    assert seen == [1, 2]
    assert threads() == 0


def test_a_consumer_that_stops_ends_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    with pytest.raises(KeyboardInterrupt):
        for item in ahead(items(), 2):
            if item == 5:
                raise KeyboardInterrupt
    assert closed.wait(timeout=10)
    assert threads() == 0


def test_an_item_that_cannot_be_told_to_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "LONGEST_END", 0.1)
    released = threading.Event()
    left: list[threading.Thread] = []

    def items() -> Iterator[int]:
        yield 1
        left.append(threading.current_thread())
        released.wait()
        yield 2

    stream = ahead((2 * item for item in ahead(items(), 1)), 1)
    assert next(stream) == 2
    while not left:
        threading.Event().wait(0.01)
    stream.close()
    assert left[0].is_alive()
    released.set()
    left[0].join(timeout=10)
    assert not left[0].is_alive()


def test_it_is_told_again_to_end_if_it_did_not_hear() -> None:
    asked: list[int] = []
    ended = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        ended.wait()

    def end() -> None:
        asked.append(1)
        if len(asked) == 3:
            ended.set()

    stream = ahead(items(), 1, end)
    next(stream)
    stream.close()
    assert len(asked) == 3
    assert threads() == 0


def test_mapping_ahead_ends_within_its_batch(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab(sqlite_url, documents(300))
    rows, mapped = Mapper.rows, 0

    def interrupting(*arguments: Any) -> Any:
        nonlocal mapped
        mapped += 1
        if mapped == 20:
            _thread.interrupt_main()
        if mapped >= 20:
            threading.Event().wait(0.05)
        return rows(*arguments)

    monkeypatch.setattr(Mapper, "rows", interrupting)
    with pytest.raises(KeyboardInterrupt):
        lab.process(prefetch=1, workers=1)
    assert threads() == 0
    assert mapped < 300
    monkeypatch.undo()
    assert lab.process().succeeded == 300


def test_reading_ahead_that_waits_for_the_database_ends_when_the_run_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only when its patience ends: after 60 seconds, and nearly twenty attempts."""
    lab = Lab(f"sqlite:///{(tmp_path / 'lab.db').as_posix()}")
    lab.init()
    lab.generate(3)
    attempts: list[int] = []

    def fails(*_: object) -> NoReturn:
        attempts.append(1)
        if len(attempts) == 1:
            _thread.interrupt_main()
        raise TransientError("the server is restarting")

    monkeypatch.setattr(Pending, "prefix_pages", fails)
    with pytest.raises(KeyboardInterrupt):
        lab.process(prefetch=1, workers=1)
    assert threads() == 0
    assert len(attempts) < 10
