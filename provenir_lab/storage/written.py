"""Some of the documents of a database: those written, a sample of those stored; and who owns a contact."""

from __future__ import annotations

import random
from collections.abc import Collection

import sqlalchemy as sa

from provenir_lab.storage.database import reading
from provenir_lab.storage.ids import among, as_parameter
from provenir_lab.storage.keys import keys_of
from provenir_lab.storage.log import SUCCESS
from provenir_lab.storage.prefix import accept_any_bytes, decoded
from provenir_lab.storage.schema import Target, build_tables, log_table, source_table
from provenir_lab.storage.source import Document


def written_ids(engine: sa.Engine, target: Target, sample: int | None = None) -> list[int]:
    """app_ids of the documents logged as `success` that the source still has; with `sample`, about evenly
    spread ones, at most so many."""
    dialect = engine.dialect.name
    log, source = log_table(target, dialect), source_table(target, dialect)
    kept = sa.select(sa.literal(1)).where(source.c.app_id == log.c.app_id)
    ids = sa.select(log.c.app_id).where(log.c.status == SUCCESS, kept.exists()).distinct().subquery()
    with reading(engine) as connection:
        if sample is None:
            return list(connection.scalars(sa.select(ids.c.app_id).order_by(ids.c.app_id)))
        part = sa.func.ntile(sa.literal_column(str(int(sample)))).over(order_by=ids.c.app_id)
        cut = sa.select(ids.c.app_id, part.label("part")).subquery()
        first = sa.func.min(cut.c.app_id)
        return list(connection.scalars(sa.select(first).group_by(cut.c.part).order_by(first)))


def sample_ids(engine: sa.Engine, target: Target, count: int, seed: int) -> list[int]:
    """app_ids of `count` documents of the source table (or all, if it has fewer), spread over it by chance:
    one from each of `count` parts of near-equal size. Same seed and contents, same ids."""
    dialect = engine.dialect.name
    ids = sa.select(source_table(target, dialect).c.app_id).distinct().subquery()
    part = sa.func.ntile(sa.literal_column(str(int(count)))).over(order_by=ids.c.app_id)
    cut = sa.select(ids.c.app_id, part.label("part")).subquery()
    place = sa.func.row_number().over(partition_by=cut.c.part, order_by=cut.c.app_id).label("place")
    placed = sa.select(cut.c.app_id, cut.c.part, place).subquery()
    rng = random.Random(seed)
    with reading(engine) as connection:
        total = connection.scalar(sa.select(sa.func.count()).select_from(ids)) or 0
        chosen = rng.randrange(max(1, total // count)) + 1
        found = sa.select(placed.c.app_id).where(placed.c.place == chosen).order_by(placed.c.app_id)
        return list(connection.scalars(found))


def read_documents(engine: sa.Engine, target: Target, app_ids: Collection[int]) -> list[Document]:
    """The source documents of `app_ids`, by app_id; those that the source lacks are absent.

    As for processing, bytes that are no UTF-8 are kept as `decoded` keeps them, and of a repeated app_id the
    first counts.
    """
    dialect = engine.dialect.name
    source = source_table(target, dialect)
    app_id = source.c.app_id
    query = sa.select(app_id, source.c[target.source_column]).where(among(app_id, "ids", dialect))
    with reading(engine) as connection:
        accept_any_bytes(connection)
        found: dict[int, str | None] = {}
        for i, text in connection.execute(query.order_by(app_id), {"ids": as_parameter(app_ids, dialect)}):
            found.setdefault(i, decoded(text))
        return list(found.items())


def read_owners(engine: sa.Engine, target: Target, con_ids: Collection[int]) -> dict[int, int]:
    """con_id -> app_id, of those of `con_ids` that are in the tables."""
    dialect = engine.dialect.name
    keys = keys_of(target.tables, target.target_tables)
    if keys.contact is None:
        return {}
    metadata = build_tables({keys.contact: target.tables[keys.contact]}, target.schema, dialect)
    (contact,) = metadata.tables.values()
    con_id, owner = contact.c[keys.contact_key], contact.c[keys.owners[keys.contact]]
    query = sa.select(con_id, owner).where(among(con_id, "ids", dialect))
    with reading(engine) as connection:
        found = connection.execute(query, {"ids": as_parameter(con_ids, dialect)})
        return {row[0]: row[1] for row in found}
