"""CSV files that spreadsheets open as meant: UTF-8 with its mark, and no text taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads a CSV file in the machine's own code page."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_rows(stream: IO[str], header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Writes a table to a text stream opened with `newline=""`, the mark first; returns how many rows.

    A text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers.
    """
    stream.write(BYTE_ORDER_MARK)
    writer = csv.writer(stream)
    writer.writerow([_cell(name) for name in header])
    count = 0
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        count += 1
    return count


def records_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Nested records as one CSV text: `{"a": {"b": 1}}` has a column `a.b`; lists are joined by `; `.

    Columns stand in the order in which the records first name them.
    """
    flat = [dict(_flat(record)) for record in records]
    columns = list(dict.fromkeys(name for record in flat for name in record))
    stream = io.StringIO(newline="")
    write_rows(stream, columns, ([record.get(name) for name in columns] for record in flat))
    return stream.getvalue()


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            yield prefix + name, "; ".join(str(part) for part in value)
        else:
            yield prefix + name, value


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
