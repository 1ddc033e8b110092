"""Building the source text of a specialised function: names for bound objects, bundles of attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from provenir_lab.mapping.attributes import Match, Read

MakeReader = Callable[..., Read]


class Source:
    """Lines of Python and the objects that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, object] = {}
        self._names = 0

    def name(self, stem: str) -> str:
        """A new variable name."""
        self._names += 1
        return f"{stem}{self._names}"

    def bind(self, stem: str, value: object) -> str:
        """A name for an object; plain constants are written out."""
        if value is None or type(value) in (int, str, bool):
            return repr(value)
        name = self.name(stem)
        self.objects[name] = value
        return name

    def add(self, *lines: str, depth: int = 1) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def compile(self, signature: str, name: str) -> Any:
        """The function `name` with the given signature."""
        text = f"def {name}({signature}):\n" + "\n".join(self.lines) + "\n"
        namespace: dict[str, Any] = dict(self.objects)
        exec(compile(text, f"<compiled {name}>", "exec"), namespace)
        return namespace[name]


class Bundle:
    """The attributes that are read from one node, into one variable each, in one go."""

    def __init__(self, source: Source, node: str, make_reader: MakeReader, depth: int = 1) -> None:
        self._source = source
        self._node = node
        self._make_reader = make_reader
        self._depth = depth
        self._wanted: dict[tuple[str, Match], str] = {}

    def variable(self, attribute: str, match: Match = "exact") -> str:
        """The variable that will hold an attribute's text, or None."""
        key = (attribute, match)
        if key not in self._wanted:
            self._wanted[key] = self._source.name("v")
        return self._wanted[key]

    def lines(self, *, always_there: bool = False) -> list[str]:
        """The line that fills the variables, with its indentation."""
        if not self._wanted:
            return []
        names = [name for name, _ in self._wanted]
        read = self._make_reader(names, match=[match for _, match in self._wanted])
        reader = self._source.bind("read", read)
        missing = self._source.bind("missing", (None,) * len(names))
        call = f"{reader}({self._node})"
        if not always_there:
            call += f" if {self._node} is not None else {missing}"
        return ["    " * self._depth + f"{_targets(list(self._wanted.values()))} = {call}"]


def _targets(names: Sequence[str]) -> str:
    return ", ".join(names) + ("," if len(names) == 1 else "")
