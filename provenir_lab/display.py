"""Results that show themselves: small HTML tables in JupyterLab (everything escaped), lines elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_QUANTITY = re.compile(r"[-+]?\d[\d,.]*( ?%)?|–")


@dataclass(frozen=True)
class Facts:
    """A result of a few named values, in the order in which they are shown."""

    title: str
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(self.facts)

    def summary(self) -> list[tuple[str, object]]:
        """Label and value, for people."""
        return [line for label, value in self.facts.items() for line in _lines(label, value)]

    def _repr_html_(self) -> str:
        return html_table(self.title, self.summary())


def html_table(title: str, rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> str:
    """A captioned table; the first cell of each row is its heading. Numbers align right with their heads."""
    found = [tuple(row) for row in rows]
    numeric = [
        bool(found) and all(_is_quantity(row[i]) for row in found if i < len(row)) for i in range(len(header))
    ]
    numeric[:1] = [False] * len(numeric[:1])
    head = "".join(
        f"<th scope='col' style='text-align:{'right' if right else 'left'}'>{escape(name)}</th>"
        for name, right in zip(header, numeric, strict=True)
    )
    head = f"<thead><tr>{head}</tr></thead>" if header else ""
    body = "".join(_row(row, numeric) for row in found)
    caption = f"<caption style='text-align:left'>{escape(title)}</caption>"
    return f"<table>{caption}{head}<tbody>{body}</tbody></table>"


def text_lines(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Label and value as aligned lines of plain text."""
    found = [(label, number(value) if _is_number(value) else str(value)) for label, value in rows]
    width = max((len(label) for label, _ in found), default=0)
    return [f"{label:<{width}}  {value}" for label, value in found]


def number(value: Any) -> str:
    """`1234567` -> `1,234,567`; floats below 100 keep two digits."""
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.2f}"


def _lines(label: str, value: object) -> list[tuple[str, object]]:
    """A line for each entry of a list."""
    if not isinstance(value, list):
        return [(label, value)]
    return [(label if i == 0 else "", entry) for i, entry in enumerate(value or ["none"])]


def _row(cells: Sequence[object], numeric: Sequence[bool]) -> str:
    first, *rest = cells
    sides = [*numeric[1:], *[False] * len(rest)]
    cells_of_row = (_cell(cell, right=right) for cell, right in zip(rest, sides, strict=False))
    heading = f"<th scope='row' style='text-align:left'>{escape(str(first))}</th>"
    return f"<tr>{heading}{''.join(cells_of_row)}</tr>"


def _cell(value: object, *, right: bool) -> str:
    side = "right" if right or _is_number(value) else "left"
    text = number(value) if _is_number(value) else escape(str(value))
    return f"<td style='text-align:{side}'>{text}</td>"


def _is_quantity(value: object) -> bool:
    """A number, or a text that is one or stands for a missing one."""
    return _is_number(value) or _QUANTITY.fullmatch(str(value)) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
