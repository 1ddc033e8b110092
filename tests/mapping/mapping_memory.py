"""Run by test_limits in a process of its own: maps something and prints the peak of its memory, in MB.

    python mapping_memory.py stream COUNT             that many generated documents, compact ones
    python mapping_memory.py large MODE LIMIT LETTER  one document of 40 million such letters

Prints JSON: `rows` or `category`; the peak of the memory so far `before` (after the first thousand; with
the large one in memory, not yet mapped), and at the end (`peak`).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import psutil

from provenir_lab.errors import Rejected
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.mock import generate
from provenir_lab.tables import packaged_tables

MB = 1_000_000


def peak() -> float:
    """Of the process's whole life."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return float(info.peak_wset) / MB
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1) / MB


def stream(count: int) -> dict[str, object]:
    mapper = compile_mapper(load_contract(), packaged_tables())
    rows = 0
    before = 0.0
    for index, document in enumerate(generate(count, seed=5, profile="compact")):
        rows += sum(map(len, mapper.map(document.text, document.app_id).values()))
        if index == 1_000:
            before = peak()
    return {"rows": rows, "before": before}


def large(parse_mode: str, limit: int, letter: str) -> dict[str, object]:
    contract = load_contract()
    mapper = compile_mapper(contract, packaged_tables(), parse_mode=parse_mode, max_document_mb=limit)
    text = large_document(letter)
    before = peak()
    try:
        return {"rows": sum(map(len, mapper.map(text).values())), "before": before}
    except Rejected as rejected:
        return {"category": rejected.category, "before": before}


def large_document(letter: str = "x") -> str:
    """40 MB or more: a sample with reports behind CustData and comments inside, in pieces that the parser
    takes. Put together so that it is the only large thing in memory."""
    sample = (Path(__file__).parents[1] / "data" / "samples" / "two-contacts.xml").read_text(encoding="utf-8")
    start, inside, behind = re.split("(?=</application>)|(?=</Reports>)", sample, maxsplit=2)
    piece = f"<piece>{letter * 1_000_000}</piece>"
    return "".join([start, *[piece] * 8, inside, *[piece] * 32, behind])


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    if kind == "stream":
        outcome = stream(int(arguments[0]))
    else:
        outcome = large(arguments[0], int(arguments[1]), arguments[2])
    print(json.dumps(outcome | {"peak": peak()}))
