"""`parallel_coordinator` is `provenir-lab process` with a worker for each processor core."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from provenir_lab.aliases.alias import Alias, Options, ranges_and_sizes, run


def _translate(options: Options) -> list[str]:
    return ranges_and_sizes({"--workers": str(os.cpu_count() or 1)} | options)


ALIAS = Alias(
    name="parallel_coordinator",
    command="process",
    translate=_translate,
    example=r"parallel_coordinator --server localhost\SQLEXPRESS --database XmlLab --workers 4",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit status."""
    return run(ALIAS, arguments)


if __name__ == "__main__":
    sys.exit(main())
