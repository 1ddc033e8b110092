"""The generator: which documents there are, how large, whose contacts, which of them faulty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from itertools import pairwise

from provenir_lab.errors import UsageError
from provenir_lab.mock.draw import Draw
from provenir_lab.mock.faults import FAULTS
from provenir_lab.mock.filler import section
from provenir_lab.mock.makers import maker
from provenir_lab.mock.shapes import Shape, render, shapes

LAST_APP_ID = 499_999_999
"""The largest app_id: a document has the con_ids 2 * app_id and 2 * app_id + 1, of at most nine digits."""


@dataclass(frozen=True, slots=True)
class MockDocument:
    """One generated document."""

    app_id: int
    """Key of its row in the source table, and in the document unless that is the fault."""
    text: str
    campaign_num: str
    """The campaign its pricing row refers to; `BLANK` where the document names none."""
    fault: str | None = None
    """The category with which it must be rejected; None: it maps."""
    duplicate_of: int | None = None
    """The earlier application of the same run that owns one of its contacts."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A distribution of sizes: (share of documents, characters), on straight lines between."""

    knots: tuple[tuple[float, int], ...]

    def length(self, share: float) -> int:
        """The length that `share` of the documents do not exceed."""
        for (low, shorter), (high, longer) in pairwise(self.knots):
            if share <= high:
                return round(shorter + (longer - shorter) * (share - low) / (high - low))
        return self.knots[-1][1]


PROFILES = {
    "compact": Profile(((0, 9_000), (1, 11_500))),
    "realistic": Profile(
        (
            (0, 7_000),
            (0.1, 10_600),
            (0.25, 44_000),
            (0.5, 131_000),
            (0.75, 337_000),
            (0.9, 542_000),
            (0.98, 1_100_000),
            (1, 2_000_000),
        )
    ),
    "heavy": Profile(((0, 1_000_000), (1, 2_000_000))),
}
"""compact: about 10 KB; realistic: like real documents (median 132 KB, mean 247 KB); heavy: 1 to 2 MB."""


def generate(
    count: int,
    *,
    seed: int = 1,
    profile: str = "realistic",
    start_app_id: int = 100_001,
    duplicate_contacts: float = 0.0,
    faults: float = 0.0,
) -> Iterator[MockDocument]:
    """`count` documents with the app_ids from `start_app_id` on, one at a time.

    A document depends on `seed`, `profile`, its app_id and the two shares alone (with duplicate contacts also
    on `start_app_id`): the same call gives the same bytes anywhere, and ranges may be generated apart. All
    con_ids differ, but for the share `duplicate_contacts` of documents one of whose contacts belongs to an
    earlier document of the run. The share `faults` of documents cannot be mapped, all others can.
    Raises UsageError for an unknown profile, a share outside 0..1, and app_ids outside 1..499,999,999.
    """
    if profile not in PROFILES:
        close = get_close_matches(profile, PROFILES, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(PROFILES)}"
        raise UsageError(f"no document profile {profile!r}: {hint}")
    if count < 0 or start_app_id < 1 or start_app_id + count - 1 > LAST_APP_ID:
        raise UsageError(f"mock documents need app_ids in 1..{LAST_APP_ID}: change start_app_id or count")
    for name, share in (("duplicate_contacts", duplicate_contacts), ("faults", faults)):
        if not 0 <= share <= 1:
            raise UsageError(f"{name} is a share of the documents, between 0 and 1, not {share}")
    run = _Run(seed, profile, start_app_id, duplicate_contacts, faults)
    return (run.document(app_id) for app_id in range(start_app_id, start_app_id + count))


def spoil(document: MockDocument, fault: str) -> MockDocument:
    """The document with the fault of that name (`FAULTS`); its category is the result's `fault`."""
    text = FAULTS[fault].spoil(document.text, document.app_id)
    return replace(document, text=text, fault=FAULTS[fault].category)


@dataclass(frozen=True, slots=True)
class _Run:
    """What all documents of one call share."""

    seed: int
    profile: str
    first: int
    duplicates: float
    faults: float

    def document(self, app_id: int) -> MockDocument:
        owner = self._owner(app_id)
        document = _document(self.seed, self.profile, app_id, owner)
        fault = self._fault(app_id)
        return spoil(document, fault) if fault else document

    def _draw(self, purpose: str, app_id: int) -> Draw:
        return Draw(f"{purpose}/{self.seed}/{app_id}")

    def _fault(self, app_id: int) -> str | None:
        draw = self._draw("fault", app_id)
        return draw.pick(tuple(FAULTS)) if draw.chance(self.faults) else None

    def _owner(self, app_id: int) -> int | None:
        """The earlier application whose contact this one repeats; it is mapped and its contact is its own."""
        draw = self._draw("duplicate", app_id)
        if not draw.chance(self.duplicates) or app_id == self.first:
            return None
        tries = [self.first + draw.below(app_id - self.first) for _ in range(8)] + [self.first]
        return next((other for other in tries if self._owns(other)), None)

    def _owns(self, app_id: int) -> bool:
        is_duplicate = app_id != self.first and self._draw("duplicate", app_id).chance(self.duplicates)
        return not is_duplicate and self._fault(app_id) is None and not _nameless(self.seed, app_id)


def _nameless(seed: int, app_id: int) -> bool:
    """Whether the first contact has no con_id, and so is no contact."""
    return Draw(f"nameless/{seed}/{app_id}").chance(0.01)


@cache
def _campaigns() -> tuple[str, ...]:
    draw, make = Draw("campaigns"), maker("A9A *3 ; AA9 ; A9AA")
    return ("", *(make(draw) for _ in range(60)))


@cache
def _shapes() -> tuple[Shape, ...]:
    """The shapes, each as often as its weight."""
    return tuple(shape for shape in shapes() for _ in range(shape.weight))


def _document(seed: int, profile: str, app_id: int, owner: int | None) -> MockDocument:
    draw = Draw(f"{profile}/{seed}/{app_id}")
    length = PROFILES[profile].length(draw.fraction())
    shape = draw.pick(_shapes())
    counts = _counts(draw, length)
    facts = _facts(draw, app_id, _nameless(seed, app_id))
    if owner is not None:
        both = counts["second"] and facts["role2"] == "AUTHU"
        facts[draw.pick(("con_id1", "con_id2")) if both else "con_id1"] = str(2 * owner)

    opening: list[str] = [] if draw.below(80) == 0 else ["\ufeff"]
    data: list[str] = []
    closing: list[str] = []
    render(shape.opening, draw, counts, facts, opening)
    render(shape.data, draw, counts, facts, data)
    render(shape.closing, draw, counts, facts, closing)
    room = length - sum(map(len, opening)) - sum(map(len, data)) - sum(map(len, closing))
    body = _body(shape, draw, "".join(data), room)
    text = "".join([*opening, *body, *closing])
    return MockDocument(app_id, text, facts["campaign_num1"] or "BLANK", duplicate_of=owner)


def _facts(draw: Draw, app_id: int, nameless: bool) -> dict[str, str]:
    """What the document says of itself and its two possible contacts, as it stands in attributes."""
    facts = {"app_id1": str(app_id), "campaign_num1": draw.pick(_campaigns())}
    for person in (1, 2):
        trouble = draw.below(64)
        address = f"user{app_id}.{person}@example.test"
        facts[f"con_id{person}"] = str(2 * app_id + person - 1)
        facts[f"ssn{person}"] = f"9{draw.below(10**8):08}" if trouble else draw.pick(_ODD_SSNS)
        facts[f"email{person}"] = (address, address.upper(), "", "null")[draw.pick((0, 0, 1, 1, 1, 2, 1, 3))]
    facts["role1"] = "PR"
    facts["role2"] = "SEC" if draw.below(32) == 0 else "AUTHU"
    if nameless:
        facts["con_id1"] = ""
    return facts


_ODD_SSNS = ("", "q83vEjRWeJCrze8SNFZ4kA==", "000-12-3456", "900 00 0000", "999999999 ", "N/A")


def _several(draw: Draw, share: float, most: int) -> int:
    """A number of 0..most: 1 or more in `share` of all cases, each further one with the same chance."""
    count = 0
    while count < most and draw.chance(share):
        count += 1
    return count


def _counts(draw: Draw, length: int) -> dict[str, int]:
    """How often each repeatable element stands in a document of `length` characters."""
    small = length < 20_000
    many = 108 if draw.below(64) == 0 and not small else 12
    return {
        "second": int(draw.chance(0.09)),
        "again": int(draw.chance(0.01)),
        "previous": int(draw.chance(0.02)),
        "employed": (0, 1, 2)[draw.pick((1,) * 30 + (0, 2))],
        "early": int(draw.chance(0.7)),
        "late": _several(draw, 0.5 if small else 0.97 if many > 12 else 0.84, many),
        "letters": _several(draw, 0.9 if draw.below(16) == 0 else 0.5, 7),
        "indicators": 0 if small and draw.chance(0.7) else _several(draw, 0.75, 9),
        "scores": 0 if small and draw.chance(0.7) else _several(draw, 0.7, 8),
        "analytics": _several(draw, 0.4, 6),
        "communications": 0 if small else _several(draw, 0.6, 3),
        "queues": int(draw.chance(0.5)),
        "queue": 1 + _several(draw, 0.5, 8),
    }


def _body(shape: Shape, draw: Draw, data: str, room: int) -> list[str]:
    """CustData and the sections of Request, in the order of the shape or, rarely, another; `room` characters
    for the sections together."""
    small = room < 40_000
    wanted = {
        "Journals": room * (0.05 + 0.3 * draw.fraction() if small else 0.02 + 0.1 * draw.fraction()),
        "Messages": 0.4 * draw.fraction() * min(room, 10_000) if draw.chance(0.5) else 0,
        "Rules": 0.2 * draw.fraction() * min(room, 6_000) if draw.chance(0.6) else 0,
        "Audits": 0.3 * draw.fraction() * min(room, 12_000) if draw.chance(0.5) else 0,
        "Documents": 300 if draw.below(64) == 0 and not small else 0,
    }
    text = {
        name: section(name, draw, int(wanted.get(name, 0))) for name in shape.sections if name != "Reports"
    }
    if "Reports" in shape.sections:
        text["Reports"] = section("Reports", draw, room - sum(map(len, text.values())))
    if draw.below(50) == 0:
        data += "    <!-- migrated -->\n"
    order = _order(shape, draw)
    return [data if name == "CustData" else text[name] for name in order]


def _order(shape: Shape, draw: Draw) -> list[str]:
    """The children of Request: in 94 % of the documents as the shape has them, else shuffled, in 1 % with a
    small section before CustData."""
    order = list(shape.sections)
    kind = draw.below(100)
    if kind < 6:
        order = [order.pop(draw.below(len(order))) for _ in shape.sections]
    order.insert(0, "CustData")
    if kind == 0:
        order.remove("Messages")
        order.insert(0, "Messages")
    return order
