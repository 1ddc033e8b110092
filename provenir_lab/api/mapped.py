"""What `Lab.map` gives: mapped files that are iterated over, and show themselves in JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from provenir_lab.display import html_table
from provenir_lab.mapping.plan import Mapper
from provenir_lab.processing import intake

SHOWN = 20
"""How many files are mapped to show the object itself."""


@dataclass(frozen=True)
class MappedFiles:
    """Each iteration maps the files anew, one after the other, so that any number fits into memory."""

    _mapper: Mapper = field(repr=False)
    files: tuple[Path, ...]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (intake.mapped_file(self._mapper, file) for file in self.files)

    def __len__(self) -> int:
        return len(self.files)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: all of them at once."""
        return {"documents": list(self)}

    def _repr_html_(self) -> str:
        """Counts of rows alone: a notebook keeps what it shows."""
        rows = [_shown(mapped) for mapped in islice(self, SHOWN)]
        more = f", the first {SHOWN} of {len(self)}" if len(self) > SHOWN else ""
        return html_table(f"Mapped files{more}", rows, ("file", "app_id", "rows"))


def _shown(mapped: dict[str, Any]) -> tuple[object, ...]:
    if rejected := mapped.get("rejected"):
        return mapped["file"], "–", f"rejected: {rejected['category']}, {rejected['reason']}"
    counts = ", ".join(f"{table} {len(rows)}" for table, rows in mapped["rows"].items() if rows)
    return mapped["file"], str(mapped["app_id"]), counts
