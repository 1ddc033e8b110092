"""Where a contract's documents and tables are: its plain tables, and the target in a database."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from provenir_lab.errors import UsageError
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.derived import enum_rows, tables_for
from provenir_lab.storage.database import reading
from provenir_lab.storage.keys import keys_of
from provenir_lab.storage.preflight import preflight
from provenir_lab.storage.schema import ENUM_TABLE, LOG_TABLE, Target
from provenir_lab.tables import NAME, NAME_RULE


def target_of(contract: Contract, schema: str | None = None) -> Target:
    """The contract's place in a database; `schema` None: the contract's own.

    Raises UsageError for what cannot be the name of a schema.
    """
    if schema and not NAME.fullmatch(schema):
        raise UsageError(f"schema {schema!r}: {NAME_RULE}")
    return Target(
        schema or contract.schema, tables_for(contract), contract.source_table, contract.source_column
    )


def require_tables(engine: sa.Engine, target: Target, contract: Contract, where: str) -> None:
    """Raises UsageError if the log or the documents are missing: where no table is there, nothing can be
    processed yet, and where the applications are missing too, the place is another contract's. Else it is
    a PreflightError with every difference, as of `fitted`."""
    schema = None if engine.dialect.name == "sqlite" else target.schema
    source_schema, _, source = target.source_table.rpartition(".")
    with reading(engine) as connection:
        inspector = sa.inspect(connection)
        has_log = inspector.has_table(LOG_TABLE, schema=schema)
        has_documents = inspector.has_table(source, schema=schema and (source_schema or schema))
        if has_log and has_documents:
            return
        there = [name for name in target.target_tables if inspector.has_table(name, schema=schema)]
    place = f"{where}, schema {schema}," if schema else where
    if not (has_log or has_documents or there):
        raise UsageError(f"{place} holds no lab tables yet: run provenir-lab init")
    if has_log and keys_of(target.tables, target.target_tables).base not in there:
        raise UsageError(
            f"{place} holds no table {source}: name the contract it was made for with --contract"
        )
    fitted(engine, target, contract, where)


def fitted(engine: sa.Engine, target: Target, contract: Contract, where: str) -> Target:
    """`target` with the limits of the real tables, so that the mapper rejects what they cannot hold.

    Raises PreflightError listing everything in which contract and database do not fit together.
    """
    columns = {table: contract.columns_of(table) for table in contract.tables}
    codes = [code for code, *_ in enum_rows(contract)] if ENUM_TABLE in target.tables else []
    return replace(target, tables=preflight(engine, target, columns, codes, where))
