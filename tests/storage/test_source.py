import sqlite3

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_rows import SESSION, TABLES, Lab

from provenir_lab.errors import DatabaseRefusal
from provenir_lab.storage.database import create_file, writing
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import Pending, store_documents, stored_ids


def store(lab: Lab, app_ids: list[int], campaigns: tuple[str, ...] = ()) -> int:
    with writing(lab.engine) as connection:
        return store_documents(connection, lab.target, [(i, f"<x>{i}</x>") for i in app_ids], campaigns)


def log(lab: Lab, app_ids: list[int]) -> None:
    lab.writer().write([], [(i, "malformed_xml", "made up") for i in app_ids], SESSION)


def ids(pending: Pending, page_size: int, limit: int | None = None) -> list[list[int]]:
    return [[app_id for app_id, *_ in page] for page in pending.pages(page_size, limit)]


def test_pages_hold_what_has_no_outcome_in_order(lab: Lab) -> None:
    store(lab, [9, 3, 4, 7, 1])
    log(lab, [4])
    pending = Pending(lab.engine, lab.target)
    assert ids(pending, 2) == [[1, 3], [7, 9]]
    assert pending.count() == 4
    assert [document[:2] for document in next(pending.pages(10))] == [
        (i, f"<x>{i}</x>") for i in (1, 3, 7, 9)
    ]


def test_a_range_includes_both_ends(lab: Lab) -> None:
    store(lab, [1, 2, 3, 4, 5])
    assert ids(Pending(lab.engine, lab.target, 2, 4), 10) == [[2, 3, 4]]
    assert ids(Pending(lab.engine, lab.target, first=4), 10) == [[4, 5]]
    assert ids(Pending(lab.engine, lab.target, last=2), 10) == [[1, 2]]
    assert Pending(lab.engine, lab.target, 2, 4).count() == 3


def test_a_limit_counts_documents_over_pages(lab: Lab) -> None:
    store(lab, [1, 2, 3, 4, 5])
    assert ids(Pending(lab.engine, lab.target), 2, limit=3) == [[1, 2], [3]]
    assert ids(Pending(lab.engine, lab.target), 2, limit=0) == []


def test_each_document_is_read_once_while_outcomes_and_documents_arrive(lab: Lab) -> None:
    store(lab, [2, 4, 6, 8])
    seen = []
    for page in Pending(lab.engine, lab.target).pages(2):
        seen += [app_id for app_id, *_ in page]
        log(lab, [app_id for app_id, *_ in page])
        if seen == [2, 4]:
            store(lab, [1, 7])
    assert seen == [2, 4, 6, 7, 8]
    assert ids(Pending(lab.engine, lab.target), 9) == [[1]]


@pytest.mark.parametrize("parts", [1, 2, 3, 20])
def test_ranges_cover_what_is_pending_evenly(lab: Lab, parts: int) -> None:
    app_ids = [1, 2, 3, 50, 51, 1000, 1001, 99_999, 100_000, 999_999_999]
    store(lab, [*app_ids, 4])
    log(lab, [4])
    ranges = Pending(lab.engine, lab.target).ranges(parts)
    found = [ids(Pending(lab.engine, lab.target, a, b), 99)[0] for a, b in ranges]
    assert [i for part in found for i in part] == app_ids
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert len(found) == min(parts, len(app_ids))


def test_ranges_of_nothing(lab: Lab) -> None:
    assert Pending(lab.engine, lab.target).ranges(4) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stored=st.sets(st.integers(1, 40)),
    done=st.sets(st.integers(1, 40)),
    size=st.integers(1, 9),
    first=st.none() | st.integers(1, 40),
    last=st.none() | st.integers(1, 40),
)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_paging_equals_its_definition(
    lab: Lab, *, stored: set[int], done: set[int], size: int, first: int | None, last: int | None
) -> None:
    with writing(lab.engine) as connection:
        connection.execute(sa.text("DELETE FROM app_xml"))
        connection.execute(sa.text("DELETE FROM processing_log"))
    store(lab, sorted(stored, reverse=True))
    log(lab, sorted(done))
    wanted = sorted(i for i in stored - done if (first or 0) <= i <= (last or 99))
    pending = Pending(lab.engine, lab.target, first, last)
    assert ids(pending, size) == [wanted[i : i + size] for i in range(0, len(wanted), size)]
    assert pending.count() == len(wanted)


def test_texts_come_back_to_the_byte(lab: Lab) -> None:
    texts = ["\ufeff<x/>\r\n\t", "é\u20ac\U0001f600", "", None, "x" * 1_200_000]
    if lab.engine.dialect.driver == "mssqlpython":  # it takes the mark off, as the mapper does
        texts[0] = "<x/>\r\n\t"
    column = "app_xml"
    with writing(lab.engine) as connection:
        place = f"{lab.target.schema}." if lab.target.schema else ""
        if lab.engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"ALTER TABLE {place}app_xml ALTER {column} DROP NOT NULL"))
        else:
            texts[3] = " "
        store_documents(connection, lab.target, list(enumerate(texts)))
    assert [text for page in Pending(lab.engine, lab.target).pages(2) for _, text, *_ in page] == texts


def test_a_text_over_the_limit_is_not_read_where_its_size_is_known(lab: Lab) -> None:
    with writing(lab.engine) as connection:
        store_documents(connection, lab.target, [(1, "x" * 1000), (2, "y" * 5000)])
    (page,) = Pending(lab.engine, lab.target).pages(9, max_bytes=1000)
    assert page[0] == (1, "x" * 1000, True, page[0].size)
    if lab.engine.dialect.name != "sqlite" or sqlite3.sqlite_version_info >= (3, 43):
        assert page[1].text is None
        assert page[1].size > 1000


def test_new_campaigns_are_added_once(lab: Lab) -> None:
    campaigns: list[str] = []

    def documents():  # type: ignore[no-untyped-def]
        yield 1, "<x/>"
        campaigns.append("C1")  # known only once the document is made

    with writing(lab.engine) as connection:
        assert store_documents(connection, lab.target, documents(), campaigns) == 1
    store(lab, [2], ("C1", "C2"))
    assert lab.rows("SELECT campaign_num FROM {}app_campaign_cc ORDER BY 1") == [("BLANK",), ("C1",), ("C2",)]


def test_a_document_is_not_stored_twice(lab: Lab) -> None:
    assert store(lab, [1, 2]) == 2
    assert stored_ids(lab.engine, lab.target, [2, 3]) == {2}
    with pytest.raises(DatabaseRefusal, match="app_xml") as caught:
        store(lab, [3, 2])
    assert caught.value.category == "constraint_violation"
    assert stored_ids(lab.engine, lab.target, [1, 2, 3]) == {1, 2}


def test_a_source_without_a_key_may_repeat_an_app_id(lab: Lab) -> None:
    """Correction C23: the first is read, also over the end of a page; the others are counted."""
    schema = f"{lab.target.schema}." if lab.target.schema else ""
    with writing(lab.engine) as connection:
        connection.execute(sa.text(f"CREATE TABLE {schema}staging (app_id int, xml varchar(50))"))
        connection.execute(
            sa.text(f"INSERT INTO {schema}staging VALUES (1,'a'),(2,'b'),(2,'b'),(2,'b'),(3,'c'),(3,'c')")
        )
    target = Target(lab.target.schema, TABLES, "staging", "xml")
    pending = Pending(lab.engine, target)
    assert [doc[:2] for page in pending.pages(2) for doc in page] == [(1, "a"), (2, "b"), (3, "c")]
    assert [doc[:2] for page in pending.pages(4) for doc in page] == [(1, "a"), (2, "b"), (3, "c")]
    assert (pending.count(), pending.repeated()) == (3, 3)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_page_is_found_by_key_and_never_sorted(lab: Lab) -> None:
    ran: list[tuple[str, tuple[object, ...]]] = []
    store(lab, [1, 2, 3])
    sa.event.listen(
        lab.engine, "before_cursor_execute", lambda _a, _b, sql, given, *_: ran.append((sql, given))
    )
    assert ids(Pending(lab.engine, lab.target), 2) == [[1, 2], [3]]
    query, parameters = next(r for r in reversed(ran) if "app_xml" in r[0])
    with lab.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters).all()
    steps = " / ".join(row[3] for row in plan)
    assert "SEARCH app_xml" in steps
    assert "USE TEMP B-TREE" not in steps
    assert "SCAN" not in steps


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_what_is_pending_is_counted_and_divided_in_indexes_alone(lab: Lab) -> None:
    """The texts are not near: 600,000 of them have 100 GB."""
    store(lab, list(range(1, 1001)))
    log(lab, list(range(1, 500)))
    with lab.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    ran: list[tuple[str, dict[str, object]]] = []
    sa.event.listen(
        lab.engine, "before_cursor_execute", lambda _a, _b, sql, given, *_: ran.append((sql, given))
    )
    pending = Pending(lab.engine, lab.target)
    assert (pending.count(), pending.repeated(), len(pending.ranges(4))) == (501, 0, 4)
    asked = [one for one in ran if "app_xml" in one[0] and "pg_catalog" not in one[0]]
    assert len(asked) == 2
    with lab.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")  # so few rows would be read at once
        for sql, given in asked:
            plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", given)]
            scans = [line.split("->")[-1].strip() for line in plan if "Scan" in line]
            assert len(scans) == 2
            assert [scan for scan in scans if not scan.startswith("Index Only Scan")] == []


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_contract_without_campaigns(engine: sa.Engine) -> None:
    create_file(engine)
    target = Target(None, {}, "docs", "xml")
    with writing(engine) as connection:
        connection.execute(sa.text("CREATE TABLE docs (app_id INTEGER PRIMARY KEY, xml TEXT)"))
        assert store_documents(connection, target, [(1, "<x/>")], ["C1"]) == 1
