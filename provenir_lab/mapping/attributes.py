"""Reading attributes of elements: by plan, not by search.

Documents of one software version carry the same attributes in the same order. A reader resolves the names it
wants against such a list once, keeps the resulting positions, and from then on picks values by position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from lxml import etree

from provenir_lab.mapping.contract import Path
from provenir_lab.mapping.document import local_name

Seen = dict[Any, tuple[tuple[str, ...], list[Any]]]
"""Element -> names and values of its attributes: what several readers of one element need not fetch again."""

Read = Callable[..., tuple[str | None, ...]]
"""`(element[, seen])` -> the wanted attributes' values, in the order asked for; None where there is none."""

_FEW = 6  # up to so many names are cheaper asked for one by one
_MOST_LISTS = 1024  # attribute lists remembered per reader: bounded, real documents have a few dozen


def attribute_reader(names: Sequence[str], *, ignore_case: bool | Sequence[bool] = False) -> Read:
    """A reader of the named attributes (local names).

    With `ignore_case` (one flag for all, or one a name) the exact name comes first, then the first that is
    equal ignoring case.
    """
    flags = [ignore_case] * len(names) if isinstance(ignore_case, bool) else list(ignore_case)
    wanted = list(zip(names, flags, strict=True))
    known: dict[tuple[str, ...], Callable[[list[Any]], tuple[Any, ...]]] = {}

    def learn(keys: tuple[str, ...]) -> Callable[[list[Any]], tuple[Any, ...]]:
        if len(known) >= _MOST_LISTS:
            known.clear()
        getter = known[keys] = _getter([_position(keys, name, loose) for name, loose in wanted])
        return getter

    def read_all(element: Any, seen: Seen | None = None) -> tuple[str | None, ...]:
        found = None if seen is None else seen.get(element)
        if found is None:
            values = element.values()
            values.append(None)  # what is missing is picked from here, as position -1
            found = (tuple(element.keys()), values)
            if seen is not None:
                seen[element] = found
        getter = known.get(found[0])
        return getter(found[1]) if getter is not None else learn(found[0])(found[1])

    def read_few(element: Any, seen: Seen | None = None) -> tuple[str | None, ...]:
        values = tuple([element.get(name) for name in names])
        return read_all(element, seen) if None in values else values  # missing, or spelled otherwise

    return read_few if len(names) <= _FEW else read_all


def _position(keys: tuple[str, ...], name: str, ignore_case: bool) -> int:
    names = [local_name(key) for key in keys]
    if name in names:
        return names.index(name)
    if ignore_case:
        lowered = [found.lower() for found in names]
        if name.lower() in lowered:
            return lowered.index(name.lower())
    return -1


def _getter(positions: list[int]) -> Callable[[list[Any]], tuple[Any, ...]]:
    if len(positions) == 1:
        only = positions[0]
        return lambda values: (values[only],)
    return itemgetter(*positions)


def element_finder(reading_root: Path, path: Path) -> Callable[..., etree._Element | None]:
    """A function `(ancestors, root) -> the last element at an absolute path`, or None.

    Only the ancestors of the reading root and what lies inside it can be found.
    """
    depth = len(reading_root)
    if len(path) < depth:
        return _ancestor_finder(reading_root, path)
    if path[:depth] != reading_root:
        return lambda ancestors, root: None
    tags = tuple("{*}" + name for name in path[depth:])
    if not tags:
        return lambda ancestors, root: root
    return lambda ancestors, root: _last_below(root, tags)


def _ancestor_finder(reading_root: Path, path: Path) -> Callable[..., etree._Element | None]:
    if path != reading_root[: len(path)]:
        return lambda ancestors, root: None
    index = len(path) - 1
    return lambda ancestors, root: ancestors[index]


def _last_below(parent: etree._Element, tags: tuple[str, ...]) -> etree._Element | None:
    for child in parent.iterchildren(tags[0], reversed=True):
        if len(tags) == 1:
            return child
        found = _last_below(child, tags[1:])
        if found is not None:
            return found
    return None
