"""Memory: flat over many documents, bounded for one that is too large. Each case in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from building import BOTH, rows, sample, shipped
from mapping_memory import large_document

SCRIPT = Path(__file__).with_name("mapping_memory.py")
NIGHTLY = os.environ.get("PROVENIR_LAB_NIGHTLY") == "1"


def measured(*arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("letter", ["x", "é", "日"])
@pytest.mark.parametrize("parse_mode", BOTH)
def test_a_document_of_40_mb_is_refused_unread(parse_mode: str, letter: str) -> None:
    found = measured("large", parse_mode, 16, letter)
    assert found["category"] == "too_large"
    assert found["peak"] - found["before"] < 5


@pytest.mark.parametrize("parse_mode", BOTH)
def test_a_document_of_40_mb_is_mapped_where_the_limit_allows(parse_mode: str) -> None:
    text = large_document()
    assert len(text) > 40_000_000
    assert rows(shipped(parse_mode, 50), text) == rows(shipped(), sample("two-contacts"))


def test_memory_stays_flat_over_many_documents() -> None:
    """The first thousand fill the caches; from then on it makes no difference how many there are."""
    found = measured("stream", 100_000 if NIGHTLY else 3_000)
    assert found["rows"] > 40_000
    assert found["peak"] - found["before"] < 4
