"""Results as small HTML tables for JupyterLab; everything is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(title: str, rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> str:
    """A captioned table; the first cell of each row is its heading. Numbers align right."""
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in header)
    head = f"<thead><tr>{head}</tr></thead>" if header else ""
    body = "".join(_row(row) for row in rows)
    return f"<table><caption>{escape(title)}</caption>{head}<tbody>{body}</tbody></table>"


def number(value: float | None) -> str:
    """`1234567` -> `1,234,567`; floats below 100 keep two digits; None is a dash."""
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}"


def _row(cells: Sequence[object]) -> str:
    first, *rest = cells
    return f"<tr><th scope='row'>{escape(str(first))}</th>{''.join(_cell(c) for c in rest)}</tr>"


def _cell(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"<td style='text-align:right'>{escape(number(value))}</td>"
    return f"<td>{escape(str(value))}</td>"
