"""Mock documents through the mapper: every one maps, faulty ones are rejected as they say."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mock import FAULTS, PROFILES, MockDocument, generate, spoil
from provenir_lab.tables import packaged_tables


@cache
def contract() -> Contract:
    return load_contract(None)


@cache
def mapper(parse_mode: str = "selective") -> Mapper:
    return compile_mapper(contract(), packaged_tables(), parse_mode=parse_mode)


def rejection(document: MockDocument, parse_mode: str = "selective") -> str | None:
    """The category with which the document is rejected, None if it maps."""
    try:
        mapper(parse_mode).map(document.text, document.app_id)
    except Rejected as reason:
        return reason.category
    return None


def column(rows: dict[str, list[tuple]], table: str, name: str) -> list[object]:
    at = mapper().columns[table].index(name)
    return [row[at] for row in rows.get(table, [])]


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(-(2**63), 2**63),
    profile=st.sampled_from([*PROFILES, "compact"]),
    start=st.integers(1, 499_999_990),
)
def test_every_document_maps(seed: int, profile: str, start: int) -> None:
    count = 1 if profile == "heavy" else 4
    for document in generate(count, seed=seed, profile=profile, start_app_id=start):
        rows = mapper().map(document.text, document.app_id)
        assert column(rows, "app_base", "app_id") == [document.app_id]
        assert column(rows, "app_pricing_cc", "campaign_num") == [document.campaign_num]


def test_selective_and_full_parsing_agree() -> None:
    for document in generate(120, seed=21):
        selective = mapper("selective").map(document.text, document.app_id)
        assert selective == mapper("full").map(document.text, document.app_id)


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("parse_mode", ["selective", "full"])
def test_a_fault_is_rejected_with_its_category(name: str, parse_mode: str) -> None:
    expected = FAULTS[name].category
    for document in generate(25, seed=8, profile="compact"):
        found = rejection(spoil(document, name), parse_mode)
        # Whether a campaign exists, only the database knows.
        assert found == (None if expected == "constraint_violation" else expected)


def test_among_faulty_documents_the_others_map() -> None:
    for document in generate(300, seed=6, profile="compact", faults=0.4):
        expected = None if document.fault == "constraint_violation" else document.fault
        assert rejection(document) == expected


def test_contacts_that_another_application_owns_are_those_announced() -> None:
    owners: dict[object, int] = {}
    repeats = 0
    for document in generate(500, seed=5, profile="compact", duplicate_contacts=0.3, faults=0.1):
        if rejection(document) is not None or document.fault:
            continue
        rows = mapper().map(document.text, document.app_id)
        contacts = column(rows, "app_contact_base", "con_id")
        owned = {owners[contact] for contact in contacts if contact in owners}
        assert owned == ({document.duplicate_of} if document.duplicate_of else set())
        repeats += len(owned)
        for contact in contacts:
            owners.setdefault(contact, document.app_id)
    assert repeats > 100


def test_all_tables_get_rows_and_dirty_values_become_null_or_default() -> None:
    tables: Counter[str] = Counter()
    births, received, lines, numbers, roles = [], [], [], [], Counter()
    for document in generate(1500, seed=9, profile="compact"):
        rows = mapper().map(document.text, document.app_id)
        tables.update({table: len(found) for table, found in rows.items()})
        births += column(rows, "app_contact_base", "birth_date")
        numbers += column(rows, "app_contact_base", "ssn")
        received += column(rows, "app_base", "receive_date")
        lines += column(rows, "app_pricing_cc", "credit_line")
        roles[len(rows.get("app_contact_base", []))] += 1
    assert set(tables) == set(mapper().columns)
    assert 0 < births.count(date(1900, 1, 1)) < 100
    assert 0 < numbers.count("000000000") < 60
    assert 0 < received.count(datetime(1900, 1, 1)) < 60
    assert 100 < lines.count(None) < 800
    assert roles[0] > 0, "documents whose only contact has no con_id"
    assert roles[1] > 1200
    assert roles[2] > 60
    assert sum(mapper().unknown_codes.values()) > 0
