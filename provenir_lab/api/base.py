"""What every verb of `Lab` stands on: one database, one contract, settings to start from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from provenir_lab.errors import UsageError
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.loading import load_contract
from provenir_lab.processing.place import require_tables, target_of
from provenir_lab.progress import Progress, shown_progress
from provenir_lab.settings import Database, Settings, find_database
from provenir_lab.storage.database import masked, open_engine, reach
from provenir_lab.storage.schema import is_lab

File = str | Path


class Place:
    """Database, contract and settings; each use opens and closes its connections."""

    def __init__(
        self,
        database: str | Database | None = None,
        *,
        contract: File | None = None,
        schema: str | None = None,
        settings: Settings | None = None,
        progress: Progress | None = None,
    ) -> None:
        found = database if isinstance(database, Database) else find_database(database)
        self.database = replace(found, schema=schema or found.schema)
        self.contract: Contract = load_contract(contract)
        self.settings = settings or Settings()
        self.target = target_of(self.contract, self.database.schema)
        self._contract_file = contract
        self._progress = progress

    def __repr__(self) -> str:
        return f"Lab({masked(self.database.url)!r}, contract={self.contract.name!r})"

    def _require_tables(self) -> None:
        """Fails early, before anything is shown or started."""
        with self._ready_engine():
            pass

    @contextmanager
    def _engine(self, *, read_only: bool = False) -> Iterator[sa.Engine]:
        """An engine of a database that answers. Raises as `reach` does, with place and advice."""
        engine = open_engine(self.database.url, self.settings, read_only=read_only)
        try:
            reach(engine, masked(self.database.url))
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def _ready_engine(self) -> Iterator[sa.Engine]:
        """An engine of a database that holds the lab's tables, or a user's own with the same names."""
        with self._engine() as engine:
            require_tables(engine, self.target, self.contract, masked(self.database.url))
            yield engine

    @contextmanager
    def _lab_engine(self) -> Iterator[sa.Engine]:
        """An engine of a lab: only there are documents added."""
        with self._ready_engine() as engine:
            if not is_lab(engine, self.target):
                raise UsageError(
                    f"{masked(self.database.url)} is no lab, and documents are added to labs only: "
                    "make one in an empty schema with provenir-lab init"
                )
            yield engine

    @contextmanager
    def _showing(self) -> Iterator[Progress]:
        if self._progress is not None:
            yield self._progress
        else:
            with shown_progress() as progress:
                yield progress
