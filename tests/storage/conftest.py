"""A lab on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from places import Place
from storage_rows import ENUM_ROWS, MARKER, TABLES, Lab

from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine
from provenir_lab.storage.schema import Target, create_lab


@pytest.fixture
def engine(place: Place) -> Iterator[sa.Engine]:
    """An engine to an empty place."""
    engine = open_engine(place.url, Settings())
    yield engine
    engine.dispose()


@pytest.fixture
def target(place: Place) -> Target:
    return Target(place.schema, TABLES)


@pytest.fixture
def lab(engine: sa.Engine, target: Target) -> Lab:
    """A lab without documents."""
    create_lab(engine, target, ENUM_ROWS, MARKER)
    return Lab(engine, target)
