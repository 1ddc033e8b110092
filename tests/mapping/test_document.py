"""Documents: what counts, where reading stops, encodings, and what is malformed."""

from __future__ import annotations

import re

import pytest
from building import BOTH, Row, address, contact, document, element, outcome, rows, sample, shipped, wrapped
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loan_contract import contract_data

from provenir_lab.errors import Rejected
from provenir_lab.mapping.document import DocumentReader, decode, read_app_id
from provenir_lab.mapping.loading import load_contract, parse_contract
from provenir_lab.mapping.plan import compile_mapper

PLAIN = document(
    element("app_product", decision_tp_c="APPRV", VeridQA_Result="<good> & 'fair'"),
    contact("11", "PR", address(city="Springfield"), first_name="Ann"),
    contact("12", "AUTHU", first_name="Bob"),
    campaign_num="A1B",
)
INTRUDER = contact("99", "PR", address(city="Nowhere"), first_name="Mallory")
OTHER_DATA = element("CustData", element("application", INTRUDER, campaign_num="ZZZ"))
PATH = load_contract().reading_root


@pytest.fixture(params=BOTH)
def parse_mode(request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    return mode


def inside(xml: str, *, before: str = "<app_product", text: str = PLAIN) -> str:
    """The plain document with some XML before an element."""
    assert before in text
    return text.replace(before, xml + before, 1)


def changed(old: str, new: str, text: str = PLAIN) -> str:
    assert old in text
    return text.replace(old, new)


def test_the_plain_document_has_rows_that_could_differ() -> None:
    found = rows(shipped(), PLAIN)
    assert [r["first_name"] for r in found["app_contact_base"]] == ["Ann", "Bob"]
    assert [r["city"] for r in found["app_contact_address"]] == ["Springfield"]
    assert found["app_pricing_cc"][0]["campaign_num"] == "A1B"
    assert found["app_report_results_lookup"][0]["value"] == "<good> & 'fair'"


SAME_ROWS = {
    # what only looks like the end of the subtree
    "end tag in a comment": inside("<!-- </CustData> -->"),
    "end tag in a comment of its own": inside(f"<!-- </CustData>{OTHER_DATA} -->"),
    "end tag in a processing instruction": inside("<?note </CustData>?>"),
    "end tag in CDATA": inside("<comments><![CDATA[</CustData>]]></comments>"),
    "end tag in an attribute": inside("<comments a='&lt;/CustData>'/>"),
    "empty CustData in an attribute": inside("<comments a='&lt;CustData/>'/>"),
    "empty CustData in a comment": inside("<!-- <CustData/> <CustData a='\"/> -->"),
    "open comment in CDATA": inside("<comments><![CDATA[<!-- ]]></comments>"),
    "open CDATA in a comment": inside("<!-- <![CDATA[ -->"),
    "quotes in a comment": inside("<!-- it's \" </CustData> -->"),
    "CustData in CustData": inside("<CustData><CustData/></CustData>"),
    "CustData in an application": inside("<group><CustData><app campaign_num='ZZZ'/></CustData></group>"),
    "a longer name": inside("<CustDataX></CustDataX><XCustData/><CustData.a/>"),
    # spellings of the end
    "space in the end tag": changed("</CustData>", "</CustData >"),
    "line end in the end tag": changed("</CustData>", "</CustData\r\n\t>"),
    "a comment, and a space": inside("<!-- </CustData> -->", text=changed("</CustData>", "</CustData >")),
    # neighbours
    "a CustData above": changed("<Request", f"{OTHER_DATA}<Request"),
    "a CustData beside": changed("<CustData", f"<Reports>{OTHER_DATA}</Reports><CustData"),
    "a second CustData": changed("</Request>", f"{OTHER_DATA}</Request>"),
    "a second Request": changed("</Request>", f"</Request><Request ID='8'>{OTHER_DATA}</Request>"),
    "an empty Request first": changed("<Request", "<Request ID='8'/><Request"),
    "contacts elsewhere": changed("</Request>", f"<Reports>{INTRUDER}</Reports></Request>"),
    "text anywhere": changed("><", ">text &amp; &#x41;<"),
    # names
    "a default namespace": changed("<Provenir", "<Provenir xmlns='urn:example'"),
    "another namespace inside": changed("<application", "<application xmlns='urn:example'"),
    "a prefix on CustData": PLAIN.replace("CustData", "p:CustData").replace(
        "<Provenir", "<Provenir xmlns:p='urn:p'"
    ),
    "a prefix on all": re.sub(r"<(/?)(?=[a-zA-Z])", r"<\1p:", PLAIN).replace(
        "<p:Provenir", "<p:Provenir xmlns:p='urn:p'"
    ),
    "a prefix on an attribute": changed("campaign_num=", "p:campaign_num=").replace(
        "<Provenir", "<Provenir xmlns:p='urn:p'"
    ),
    "a prefix on the id": changed("<Request ID=", "<Request xmlns:p='urn:p' p:ID="),
    # references
    "character references": changed('first_name="Ann"', "first_name='&#65;n&#x6E;'"),
    "predefined entities": changed("&lt;good&gt; &amp; 'fair'", "&lt;good> &amp; &apos;fair&apos;"),
    "quotes and spaces": changed('ID="7"', "ID = '7'\n"),
    # before the root element
    "a declaration": "<?xml version='1.0'?>" + PLAIN,
    "declared UTF-8": "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n" + PLAIN,
    "declared UTF-16": "<?xml version='1.0' encoding='UTF-16'?>" + PLAIN,
    "declared windows-1252": "<?xml version='1.0' encoding='windows-1252'?>" + PLAIN,
    "declared nonsense": "<?xml version='1.0' encoding='no-such-thing'?>" + PLAIN,
    "comments around": f"<!-- </CustData> <!DOCTYPE x> --><?p </CustData>?>{PLAIN}<!-- end --><?p?>\n",
    "a byte order mark": "\ufeff" + PLAIN,
    "a mark and a declaration": "\ufeff<?xml version='1.0' encoding='utf-16'?>" + PLAIN,
    "a UTF-8 mark read as windows-1252": "ï»¿" + PLAIN,
    "a UTF-16 mark read as windows-1252": "ÿþ" + PLAIN,
    "the other UTF-16 mark": "þÿ" + PLAIN,
    "white space before": " \r\n\t" + PLAIN,
    "control characters before": "\x00\x01\x1f" + PLAIN,
    "a mark, control characters and white space": "\ufeff\x02 \n" + PLAIN,
    "white space after": PLAIN + " \r\n",
    # line ends
    "CRLF": PLAIN.replace("><", ">\r\n<"),
    "CR": PLAIN.replace("><", ">\r<"),
    "line ends in tags": PLAIN.replace(' first_name="', '\r\nfirst_name\n=\r"'),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_ROWS)
def test_the_same_document_written_otherwise(name: str, parse_mode: str) -> None:
    assert SAME_ROWS[name] != PLAIN
    assert rows(shipped(parse_mode), SAME_ROWS[name]) == rows(shipped(), PLAIN)


def test_the_order_of_attributes_and_elements_does_not_matter(parse_mode: str) -> None:
    def turned(match: re.Match[str]) -> str:
        attributes = re.findall(r' [\w]+="[^"]*"', match[2])
        return f"<{match[1]}{''.join(reversed(attributes))}{match[3]}"

    text = sample("typical-3")
    other = re.sub(r'<(\w+)((?: \w+="[^"]*")+)(/?>)', turned, text)
    assert other != text
    assert rows(shipped(parse_mode), other) == rows(shipped(), text)


MALFORMED = {
    "the end tag's text in an attribute": inside("<comments a='</CustData>'/>"),
    "crossing end tags": changed("</application></CustData>", "</CustData></application>"),
    "an end tag without start": inside("</CustData>"),
    "a lost end tag": changed("</application>", ""),
    "another root behind": PLAIN.replace("<Provenir>", "<Provenir/><Provenir>"),
    "a bare ampersand": inside("<comments a='R & D'/>"),
    "an unknown entity": inside("<comments a='&nbsp;'/>"),
    "an attribute twice": inside("<comments a='1' a='2'/>"),
    "an attribute without quotes": inside("<comments a=1/>"),
    "an undeclared prefix": inside("<p:comments/>"),
    "an undeclared prefix of an attribute": inside("<comments p:a='1'/>"),
    "half a surrogate pair": inside("<comments a='\ud800'/>"),
    "a NUL": inside("<comments a='\x00'/>"),
    "a control character": inside("<comments a='\x01'/>"),
    "a reference to a control character": inside("<comments a='&#1;'/>"),
    "two hyphens in a comment": inside("<!-- a -- b -->"),
    "an open comment": inside("<!-- "),
    "an open CDATA section": inside("<![CDATA["),
    "text before the root": "x" + PLAIN,
    "two declarations": "<?xml version='1.0'?><?xml version='1.0'?>" + PLAIN,
    "a late declaration": "<!-- --><?xml version='1.0'?>" + PLAIN,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_not_well_formed(name: str, parse_mode: str) -> None:
    with pytest.raises(Rejected) as caught:
        shipped(parse_mode).map(MALFORMED[name])
    assert caught.value.category == "malformed_xml"


@pytest.mark.parametrize("text", [None, "", " \r\n", "\ufeff", "ï»¿", "\x00", "\ufeff \x01\n"])
def test_nothing_to_read(text: str | None, parse_mode: str) -> None:
    assert outcome(shipped(parse_mode), text) == "malformed_xml"


BROKEN_TAILS = {
    "an open element": changed("</Request>", "<Reports></Request>"),
    "cut off": PLAIN[: PLAIN.index("</Request>")],
    "cut off in a tag": PLAIN[: PLAIN.index("</Request>") + 4],
    "two roots": PLAIN + PLAIN,
    "junk": PLAIN + "junk",
    "a bare ampersand": changed("</Request>", "R & D</Request>"),
    "half a surrogate pair": changed("</Request>", "\udfff</Request>"),
    "a NUL": PLAIN + "\x00",
}
HIDDEN_END = "<!-- </CustData> -->"
"""Makes the first place that looks like the end the wrong one."""


@pytest.mark.parametrize("hidden", ["", HIDDEN_END], ids=["plain", "hidden end"])
@pytest.mark.parametrize("name", BROKEN_TAILS)
def test_a_broken_tail_concerns_full_mode_alone(name: str, hidden: str) -> None:
    text = inside(hidden, text=BROKEN_TAILS[name])
    assert rows(shipped("selective"), text) == rows(shipped(), PLAIN)
    assert outcome(shipped("full"), text) == "malformed_xml"


def test_a_tail_cut_off_is_placed_by_line_and_column() -> None:
    text = "\n".join(changed("</Request>", "").partition("<CustData>")[::2])
    with pytest.raises(Rejected, match=r"line 2, column \d+"):
        shipped("full").map(text)


@pytest.mark.parametrize(
    "kept", ["<CustData>", "<contact ", "Springfield", 'first_name="Bob', "</application>"]
)
def test_cut_off_before_the_end_of_the_subtree(kept: str, parse_mode: str) -> None:
    lines = PLAIN.replace("><", ">\n<")
    cut = lines[: lines.index(kept) + len(kept)]
    with pytest.raises(Rejected) as caught:
        shipped(parse_mode).map(cut)
    assert caught.value.category == "malformed_xml"
    found = re.search(r"line (\d+), column (\d+)", caught.value.reason)
    assert found is not None
    assert int(found[1]) == cut.count("\n") + 1
    assert int(found[2]) > 0


# ---- which CustData


@pytest.mark.parametrize(
    "first", ["<CustData/>", "<CustData />", "<CustData a='1'\n b='/>'/>", "<CustData></CustData>"]
)
def test_an_empty_first_custdata_is_the_one_that_counts(first: str, parse_mode: str) -> None:
    text = changed("<CustData>", f"{first}<CustData>")
    assert outcome(shipped(parse_mode), text) == "wrong_product_line"


def test_the_first_custdata_has_the_first_say(parse_mode: str) -> None:
    found = rows(shipped(parse_mode), changed("<CustData>", f"{OTHER_DATA}<CustData>"))
    assert [r["first_name"] for r in found["app_contact_base"]] == ["Mallory"]
    assert found["app_pricing_cc"][0]["campaign_num"] == "ZZZ"


def test_ancestors_are_those_of_the_first_custdata(parse_mode: str) -> None:
    text = changed("<Request", "<Request ID='8' Trans='WRONG'><Reports/></Request><Request Trans='RIGHT'")
    found = rows(shipped(parse_mode), text)
    assert found["app_base"][0]["app_id"] == 7
    assert found["app_transactional_cc"][0]["provenir_transaction"] == "RIGHT"


def test_a_nested_custdata_does_not_end_its_parent(parse_mode: str) -> None:
    """The end tag of the inner one comes first; the contacts behind it still count."""
    text = inside("<group><CustData><application/></CustData></group>", before="<contact")
    found = rows(shipped(parse_mode), text)
    assert [r["con_id"] for r in found["app_contact_base"]] == [11, 12]


# ---- stopping


def reader(parse_mode: str = "selective") -> DocumentReader:
    return DocumentReader(PATH, parse_mode=parse_mode)


@pytest.mark.parametrize("hidden", ["", HIDDEN_END, "<CustData/>"])
def test_nothing_behind_the_end_is_read(hidden: str) -> None:
    text = inside(hidden, text=changed("</CustData>", "</CustData><Reports big='"))
    document = reader()(text)
    assert document.data.startswith(b"<Provenir>")
    assert b"Reports" not in document.data
    assert b"Bob" in document.data


def test_a_later_end_tag_is_not_looked_for() -> None:
    text = changed("</CustData>", "</CustData><Reports/><CustData></CustData>")
    assert b"Reports" not in reader()(text).data


def test_the_reading_root_comes_from_the_contract() -> None:
    data = contract_data()
    for part in (data["mappings"], data["relationships"], data["element_filtering"]["filter_rules"]):
        for entry in part:
            for key in ("xml_path", "xml_parent_path", "xml_child_path"):
                if key in entry:
                    entry[key] = entry[key].replace("/Provenir/Request/CustData", "/Envelope/Case/Body")
    data["xml_root_element"] = "Envelope"
    contract = parse_contract(data, "loans.json")
    assert contract.reading_root == ("Envelope", "Case", "Body")
    mapper = compile_mapper(contract, {})
    body = "<Body><IL_application loan_name='Boat'/><!-- </CustData> --></Body>"
    text = f"<Envelope><Case ID='5'>{body}<CustData> & not looked at"
    assert rows(mapper, text)["loan"][0]["loan_name"] == "Boat"
    assert mapper.parse(text).data.endswith(b"</Body></Case></Envelope>")
    assert outcome(mapper, text.replace("Body", "CustData")) != outcome(mapper, text)
    assert outcome(mapper, PLAIN) == "not_provenir"


def test_a_document_without_the_reading_root(parse_mode: str) -> None:
    found = reader(parse_mode)("<Provenir a='1'><Request ID='7'><Reports/></Request></Provenir>")
    assert found.root is None
    assert [node.tag for node in found.ancestors] == ["Provenir", "Request"]
    assert reader(parse_mode)("<Provenir/>").ancestors[0].tag == "Provenir"


def test_a_reader_forgets_a_failed_document() -> None:
    read = reader()
    with pytest.raises(Rejected):
        read(PLAIN.replace("</application>", ""))
    assert read(PLAIN).root is not None
    assert rows(shipped(), PLAIN) == rows(shipped("full"), PLAIN)


# ---- values as the parser gives them


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("&amp;lt;", "&lt;"),
        ("&amp;amp;amp;", "&amp;amp;"),
        ("a&#10;b", "a\nb"),
        ("a&#13;b", "a\rb"),
        ("a\r\nb", "a b"),
        ("a\nb\rc\td", "a b c d"),
        ("&#x1F600;\N{GRINNING FACE}", "\N{GRINNING FACE}" * 2),
        ("naïve Łódź €", "naïve Łódź €"),
        ("a\N{NO-BREAK SPACE}b", "a\N{NO-BREAK SPACE}b"),
    ],
)
def test_texts_reach_the_rows_unharmed(written: str, read: str, parse_mode: str) -> None:
    text = wrapped(
        f'<CustData><application><app_product VeridQA_Result="{written}"/></application></CustData>'
    )
    for version in (text, "<?xml version='1.0' encoding='windows-1252'?>" + text, "\ufeff" + text):
        assert rows(shipped(parse_mode), version)["app_report_results_lookup"][0]["value"] == read


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        b"\xff\xfe" + PLAIN.encode("utf-16-le"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("windows-1252"),
    ],
)
def test_files_in_several_encodings(raw: bytes) -> None:
    assert rows(shipped(), decode(raw)) == rows(shipped(), PLAIN)


def test_bytes_that_are_not_utf8_are_windows_1252() -> None:
    text = document(contact(first_name="Zoë"))
    assert rows(shipped(), decode(text.encode("windows-1252"))) == rows(shipped(), text)
    assert decode(b"caf\xe9 \x81") == "café \N{REPLACEMENT CHARACTER}"


# ---- the id alone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLAIN, 7),
        ("\ufeff" + PLAIN, 7),
        (PLAIN[: PLAIN.index("<app_product")], 7),
        ("<!-- <Request ID='8'/> -->" + PLAIN, 7),
        (PLAIN.replace("<app_product", "</app_product"), 7),
        (PLAIN + "\ud800", 7),
        ("<Provenir><Request ID=' 0042 '>", 42),
        ("<Provenir><Request ID='999999999'/></Provenir>", 999_999_999),
        ("<p:Provenir xmlns:p='urn:p'><p:Request ID='5'/></p:Provenir>", 5),
    ],
)
def test_the_id_is_read_from_the_start_tags(text: str, expected: int) -> None:
    assert read_app_id(text) == expected


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (None, "malformed_xml"),
        ("", "malformed_xml"),
        (" ", "malformed_xml"),
        ("\ufeff", "malformed_xml"),
        ("<Provenir", "malformed_xml"),
        ("<Provenir><Request ID='7'", "malformed_xml"),
        ("<!DOCTYPE a><Provenir><Request ID='7'/></Provenir>", "forbidden_doctype"),
        ("<Other><Request ID='7'/></Other>", "not_provenir"),
        ("<Provenir/>", "missing_app_id"),
        ("<Provenir><Request/></Provenir>", "missing_app_id"),
        ("<Provenir><Request id='7'/></Provenir>", "missing_app_id"),
        ("<Provenir><Request ID=' '/></Provenir>", "missing_app_id"),
        ("<Provenir><Request ID='0'/></Provenir>", "invalid_app_id"),
        ("<Provenir><Request ID='7a'/></Provenir>", "invalid_app_id"),
        ("<Provenir><Request ID='1234567890'/></Provenir>", "invalid_app_id"),
    ],
)
def test_an_id_that_cannot_be_read(text: str | None, category: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_app_id(text)
    assert caught.value.category == category


# ---- both modes, any well-formed document

PIECES = (
    "<!-- </CustData> -->",
    "<!-- <CustData/> -->",
    "<?p </CustData>?>",
    "<![CDATA[</CustData>]]>",
    "<CustData/>",
    "<CustData a='/>' ></CustData >",
    "<application/>",
    "<group><CustData><contact con_id='5'/></CustData></group>",
    "<p:CustData xmlns:p='urn:p'/>",
    "<contact con_id='31' ac_role_tp_c='PR' ssn='123'/>",
    "</CustData>",
    "</application></CustData>",
    "<Request ID='9'>",
    "</Request>",
    "<!--",
    "-->",
    "<![CDATA[",
    "'",
    " x='",
    "&lt;/CustData&gt;",
    "&",
    "\r\n",
    "\ufeff",
    "\x00",
    "\ud800",
    "<!DOCTYPE a>",
    "",
)
PLACES = [m.start() for m in re.finditer("<", PLAIN)] + [len(PLAIN)]
Insertions = list[tuple[int, str]]


def pieced(insertions: Insertions) -> str:
    text = PLAIN
    for place, piece in sorted(insertions, reverse=True):
        text = text[:place] + piece + text[place:]
    return text


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(PIECES)), max_size=4))
@example([(PLACES[3], "<!-- </CustData> -->"), (PLACES[-2], "\ud800")])
def test_selective_equals_full_where_full_can_read(insertions: Insertions) -> None:
    text = pieced(insertions)
    full: dict[str, list[Row]] | str = outcome(shipped("full"), text)
    selective = outcome(shipped("selective"), text)
    if full != "malformed_xml":
        assert selective == full
