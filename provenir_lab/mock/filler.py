"""The bulk of a document: Reports, Journals and the other sections of Request. Read from `reports.txt`.

The file holds templates in the XML's own form, with `[[ways to write a value]]` (`makers`) in them: a head,
items of which any number can stand in a row, and an end. Some hundred kilobytes of items are written once per
process; a document's sections are slices of them, cut between items, so that filling costs a copy.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import accumulate

from provenir_lab.mock.draw import Draw
from provenir_lab.mock.makers import Maker, maker
from provenir_lab.mock.values import quoted

_ITEMS_LENGTH = 200_000
_VARIANTS = 16
_FEWEST = 1_500
"""Characters below which another report is not begun."""


@dataclass(frozen=True, slots=True)
class Block:
    """One section or report: head, items, end."""

    weight: int
    heads: tuple[str, ...]
    items: str
    starts: tuple[int, ...]
    """Where each item starts in `items`, and the length of `items`."""
    ends: tuple[str, ...]

    def text(self, draw: Draw, length: int) -> str:
        """A block of at most `length` characters, less than one item shorter; "" if not one item fits."""
        head, end = draw.pick(self.heads), draw.pick(self.ends)
        items = self._items(draw, length - len(head) - len(end))
        return head + items + end if items else ""

    def _items(self, draw: Draw, length: int) -> str:
        last = len(self.starts) - 1
        item = draw.below(last)
        pieces: list[str] = []
        while True:
            start = self.starts[item]
            stop = bisect_right(self.starts, start + length) - 1
            if stop <= item:
                return "".join(pieces)
            pieces.append(self.items[start : self.starts[stop]])
            length -= self.starts[stop] - start
            item = stop % last


@cache
def blocks() -> dict[str, tuple[Block, ...]]:
    """Section -> its blocks: one, but for Reports, where each is a report."""
    text = (resources.files("provenir_lab.mock") / "reports.txt").read_text(encoding="utf-8")
    found: dict[str, list[Block]] = {}
    for entry in re.split(r"^## (?!item|end)", text, flags=re.MULTILINE)[1:]:
        heading, _, body = entry.partition("\n")
        section, _, weight = heading.partition(" ")
        draw = Draw(f"{section}/{len(found.get(section, ()))}")
        found.setdefault(section, []).append(_block(body, int(weight or 1), draw))
    return {section: tuple(entries) for section, entries in found.items()}


def _block(body: str, weight: int, draw: Draw) -> Block:
    opening, _, end = body.partition("## end\n")
    head, *items = opening.split("## item\n")
    written: list[str] = []
    length = 0
    while length < _ITEMS_LENGTH:
        written.append(_written(items[len(written) % len(items)], draw))
        length += len(written[-1])
    return Block(
        weight,
        tuple(_written(head, draw) for _ in range(_VARIANTS)),
        "".join(written),
        tuple(accumulate((len(item) for item in written), initial=0)),
        tuple(_written(end, draw) for _ in range(_VARIANTS)),
    )


@cache
def _parts(template: str) -> tuple[list[str], list[Maker]]:
    """The fixed texts of a template, and the makers of what stands between them."""
    parts = re.split(r"\[\[(.+?)\]\]", template)
    return parts[::2], [maker(ways) for ways in parts[1::2]]


def _written(template: str, draw: Draw) -> str:
    fixed, makers = _parts(template)
    found = [""] * (len(fixed) + len(makers))
    found[::2], found[1::2] = fixed, [quoted(make(draw)) for make in makers]
    return "".join(found)


@cache
def _reports() -> tuple[Block, ...]:
    """The reports, each as often as its weight."""
    return tuple(block for block in blocks()["Reports"] for _ in range(block.weight))


def section(name: str, draw: Draw, length: int) -> str:
    """A section of some `length` characters, `<name/>` if that is too few or the section is always empty."""
    if name == "Reports":
        return reports(draw, length)
    found = blocks().get(name)
    return (found[0].text(draw, length) if found else "") or f"    <{name}/>\n"


def reports(draw: Draw, length: int) -> str:
    """Reports of various vendors, `length` characters together, or a little less."""
    room = length - len("    <Reports>\n    </Reports>\n")
    pieces = []
    tries = 0
    while room >= _FEWEST and tries < 12:
        tries += 1
        # Up to six reports of any size; what then remains goes to one more, and to the smallest that fit.
        share = 1.0 if tries > 6 or room < 4 * _FEWEST else 0.1 + 0.6 * draw.fraction()
        text = draw.pick(_reports()).text(draw, int(room * share))
        if text:
            pieces.append(text)
            room -= len(text)
    if not pieces:
        return "    <Reports/>\n"
    return "    <Reports>\n" + "".join(pieces) + "    </Reports>\n"
