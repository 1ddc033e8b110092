"""One run of the processor in a process of its own: `python -m provenir_lab.lab.run_once`.

Reads one JSON object from standard input (place, settings, range of app_ids, the starter's process id) and
writes one to standard output: the outcome, or `{"error": ...}` with exit status 1. The place comes through
the pipe because its URL may hold a password. It ends at once when the starter is gone.
"""

from __future__ import annotations

import json
import sys

from provenir_lab.errors import LabError
from provenir_lab.lab.child import end_with
from provenir_lab.lab.place import from_dict
from provenir_lab.processing.logs import configure_logging
from provenir_lab.processing.processor import Request, process
from provenir_lab.settings import build_settings


def main() -> int:
    """Does the run; returns the exit status."""
    asked = json.load(sys.stdin)
    end_with(asked["starter"])
    settings = build_settings(asked["settings"])
    configure_logging(settings)
    place = from_dict(asked["place"])
    request = Request(app_id_start=asked["first"], app_id_end=asked["last"])
    try:
        outcome = process(place.url, place.contract, place.target, settings, request)
    except (
        Exception
    ) as error:  # the caller must hear of it; a foreign error's text may hold values, so its class
        json.dump({"error": str(error) if isinstance(error, LabError) else type(error).__name__}, sys.stdout)
        return 1
    json.dump(outcome.to_dict(), sys.stdout, default=vars)
    return 0


if __name__ == "__main__":
    sys.exit(main())
