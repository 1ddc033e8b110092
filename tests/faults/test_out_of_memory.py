"""A document that needs more memory than there is: it fails `too_large`, and all others are written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import limited_memory
import pytest
from labs import FIRST_ID, digests, documents, execute, failed, new_lab, put
from limited_memory import greedy

COUNT = 60
_NO_MEMORY = {f"the {who} needs more memory than there is" for who in ("parser", "document")}
GREEDY = FIRST_ID + 33


def huge(text: str, size: int) -> str:
    """`size` bytes of text behind the mapped part, of which there is too little memory to see them all."""
    return text + "<!--" + "y" * size + "-->"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits the address space")
@pytest.mark.parametrize(
    ("bad", "options", "reasons"),
    [
        (partial(greedy, size=14_000_000), ["--workers=1"], _NO_MEMORY),
        (partial(greedy, size=9_900_000), ["--workers=2"], _NO_MEMORY),
        (partial(huge, size=250_000_000), ["--workers=1"], {"250.0 MB or more, max_document_mb is 16"}),
        (partial(huge, size=250_000_000), ["--workers=1", "--set=fetch=whole"], _NO_MEMORY),
    ],
    ids=["in the parser, mostly", "in this program, mostly", "not even read", "in the driver"],
)
def test_the_document_fails_and_all_others_are_written(
    sqlite_url: str, tmp_path: Path, bad: Callable[[str], str], options: list[str], reasons: set[str]
) -> None:
    made = {d.app_id: d.text for d in documents(COUNT)}
    made[GREEDY] = bad(made[GREEDY])
    lab = new_lab(sqlite_url)
    put(lab, made.items(), {d.campaign_num for d in documents(COUNT)})
    arguments = ["process", "--json", "--quiet", "--database", sqlite_url, *options]
    settings = ["--set=stop_after_failures=10", "--batch-size=10", "--metrics", str(tmp_path / "runs")]
    ended = subprocess.run(
        [sys.executable, limited_memory.__file__, *arguments, *settings],
        capture_output=True,
        text=True,
        check=False,
        env=limited_memory.environment(),
    )
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert (outcome["succeeded"], outcome["failed"]) == (COUNT - 1, {"too_large": 1})
    assert outcome["worker_deaths"] == 0
    ((app_id, (category, reason)),) = failed(lab).items()
    assert (app_id, category) == (GREEDY, "too_large")
    assert reason in reasons
    neighbours = new_lab(f"sqlite:///{tmp_path / 'neighbours.db'}", documents(COUNT))
    execute(neighbours, f"DELETE FROM app_xml WHERE app_id = {GREEDY}")
    neighbours.process()
    found, expected = digests(lab), digests(neighbours)
    assert {table for table in expected if found[table] != expected[table]} == {"processing_log"}
