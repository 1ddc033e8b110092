"""Reading attributes of nodes: by plan, not by search.

Documents of one software version carry the same attributes in the same order. A reader resolves the names it
wants against such a list once, keeps the resulting positions, and from then on picks values by position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Literal

from provenir_lab.mapping.contract import Path
from provenir_lab.mapping.nodes import Node, last_at, local_name

Match = Literal["exact", "any_case", "last_in_any_case"]
"""How an attribute's name is compared."""

Read = Callable[[Node], tuple[str | None, ...]]
"""Node -> the wanted attributes' values, in the order asked for; None where there is none."""

_FEW = 6  # up to so many names are cheaper looked up one by one
_MOST_LISTS = 1024  # attribute lists remembered per reader: bounded, real documents have a few dozen


def attribute_reader(names: Sequence[str], *, match: Match | Sequence[Match] = "exact") -> Read:
    """A reader of the named attributes (local names).

    `match` (one for all, or one a name): `exact`; `any_case`, the exact name or else the first that is equal
    ignoring case; `last_in_any_case`, the last that is equal ignoring case.
    """
    matches: list[Match] = [match] * len(names) if isinstance(match, str) else list(match)
    wanted = list(zip(names, matches, strict=True))
    known: dict[tuple[str, ...], Callable[[list[Any]], tuple[Any, ...]]] = {}

    def learn(keys: tuple[str, ...]) -> Callable[[list[Any]], tuple[Any, ...]]:
        if len(known) >= _MOST_LISTS:
            known.clear()
        found = [local_name(key) for key in keys]
        lowered = [name.lower() for name in found]
        getter = known[keys] = _getter([_position(found, lowered, *one) for one in wanted])
        return getter

    def read_all(node: Node) -> tuple[str | None, ...]:
        keys = tuple(node.attributes)
        values: list[Any] = [*node.attributes.values(), None]  # what is missing is picked from the end
        getter = known.get(keys)
        return getter(values) if getter is not None else learn(keys)(values)

    def read_few(node: Node) -> tuple[str | None, ...]:
        values = tuple([node.attributes.get(name) for name in names])
        return read_all(node) if None in values else values  # missing, or spelled otherwise

    return read_few if len(names) <= _FEW and "last_in_any_case" not in matches else read_all


def _position(names: list[str], lowered: list[str], name: str, match: Match) -> int:
    if match != "last_in_any_case" and name in names:
        return names.index(name)
    name = name.lower()
    if match == "exact" or name not in lowered:
        return -1
    if match == "last_in_any_case":
        return len(lowered) - 1 - lowered[::-1].index(name)
    return lowered.index(name)


def _getter(positions: list[int]) -> Callable[[list[Any]], tuple[Any, ...]]:
    if len(positions) == 1:
        only = positions[0]
        return lambda values: (values[only],)
    return itemgetter(*positions)


def node_finder(reading_root: Path, path: Path) -> Callable[[tuple[Node, ...], Node], Node | None]:
    """A function `(ancestors, root) -> the last node at an absolute path`, or None.

    Only the ancestors of the reading root and what lies inside it can be found.
    """
    depth = len(reading_root)
    if path[:depth] != reading_root[: len(path)]:
        return lambda ancestors, root: None
    if len(path) < depth:
        return lambda ancestors, root: ancestors[len(path) - 1]
    if len(path) == depth:
        return lambda ancestors, root: root
    tags = path[depth:]
    return lambda ancestors, root: last_at(root, tags)
