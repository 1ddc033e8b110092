"""The ways to write an attribute value: a small language, and the functions it can name.

    mask        `9` a digit, `A` an upper-case and `a` a lower-case letter, `{5}` five times, `+` 2 to 9
                times, `\\` takes the next character as it stands, all else too: `9{5}-9999`, `Up to $99`
    =text       that text
    @maker      one of the functions below: `@iso`, `@city`

Several ways stand beside each other, separated by ` ; `, each with an optional weight: `=Y *3 ; =N`.

Every name, number, address and date is invented: domain example.test, telephone exchange 555, social security
numbers and card numbers of ranges that are never issued, addresses of documentation networks.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import cache
from importlib import resources

from provenir_lab.mock.draw import Draw

Maker = Callable[[Draw], str]


def maker(ways: str) -> Maker:
    """The function that writes a value in one of `ways`. KeyError for an unknown `@maker`."""
    makers: list[Maker] = []
    for way in ways.split(" ; "):
        text, _, weight = way.partition(" *")
        makers += [_one_way(text)] * int(weight or 1)
    if len(makers) == 1:
        return makers[0]
    return lambda draw: draw.pick(makers)(draw)


def _one_way(way: str) -> Maker:
    if way.startswith("="):
        return lambda draw: way[1:]
    if way.startswith("@"):
        return _MAKERS[way[1:]]
    return _mask(way)


def _table(letters: str) -> bytes:
    """What each random byte becomes."""
    return bytes(ord(letters[byte % len(letters)]) for byte in range(256))


_TABLES = {
    "9": _table("0123456789"),
    "A": _table("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "a": _table("abcdefghijklmnopqrstuvwxyz"),
}
_HISTORY = _table("0123456789CBN-")
_TOKEN = re.compile(r"(?P<kind>[9Aa])(?:\{(?P<times>\d+)\}|(?P<more>\+))?|(?P<plain>(?:\\.|[^9Aa\\])+)")


def _mask(mask: str) -> Maker:
    pieces = [_piece(match) for match in _TOKEN.finditer(mask)]
    return lambda draw: "".join([piece(draw) for piece in pieces])


def _piece(match: re.Match[str]) -> Maker:
    if not match["kind"]:
        plain = re.sub(r"\\(.)", r"\1", match["plain"])
        return lambda draw: plain
    table = _TABLES[match["kind"]]
    if match["more"]:
        return lambda draw: _random_text(draw, table, 2 + draw.below(8))
    times = int(match["times"] or 1)
    return lambda draw: _random_text(draw, table, times)


def _random_text(draw: Draw, table: bytes, length: int) -> str:
    return draw.take(length).translate(table).decode("ascii")


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """Kind -> words, from `words.txt`."""
    text = (resources.files("provenir_lab.mock") / "words.txt").read_text(encoding="utf-8")
    return {kind: tuple(words) for kind, *words in map(str.split, text.splitlines())}


def _word(kind: str) -> Maker:
    return lambda draw: draw.pick(_words()[kind])


def _cased(make: Maker) -> Maker:
    """Mostly upper case, one in eight in title case, as people and systems type names."""

    def cased(draw: Draw) -> str:
        text = make(draw)
        return text.title() if draw.below(8) == 0 else text

    return cased


_first, _head, _tail, _kind = _word("first"), _word("head"), _word("tail"), _word("kind")
_state, _job = _word("state"), _word("job")


def _family(draw: Draw) -> str:
    name, kind = _head(draw) + _tail(draw), draw.below(64)
    if kind == 0:
        return "O'" + name
    if kind == 1:
        return f"{name}-{_head(draw)}{_tail(draw)}"
    return "D'É" + name if kind == 2 else name


def _city(draw: Draw) -> str:
    name = _head(draw) + _tail(draw)
    return f"{name} {_word('place')(draw)}" if draw.below(3) == 0 else name


def _street(draw: Draw) -> str:
    return f"{_word('street')(draw)} {_kind(draw)}"


def _address(draw: Draw) -> str:
    return f"{1 + draw.below(9999)} {_street(draw)} {_city(draw)}, {_state(draw)} {draw.below(100000):05}"


def _business(draw: Draw) -> str:
    joint = draw.pick((" ", " ", " & ", " - "))
    return (_head(draw) + _tail(draw)).title() + joint + _word("business")(draw)


def _user(draw: Draw) -> str:
    text = f"{_head(draw)}.{_head(draw)}{_tail(draw)}@EXAMPLE.TEST"
    return text.lower() if draw.below(3) == 0 else text


def _sentence(draw: Draw) -> str:
    words = [_word("word")(draw) for _ in range(5 + draw.below(18))]
    if draw.below(8) == 0:
        words[3] = '"' + words[3] + '"'
    if draw.below(16) == 0:
        words[2] = "R&D,\n"
    return " ".join(words).capitalize() + "."


def _hex(draw: Draw, length: int) -> str:
    return draw.take((length + 1) // 2).hex()[:length]


def _base64(low: int, high: int) -> Maker:
    return lambda draw: base64.b64encode(draw.take(low + draw.below(high - low))).decode("ascii")


def _time(pattern: str, first: int = 2014, last: int = 2025) -> Maker:
    """A maker of points in time, written as the format string `pattern` says."""

    def make(draw: Draw) -> str:
        hour, month = draw.below(24), draw.below(12)
        return pattern.format(
            year=first + draw.below(last - first + 1),
            month=1 + month,
            day=1 + draw.below(28),
            hour=hour,
            minute=draw.below(60),
            second=draw.below(60),
            milli=draw.below(1000),
            hour12=hour % 12 or 12,
            half="AM" if hour < 12 else "PM",
            weekday=_word("weekday")(draw),
            name=_words()["month"][month],
        )

    return make


_MAKERS: dict[str, Maker] = {
    "first_name": _cased(_first),
    "last_name": _cased(_family),
    "name": lambda draw: f"{_family(draw)},{_first(draw)}",
    "fixed_name": lambda draw: f"{_family(draw)[:24]:<25}",
    "city": _cased(_city),
    "street": _cased(_street),
    "address": _address,
    "state": _state,
    "business": _business,
    "job": _job,
    "user": _user,
    "sentence": _sentence,
    "ip": lambda draw: f"{_word('network')(draw)}{draw.below(256)}",
    "url": lambda draw: f"https://offers.example.test/{_head(draw)[:2]}{draw.below(10)}",
    "uuid": lambda draw: "-".join(_hex(draw, length) for length in (8, 4, 4, 4, 12)),
    "guid": lambda draw: f"{_word('word')(draw)}_{_hex(draw, 8)}_{_hex(draw, 12)}_{_hex(draw, 16)}",
    "secret": _base64(16, 48),
    "blackbox": _base64(300, 1800),
    "undefined": lambda draw: f"org.mozilla.javascript.Undefined@{_hex(draw, 8)}",
    "history": lambda draw: _random_text(draw, _HISTORY, 10 + draw.below(60)),
    "iso": _time("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}"),
    "iso_short": _time("{year}-{month}-{day} {hour}:{minute:02}:{second:02}.{milli}"),
    "iso_bare": _time("{year}-{month}-{day} {hour}:{minute}:{second}"),
    "iso_tenth": _time("{year}-{month}-{day} {hour}:{minute:02}:{second:02}.0"),
    "iso_day": _time("{year}-{month:02}-{day:02}"),
    "us": _time("{month:02}/{day:02}/{year}"),
    "us_short": _time("{month}/{day}/{year}"),
    "us_clock": _time("{month}/{day}/{year} {hour12}:{minute:02}:{second:02} {half}"),
    "birth": _time("{month:02}/{day:02}/{year}", 1940, 2004),
    "birth_short": _time("{month}/{day}/{year}", 1940, 2004),
    "birth_iso": _time("{year}-{month}-{day}", 1940, 2004),
    "long_date": _time("{weekday} {name} {day:02} {hour:02}:{minute:02}:{second:02} CST {year}"),
}
