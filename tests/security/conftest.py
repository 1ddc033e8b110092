"""What tests of secrecy share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from places import Place
from telling import PASSWORD

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))  # for `lab_simulation`


@pytest.fixture
def with_password(place: Place) -> Place:
    """The tests' PostgreSQL asks for no password, so any will do."""
    return Place(place.url.replace("//lab@", f"//lab:{PASSWORD}@"), place.schema, place.kind)
