"""Where experiments run: a lab database, with the contract and the tables that belong to it."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from provenir_lab.errors import UsageError
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.derived import enum_rows
from provenir_lab.mapping.loading import load_contract
from provenir_lab.processing.place import target_of
from provenir_lab.settings import Database, Settings
from provenir_lab.storage.database import masked, open_engine, sqlite_path
from provenir_lab.storage.schema import Marker, Target, create_lab, is_lab


@dataclass(frozen=True)
class Place:
    """A lab database. The URL may hold a password: it goes to processes through a pipe and into no file."""

    name: str
    url: str = field(repr=False)
    schema: str | None
    contract_file: str | None
    contract: Contract
    target: Target

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` needs, in plain values; with the URL."""
        return {
            "name": self.name,
            "url": self.url,
            "schema": self.schema,
            "contract_file": self.contract_file,
        }

    def engine(self) -> sa.Engine:
        return open_engine(self.url, Settings())

    def require_lab(self) -> None:
        """Raises UsageError unless the database is a lab: only there may rows be cleared between runs."""
        engine = self.engine()
        try:
            lab = is_lab(engine, self.target)
        finally:
            engine.dispose()
        if not lab:
            raise UsageError(
                f"{masked(self.url)} is no lab, and experiments clear tables between runs: make one in an"
                " empty schema with provenir-lab init"
            )


def ensure_lab(place: Place) -> None:
    """Makes the lab if the place is a SQLite file that does not exist yet; else does nothing."""
    engine = place.engine()
    try:
        if engine.dialect.name == "sqlite" and not sqlite_path(engine).exists():
            now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
            marker = Marker(secrets.token_hex(8), now, place.contract.fingerprint)
            create_lab(engine, place.target, enum_rows(place.contract), marker)
    finally:
        engine.dispose()


def open_place(database: Database, contract_file: str | Path | None = None) -> Place:
    """The place that `database` and a contract make. Raises ContractError for a contract that cannot be
    used.
    """
    contract = load_contract(contract_file)
    target = target_of(contract, database.schema)
    file = None if contract_file is None else str(Path(contract_file).resolve())
    return Place(database.name, database.url, database.schema, file, contract, target)


def from_dict(values: dict[str, Any]) -> Place:
    """A place from what `Place.to_dict` gave, in another process."""
    database = Database(values["name"], values["url"], values["schema"])
    return open_place(database, values["contract_file"])
