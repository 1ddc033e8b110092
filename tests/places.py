"""Where a test may make its lab."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """An empty database, or schema, of a test's own."""

    url: str
    schema: str | None
    kind: str
    """sqlite, postgresql or mssql."""
