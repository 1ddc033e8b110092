"""Every reason for which the mapper rejects a document: its category, and that it tells no value."""

from __future__ import annotations

import re
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from building import (
    BOTH,
    address,
    contact,
    document,
    element,
    employment,
    entry,
    rows,
    shipped,
    small,
    wrapped,
)

from provenir_lab.errors import CATEGORIES, Rejected
from provenir_lab.mapping.document import read_app_id
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.tables import Column, Table, packaged_tables

APP_ID = "734519286"
CON_ID = "918273645"
CANARIES = ("Quagmire", "quux", APP_ID, CON_ID, "31337")
"""Parts of every value in the documents below; no reason may hold one of them."""


def canary(**changes: Any) -> str:
    """A document that maps, with telling values in every attribute and text."""
    attributes = {"app_source_ind": "Quagmire", "campaign_num": "quux", "swiftpay_num": "31337"} | changes
    card = element("app_prod_bcard", account_number="31337", note="Quagmire")
    home = address(city="Quagmire", street_name="quux Lane", zip="31337")
    work = employment(b_name="Quagmire & quux", b_salary="31337")
    person = contact(CON_ID, "PR", card, home, work, first_name="Quagmire", ssn="313373133", email="q@quux")
    text = document(
        "Quagmire<!-- quux -->",
        element("app_product", VeridQA_Result="Quagmire", monthly_debt="31337"),
        element("rmts_info", over_limit_fee="13", primary_last_name="Quagmire"),
        person,
        request={"ID": APP_ID, "Trans": "quux"},
        after="<Reports note='Quagmire'>quux</Reports>",
        **attributes,
    )
    return text.replace("<Provenir>", "<Provenir org='Quagmire'>")


def changed(old: str, new: str) -> str:
    text = canary()
    assert old in text
    return text.replace(old, new, 1)


def rejection(mapper: Mapper, text: str | None, app_id: int | None = None) -> Rejected:
    """The rejection, after a look at everything that it could tell anybody."""
    with pytest.raises(Rejected) as caught:
        mapper.map(text, app_id)
    found = caught.value
    assert found.category in CATEGORIES
    assert found.reason
    assert str(found) == f"{found.category}: {found.reason}"
    assert "\n" not in found.reason
    told = "".join(traceback.format_exception(found)) + repr(found.args)
    assert [value for value in CANARIES if value in told] == []
    assert found.__cause__ is None
    assert found.__context__ is None or found.__suppress_context__
    return found


@pytest.fixture(params=BOTH)
def mapper(request: pytest.FixtureRequest) -> Mapper:
    return shipped(request.param)


def test_the_canary_document_maps(mapper: Mapper) -> None:
    found = rows(mapper, canary())
    assert found["app_base"][0]["app_id"] == int(APP_ID)
    assert found["app_contact_base"][0]["con_id"] == int(CON_ID)
    assert found["app_contact_address"][0]["city"] == "Quagmire"


# ---- XML


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (changed("</application>", ""), r"line 1, column \d+"),
        (changed("Quagmire<!--", "Quagmire & quux <!--"), r"line 1, column \d+"),
        (changed("Quagmire<!--", "&Quagmire;<!--"), r"line 1, column \d+"),
        (changed("<rmts_info ", "<rmts_info quux='1' quux='2' "), r"line 1, column \d+"),
        (changed("<rmts_info ", "<quux:rmts_info "), r"line 1, column \d+"),
        (changed("<rmts_info", "\n\n<Quagmire>\n<rmts_info"), r"line 4, column \d+"),
        (canary()[: canary().index("</CustData>")], r"line 1, column \d+"),
        (changed("Quagmire<!--", "Quagmire\x01<!--"), r"line 1, column \d+"),
        (changed("Quagmire<!--", "Quagmire\ud800<!--"), "half a surrogate pair"),
        ("Quagmire", r"line 1, column \d+"),
        ("", "empty"),
        (None, "empty"),
    ],
)
def test_malformed_xml(mapper: Mapper, text: str | None, place: str) -> None:
    found = rejection(mapper, text)
    assert found.category == "malformed_xml"
    assert re.search(place, found.reason)


DOCTYPES = {
    "bare": "<!DOCTYPE Provenir>",
    "entity": "<!DOCTYPE Provenir [<!ENTITY Quagmire 'quux'>]>",
    "bomb": "<!DOCTYPE Provenir [<!ENTITY a 'Quagmire'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>",
    "remote": "<!DOCTYPE Provenir SYSTEM 'http://quux.invalid/Quagmire.dtd'>",
    "after a declaration": "<?xml version='1.0'?>\r\n<!DOCTYPE Provenir>",
    "after comments": "\n<!-- quux --><?p Quagmire?> <!DOCTYPE Provenir>",
    "after a mark": "\ufeff<!DOCTYPE Provenir>",
    "after two marks": "\ufeff\ufeff<!DOCTYPE Provenir [<!ENTITY a 'quux'>]>",
    "after a line and a mark": "\n\ufeff<!DOCTYPE Provenir>",
    "after control characters": "\x00\x01<!DOCTYPE Provenir>",
}


@pytest.mark.parametrize("name", DOCTYPES)
def test_forbidden_doctype(mapper: Mapper, name: str) -> None:
    assert rejection(mapper, DOCTYPES[name] + canary()).category == "forbidden_doctype"
    with pytest.raises(Rejected, match="forbidden_doctype"):
        read_app_id(DOCTYPES[name] + canary())


def test_a_used_entity_is_not_resolved(mapper: Mapper) -> None:
    text = DOCTYPES["bomb"] + canary().replace("Quagmire<!--", "&i;<!--")
    assert rejection(mapper, text).category == "forbidden_doctype"


def test_no_file_is_read(mapper: Mapper, tmp_path: Path) -> None:
    """The external entity is never opened: the same outcome whether its file exists or not."""
    secret = tmp_path / "secret.txt"
    doctype = f"<!DOCTYPE Provenir [<!ENTITY Quagmire SYSTEM '{secret.as_uri()}'>]>"
    text = doctype + canary().replace("Quagmire<!--", "&Quagmire;<!--")
    before = rejection(mapper, text)
    secret.write_text("quux")
    assert rejection(mapper, text).args == before.args == ("forbidden_doctype", before.reason)


@pytest.mark.parametrize("name", ["a DOCTYPE in a comment", "in CDATA", "in an attribute", "behind CustData"])
def test_what_only_looks_like_a_doctype(name: str) -> None:
    text = {
        "a DOCTYPE in a comment": "<!-- <!DOCTYPE a> -->" + canary(),
        "in CDATA": changed("Quagmire<!--", "<![CDATA[<!DOCTYPE a>]]><!--"),
        "in an attribute": changed("quux Lane", "&lt;!DOCTYPE a>"),
        "behind CustData": changed("</Reports>", "<![CDATA[<!DOCTYPE a>]]></Reports>"),
    }[name]
    assert shipped("full").map(text) == shipped().map(text)


# ---- sizes

MB = 1_000_000


def inside(xml: str) -> str:
    return changed("<rmts_info", f"{xml}<rmts_info")


@pytest.mark.parametrize(
    "text",
    [
        inside("<Quagmire>" * 300 + "</Quagmire>" * 300),
        inside(f"<comments>quux{'x' * 11 * MB}</comments>"),
        inside(f"<comments a='quux{'x' * 11 * MB}'/>"),
        inside(f"<!-- quux{'x' * 11 * MB} -->"),
        inside(f"<!-- quux{'Quagmire' * MB}\n{'x' * 5 * MB} -->"),
        inside(f"<![CDATA[quux{'x' * 11 * MB}]]>"),
        inside(f"<?p quux{'x' * 11 * MB}?>"),
        inside(f"<{'quux' * 20_000}/>"),
    ],
    ids=["depth", "text", "attribute", "comment", "comment of two lines", "CDATA", "instruction", "name"],
)
def test_too_large_for_the_parser(mapper: Mapper, text: str) -> None:
    found = rejection(mapper, text)
    assert found.category == "too_large"
    assert re.search(r"line \d+, column \d+", found.reason)


def test_many_texts_are_no_large_one() -> None:
    """12 MB of them inside CustData, and a tail that selective mode must not come to."""
    text = inside(f"<comments a='{'x' * 1000}'/>" * 12_000).replace("</CustData>", "</CustData> &")
    assert shipped().map(text) == shipped().map(canary())


def test_the_deepest_document_that_maps(mapper: Mapper) -> None:
    """256 levels altogether; three of them are above the application's children."""
    assert mapper.map(inside("<a>" * 252 + "</a>" * 252)) == mapper.map(canary())
    assert rejection(mapper, inside("<a>" * 253 + "</a>" * 253)).category == "too_large"


@pytest.mark.parametrize("letter", ["x", "é", "€", "\N{GRINNING FACE}"])
def test_max_document_mb_counts_bytes(letter: str) -> None:
    """Characters of several bytes count as such; a document of exactly the limit is still read."""
    start = canary()
    room = MB - len(start.encode())
    filled = start + letter * (room // len(letter.encode())) + " " * (room % len(letter.encode()))
    assert len(filled.encode()) == MB
    reads = shipped("selective", 1)
    assert reads.map(filled) == shipped().map(start)
    found = rejection(reads, filled + " ")
    assert found.category == "too_large"
    assert "max_document_mb" in found.reason
    assert shipped("selective", 2).map(filled + " ") == shipped().map(start)


@pytest.mark.parametrize("parse_mode", BOTH)
def test_max_document_mb_holds_in_both_modes(parse_mode: str) -> None:
    text = changed("quux</Reports>", "quux" + " " * MB + "</Reports>")
    assert rejection(shipped(parse_mode, 1), text).category == "too_large"
    assert shipped(parse_mode, 2).map(text) == shipped().map(canary())


# ---- what a document must have


@pytest.mark.parametrize("old", ["Provenir", "Quagmire", "provenir", "Request"])
def test_not_provenir(mapper: Mapper, old: str) -> None:
    text = canary().replace("<Provenir", f"<{old}").replace("</Provenir>", f"</{old}>")
    if old == "Provenir":
        assert mapper.map(text)
    else:
        assert rejection(mapper, text).category == "not_provenir"


@pytest.mark.parametrize(
    "text",
    [
        changed(f' ID="{APP_ID}"', ""),
        changed(APP_ID, ""),
        changed(APP_ID, " \t "),
        changed(" ID=", " Id="),
        changed(f' ID="{APP_ID}"', "").replace("<Provenir", f"<Provenir ID='{APP_ID}'"),
        "<Provenir note='Quagmire'/>",
        f"<Provenir><Reports><Request ID='{APP_ID}'/></Reports></Provenir>",
    ],
)
def test_missing_app_id(mapper: Mapper, text: str) -> None:
    found = rejection(mapper, text)
    assert found.category == "missing_app_id"
    assert "/Provenir/Request" in found.reason


@pytest.mark.parametrize(
    "app_id", ["0", "000", "-7", "+7", "7.0", "7_7", "1e3", "31337a", "quux", "1234567890", "٣", "7 7", "²"]
)
def test_invalid_app_id(mapper: Mapper, app_id: str) -> None:
    found = rejection(mapper, changed(APP_ID, app_id))
    assert found.category == "invalid_app_id"
    assert "/Provenir/Request/@ID" in found.reason


@pytest.mark.parametrize(
    ("written", "app_id"), [("1", 1), ("007", 7), (" 42 ", 42), ("999999999", 999_999_999)]
)
def test_valid_app_ids(mapper: Mapper, written: str, app_id: int) -> None:
    text = changed(APP_ID, written)
    assert rows(mapper, text)["app_base"][0]["app_id"] == app_id
    assert mapper.map(text, app_id) == mapper.map(text)


def test_app_id_mismatch(mapper: Mapper) -> None:
    assert mapper.map(canary(), int(APP_ID)) == mapper.map(canary())
    assert rejection(mapper, canary(), 31337).category == "app_id_mismatch"
    assert rejection(mapper, canary(), int(APP_ID) + 1).category == "app_id_mismatch"


@pytest.mark.parametrize("con_id", ["quux", "12a", "-1", "+1", "1.0", "1234567890", "٣", "1 2", "Quagmire"])
def test_invalid_con_id(mapper: Mapper, con_id: str) -> None:
    found = rejection(mapper, changed(CON_ID, con_id))
    assert found.category == "invalid_con_id"
    assert "contact/@con_id" in found.reason


@pytest.mark.parametrize("con_id", ["", "  ", None])
def test_a_contact_without_con_id_is_none(mapper: Mapper, con_id: str | None) -> None:
    old = f' con_id="{CON_ID}"'
    text = changed(old, "" if con_id is None else f' con_id="{con_id}"')
    assert "app_contact_base" not in mapper.map(text)


def test_a_wrong_con_id_of_what_is_no_contact_does_no_harm(mapper: Mapper) -> None:
    for other in (contact("quux", "ZZ"), contact("quux", None), contact("quux", "")):
        assert mapper.map(inside(other)) == mapper.map(canary())


@pytest.mark.parametrize(
    "text",
    [
        canary().replace("application", "IL_application"),
        canary().replace("application", "Application"),
        changed("<CustData>", "<CustData/><CustData>"),
        changed("<CustData>", "<CustData><Quagmire>").replace("</CustData>", "</Quagmire></CustData>"),
        canary().replace("CustData", "Custdata"),
        f"<Provenir><Request ID='{APP_ID}'/></Provenir>",
    ],
)
def test_wrong_product_line(mapper: Mapper, text: str) -> None:
    found = rejection(mapper, text)
    assert found.category == "wrong_product_line"
    assert "/Provenir/Request/CustData/application" in found.reason


def test_the_id_is_looked_at_before_the_product_line(mapper: Mapper) -> None:
    text = canary().replace("application", "IL_application")
    assert rejection(mapper, text, 31337).category == "app_id_mismatch"


def test_both_product_lines_are_accepted(mapper: Mapper) -> None:
    """A warning in the system in use today; the rows are those of the contract's own line."""
    text = changed(
        "<application", f"<IL_application><IL_contact con_id='{CON_ID}'/></IL_application><application"
    )
    assert mapper.map(text) == mapper.map(canary())


# ---- values


def test_missing_required(mapper: Mapper) -> None:
    """A contact type without a code: every contact that counts has one, unless the contract forgot it."""
    contract = load_contract()
    enums = dict(contract.enums) | {"contact_type_enum": {"AUTHU": 1}}
    forgetful = compile_mapper(replace(contract, enums=enums), packaged_tables())
    found = rejection(forgetful, canary())
    assert (found.category, found.reason) == ("missing_required", "app_contact_base.contact_type_enum")
    assert mapper.map(canary())


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('over_limit_fee="13"', 'over_limit_fee="256"', "app_pricing_cc.card_over_limit_fee"),
        ('over_limit_fee="13"', 'over_limit_fee="-1"', "app_pricing_cc.card_over_limit_fee"),
        ('over_limit_fee="13"', 'apr="1000"', "app_pricing_cc.card_purchase_apr"),
        ('over_limit_fee="13"', 'apr="999.995"', "app_pricing_cc.card_purchase_apr"),
        ('over_limit_fee="13"', 'late_payment_fee="Up to $313370"', "app_pricing_cc.card_late_payment_fee"),
        ('swiftpay_num="31337"', 'swiftpay_num="3133731337"', "app_operational_cc.sc_funding_reference"),
        ('swiftpay_num="31337"', 'swiftpay_num="1e999"', "app_operational_cc.sc_funding_reference"),
        ('monthly_debt="31337"', 'monthly_debt="31337313373"', "app_pricing_cc.monthly_debt"),
        ('monthly_debt="31337"', 'EX_DIE_score="3133731337"', "scores.score"),
        ('b_salary="31337"', 'b_salary="1e12"', "app_contact_employment.monthly_salary"),
    ],
)
def test_value_out_of_range(mapper: Mapper, old: str, new: str, place: str) -> None:
    found = rejection(mapper, changed(old, new))
    assert (found.category, found.reason) == ("value_out_of_range", place)


def test_value_too_long(mapper: Mapper) -> None:
    attribute, place = "VeridQA_Result", "app_report_results_lookup.value"
    long = "Quagmire" * 40
    assert mapper.map(changed(f'{attribute}="Quagmire"', f'{attribute}="{long[:250]}"'))
    found = rejection(mapper, changed(f'{attribute}="Quagmire"', f'{attribute}="{long[:251]}"'))
    assert (found.category, found.reason) == ("value_too_long", place)


def test_not_representable() -> None:
    column = Column("note", "varchar", length=20, encoding="cp1252")
    mapper = compile_mapper(small(entry("facts", "note")), {"facts": Table("facts", (column,))})
    for text in ("naïve €", "Œuvre"):
        assert rows(mapper, document(note=text))["facts"][0]["note"] == text
    for text in ("Quagmire Łódź", "日本 quux", "\N{GRINNING FACE}"):
        found = rejection(mapper, document(note=text))
        assert (found.category, found.reason) == ("not_representable", "facts.note")


@pytest.mark.parametrize("types", [["add_history"], ["add_report_lookup(Quagmire)"]])
def test_values_of_row_creating_types_are_checked_too(types: list[str]) -> None:
    contract = small(entry("looked_up", "", mapping_type=types))
    columns = (Column("app_id", "int"), Column("value", "varchar", length=9, encoding="cp1252"))
    mapper = compile_mapper(contract, {"looked_up": Table("looked_up", columns)})
    assert rows(mapper, document(v="Quagmires"))["looked_up"][0]["value"] == "Quagmires"
    assert rejection(mapper, document(v="Quagmire quux")).category == "value_too_long"
    assert rejection(mapper, document(v="Łódź quux")).category == "not_representable"


def test_a_rejection_survives_pickling() -> None:
    import pickle

    found = rejection(shipped(), wrapped("<CustData/>", request={"ID": APP_ID}))
    again = pickle.loads(pickle.dumps(found))
    assert (again.category, again.reason) == (found.category, found.reason)
