"""From the source to batches that are ready to be written: fetching, parsing, mapping."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from provenir_lab.errors import Rejected, TransientError
from provenir_lab.mapping.document import MB, Document, too_large
from provenir_lab.mapping.plan import Mapper
from provenir_lab.processing.commit import Document as Mapped
from provenir_lab.processing.commit import Failure
from provenir_lab.processing.patience import Patience
from provenir_lab.settings import Settings
from provenir_lab.storage.prefix import Need, Prefix, PrefixLength
from provenir_lab.storage.source import Pending

PARSED_AT_ONCE = 10
"""Documents whose elements are in memory together."""
REREAD_AT_ONCE = 20
REREAD_MB = 64
"""At most so many documents, and million bytes of them, per query when prefixes were too short."""

_OUT_OF_MEMORY = Rejected("too_large", "the document needs more memory than there is")


@dataclass
class Page:
    """Documents as they were read, in app_id order."""

    documents: Sequence[Prefix]
    seconds: dict[str, float]
    """What reading them took: stages `fetch` and `wait`."""


@dataclass
class Batch:
    """What one page became, with the seconds that each stage took."""

    documents: list[Mapped] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unknown_codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    characters_read: int = 0
    """Of all texts, those that were read a second time twice."""
    bytes_parsed: int = 0
    """What was parsed of the documents that could be, as UTF-8."""
    needs: list[Need] = field(default_factory=list)
    """Of the same documents, how much of each it took."""


class Preparation:
    """Reads and maps the pending documents of one span. A context manager: it may own threads."""

    def __init__(
        self,
        mapper: Mapper,
        pending: Callable[[int | None], Pending],
        settings: Settings,
        length: PrefixLength,
        patience: Callable[[Callable[[float], None]], Patience],
    ) -> None:
        """`pending` gives the pending documents from an app_id on; `length` is how much of a text is read at
        first, it learns from span to span; `patience` makes a new one, for each kind of work, of how to
        sleep."""
        self._mapper = mapper
        self._pending = pending
        self._batch_size = settings.batch_size
        self._patience = patience
        self._length = length if settings.fetch == "prefix" and settings.parse_mode == "selective" else None
        self._max_bytes = settings.max_document_mb * MB
        self._threads = ThreadPoolExecutor(settings.parse_threads) if settings.parse_threads else None
        self._thread_count = settings.parse_threads
        self._stopped = threading.Event()

    def __enter__(self) -> Preparation:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """Ends, from any thread, mapping and the pause before the database is tried again."""
        self._stopped.set()

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)
        self._check()

    def _check(self) -> None:
        if self._stopped.is_set():
            raise InterruptedError("preparing was told to stop")

    def pages(self, first: int | None = None, limit: int | None = None) -> Iterator[Page]:
        """Pages of at most a batch each, from app_id `first` on, at most `limit` documents in all.

        A database that fails in passing is waited for; then reading goes on behind the last page. Where
        memory ends, documents are read one at a time, soon more again.
        """
        patience = self._patience(self._pause)
        waiting = 0.0
        size, alone = self._batch_size, False
        while True:
            begun = time.perf_counter()
            try:
                for documents in self._unread(first) if alone else self._read(first, limit, size):
                    yield Page(documents, {"fetch": time.perf_counter() - begun, "wait": waiting})
                    patience.reset()
                    waiting = 0.0
                    first = documents[-1].app_id + 1
                    limit = None if limit is None else limit - len(documents)
                    del documents  # its texts go before those of the next page come
                    begun = time.perf_counter()
                    if alone or size < self._batch_size:
                        size, alone = min(2 * size, self._batch_size), False
                        break
                else:
                    return
            except TransientError as error:
                waiting += patience.wait(error)
            except MemoryError:
                size, alone = 1, size == 1

    def batch(self, page: Page) -> Batch:
        """The page's documents as rows, or as failures; both in app_id order."""
        clock = time.perf_counter
        batch = Batch(characters_read=sum(len(document.text or "") for document in page.documents))
        seconds = {**page.seconds, "parse": 0.0, "map": 0.0}
        short: list[Prefix] = []
        for documents in self._parts(page.documents):
            self._check()
            begun = clock()
            parsed = self._parse(documents)
            seconds["parse"] += clock() - begun
            begun = clock()
            for document, found in zip(documents, parsed, strict=True):
                if found is None:
                    short.append(document)
                else:
                    batch.needs += _need(found, document.text, document.size)
                    self._map(document.app_id, found, batch)
            seconds["map"] += clock() - begun
        if short:
            self._map_whole(short, batch, seconds)
        if self._length is not None:
            self._length.learn(batch.needs)
        batch.seconds = seconds
        batch.unknown_codes.update(self._mapper.unknown_codes)
        self._mapper.unknown_codes.clear()
        return batch

    def _parts(self, documents: Sequence[Prefix]) -> Iterator[Sequence[Prefix]]:
        """A few documents at a time, so that what was parsed is mapped while it is warm in the processor's
        cache; threads get the whole page to share."""
        size = PARSED_AT_ONCE if self._threads is None else max(1, len(documents))
        for start in range(0, len(documents), size):
            yield documents[start : start + size]

    def _map_whole(self, short: list[Prefix], batch: Batch, seconds: dict[str, float]) -> None:
        """Reads, parses and maps the documents whose beginning was not enough."""
        clock = time.perf_counter
        portions = deque(_portions(short))
        while portions:
            portion = portions.popleft()
            try:
                parsed = self._parse_whole(portion, batch, seconds)
            except MemoryError:
                if len(portion) > 1:
                    portions.extendleft([app_id] for app_id in portion)
                else:
                    self._map(portion[0], _OUT_OF_MEMORY, batch)
                continue
            begun = clock()
            for app_id, found in parsed:
                self._map(app_id, found, batch)
            seconds["map"] += clock() - begun
            del parsed  # goes before the next portion comes
        batch.documents.sort(key=lambda document: document[0])
        batch.failures.sort(key=lambda failure: failure[0])

    def _parse_whole(
        self, app_ids: list[int], batch: Batch, seconds: dict[str, float]
    ) -> list[tuple[int, Document | Rejected]]:
        """Each document by its app_id; one that is gone from the source by now is left out."""
        clock = time.perf_counter
        begun = clock()
        whole, waited = self._whole(app_ids)
        read = clock()
        parsed = [(app_id, self._parse_text(text)) for app_id, text in whole.items()]
        for text, (_, found) in zip(whole.values(), parsed, strict=True):
            size = len(text or "")
            batch.characters_read += size
            batch.needs += _need(found, text, size)
        seconds["fetch"] += read - begun - waited
        seconds["wait"] += waited
        seconds["parse"] += clock() - read
        return parsed

    def _read(self, first: int | None, limit: int | None, size: int) -> Iterator[Sequence[Prefix]]:
        pending = self._pending(first)
        if self._length is not None:
            return pending.prefix_pages(size, limit, self._length)
        return pending.pages(size, limit, self._max_bytes)

    def _unread(self, first: int | None) -> Iterator[Sequence[Prefix]]:
        """The next document without its text, for which alone there is too little memory."""
        app_id = self._pending(first).next_id()
        if app_id is not None:
            yield [Prefix(app_id, None, False, 0)]

    def _whole(self, app_ids: list[int]) -> tuple[dict[int, str | None], float]:
        """The whole texts of documents, and the seconds for which the database had to be waited for."""
        patience = self._patience(self._pause)
        waited = 0.0
        while True:
            try:
                return self._pending(None).whole(app_ids), waited
            except TransientError as error:
                waited += patience.wait(error)

    def _parse(self, documents: Sequence[Prefix]) -> list[Document | Rejected | None]:
        if self._threads is None:
            return self._parse_part(documents)
        share = max(1, -(-len(documents) // self._thread_count))
        parts = [documents[start : start + share] for start in range(0, len(documents), share)]
        return [one for part in self._threads.map(self._parse_part, parts) for one in part]

    def _parse_part(self, documents: Sequence[Prefix]) -> list[Document | Rejected | None]:
        return [self._parse_prefix(document) for document in documents]

    def _parse_prefix(self, document: Prefix) -> Document | Rejected | None:
        """The parsed document, why it cannot be parsed, or None if only the whole text can tell."""
        if document.size > self._max_bytes:
            return too_large(document.size, self._max_bytes)
        if document.complete:
            return self._parse_text(document.text)
        if document.text is None:
            return _OUT_OF_MEMORY
        found = self._parse_text(document.text)
        return found if isinstance(found, Document) and found.root is not None else None

    def _parse_text(self, text: str | None) -> Document | Rejected:
        try:
            return self._mapper.parse(text)
        except Rejected as rejected:
            # anew: the traceback of that one would keep the whole page until cycles are collected
            return Rejected(rejected.category, rejected.reason)
        except MemoryError:
            return _OUT_OF_MEMORY

    def _map(self, app_id: int, found: Document | Rejected, batch: Batch) -> None:
        if isinstance(found, Rejected):
            batch.failures.append((app_id, found.category, found.reason))
            return
        batch.bytes_parsed += len(found.data)
        try:
            batch.documents.append((app_id, self._mapper.rows(found, app_id)))
        except Rejected as rejected:
            batch.failures.append((app_id, rejected.category, rejected.reason))
        except MemoryError:
            batch.failures.append((app_id, _OUT_OF_MEMORY.category, _OUT_OF_MEMORY.reason))


def _need(found: Document | Rejected, text: str | None, size: int) -> list[Need]:
    """What a document took of its `text`, with what stands before the first tag; nothing of a refused one."""
    if text is None or isinstance(found, Rejected):
        return []
    return [Need(text.index("<") + len(found.data), size)]


def _portions(documents: Sequence[Prefix]) -> Iterator[list[int]]:
    """app_ids of documents that are read again whole, a few and not too many bytes at a time."""
    portion: list[int] = []
    room = REREAD_MB * MB
    for document in documents:
        if portion and (len(portion) == REREAD_AT_ONCE or document.size > room):
            yield portion
            portion, room = [], REREAD_MB * MB
        portion.append(document.app_id)
        room -= document.size
    if portion:
        yield portion
