"""A process that runs the processor and prints a line after every step of progress, then waits to be told.

python run_and_tell.py URL SETTINGS_JSON STOP_AFTER: prints `step 1`, `step 2`, ...; after step STOP_AFTER it
prints `waiting` and sleeps until it is killed, in the middle of the run.
"""

from __future__ import annotations

import json
import sys
import time

from provenir_lab.api import Lab
from provenir_lab.progress import Step
from provenir_lab.settings import build_settings


def main() -> None:
    url, settings, stop_after = sys.argv[1:]
    steps = 0

    def tell(step: Step) -> None:
        nonlocal steps
        steps += 1
        print(f"step {steps}", flush=True)
        if steps == int(stop_after):
            print("waiting", flush=True)
            time.sleep(600)

    Lab(url, progress=tell, settings=build_settings(json.loads(settings))).process()


if __name__ == "__main__":
    main()
