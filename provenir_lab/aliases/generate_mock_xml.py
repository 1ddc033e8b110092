"""`generate_mock_xml` is `provenir-lab generate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from provenir_lab.aliases.alias import Alias, Options, run
from provenir_lab.errors import UsageError

ONE_PROCESS = "documents are made by one process, a few hundred a second"


def _translate(options: Options) -> list[str]:
    first, last, limit = (options.get(name) for name in ("--app-id-start", "--app-id-end", "--limit"))
    if last is not None:
        if limit is not None or first is None or not (first.isdecimal() and last.isdecimal()):
            raise UsageError("--app-id-end goes with --app-id-start, both numbers, and without --limit")
        if int(last) < int(first):
            raise UsageError(f"--app-id-end {last} is below --app-id-start {first}: name the first one first")
        limit = str(int(last) - int(first) + 1)
    count = ["--count", limit] if limit is not None else []
    return [*count, *(["--start-app-id", first] if first is not None else [])]


ALIAS = Alias(
    name="generate_mock_xml",
    command="generate",
    translate=_translate,
    example="generate_mock_xml --database sqlite:///lab.db --app-id-start 1001 --app-id-end 2000",
    required=("--limit N, or --app-id-start A with --app-id-end B", "--limit", "--app-id-end", "--count"),
    gone={"--workers": ONE_PROCESS, "--batch-size": ONE_PROCESS, "--log-level": "it writes no log"},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit status."""
    return run(ALIAS, arguments)


if __name__ == "__main__":
    sys.exit(main())
