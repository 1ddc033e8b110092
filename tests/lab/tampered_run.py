"""`provenir_lab.lab.run_once` with two faults, for tests: a run with log_level=error leaves out the rows of a
table, one with log_level=debug takes its time.
"""

import sys
import time
from dataclasses import replace
from typing import Any

from provenir_lab.lab import run_once
from provenir_lab.settings import Settings
from provenir_lab.storage.writer import Writer

TABLE = "app_contact_employment"
settle = Writer._settle
process = run_once.process


def dropping(self: Writer, *arguments: Any) -> Any:
    settled = settle(self, *arguments)
    return replace(settled, rows={**settled.rows, TABLE: []})


def dawdling(self: Writer, *arguments: Any) -> Any:
    time.sleep(0.5)
    return settle(self, *arguments)


def tampered(url: str, contract: Any, target: Any, settings: Settings, request: Any) -> Any:
    faults: dict[str, Any] = {"error": dropping, "debug": dawdling}
    Writer._settle = faults.get(settings.log_level, settle)  # type: ignore[method-assign]
    return process(url, contract, target, settings, request)


if __name__ == "__main__":
    run_once.process = tampered
    sys.exit(run_once.main())
