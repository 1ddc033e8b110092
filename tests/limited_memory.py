"""`provenir-lab` with little memory: `python limited_memory.py ARGUMENTS...`."""

from __future__ import annotations

import os
import sys

BYTES = 400_000_000


def environment() -> dict[str, str]:
    """For the process with little memory."""
    return {**os.environ, "MALLOC_ARENA_MAX": "1"}  # else each thread reserves some


def greedy(text: str, size: int) -> str:
    """`size` bytes of text that become at least 35 times as much memory."""
    element = '<x a="1"/>'
    return text.replace("<CustData>", "<CustData>" + element * (size // len(element)), 1)


if __name__ == "__main__":
    import resource

    from provenir_lab.cli import main

    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))  # inherited by the processes that it starts
    sys.exit(main(sys.argv[1:]))
