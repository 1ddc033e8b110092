"""`establish_baseline` is `provenir-lab baseline`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from provenir_lab.aliases.alias import Alias, Options, run

RANGES = "a baseline measures a number of documents (--limit), not a range of app_ids"
SETTINGS = {"--workers": "workers", "--batch-size": "batch_size", "--log-level": "log_level"}


def _translate(options: Options) -> list[str]:
    documents = ["--documents", options["--limit"]] if "--limit" in options else []
    assigned = [f"{name}={options[old].lower()}" for old, name in SETTINGS.items() if old in options]
    return [*documents, *(part for value in assigned for part in ("--set", value))]


ALIAS = Alias(
    name="establish_baseline",
    command="baseline",
    translate=_translate,
    example=r"establish_baseline --server localhost\SQLEXPRESS --database XmlLab --batch-size 500 --runs 10",
    gone={"--app-id-start": RANGES, "--app-id-end": RANGES},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit status."""
    return run(ALIAS, arguments)


if __name__ == "__main__":
    sys.exit(main())
