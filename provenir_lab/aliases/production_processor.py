"""`production_processor` is `provenir-lab process`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from provenir_lab.aliases.alias import Alias, ranges_and_sizes, run

ALIAS = Alias(
    name="production_processor",
    command="process",
    translate=ranges_and_sizes,
    example=r"production_processor --server localhost\SQLEXPRESS --database XmlLab --workers 4 --limit 10000",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit status."""
    return run(ALIAS, arguments)


if __name__ == "__main__":
    sys.exit(main())
