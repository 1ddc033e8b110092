"""What tests of secrecy share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from places import Place
from witness import PASSWORD


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    logger = logging.getLogger("provenir_lab")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate, level = before
    logger.setLevel(level)


@pytest.fixture
def with_password(place: Place) -> Place:
    """The tests' PostgreSQL asks for no password, so any will do."""
    return Place(place.url.replace("//lab@", f"//lab:{PASSWORD}@"), place.schema, place.kind)
