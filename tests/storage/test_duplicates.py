from collections.abc import Collection, Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from storage_rows import TABLES

from provenir_lab.storage.duplicates import Duplicates

COLUMNS = {
    "app_base": ("app_id",),
    "app_contact_base": ("app_id", "con_id", "email"),
    "app_contact_address": ("con_id", "address_type_enum", "city"),
    "app_contact_employment": ("employment_type_enum", "con_id", "city"),
    "scores": ("app_id", "score_identifier", "score"),
    "app_historical_lookup": ("app_id", "name", "source", "value"),
}
duplicates = Duplicates(TABLES, COLUMNS)


def nobody(_: Collection[int]) -> Mapping[int, int]:
    return {}


def contacts(app_id: int, *con_ids: int) -> tuple[int, dict[str, list[tuple[Any, ...]]]]:
    return app_id, {
        "app_base": [(app_id,)],
        "app_contact_base": [(app_id, con_id, None) for con_id in con_ids],
        "app_contact_address": [(con_id, 320, f"of {app_id}") for con_id in con_ids],
        "app_contact_employment": [(350, con_id, f"of {app_id}") for con_id in con_ids],
    }


def test_a_contact_of_an_earlier_document_is_left_out_with_its_children() -> None:
    settled = duplicates.settle([contacts(1, 10), contacts(2, 10, 11)], nobody)
    assert settled.rows["app_base"] == [(1,), (2,)]
    assert settled.rows["app_contact_base"] == [(1, 10, None), (2, 11, None)]
    assert settled.rows["app_contact_address"] == [(10, 320, "of 1"), (11, 320, "of 2")]
    assert settled.rows["app_contact_employment"] == [(350, 10, "of 1"), (350, 11, "of 2")]
    assert settled.contacts_left_out == {2: 1}


def test_a_contact_in_the_database_is_left_out_unless_it_is_the_documents_own() -> None:
    asked: list[set[int]] = []

    def owners(con_ids: Collection[int]) -> Mapping[int, int]:
        asked.append(set(con_ids))
        return {10: 99, 11: 1}

    settled = duplicates.settle([contacts(1, 10, 11), contacts(2, 12)], owners)
    assert asked == [{10, 11, 12}]
    # 11 is this application's own already: the insert shall fail on the keys, not lose the contact in silence
    assert [row[1] for row in settled.rows["app_contact_base"]] == [11, 12]
    assert settled.contacts_left_out == {1: 1}


def test_of_a_key_value_pair_the_last_wins() -> None:
    rows = {
        "scores": [(1, "A", 1), (1, "B", 2), (1, "A", 3)],
        "app_historical_lookup": [(1, "n", "s1", "old"), (1, "n", "s2", "new")],
    }
    settled = duplicates.settle([(1, rows)], nobody)
    assert sorted(settled.rows["scores"]) == [(1, "A", 3), (1, "B", 2)]
    assert settled.rows["app_historical_lookup"] == [(1, "n", "s2", "new")]
    assert settled.keys_settled == 2


def test_keys_that_the_database_takes_for_equal_are_one_and_the_last_wins() -> None:
    folding = Duplicates(TABLES, COLUMNS, {"scores": str.lower})
    rows = {
        "scores": [(1, "Fico", 1), (1, "B", 2), (1, "FICO", 3)],
        "app_historical_lookup": [(1, "n", "s", "kept"), (1, "N", "s", "kept")],
    }
    settled = folding.settle([(1, rows)], nobody)
    assert sorted(settled.rows["scores"]) == [(1, "B", 2), (1, "FICO", 3)]
    assert settled.rows["app_historical_lookup"] == rows["app_historical_lookup"]
    assert settled.keys_settled == 1


def test_of_addresses_and_employments_of_a_key_the_first_wins() -> None:
    rows = {
        "app_contact_base": [(1, 10, None)],
        "app_contact_address": [(10, 320, "first"), (10, 321, "other"), (10, 320, "second")],
        "app_contact_employment": [(350, 10, "first"), (350, 10, "second")],
    }
    settled = duplicates.settle([(1, rows)], nobody)
    assert settled.rows["app_contact_address"] == [(10, 320, "first"), (10, 321, "other")]
    assert settled.rows["app_contact_employment"] == [(350, 10, "first")]
    assert settled.keys_settled == 2


def test_equal_keys_of_different_documents_do_not_meet() -> None:
    settled = duplicates.settle([(1, {"scores": [(1, "A", 1)]}), (2, {"scores": [(2, "A", 2)]})], nobody)
    assert settled.rows["scores"] == [(1, "A", 1), (2, "A", 2)]
    assert settled.keys_settled == 0


def test_documents_without_contacts_ask_nobody() -> None:
    def owners(_: Collection[int]) -> Mapping[int, int]:
        raise AssertionError

    assert duplicates.settle([(1, {"app_base": [(1,)]})], owners).contacts_left_out == {}


def test_tables_without_contacts_at_all() -> None:
    plain = Duplicates(TABLES, {"app_base": ("app_id",)})
    assert plain.settle([(1, {"app_base": [(1,)]})], nobody).rows == {"app_base": [(1,)]}


@given(st.lists(st.lists(st.integers(1, 6), unique=True, max_size=4), max_size=6), st.integers(1, 6))
def test_batches_of_any_size_settle_alike(shared: list[list[int]], size: int) -> None:
    """Splitting a batch changes nothing: what one part writes, the next finds in the database."""
    documents = [contacts(app_id, *con_ids) for app_id, con_ids in enumerate(shared, 1)]
    whole = duplicates.settle(documents, nobody)
    database: dict[int, int] = {}
    parts: dict[str, list[tuple[Any, ...]]] = {name: [] for name in COLUMNS}
    left_out: dict[int, int] = {}
    for start in range(0, len(documents), size):
        settled = duplicates.settle(documents[start : start + size], lambda _, found=dict(database): found)
        database |= {con_id: app_id for app_id, con_id, _ in settled.rows["app_contact_base"]}
        left_out |= settled.contacts_left_out
        for name, rows in settled.rows.items():
            parts[name] += rows
    assert (parts, left_out) == (whole.rows, whole.contacts_left_out)
