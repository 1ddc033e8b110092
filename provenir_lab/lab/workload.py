"""The documents of an experiment: put into a range of app_ids of their own, described, and proved.

Generated documents take app_ids from `FIRST_APP_ID` on. Whatever lies there belongs to the experiments and is
replaced; documents with other app_ids are neither touched nor measured, unless the profile is `stored`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from provenir_lab.errors import LabError, UsageError
from provenir_lab.lab.experiment import Documents
from provenir_lab.lab.place import Place
from provenir_lab.mock import MockDocument, generate
from provenir_lab.storage.database import reading, writing
from provenir_lab.storage.schema import Target, source_table
from provenir_lab.storage.source import store_documents

FIRST_APP_ID = 400_000_001
_FIRST_TRY = 200
_TRIES = 6
_SPARE = 1.15
"""How much longer than it must a run shall last, by what is known so far."""


@dataclass(frozen=True)
class Workload:
    """Documents with app_ids `first` to `last`, both included; `characters` is the sum of their lengths."""

    documents: Documents
    first: int
    last: int
    count: int
    characters: int
    sizes: tuple[int, ...] = field(repr=False)
    """Characters of each document."""

    @property
    def passport(self) -> dict[str, Any]:
        """Profile, seed, count and sizes: what a result rests on."""
        stored = self.documents.profile == "stored"
        return {
            "profile": self.documents.profile,
            "seed": None if stored else self.documents.seed,
            "count": self.count,
            "duplicate_contacts": None if stored else self.documents.duplicate_contacts,
            "characters_mean": round(statistics.fmean(self.sizes)),
            "characters_median": round(statistics.median(self.sizes)),
            "characters_largest": max(self.sizes),
        }


def prepare(place: Place, documents: Documents, count: int, known: Workload | None = None) -> Workload:
    """Puts `count` documents of the experiment in place, instead of those of the last one.

    `known`: what this session has put there before; if it is the beginning of what is wanted, only the
    rest is made. Raises UsageError if the profile is `stored` and the database holds none.
    """
    engine = place.engine()
    try:
        if documents.profile == "stored":
            return _stored(engine, place.target, documents, count)
        same = known is not None and _kind(known.documents) == _kind(documents) and known.count <= count
        if not same or documents.duplicate_contacts:  # whose contact is shared depends on where a run starts
            known = None
        return _generated(engine, place.target, documents, count, known)
    finally:
        engine.dispose()


def _kind(documents: Documents) -> tuple[str, int, float]:
    return documents.profile, documents.seed, documents.duplicate_contacts


def stored_documents(engine: sa.Engine, target: Target, first: int, last: int) -> tuple[int, int]:
    """How many documents the range of app_ids holds, and how many characters they have."""
    table = source_table(target, engine.dialect.name)
    text = table.c[target.source_column]
    length = sa.func.sum(sa.cast(sa.func.char_length(text), sa.BigInteger))
    query = sa.select(sa.func.count(), sa.func.coalesce(length, 0)).where(table.c.app_id.between(first, last))
    with reading(engine) as connection:
        count, characters = connection.execute(query).one()
    return int(count), int(characters)


def count_for(
    documents: Documents,
    fewest: int,
    seconds_for: Callable[[int], float],
    available: int | None = None,
    pace: float | None = None,
) -> int:
    """How many documents make a run of the baseline last `min_seconds`; at least `fewest`.

    `seconds_for(count)` runs the baseline once. `available` bounds the count (stored documents). A known
    `pace`, in documents a second, tells where to begin.
    """
    likely = math.ceil(_SPARE * documents.min_seconds * pace / 100) * 100 if pace else 0
    count = max(_FIRST_TRY, fewest, likely)
    for _ in range(_TRIES):
        count = count if available is None else min(count, available)
        seconds = seconds_for(count)
        if seconds >= documents.min_seconds or count == available:
            return count
        growth = min(20.0, _SPARE * documents.min_seconds / max(seconds, 0.001))
        count = math.ceil(count * max(growth, 1.1) / 100) * 100
    raise LabError(
        f"even {count} documents do not make a run last {documents.min_seconds:g} s; set documents.count"
    )


def _generated(
    engine: sa.Engine, target: Target, documents: Documents, count: int, known: Workload | None
) -> Workload:
    sizes = list(known.sizes) if known else []
    campaigns: set[str] = set()

    def texts(made: Iterator[MockDocument]) -> Iterator[tuple[int, str]]:
        for document in made:
            sizes.append(len(document.text))
            campaigns.add(document.campaign_num)
            yield document.app_id, document.text

    table = source_table(target, engine.dialect.name)
    start = FIRST_APP_ID + len(sizes)
    made = generate(
        count - len(sizes),
        seed=documents.seed,
        profile=documents.profile,
        start_app_id=start,
        duplicate_contacts=documents.duplicate_contacts,
    )
    with writing(engine) as connection:
        connection.execute(sa.delete(table).where(table.c.app_id >= start))
        store_documents(connection, target, texts(made), campaigns)
    last = FIRST_APP_ID + count - 1
    found = stored_documents(engine, target, FIRST_APP_ID, last)
    return Workload(documents, FIRST_APP_ID, last, *found, tuple(sizes))


def stored_count(place: Place) -> int:
    """How many documents the database holds that are not an experiment's."""
    engine = place.engine()
    try:
        return stored_documents(engine, place.target, 1, FIRST_APP_ID - 1)[0]
    finally:
        engine.dispose()


def _stored(engine: sa.Engine, target: Target, documents: Documents, count: int) -> Workload:
    table = source_table(target, engine.dialect.name)
    lengths = sa.func.char_length(table.c[target.source_column])
    chosen = sa.select(table.c.app_id, lengths).where(table.c.app_id.between(1, FIRST_APP_ID - 1))
    with reading(engine) as connection:
        rows = connection.execute(chosen.order_by(table.c.app_id).limit(count)).all()
    if not rows:
        raise UsageError("the database holds no documents to measure on; load or generate some first")
    first, last = rows[0][0], rows[-1][0]
    found = stored_documents(engine, target, first, last)
    return Workload(documents, first, last, *found, tuple(int(size or 0) for _, size in rows))
