"""Contacts, their addresses and employments, and the values that a role chooses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from building import (
    APPLICATION,
    CONTACT,
    Row,
    address,
    contact,
    document,
    element,
    employment,
    entry,
    rows,
    rule,
    shipped,
    small,
    wrapped,
)

from provenir_lab.mapping.plan import Mapper, compile_mapper


def table(name: str, text: str, mapper: Mapper | None = None) -> list[Row]:
    """The rows of one table of the shipped contract."""
    return rows(mapper or shipped(), text).get(name, [])


def people(text: str) -> list[tuple[int, str]]:
    return [(r["con_id"], r["first_name"]) for r in table("app_contact_base", text)]


def person(con_id: str, role: str, first_name: str, *inside: str, **attributes: str) -> str:
    return contact(con_id, role, *inside, first_name=first_name, **attributes)


# ---- which contacts count


def test_one_row_a_contact_in_document_order() -> None:
    text = document(person("9", "AUTHU", "Bob"), person("4", "PR", "Ann"), person("7", "PR", "Cleo"))
    assert people(text) == [(9, "Bob"), (4, "Ann"), (7, "Cleo")]
    found = table("app_contact_base", text)
    assert [r["app_id"] for r in found] == [7, 7, 7]
    assert [r["contact_type_enum"] for r in found] == [280, 281, 281]


@pytest.mark.parametrize(
    ("role", "counts"),
    [("PR", True), ("AUTHU", True), (" PR\t", True), ("pr", False), ("Pr", False), ("SEC", False),
     ("", False), (" ", False), (None, False)],
)  # fmt: skip
def test_the_role_is_matched_exactly(role: str | None, counts: bool) -> None:
    assert len(table("app_contact_base", document(contact("1", role)))) == counts


@pytest.mark.parametrize("con_id", ["", " ", None])
def test_without_an_id_it_is_no_contact(con_id: str | None) -> None:
    text = document(contact(con_id, "PR", address(), employment(b_name="Example Co")))
    assert not {"app_contact_base", "app_contact_address", "app_contact_employment"} & set(
        rows(shipped(), text)
    )


@pytest.mark.parametrize("name", ["birth_date", "first_name", "last_name", "ssn"])
def test_one_mark_of_identity_is_enough(name: str) -> None:
    bare = {"last_name": " ", "ssn": "", "email": "someone@example.test"}
    assert table("app_contact_base", document(contact(**bare))) == []
    assert len(table("app_contact_base", document(contact(**bare | {name: "x"})))) == 1


def test_the_more_important_role_wins_an_id() -> None:
    for text in (
        document(person("1", "PR", "Ann"), person("1", "AUTHU", "Bob")),
        document(person("1", "AUTHU", "Bob"), person("1", "PR", "Ann")),
    ):
        assert people(text) == [(1, "Ann")]


def test_of_equal_roles_the_later_wins_at_the_place_of_the_first() -> None:
    text = document(person("1", "PR", "Ann"), person("2", "PR", "Bob"), person(" 01 ", "PR", "Cleo"))
    assert people(text) == [(1, "Cleo"), (2, "Bob")]


def test_a_sparse_duplicate_changes_nothing() -> None:
    sparse = contact("1", "PR", address(city="Wrongtown", home_phone="5550009999"), last_name="")
    text = document(person("1", "PR", "Ann", address(city="Springfield", home_phone="5550001111")), sparse)
    assert people(text) == [(1, "Ann")]
    assert [r["city"] for r in table("app_contact_address", text)] == ["Springfield"]
    assert table("app_contact_base", text)[0]["home_phone"] == "5550001111"


def test_the_winner_alone_gives_the_children() -> None:
    text = document(
        person("1", "AUTHU", "Bob", address(city="Wrongtown"), employment(b_name="Wrong Co")),
        person("1", "PR", "Ann", address(city="Springfield"), employment(b_name="Right Co")),
        person("2", "AUTHU", "Cleo", address("PREV", city="Shelbyville")),
    )
    assert [(r["con_id"], r["city"]) for r in table("app_contact_address", text)] == [
        (1, "Springfield"),
        (2, "Shelbyville"),
    ]
    assert [(r["con_id"], r["business_name"]) for r in table("app_contact_employment", text)] == [
        (1, "Right Co")
    ]


def test_contacts_elsewhere_have_a_row_but_no_children() -> None:
    """They count anywhere inside CustData, their addresses and employments at the contract's path alone."""
    stray = person("5", "PR", "Ann", address(city="Springfield"), employment(b_name="Example Co"))
    for text in (
        wrapped(element("CustData", stray, element("application"))),
        document(element("group", stray)),
        document(element("contact_group", stray)),
    ):
        assert people(text) == [(5, "Ann")]
        assert table("app_contact_address", text) == []
        assert table("app_contact_employment", text) == []


def test_a_contact_inside_a_contact_counts_too() -> None:
    text = document(person("1", "PR", "Ann", person("2", "AUTHU", "Bob")))
    assert people(text) == [(1, "Ann"), (2, "Bob")]


def test_no_contacts_are_no_error() -> None:
    found = rows(shipped(), document())
    assert found["app_base"][0]["app_id"] == 7
    assert not [name for name in found if "contact" in name]


def test_values_of_a_contact_row() -> None:
    text = document(
        contact(
            "1", "PR", first_name=" Ann ", last_name="", ssn="012-34-5678", birth_date="2/8/1957", 
            initials="QX", email="a" * 120, fraud_ind="",
        ),
        esign_consent_flag="TRUE",
        paperless_flag="false",
    )  # fmt: skip
    found = table("app_contact_base", text)[0]
    assert found["first_name"] == "Ann"
    assert found["last_name"] == "UNKNOWN"
    assert found["ssn"] == "012345678"
    assert found["birth_date"] == date(1957, 2, 8)
    assert found["middle_initial"] == "Q"
    assert found["email"] == "a" * 100
    assert (found["esign_consent_flag"], found["paperless_flag"], found["sms_consent_flag"]) == (1, 0, 0)


def test_an_unreadable_date_of_birth_gives_way_to_the_default() -> None:
    """Q11: the column may not be null; the default comes typed."""
    assert table("app_contact_base", document(contact(birth_date="n/a")))[0]["birth_date"] == date(1900, 1, 1)


# ---- addresses and employments


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("CURR", 320),
        ("PREV", 321),
        ("curr", 320),
        ("Prev", 321),
        (" CURR", None),
        ("PATR", None),
        ("", None),
        (None, None),
    ],
)
def test_types_of_addresses(kind: str | None, code: int | None) -> None:
    found = table("app_contact_address", document(contact("1", "PR", address(kind, city="Springfield"))))
    assert [r["address_type_enum"] for r in found] == ([] if code is None else [code])


def test_all_addresses_and_employments_in_order() -> None:
    inside = [
        address("CURR", city="One"), employment("PREV", b_name="A"), address("PREV", city="Two"),
        address("CURR", city="Three"), employment("CURR", b_name="B"),
    ]  # fmt: skip
    text = document(contact("3", "PR", *inside), contact("4", "AUTHU", address(city="Four")))
    assert [(r["con_id"], r["city"]) for r in table("app_contact_address", text)] == [
        (3, "One"), (3, "Two"), (3, "Three"), (4, "Four"),
    ]  # fmt: skip
    assert [r["business_name"] for r in table("app_contact_employment", text)] == ["A", "B"]


def test_children_of_children_do_not_count() -> None:
    text = document(contact("1", "PR", element("box", address(city="Springfield"), employment(b_name="Co"))))
    assert table("app_contact_address", text) == []
    assert table("app_contact_employment", text) == []


def test_an_empty_address_is_stored_for_its_defaults() -> None:
    """Q8: the defaults make every address of the shipped contract meaningful."""
    found = table("app_contact_address", document(contact("1", "PR", address())))
    assert [(r["city"], r["state"], r["zip"]) for r in found] == [("MISSING", "XX", "00000")]


@pytest.mark.parametrize(
    ("attributes", "counts"),
    [
        ({}, False),
        ({"b_self_employed_ind": "Y", "b_income_source_nontaxable": "Y"}, False),
        ({"b_other_income_amt": "500", "b_primary_income_source_tp_c": "EMPLOY"}, False),
        ({"b_months_at_job": "1", "b_years_at_job": "2"}, False),
        ({"b_salary": "0", "b_salary_basis_tp_c": "ANNUM"}, False),
        ({"b_salary": "not a number"}, False),
        ({"b_salary": "12000", "b_salary_basis_tp_c": "ANNUM"}, True),
        ({"b_name": "Example Co"}, True),
        ({"b_name": "  "}, False),
        ({"b_job_title_tp_c": "Clerk"}, True),
        ({"b_zip": "12345"}, True),
        ({"b_zip": "none"}, False),
        ({"b_city": "Springfield"}, True),
        ({"business_name": "not mapped, but said"}, True),
        ({"zip_code": "0"}, True),
        ({"city": "x"}, True),
        ({"street_name": "x"}, False),
    ],
)
def test_meaningful_employments(attributes: dict[str, str], counts: bool) -> None:
    found = table("app_contact_employment", document(contact("1", "PR", employment(**attributes))))
    assert len(found) == counts


@pytest.mark.parametrize(
    ("attributes", "counts"),
    [
        ({}, False),
        ({"note": "x", "flag": "Y"}, False),
        ({"city": " "}, False),
        ({"city": "x"}, True),
        ({"zip_code": "1"}, True),
        ({"street_name": "1"}, True),
        ({"state": "XX"}, True),
        ({"street_number": "0"}, True),
        ({"zip": "0"}, True),
    ],
)
def test_meaningful_addresses(attributes: dict[str, str], counts: bool) -> None:
    home = f"{CONTACT}/contact_address"
    columns = ("state", "street_number", "zip", "note")
    contract = small(
        *(entry("app_contact_address", name, xml_path=home) for name in columns),
        entry("app_contact_address", "flag", "bit", xml_path=home, mapping_type="char_to_bit"),
    )
    text = document(contact("1", "PR", address(**attributes)))
    assert len(table("app_contact_address", text, compile_mapper(contract, {}))) == counts


def test_required_attributes_of_a_rule() -> None:
    rules = (
        rule("contact", CONTACT, con_id=True, ac_role_tp_c=["PR", "AUTHU"], email=True),
        rule("address", f"{CONTACT}/contact_address", address_tp_c=["CURR"], city=True),
    )
    columns = [
        entry("app_contact_address", name, xml_path=f"{CONTACT}/contact_address") for name in ("city", "zip")
    ]
    mapper = compile_mapper(small(*columns, rules=rules), {})
    home = address(city="Springfield") + address(zip="1") + address("PREV", city="Shelbyville")
    with_email = document(contact("1", "PR", home, email="a@example.test"))
    assert [r["city"] for r in table("app_contact_address", with_email, mapper)] == ["Springfield"]
    without = document(contact("1", "PR", home, email=""))
    assert len(table("app_contact_base", without, mapper)) == 1
    assert table("app_contact_address", without, mapper) == []


# ---- roles


def role_mapper(step: str, path: str, *more: str, data_type: str = "string") -> Mapper:
    types = [step, *more]
    return compile_mapper(
        small(
            entry("facts", "v", data_type, xml_path=path, mapping_type=types),
            entry("facts", "seen", "bit", mapping_type="char_to_bit"),
        ),
        {},
    )


def chosen(step: str, path: str, *inside: str) -> Any:
    """The value that a role's choice gives to an application's column."""
    return table("facts", document(*inside), role_mapper(step, path))[0]["v"]


CARD = f"{CONTACT}/app_prod_bcard"
HOME = f"{CONTACT}/contact_address"
ROLES = [("last_valid_pr_contact", "PR"), ("last_valid_sec_contact", "AUTHU"), ("authu_contact", "AUTHU")]


@pytest.mark.parametrize(("step", "role"), ROLES)
def test_the_last_valid_contact_of_the_role(step: str, role: str) -> None:
    other = "AUTHU" if role == "PR" else "PR"
    texts = [
        contact("1", role, v="first"), contact("2", role, v="second"), contact("3", other, v="other"),
        contact("4", role, last_name="", v="sparse"), contact("", role, v="no id"),
        contact("5", role.lower(), v="x"),
    ]  # fmt: skip
    assert chosen(step, CONTACT, *texts) == "second"
    assert chosen(step, CONTACT, *texts[2:3]) is None


@pytest.mark.parametrize(("step", "role"), ROLES[:2])
def test_one_element_per_id_for_roles_too(step: str, role: str) -> None:
    """C14: of two with one id, the role chooses the one that gives the base row, or neither."""
    texts = [contact("1", "PR", v="Ann"), contact("1", "AUTHU", v="Bob"), contact("2", "AUTHU", v="Cleo")]
    assert chosen(step, CONTACT, *texts) == ("Ann" if role == "PR" else "Cleo")


@pytest.mark.parametrize(("step", "role"), ROLES)
def test_looser_rules_where_no_valid_contact_has_the_role(step: str, role: str) -> None:
    sparse = contact("4", role, last_name="", v="sparse")
    assert chosen(step, CONTACT, sparse) == "sparse"
    assert chosen(step, CONTACT, sparse, contact("5", f" {role}", last_name="", v="spaced")) == "sparse"
    no_id = contact("", role, v="no id")
    assert chosen(step, CONTACT, sparse, no_id) == ("no id" if step == "authu_contact" else "sparse")
    assert chosen(step, CONTACT, no_id) == ("no id" if step == "authu_contact" else None)


@pytest.mark.parametrize(("step", "role"), ROLES)
def test_cards(step: str, role: str) -> None:
    def card(v: str | None) -> str:
        return element("app_prod_bcard", v=v)

    expected: dict[str, tuple[str, ...]] = {
        "last": (card("first"), card("last")),
        "deep": (card("first"), element("box", card("deep"))),
    }
    for answer, cards in expected.items():
        found = chosen(step, CARD, contact("1", role, *cards, v="own"))
        assert found == ("own" if step == "last_valid_sec_contact" else answer)
    assert chosen(step, CARD, contact("1", role, v="own")) == "own"
    bare = chosen(step, CARD, contact("1", role, card(None), v="own"))
    assert bare == ("own" if step == "last_valid_sec_contact" else None)


@pytest.mark.parametrize(("step", "role"), ROLES[:2])
@pytest.mark.parametrize(
    ("homes", "expected"),
    [
        ([("CURR", "a"), ("CURR", "b")], "a"),
        ([("PREV", "p"), ("CURR", "a")], "a"),
        ([("CURR", ""), ("CURR", "b"), ("PREV", "p")], "b"),
        ([("CURR", ""), ("PREV", "p")], None),
        ([("curr", "c"), ("PREV", "p")], "c"),
        ([("PREV", ""), (None, "n")], "n"),
        ([("CURR", None)], None),
        ([], "own"),
    ],
)
def test_addresses_of_a_role(
    step: str, role: str, homes: list[tuple[str | None, str | None]], expected: str | None
) -> None:
    inside = [address(kind, v=v) for kind, v in homes]
    assert chosen(step, HOME, contact("1", role, *inside, v="own")) == expected


def test_the_authorised_user_has_no_address() -> None:
    """`authu_contact` knows cards and the contact itself."""
    assert chosen("authu_contact", HOME, contact("1", "AUTHU", address(v="home"), v="own")) == "own"


def test_addresses_at_any_depth_of_the_chosen_contact() -> None:
    assert (
        chosen("last_valid_pr_contact", HOME, contact("1", "PR", element("box", address(v="deep")))) == "deep"
    )


def test_values_of_a_role_are_converted_like_others() -> None:
    cases = [
        ("smallint", "1,234.5", 1235), ("decimal", "497.005", Decimal("497.01")),
        ("date", "2/8/1957", date(1957, 2, 8)),
        ("string", " x ", "x"), ("int", "", None),
    ]  # fmt: skip
    for data_type, text, expected in cases:
        mapper = role_mapper("last_valid_pr_contact", CONTACT, data_type=data_type)
        assert table("facts", document(contact("1", "PR", v=text)), mapper)[0]["v"] == expected


def test_the_flag_of_the_authorised_user() -> None:
    """No user: null. A user without a flag: 0. Blank or absent card: 0 as well."""

    def flag(*inside: str) -> Any:
        return table("app_operational_cc", document(*inside))[0]["auth_user_issue_card_flag"]

    assert flag(contact("1", "PR", element("app_prod_bcard", issue_card_ind="Y"))) is None
    assert flag(contact("2", "AUTHU", element("app_prod_bcard", issue_card_ind="Y"))) == 1
    assert flag(contact("2", "AUTHU", element("app_prod_bcard", issue_card_ind=""))) == 0


def test_a_code_without_a_contact_is_looked_up_as_blank() -> None:
    enums = {"v_enum": {"A": 1, "": 9}}
    contract = small(
        entry(
            "facts",
            "v",
            "int",
            xml_path=CONTACT,
            enum_name="v_enum",
            mapping_type="last_valid_pr_contact,enum",
        ),
        enums=enums,
    )
    mapper = compile_mapper(contract, {})
    assert table("facts", document(), mapper)[0]["v"] == 9
    assert table("facts", document(contact("1", "PR", v="A")), mapper)[0]["v"] == 1
    assert mapper.unknown_codes == {}


def test_the_history_of_earlier_candidates() -> None:
    """What the chosen contact leaves blank is taken from the last candidate that says something."""
    contract = small(entry("kept", "", xml_path=CONTACT, mapping_type="last_valid_pr_contact,add_history"))
    mapper = compile_mapper(contract, {})

    def kept(*inside: str) -> list[str]:
        return [r["value"] for r in table("kept", document(*inside), mapper)]

    assert kept(contact("1", "PR", v="one"), contact("2", "PR", v="two")) == ["two"]
    assert kept(contact("1", "PR", v="one"), contact("2", "PR", v=" null ")) == ["one"]
    assert kept(contact("1", "PR", v="one"), contact("2", "PR", v="two"), contact("3", "PR")) == ["two"]
    assert kept(contact("1", "PR", v="none"), contact("2", "PR", v="")) == []
    assert kept(contact("1", "AUTHU", v="one"), contact("2", "PR")) == []


# ---- the current address of a contact row


@pytest.mark.parametrize(
    ("homes", "expected"),
    [
        ([("CURR", "5550001111")], "5550001111"),
        ([("CURR", "1"), ("CURR", "2")], "2"),
        ([("CURR", "1"), ("PREV", "2")], "1"),
        ([("curr", "1")], None),
        ([("CURR", "(555) 000-1111 ext. 2")], "5550001111"),
        ([("CURR", "none")], None),
        ([("CURR", None)], None),
        ([("PREV", "1")], None),
        ([], None),
    ],
)
def test_phones_of_the_current_address(homes: list[tuple[str, str | None]], expected: str | None) -> None:
    inside = [address(kind, home_phone=v) for kind, v in homes]
    text = document(contact("1", "PR", *inside, home_phone="not this"), contact("2", "AUTHU"))
    assert [r["home_phone"] for r in table("app_contact_base", text)] == [expected, None]


def test_the_current_address_is_a_child() -> None:
    text = document(contact("1", "PR", element("box", address(home_phone="5550001111"))))
    assert table("app_contact_base", text)[0]["home_phone"] is None


# ---- other names, other places


def test_a_contact_column_of_another_place() -> None:
    """The application's attribute, the contact's own, the contact's child (nothing), any other element."""
    contract = small(
        entry("app_contact_base", "from_application", xml_attribute="v"),
        entry("app_contact_base", "own", xml_attribute="V", xml_path=CONTACT),
        entry("app_contact_base", "from_child", xml_attribute="v", xml_path=CARD),
        entry("app_contact_base", "from_product", xml_attribute="v", xml_path=f"{APPLICATION}/app_product"),
    )
    card, product = element("app_prod_bcard", v="card"), element("app_product", v="product")
    text = document(contact("1", "PR", card, v="mine"), product, contact("2", "AUTHU"), v="application")
    found = table("app_contact_base", text, compile_mapper(contract, {}))
    assert [(r["from_application"], r["own"], r["from_child"], r["from_product"]) for r in found] == [
        ("application", "mine", None, "product"),
        ("application", None, None, "product"),
    ]


def test_rules_name_the_elements() -> None:
    """Other names for contacts, addresses and employments, and another set of roles."""
    lending = f"{APPLICATION}/IL_contact"
    rules = (
        rule("contact", lending, con_id=True, kind=["MAIN", "CO", "THIRD"]),
        rule("address", f"{lending}/IL_home", sort=["NOW", "THEN"]),
        rule("employment", f"{lending}/IL_job", sort=["NOW"]),
    )
    contract = small(
        entry("app_contact_base", "role", xml_attribute="kind", xml_path=lending),
        entry("app_contact_base", "phone", xml_path=f"{lending}/IL_home", mapping_type="curr_address_only"),
        entry("app_contact_address", "city", xml_path=f"{lending}/IL_home"),
        entry("app_contact_employment", "business_name", xml_path=f"{lending}/IL_job"),
        entry(
            "facts",
            "v",
            xml_path=f"{lending}/IL_home",
            xml_attribute="city",
            mapping_type="last_valid_sec_contact",
        ),
        rules=rules,
    )
    home = element("IL_home", sort="now", city="Shelbyville") + element(
        "IL_home", sort="NOW", city="Springfield", phone="1"
    )
    job = element("IL_job", sort="NOW", business_name="Example Co")
    text = document(
        element("IL_contact", home, job, con_id="1", kind="CO", last_name="x"),
        element("IL_contact", con_id="1", kind="THIRD", last_name="x"),
        element("IL_contact", con_id="2", kind="THIRD", last_name="x"),
    )
    found = rows(compile_mapper(contract, {}), text)
    assert [(r["role"], r["phone"]) for r in found["app_contact_base"]] == [("CO", "1"), ("THIRD", None)]
    assert [r["city"] for r in found["app_contact_address"]] == ["Shelbyville", "Springfield"]
    assert [r["business_name"] for r in found["app_contact_employment"]] == ["Example Co"]
    assert found["facts"][0]["v"] == "Springfield"
