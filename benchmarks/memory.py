"""Memory of a process that maps document after document: `python -m benchmarks.memory COUNT`.

Prints one JSON object; `measure_memory` runs it in a fresh process.
"""

from __future__ import annotations

import json
import subprocess
import sys

import psutil

from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.mock import generate
from provenir_lab.tables import packaged_tables

SAMPLES = 100
"""How often the memory is looked at."""


def measure_memory(documents: int) -> dict[str, float]:
    """MB held after a tenth of `documents`, and the most held while ten times as many followed."""
    command = [sys.executable, "-m", "benchmarks.memory", str(documents)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(documents: int) -> None:
    """Maps documents / 10, then `documents` more."""
    mapper = compile_mapper(load_contract(None), packaged_tables())
    process = psutil.Process()
    warm_up = documents // 10
    step = max(1, documents // SAMPLES)
    begin = peak = 0.0
    for number, document in enumerate(generate(documents + warm_up, profile="compact"), 1):
        mapper.map(document.text)
        if number >= warm_up and number % step == 0:
            held = process.memory_info().rss / 1e6
            begin, peak = begin or held, max(peak, held)
    json.dump(
        {"documents": documents, "begin_mb": begin, "peak_mb": peak, "growth_mb": peak - begin}, sys.stdout
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
