"""Random documents that speak the names of a contract: dirty values, duplicates, decoys, odd but legal XML.

Everything is drawn from a `random.Random`: hypothesis's own one, which it can shrink.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from xml.sax.saxutils import escape

from lxml import etree

from provenir_lab.mapping.contract import Contract


@dataclass(frozen=True)
class Names:
    """The names that a product line gives to elements and attributes."""

    root: tuple[str, ...]
    """Path of the reading root."""
    application: str
    contact: str
    address: str
    employment: str
    role_attribute: str
    roles: tuple[str, ...]
    address_attribute: str
    employment_attribute: str


ATTRIBUTES = (
    "amount",
    "code",
    "Cc",
    "date",
    "since",
    "flag",
    "city",
    "zip_code",
    "street_name",
    "first_name",
    "business_name",
)
LETTERS = ("AMOUNT", "CODE", "cc", "CC", "Since", "City")
"""The same in other letters."""

NUMBERS = (
    "0", "1", "7", "12", "-5", "12.5", "-2.5", "0.005", "2.675", "1,234", "1,234,567.891", "$1,025.50", "$.5",
    "1e3", "1E-3", "5.", ".5", "+4", " 42 ", "01234", "300", "40000", "3000000000", "99999999999999999999",
    "1,2345", "1_0", "NaN", "Infinity", "٣", "12,34", "--5", "5.5.5", "1e", "1e99999", "Up to $40", "9 to 5",
    "not a valid year", "0042", "1e30", "0.1", "100.00",
)  # fmt: skip
DATES = (
    "2024-01-02", "2021-9-3 9:05:07.123", "2024-01-02 03:04:05", "2024-02-30", "1/5/2024", "13/02/2024",
    "02/13/2024", "1/5/2024 1:02:03 PM", "1/5/2024 13:02:03 PM", "12/31/1999 23:59:59", "2024-01-02 03:04:75",
    "2024-01-02 03:04:05 PM", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.1234567+02:00", "20240102",
    "1899-12-31", "2024-01-02 03:04", "0001-01-01", "0000-01-01", "1752-12-31", "9999-12-31", "01/02/24",
    "2024-1-2", "2024-01-02 99:9:9", "2023-10-11 00:00:00", "2023-10-11 00:00:01", " 2024-05-06 ",
    "2024-05-06 7:8:9.1234567", "1/5/2024  7:08:09", "31/12/2024 10:00:00", "2024-01-02 03:04:5x", "12/2024",
    "2024-W01-2", "9999-12-31 23:59:59.999", "9999-12-31 23:59:59.9983", "2079-06-06 23:59:29",
    "2079-06-06 23:59:30",
)  # fmt: skip
WORDS = (
    "Y", "N", "y", "n", "U", "R", "J", "true", "FALSE", "Yes", "t", "PR", "CURR", "curr", "Curr", "x", "V4_1",
    "V4x", "a.c", "abc", "CHAR", "null", "None", " none ", "MISSING", "O'Neil", "Łódź", "naïve €", "日本",
    "a  b", " padded ", "tab\tnew\nline", "&amp;", "<tag>", 'say "hi"',
    "longer than fifty characters, so that it is cut",
)  # fmt: skip
BLANKS = ("", "", " ", "\t")
POOLS = (NUMBERS, NUMBERS, DATES, WORDS, WORDS, BLANKS)
NOISE = (
    "", "", "", "\n  ", "text", "<!-- </CustData> <contact con_id='1'/> -->", "<?pi </CustData>?>",
    "<![CDATA[</CustData><application/>]]>", "&#65;&lt;", "<other a='&lt;/CustData>'/>", "<CustData/>",
)  # fmt: skip
"""What may stand between elements without meaning anything."""


@dataclass(frozen=True)
class Tag:
    """An element to be written."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[object, ...] = ()
    """Tags, and pieces of text that are already XML."""

    def xml(self) -> str:
        """As a document shows it."""
        written = "".join(f" {name}={_quoted(value)}" for name, value in self.attributes)
        if not self.children:
            return f"<{self.name}{written}/>"
        inside = "".join(child.xml() if isinstance(child, Tag) else str(child) for child in self.children)
        return f"<{self.name}{written}>{inside}</{self.name}>"


def _quoted(value: str) -> str:
    text = escape(value, {"\n": "&#10;", "\t": "&#9;", '"': "&quot;"})
    return f'"{text}"' if len(value) % 2 else "'" + text.replace("'", "&apos;") + "'"


def one_in(rng: Random, count: int) -> bool:
    """True once in `count` times; never the simplest choice."""
    return rng.randrange(count) == count // 2


def attributes(rng: Random, *fixed: tuple[str, str | None], most: int = 6) -> tuple[tuple[str, str], ...]:
    """Some attributes with dirty values, and the fixed ones that have a value."""
    pool = ATTRIBUTES + LETTERS if one_in(rng, 4) else ATTRIBUTES
    found = {rng.choice(pool): rng.choice(rng.choice(POOLS)) for _ in range(rng.randrange(most + 1))}
    found |= {name: value for name, value in fixed if value is not None}
    listed = list(found.items())
    return tuple(reversed(listed) if one_in(rng, 3) else listed)


def contact(rng: Random, names: Names) -> Tag:
    """A contact with its addresses, employments and card."""
    role = rng.choice((names.roles[0], *names.roles))
    con_id: str | None = rng.choice(("1", "2", "22", "2", " 3 ", "02"))
    last_name: str | None = rng.choice(("Example", "Example", "Sample"))
    if one_in(rng, 5):
        role = rng.choice((names.roles[0].lower(), "", "ZZ", f" {names.roles[0]} ", f"{names.roles[-1]} "))
    if one_in(rng, 12):
        con_id = rng.choice(("", None, " "))
    if one_in(rng, 30):
        con_id = rng.choice(("12a", "1234567890", "-1", "1.0", "٣"))
    if one_in(rng, 6):
        last_name = rng.choice((" ", None, ""))
    own = attributes(rng, (names.role_attribute, role), ("con_id", con_id), ("last_name", last_name))
    if one_in(rng, 25):
        own = tuple(entry for entry in own if entry[0] != names.role_attribute)
    children: list[object] = [address(rng, names) for _ in range(rng.choice((1, 0, 1, 2)))]
    if one_in(rng, 2):
        children.append(Tag(names.employment, attributes(rng, (names.employment_attribute, kind(rng)))))
    if one_in(rng, 2):
        children.append(Tag("app_prod_bcard", attributes(rng)))
    if one_in(rng, 12):
        children.append(Tag("box", (), (address(rng, names), Tag("app_prod_bcard", attributes(rng)))))
    if one_in(rng, 8):
        children.append(address(rng, names))
    return Tag(names.contact, own, tuple(children))


def address(rng: Random, names: Names) -> Tag:
    """An address of any type."""
    return Tag(names.address, attributes(rng, (names.address_attribute, kind(rng))))


def kind(rng: Random) -> str | None:
    """The type of an address or employment."""
    return rng.choice(("CURR", "CURR", "PREV", "CURR", "Curr", " CURR", "Now", "", "OLD", None))


def application(rng: Random, names: Names) -> Tag:
    """The element that holds a product line's data."""
    children: list[object] = []
    for _ in range(rng.randrange(1, 6)):
        choice = rng.randrange(12)
        if choice < 6:
            children.append(contact(rng, names))
        elif choice < 9:
            parts = tuple(Tag("part", attributes(rng, most=3)) for _ in range(rng.randrange(3)))
            children.append(Tag("product", attributes(rng), parts))
        elif choice == 9:
            children.append(Tag("info", attributes(rng)))
        elif choice == 10:
            hidden = rng.choice((contact(rng, names), Tag("Request", attributes(rng, most=3)), Tag("info")))
            children.append(Tag("group", (), (hidden,)))
        else:
            children.append(rng.choice(NOISE))
    return Tag(names.application, attributes(rng), tuple(children))


def body(rng: Random, names: Names) -> Tag:
    """A reading root; without an application now and then."""
    inside: list[object] = [] if one_in(rng, 30) else [application(rng, names)]
    if one_in(rng, 6):
        inside.insert(0, decoy(rng, names))
    if one_in(rng, 8):
        inside.append(contact(rng, names))
    return Tag(names.root[2], attributes(rng, most=2), (rng.choice(NOISE), *inside, rng.choice(NOISE)))


def decoy(rng: Random, names: Names) -> Tag:
    """Something that means much in the right place."""
    return rng.choice((application, contact, body))(rng, names)


def document(rng: Random, names: Names) -> str:
    """The text of a document, with an occasional fault."""
    fault = rng.randrange(60)
    app_id: str | None = rng.choice(("7", "7", "7", " 7 ", "007", "999999999"))
    if fault == 20:
        app_id = rng.choice((None, "", "0", "x", "1234567890", "+7", "1.0"))
    inside: list[object] = [] if fault == 21 else [body(rng, names)]
    if fault in (22, 23, 24):
        inside.insert(0, Tag("Reports", attributes(rng, most=2), (decoy(rng, names),)))
    if one_in(rng, 4):
        inside.append(decoy(rng, names))
    noise = rng.choice(NOISE)
    request = Tag(names.root[1], attributes(rng, ("ID", app_id), most=3), (noise, *inside, rng.choice(NOISE)))
    around: list[object] = [request]
    if fault == 25:
        around.insert(0, Tag(names.root[1], (("ID", "8"),)))
    if fault in (26, 27):
        around.insert(0, decoy(rng, names))
    top = Tag("Other" if fault == 28 else names.root[0], attributes(rng, most=3), tuple(around))
    return dressed(rng, top.xml(), names) if one_in(rng, 3) else top.xml()


def dressed(rng: Random, xml: str, names: Names) -> str:
    """The same document in other clothes (prolog, namespaces, line ends), or broken."""
    dress = rng.randrange(11)
    if dress == 0:
        return xml.replace("><", ">\r\n<")
    if dress == 1:
        return xml.replace(f"<{names.root[0]}", f"<{names.root[0]} xmlns='urn:x'", 1)
    if dress == 2:
        xml = xml.replace(f"<{names.root[0]}", f"<{names.root[0]} xmlns:n='urn:n'", 1)
        return _prefixed(xml, (names.contact, names.root[2]))
    if dress == 3:
        return rng.choice(("<?xml version='1.0' encoding='UTF-16'?>", "<?xml version='1.0'?>\n")) + xml
    if dress == 4:
        return rng.choice(("\ufeff", "ï»¿", "\r\n", "\x01\x02", " \n", "\ufeff\n ")) + xml
    if dress == 5:
        return "<!-- <!DOCTYPE x> --><?p q?>" + xml + "<!-- end -->\n"
    if dress == 6:
        return xml[: rng.randrange(len(xml))]
    if dress == 7:
        return (
            rng.choice(("<!DOCTYPE a>", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "\n<!-- c --><!DOCTYPE a>")) + xml
        )
    if dress == 8:
        return xml + rng.choice(("junk", "<more/>", "\x00", "</x>", "\ud800"))
    if dress == 9:
        return xml.replace("&lt;", "<", 1).replace("'", '"', 1)
    return xml.replace(" city=", " z:city=", 1)


def _prefixed(xml: str, tags: Iterable[str]) -> str:
    for tag in tags:
        for before in (f"<{tag} ", f"<{tag}>", f"<{tag}/", f"</{tag}>"):
            xml = xml.replace(before, before.replace(tag, f"n:{tag}"))
    return xml


CODES = (
    "PR",
    "AUTHU",
    "CURR",
    "PREV",
    "Y",
    "N",
    "APPRV",
    "20000",
    "CM",
    "V4_12",
    "MONTH",
    "HOURLY",
    "C",
    "EX",
)
"""Words that mean something in a credit-card document."""


def mutated(rng: Random, xml: str, contract: Contract) -> str:
    """A well-formed document with some of what the contract reads changed."""
    top = etree.fromstring(xml.encode())
    for _ in range(rng.randrange(1, 9)):
        field = rng.choice(contract.fields)
        found = top.findall("/".join(field.path[1:]))
        if not found:
            continue
        element = rng.choice(found)
        parent = element.getparent()
        change = rng.randrange(12)
        if change < 7 or parent is None:
            pool = CODES if change < 3 else rng.choice(POOLS)
            element.set(field.attribute if rng.randrange(5) else field.attribute.swapcase(), rng.choice(pool))
        elif change == 7:
            element.attrib.pop(field.attribute, None)
        elif change == 8:
            parent.insert(rng.randrange(len(parent) + 1), deepcopy(element))
        elif change == 9:
            parent.append(element)
        elif change == 10 and len(field.path) > 3:
            parent.remove(element)
        else:
            element.set("con_id", rng.choice(("5", "6", "77", "", "x")))
    return str(etree.tostring(top, encoding="unicode"))
