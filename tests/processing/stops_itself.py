"""A run whose process stops itself (SIGSTOP) in its first batch, and goes on when it is told to (SIGCONT).

python stops_itself.py URL SCHEMA before|inside: before the batch's transaction or inside it, all rows sent.
Prints how many documents succeeded, failed and were skipped.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from provenir_lab.api import Lab
from provenir_lab.storage import database
from provenir_lab.storage.writer import Writer

IDLE_SECONDS = 1
"""How long PostgreSQL bears with the stopped transaction."""


def main() -> None:
    url, schema, where = sys.argv[1:]
    database.IDLE_SECONDS = IDLE_SECONDS
    name = "write" if where == "before" else "_verify"
    real = getattr(Writer, name)

    def stop_first(*arguments: Any) -> Any:
        setattr(Writer, name, real)
        os.kill(os.getpid(), signal.SIGSTOP)
        return real(*arguments)

    setattr(Writer, name, stop_first)
    outcome = Lab(url, schema=schema or None).process(batch_size=30, stop_after_failures=0)
    print(outcome.succeeded, sum(outcome.failed.values()), outcome.skipped)


if __name__ == "__main__":
    main()
