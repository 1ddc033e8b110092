"""What the benchmarks found: printed as it comes, and kept for the JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provenir_lab.lab.environment import describe_environment


@dataclass(frozen=True)
class Figure:
    """One number that matters, with what it should be."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "x"

    @property
    def mark(self) -> str:
        """What the number should be; empty if nothing is asked of it."""
        if self.at_least is not None:
            return f"at least {number(self.at_least).strip()}"
        return "" if self.at_most is None else f"at most {number(self.at_most).strip()}"

    @property
    def reached(self) -> bool:
        """Whether it is what it should be."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)


class Report:
    """Collects sections (for the file) and figures (for both)."""

    def __init__(self, *, judge: bool) -> None:
        """Without `judge` it is not said whether figures are what they should be."""
        self._judge = judge
        self._sections: dict[str, Any] = {}
        self._figures: list[Figure] = []

    def keep(self, section: str, found: Any) -> None:
        """Keeps plain data for the file."""
        self._sections[section] = found

    def figures(self, figures: Iterable[Figure]) -> None:
        """Prints figures and keeps them."""
        for figure in figures:
            self._figures.append(figure)
            line = f"  {figure.name:62} {number(figure.value)} {figure.unit:7} {figure.mark}"
            if figure.mark and self._judge:
                line += ": reached" if figure.reached else ": MISSED"
            print(line.rstrip(), flush=True)

    def table(self, title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Prints a table; the first column is text, the others numbers."""
        print(f"\n{title}")
        for row in (heads, *rows):
            print(f"  {row[0]:34}" + "".join(f"{cell:>18}" for cell in row[1:]), flush=True)

    def write(self, file: Path, arguments: dict[str, Any]) -> None:
        """Writes everything as JSON; the folder is made if it is missing."""
        found = {
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "arguments": arguments,
            "environment": describe_environment("none", ""),
            "figures": [asdict(figure) for figure in self._figures],
            **self._sections,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def number(value: float) -> str:
    """Eight characters: thousands without fraction, small values with two digits."""
    return f"{value:8,.0f}" if abs(value) >= 100 else f"{value:8.2f}"
