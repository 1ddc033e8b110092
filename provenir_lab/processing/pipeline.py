"""Steps of the work overlapped: each in a thread of its own, through bounded queues, order kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.1
"""How soon a thread that waits for room, or for an item, looks whether it should end."""
LONGEST_END = 5.0
"""Seconds for which a thread may go on with what cannot be told to end, before it is left behind."""


class _End:
    """Behind the last item; with the error that ended the items, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(
    items: Iterable[T], depth: int, at_end: Callable[[], None] = lambda: None
) -> Generator[T, None, None]:
    """`items`, made in another thread up to `depth` items before they are asked for.

    None is lost and none overtakes another. What `items` raises is raised here, after the items before it.
    However this generator ends, the thread has ended before it, or ends with the item that it is at;
    `at_end` is called again and again until then, so that items which take long can be told to end.
    """
    ready: Queue[T | _End] = Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=_POLL_SECONDS)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        iterator = iter(items)
        try:
            while put(next(iterator)):
                pass
        except StopIteration:
            put(_End())
        except BaseException as error:
            put(_End(error))
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()  # a generator ends in the thread that ran it

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    try:
        thread.start()  # may be interrupted when the thread has begun
        while True:
            try:
                item = ready.get(timeout=_POLL_SECONDS)
            except Empty:
                continue  # on Windows only a wait with an end can be interrupted
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item  # what it holds goes before the next one comes
    finally:
        stop.set()
        at_end()
        deadline = time.monotonic() + LONGEST_END
        while thread.is_alive() and time.monotonic() < deadline:
            at_end()  # the item may just have been between two things that can be ended
            thread.join(_POLL_SECONDS)
