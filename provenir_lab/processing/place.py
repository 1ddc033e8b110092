"""Where a contract's documents and tables are: its plain tables, and the target in a database."""

from __future__ import annotations

import sqlalchemy as sa

from provenir_lab.errors import UsageError
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.derived import tables_for
from provenir_lab.storage.database import reading
from provenir_lab.storage.schema import LOG_TABLE, Target


def target_of(contract: Contract, schema: str | None = None) -> Target:
    """The contract's place in a database; `schema` None: the contract's own."""
    return Target(
        schema or contract.schema, tables_for(contract), contract.source_table, contract.source_column
    )


def require_tables(engine: sa.Engine, target: Target, where: str) -> None:
    """Raises UsageError if the log is missing: the sign of a place where nothing can be processed yet."""
    schema = None if engine.dialect.name == "sqlite" else target.schema
    with reading(engine) as connection:
        found = sa.inspect(connection).has_table(LOG_TABLE, schema=schema)
    if not found:
        place = f"{where}, schema {schema}," if schema else where
        raise UsageError(f"{place} holds no lab tables yet: run provenir-lab init")
