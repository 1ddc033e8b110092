"""The reference mapper: contacts, roles, and which rows there are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_contract import (
    ADDRESS,
    AUTHU,
    CARD,
    CONTACT,
    EMPLOYMENT,
    PR,
    document,
    entry,
    mapper,
    rejection,
    row_entry,
)

# ---- rows (4.4)


def test_columns_in_the_order_of_the_contract_keys_last() -> None:
    found = mapper(entry("b", target_table="app_one"), entry("a", target_table="app_one"), entry("b"))
    assert found.columns == {
        "app_base": ("app_id", "b"),
        "app_contact_base": ("con_id", "app_id"),
        "app_one": ("b", "a", "app_id"),
    }
    assert found.map(document(x="1")) == {"app_base": [(7, "1")], "app_one": [("1", "1", 7)]}


@pytest.mark.parametrize(
    ("changes", "text", "emitted"),
    [
        ({}, "x", True),
        ({}, " ", False),
        ({"default_value": "d"}, "", False),
        ({"default_value": "d"}, "d", True),
        ({"data_type": "bit", "mapping_type": ["char_to_bit"], "default_value": "0"}, "", True),
        ({"data_type": "bit", "default_value": "0"}, "", False),
        ({"data_type": "int", "mapping_type": ["enum"], "enum_name": "kind_enum"}, "", True),
        ({"mapping_type": ["calculated_field"], "expression": "''"}, "", True),
        ({"mapping_type": ["calculated_field"], "expression": "nothing"}, "", False),
        ({"mapping_type": ["last_valid_pr_contact"], "xml_path": CONTACT}, "", False),
    ],
)
def test_rows_of_nothing_but_defaults_are_dropped(changes: dict[str, Any], text: str, emitted: bool) -> None:
    found = mapper(entry(target_table="app_one", **changes)).map(document(f'<contact {PR} x=""/>', x=text))
    assert ("app_one" in found) == emitted


# ---- contacts (2.4, C11, C14)


def contact_ids(*contacts: str) -> list[int]:
    found = mapper().map(document("".join(f"<contact {contact}/>" for contact in contacts)))
    return [row[0] for row in found.get("app_contact_base", [])]


def test_contacts_without_id_role_or_identity_are_none() -> None:
    assert contact_ids(
        'ac_role_tp_c="PR" last_name="A"',
        'con_id="2" last_name="A"',
        'con_id="3" ac_role_tp_c="pr" last_name="A"',
        'con_id="4" ac_role_tp_c="PR" last_name=" " ssn=""',
        'con_id=" 05 " ac_role_tp_c=" PR " ssn="1"',
    ) == [5]


def test_one_contact_element_an_id_the_more_important_then_the_later() -> None:
    found = mapper(
        entry("last_name", target_table="app_contact_base", xml_path=CONTACT, xml_attribute="last_name")
    )
    contacts = [(1, "AUTHU", "a"), (2, "PR", "b"), (1, "PR", "c"), ("01", "PR", "d"), (1, "AUTHU", "e")]
    inside = "".join(
        f'<contact con_id="{i}" ac_role_tp_c="{role}" last_name="{name}"/>' for i, role, name in contacts
    )
    assert found.map(document(inside))["app_contact_base"] == [(1, "d", 7), (2, "b", 7)]


@pytest.mark.parametrize("con_id", ["x", "1234567890", "-1", "1.0"])
def test_an_id_that_is_none_rejects_the_document_sparse_contact_or_not(con_id: str) -> None:
    text = document(f'<contact con_id="{con_id}" ac_role_tp_c="PR"/>')
    assert rejection(mapper(), text) == "invalid_con_id"


def children(inside: str) -> list[tuple[Any, ...]]:
    column = {"target_table": "app_contact_address", "xml_path": ADDRESS}
    city = entry("city", **column, xml_attribute="CITY")
    return mapper(city).map(document(inside)).get("app_contact_address", [])


def test_addresses_come_from_the_chosen_element_of_a_contact_at_the_rules_path() -> None:
    assert children(
        f'<contact {PR}><contact_address address_tp_c="CURR" city="lost"/></contact>'
        f'<contact {PR}><contact_address address_tp_c="curr" city="a"/>'
        '<contact_address address_tp_c="PREV" city="b"/><contact_address address_tp_c="OLD" city="c"/>'
        '<contact_address address_tp_c="CURR" city=" "/></contact>'
        f'<group><contact {AUTHU}><contact_address address_tp_c="CURR" city="d"/></contact></group>'
    ) == [("a", 1), ("b", 1)]


def test_employments_without_anything_meaningful_are_dropped() -> None:
    column = {"target_table": "app_contact_employment", "xml_path": EMPLOYMENT}
    salary = entry("monthly_salary", **column, data_type="decimal", xml_attribute="salary")
    note = entry("note", **column, xml_attribute="note")
    jobs = "".join(
        f'<contact_employment employment_tp_c="CURR" {attributes}/>'
        for attributes in ('salary="0" note="x"', 'salary="1"', 'zip_code="1" note="y"', 'zip_code=" "')
    )
    found = mapper(salary, note).map(document(f"<contact {PR}>{jobs}</contact>"))
    assert found["app_contact_employment"] == [(Decimal("1.00"), None, 1), (None, "y", 1)]


def test_a_contact_row_reads_its_own_contact_and_the_application() -> None:
    own = entry("own", target_table="app_contact_base", xml_path=CONTACT)
    below = entry("below", target_table="app_contact_base", xml_path=CARD)
    above = entry("above", target_table="app_contact_base")
    inside = f'<contact {PR} X="1"><app_prod_bcard x="9"/></contact><contact {AUTHU} x="2"/>'
    found = mapper(own, below, above).map(document(inside, x="a"))
    assert found["app_contact_base"] == [(1, "1", None, "a", 7), (2, "2", None, "a", 7)]


def test_curr_address_only_takes_the_last_current_address_of_the_rows_contact() -> None:
    phone = entry(
        "phone", target_table="app_contact_base", xml_path=ADDRESS, mapping_type="curr_address_only"
    )
    addresses = "".join(
        f'<contact_address address_tp_c="{kind}" x="{kind}{index}"/>'
        for index, kind in enumerate(("CURR", "CURR", "curr", "PREV"))
    )
    found = mapper(phone).map(document(f"<contact {PR}>{addresses}</contact><contact {AUTHU}/>"))
    assert found["app_contact_base"] == [(1, "CURR1", 7), (2, None, 7)]


# ---- roles (2.5)


def chosen(kind: str, inside: str, path: str = CONTACT) -> Any:
    return mapper(entry(xml_path=path, mapping_type=kind)).map(document(inside))["app_base"][0][1]


def test_a_role_chooses_its_last_valid_contact() -> None:
    contacts = (
        f'<contact {PR} x="a"/><contact con_id="5" ac_role_tp_c="PR" ssn="1" x="b"/><contact {AUTHU} x="c"/>'
    )
    sparse = '<contact con_id="6" ac_role_tp_c="PR" x="d"/>'
    assert chosen("last_valid_pr_contact", contacts + sparse) == "b"
    assert chosen("last_valid_sec_contact", contacts) == "c"
    assert chosen("authu_contact", contacts) == "c"


def test_without_a_valid_one_the_looser_rules_apply() -> None:
    sparse = '<contact con_id="6" ac_role_tp_c="PR" x="d"/><contact ac_role_tp_c="PR" x="e"/>'
    assert chosen("last_valid_pr_contact", sparse) == "d"
    assert chosen("authu_contact", '<contact ac_role_tp_c="AUTHU" x="f"/>') == "f"
    assert chosen("last_valid_sec_contact", '<contact ac_role_tp_c="AUTHU" x="f"/>') is None
    assert chosen("last_valid_pr_contact", '<contact con_id="6" ac_role_tp_c=" PR " x="g"/>') is None


def test_a_roles_address_and_card() -> None:
    inside = (
        f'<contact {PR} x="own"><contact_address address_tp_c="PREV" x="p"/>'
        '<contact_address address_tp_c="CURR" x=""/><contact_address address_tp_c="CURR" x="c"/>'
        '<app_prod_bcard x="1"/><box><app_prod_bcard x="2"/></box></contact>'
    )
    assert chosen("last_valid_pr_contact", inside, ADDRESS) == "c"
    assert chosen("last_valid_pr_contact", inside, CARD) == "2"
    assert chosen("last_valid_pr_contact", f'<contact {PR} x="own"/>', ADDRESS) == "own"
    assert chosen("last_valid_pr_contact", f'<contact {PR} x="own"/>', CARD) == "own"
    assert chosen("last_valid_sec_contact", inside.replace(PR, AUTHU), CARD) == "own"


def test_a_history_looks_back_for_something_meaningful() -> None:
    history = row_entry("add_history", "app_historical_lookup", xml_path=CONTACT)
    history["mapping_type"] = "last_valid_pr_contact,add_history"
    inside = f'<contact {PR} x="a"/><contact con_id="5" ac_role_tp_c="PR" ssn="1" x="None"/>'
    found = mapper(history).map(document(inside))
    assert found["app_historical_lookup"] == [(7, "[x]", "[contact]", "a")]


# ---- row-creating types (section 6)


def test_scores_and_indicators() -> None:
    scores = [row_entry(f"add_score({key})", "scores", data_type="int", xml_attribute=key) for key in "abcd"]
    flags = [row_entry(f"add_indicator({key})", "indicators", xml_attribute=key) for key in "efgh"]
    found = mapper(*scores, *flags).map(document(a="12.5", b="0", c="x", e=" YES ", f="0", g="t"))
    assert found["scores"] == [(7, "a", 13), (7, "b", 0)]
    assert found["indicators"] == [(7, "e", "1"), (7, "g", "1")]


def test_histories_and_reports() -> None:
    history = [row_entry("add_history", "app_historical_lookup", xml_attribute=name) for name in "ab"]
    reports = [
        row_entry(kind, "app_report_results_lookup") for kind in ("add_report_lookup(K)", "add_report_lookup")
    ]
    found = mapper(*history, *reports).map(document(a=" old ", b="NULL", x="z"))
    assert found["app_historical_lookup"] == [(7, "[a]", "[application]", "old")]
    assert found["app_report_results_lookup"] == [(7, "x", "z", "K"), (7, "x", "z", None)]


def test_policy_exceptions_share_their_notes() -> None:
    kinds = {
        "a": "policy_exceptions(3)",
        "n": "policy_exceptions()",
        "b": "policy_exceptions(4)",
        "c": "policy_exceptions(x)",
    }
    entries = [
        row_entry(kind, "app_policy_exceptions_rl", xml_attribute=name) for name, kind in kinds.items()
    ]
    found = mapper(*entries).map(document(a=" R1 ", b="R2", c="R3", n=" why "))
    assert found["app_policy_exceptions_rl"] == [(7, 3, "R1", "why"), (7, 4, "R2", "why")]


def test_warranties_are_grouped_and_lack_no_flag() -> None:
    def part(group: int, column: str, name: str, **changes: Any) -> dict[str, Any]:
        types = [f"warranty_field({group})", *changes.pop("more", [])]
        return row_entry(
            "",
            "app_warranties_rl",
            target_column=column,
            xml_attribute=name,
            **changes | {"mapping_type": types},
        )

    found = mapper(
        part(2, "amount", "a", data_type="decimal", default_value="9"),
        part(1, "amount", "b", data_type="decimal"),
        part(1, "flag", "f", data_type="bit", more=["char_to_bit"]),
        part(3, "flag", "f", data_type="bit", more=["char_to_bit"]),
        part(2, "name", "n", data_length=2),
    ).map(document(a="None", b="1,000.5", f="Y", n=" long "))
    assert found["app_warranties_rl"] == [(None, 0, "long", 7, 2), (Decimal("1000.50"), 1, None, 7, 1)]


def test_collateral_counts_only_what_says_something() -> None:
    def part(group: int, column: str, name: str, *more: str, **changes: Any) -> dict[str, Any]:
        types = [f"add_collateral({group})", *more]
        return row_entry(
            "",
            "app_collateral_rl",
            target_column=column,
            xml_attribute=name,
            **changes | {"mapping_type": types},
        )

    def group(number: int, letter: str) -> list[dict[str, Any]]:
        return [
            part(number, "kind", "k", "calculated_field", data_type="int", expression="k + 1"),
            part(number, "used", f"{letter}u", "char_to_bit", data_type="bit"),
            part(number, "miles", f"{letter}m", "numbers_only", data_type="int", default_value="5"),
            part(number, "wholesale_value", f"{letter}w", data_type="decimal"),
            part(number, "make", f"{letter}n", default_value="MISSING"),
        ]

    found = mapper(*group(1, "a"), *group(2, "b"), *group(3, "c")).map(
        document(k="416", au="Y", aw="0", an="none", bm="12 mi", bw="x", cw="1,200.00")
    )
    assert found["app_collateral_rl"] == [
        (417, 0, 12, None, "MISSING", 7, 2),
        (417, 0, 5, Decimal("1200.00"), "MISSING", 7, 3),
    ]
