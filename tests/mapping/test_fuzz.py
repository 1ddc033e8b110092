"""Damaged sample documents: nothing but rows, or a rejection with a known category, ever comes out."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from random import Random
from typing import Any

import pytest
from building import SAMPLES, shipped

from provenir_lab.errors import CATEGORIES, Rejected
from provenir_lab.mapping.document import decode, read_app_id

CASES = 1_000
NIGHTLY_SECONDS = 60 if os.environ.get("PROVENIR_LAB_NIGHTLY") == "1" else 0

TOKENS = (
    "<", ">", "/>", "</", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>",
    "<?xml version='1.0' encoding='utf-16'?>", "&", "&amp;", "&#0;", "&#xD800;", "&#65;", "&x;", "'", '"',
    "=", " a='1' a='2'", " xmlns='u'", " xmlns:p='u'", "<p:q/>", "<!DOCTYPE a>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>", "<CustData>", "</CustData>", "<CustData/>", "</CustData >",
    "<application>", "</application>", "<contact con_id='1' ac_role_tp_c='PR' ssn='1'/>",
    "<contact con_id='x' ", "\x00", "\ufeff", "\ud800", "\U0001f600", "]]", "\r\n", "</Request>",
    "</Provenir>", "<Request ID='5'>", "<a>" * 300,
)  # fmt: skip
ELEMENTS = (
    "<!-- </CustData> -->", "<?p </CustData>?>", "<![CDATA[</CustData>]]>", "<CustData/>", "<application/>",
    "&#65;", "\r\n", "text", "<group><CustData/></group>", "<group><application a='1'/></group>",
    "<contact con_id='1' ac_role_tp_c='PR' ssn='1'/>", "<contact con_id='x' ac_role_tp_c='PR'/>",
    "<contact_address address_tp_c='CURR' city='x'/>", "<app_product a='1'/>", "<q xmlns='u'/>",
    "<rmts_info over_limit_fee='256'/>", "<p:q xmlns:p='u'/>", "<a>" * 200 + "</a>" * 200,
    "<a>" * 260 + "</a>" * 260,
)  # fmt: skip
VALUES = (
    "", " ", "0", "-1", "1e999", "1e99999", "9" * 40, "$1,234.5", "NaN", "2024-02-30", "0000-00-00",
    "99/99/9999", "9999-12-31 23:59:59.9999999", "1/1/0001", "x" * 600, "&#9;", "&#x1F600;", "\u0663",
    "null", "PR", "CURR", "AUTHU", "V4_1", "Y", "-", ".", "%", "'&quot;", "2024-01-02T00:00:00+99:99",
    "24:00", "1" * 5000,
)  # fmt: skip
SEEN = (
    "rows", "malformed_xml", "forbidden_doctype", "too_large", "not_provenir", "missing_app_id",
    "invalid_app_id", "invalid_con_id", "wrong_product_line", "value_out_of_range", "value_too_long",
)  # fmt: skip
"""Outcomes that so many cases must have."""
KINDS = (int, str, Decimal, date, datetime, type(None))


@cache
def samples() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(SAMPLES.glob("*.xml")))


def damaged(rng: Random) -> bytes:
    """A sample with one to five damages, most of them in the part that is mapped; half of the samples are
    damaged gently: values and whole elements."""
    raw = bytearray(rng.choice(samples()))
    damages = rng.choice((GENTLE, ROUGH))
    for _ in range(rng.randrange(1, 6)):
        if not raw:
            break
        end = raw.find(b"</CustData>")
        size = end if end > 0 and rng.random() < 0.8 else len(raw)
        at = rng.randrange(size)
        length = min(int(rng.expovariate(1 / 20)) + 1, 4000)
        rng.choice(damages)(rng, raw, at, length)
    if rng.randrange(40) == 0:
        return (
            bytes(raw)
            .decode("utf-8", "replace")
            .encode(rng.choice(("utf-16", "utf-16-be", "cp1252")), "replace")
        )
    return bytes(raw)


def _flip(rng: Random, raw: bytearray, at: int, length: int) -> None:
    raw[at] ^= 1 << rng.randrange(8)


def _delete(rng: Random, raw: bytearray, at: int, length: int) -> None:
    del raw[at : at + length]


def _repeat(rng: Random, raw: bytearray, at: int, length: int) -> None:
    raw[at:at] = raw[at : at + length] * rng.choice((1, 1, 2, 50))


def _swap(rng: Random, raw: bytearray, at: int, length: int) -> None:
    other = rng.randrange(len(raw))
    first, second = raw[at : at + length], raw[other : other + length]
    raw[at : at + length] = second
    raw[other : other + length] = first


def _overwrite(rng: Random, raw: bytearray, at: int, length: int) -> None:
    raw[at : at + length] = rng.randbytes(length)


def _insert(rng: Random, raw: bytearray, at: int, length: int) -> None:
    raw[at:at] = rng.choice(TOKENS).encode("utf-8", "surrogatepass")


def _insert_at_start(rng: Random, raw: bytearray, at: int, length: int) -> None:
    raw[0:0] = rng.choice(TOKENS).encode("utf-8", "surrogatepass")


def _insert_element(rng: Random, raw: bytearray, at: int, length: int) -> None:
    place = max(raw.find(b"<", at), 0)
    raw[place:place] = rng.choice(ELEMENTS).encode()


def _value(rng: Random, raw: bytearray, at: int, length: int) -> None:
    """Another value for the next attribute, or for an attribute that matters more."""
    name = rng.choice((b"", b"", b"", b" ID", b" con_id", b" ac_role_tp_c", b" VeridQA_Result"))
    _replace(raw, raw.find(name + b'="', at if not name else 0) + len(name) + 2, rng.choice(VALUES).encode())


def _replace(raw: bytearray, start: int, value: bytes) -> None:
    end = raw.find(b'"', start)
    if end >= start:
        raw[start:end] = value


def _rename(rng: Random, raw: bytearray, at: int, length: int) -> None:
    """Other names for all elements of a name."""
    old = rng.choice((b"Provenir", b"Request", b"CustData", b"application", b"contact", b"app_product"))
    raw[:] = raw.replace(b"<" + old, b"<" + old + b"_").replace(b"</" + old, b"</" + old + b"_")


def _cut(rng: Random, raw: bytearray, at: int, length: int) -> None:
    del raw[at:]


ROUGH = (_flip, _delete, _repeat, _swap, _overwrite, _insert, _insert_element, _insert_at_start, _value, _cut)
GENTLE = (*[_value] * 12, *[_insert_element] * 8, _insert_at_start, _rename)


def outcome(parse_mode: str, text: str) -> dict[str, list[tuple[Any, ...]]] | str:
    """Rows of plain values, or a known category."""
    mapper = shipped(parse_mode)
    try:
        found = mapper.map(text)
    except Rejected as rejected:
        assert rejected.category in CATEGORIES
        assert rejected.reason.isascii()
        return rejected.category
    for table, rows in found.items():
        for row in rows:
            assert len(row) == len(mapper.columns[table])
            assert all(isinstance(cell, KINDS) and cell != "" for cell in row)
    return found


def identified(text: str) -> int | str:
    try:
        return read_app_id(text)
    except Rejected as rejected:
        assert rejected.category in CATEGORIES
        return rejected.category


def check(case: int) -> str:
    """One case, named by its number; what selective mode made of it."""
    text = decode(damaged(Random(case)))
    selective, full, app_id = outcome("selective", text), outcome("full", text), identified(text)
    if full not in ("malformed_xml", "too_large"):  # which may lie behind CustData
        assert selective == full
    if isinstance(selective, dict):
        assert app_id == selective["app_base"][0][0] or text.count("<Request") > 1
        return "rows"
    return selective


def numbers() -> Iterator[int]:
    """The same cases each time; nightly, new ones until the time is over."""
    if not NIGHTLY_SECONDS:
        yield from range(CASES)
        return
    end = time.monotonic() + NIGHTLY_SECONDS
    first = time.time_ns()
    for case in count(first):
        if time.monotonic() > end:
            return
        yield case


def test_damaged_documents(record_property: pytest.RecordProperty) -> None:
    seen: Counter[str] = Counter()
    for case in numbers():
        try:
            seen[check(case)] += 1
        except BaseException as error:
            error.add_note(f"case {case}")
            raise
    for name, number in {"cases": seen.total(), **seen}.items():
        record_property(name, number)
    print(f"{seen.total():,} cases: {dict(seen.most_common())}")
    assert set(SEEN) <= set(seen)  # else the damages are too harmless, or too great
