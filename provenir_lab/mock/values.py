"""Which attributes of mock documents are filled, how often, and with what: read from `values.csv`.

A line of the file gives, for an element's attribute, the share of elements in which it is not blank, an
optional group, and the ways to write it (`makers`), or `!fact` where the document itself decides (`!con_id`).
Attributes of one group are filled and left blank together: the parts of an address, the pricing block.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from xml.sax.saxutils import escape

from provenir_lab.mock.draw import Draw
from provenir_lab.mock.makers import maker

POOL = 256
"""Ready-made values per attribute: one byte of randomness picks one."""

_SPECIAL = re.compile(r'[&<>"\n]')

Pool = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """How an attribute is filled: from the document's fact `fact`, or from `pool`, one byte per `group`."""

    group: str
    pool: Pool = ()
    fact: str | None = None


@cache
def values() -> dict[tuple[str, str], Value]:
    """(element, attribute) -> value, of every attribute that is ever filled. Pools hold escaped text."""
    text = (resources.files("provenir_lab.mock") / "values.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        key = (row["element"], row["attribute"])
        group = f"{row['element']}/{row['group'] or row['attribute']}"
        if row["values"].startswith("!"):
            found[key] = Value(group, fact=row["values"][1:])
        else:
            draw = Draw("/".join(key))
            filled = max(1, round(float(row["filled"]) * POOL))
            make = maker(row["values"])
            pool = tuple(quoted(make(draw)) if i < filled else "" for i in range(POOL))
            found[key] = Value(group, pool)
    return found


def quoted(text: str) -> str:
    """`text` as it is written between double quotes; quotes, `&` and line ends as references."""
    return escape(text, {'"': "&quot;", "\n": "&#10;"}) if _SPECIAL.search(text) else text
