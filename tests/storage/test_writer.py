import datetime as dt
import random

import pytest
import sqlalchemy as sa
from storage_rows import COLUMNS, SESSION, TABLES, Lab, document, with_value

from provenir_lab.errors import DatabaseError, DatabaseRefusal, UsageError
from provenir_lab.settings import Settings
from provenir_lab.storage.cleanup import clean
from provenir_lab.storage.digest import digest_tables
from provenir_lab.storage.methods import possible_methods
from provenir_lab.storage.owners import OwnerLookup
from provenir_lab.storage.reader import comparable, stored_rows
from provenir_lab.storage.schema import build_tables
from provenir_lab.storage.writer import Session, Writer


def everything(lab: Lab, app_ids: list[int]) -> dict[str, list[tuple[object, ...]]]:
    found = stored_rows(lab.engine, lab.target, COLUMNS, app_ids)
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def wanted(
    lab: Lab, documents: list[tuple[int, dict[str, list[tuple[object, ...]]]]]
) -> dict[str, list[object]]:
    return {
        name: sorted(
            comparable(lab.target, name, named, [r for _, rows in documents for r in rows[name]]), key=repr
        )
        for name, named in COLUMNS.items()
    }


def test_rows_arrive_as_they_were_mapped(lab: Lab) -> None:
    documents = [document(i) for i in range(1, 41)]
    written = lab.writer().write(documents, [], SESSION)
    assert everything(lab, list(range(1, 41))) == wanted(lab, documents)
    assert written.rows == {name: sum(len(rows[name]) for _, rows in documents) for name in COLUMNS}
    assert (written.duplicate_contacts, written.duplicate_keys) == (0, 0)
    assert set(written.seconds) == {"wait", "duplicate_check", "write", "commit"}


def test_one_log_row_for_each_outcome(lab: Lab) -> None:
    moment = dt.datetime(2024, 5, 6, 7, 8, 9, 123456)
    writer = Writer(lab.engine, lab.target, COLUMNS, Settings(), clock=lambda: moment)
    writer.write([document(1)], [(2, "too_large", "element x"), (3, "malformed_xml", "y" * 600)], SESSION)
    rows = lab.rows(
        "SELECT app_id, status, failure_reason, session_id, app_id_start, app_id_end, processing_time "
        "FROM {}processing_log ORDER BY 1"
    )
    tail = (SESSION.session_id, 1, 99)
    assert [row[:6] for row in rows] == [
        (1, "success", None, *tail),
        (2, "failed", "too_large: element x", *tail),
        (3, "failed", ("malformed_xml: " + "y" * 600)[:500], *tail),
    ]
    assert {str(row[6]) for row in rows} == {str(moment)}


def test_without_a_range_the_log_says_so(lab: Lab) -> None:
    lab.writer().write([], [(1, "too_large", "x")], Session("s"))
    assert lab.rows("SELECT app_id_start, app_id_end FROM {}processing_log") == [(None, None)]


def test_nothing_at_all_is_written_without_harm(lab: Lab) -> None:
    assert set(lab.writer().write([], [], SESSION).rows.values()) == {0}
    assert set(lab.counts().values()) == {0}


def test_a_shared_contact_stays_with_its_first_owner_and_is_noted(lab: Lab) -> None:
    writer = lab.writer()
    writer.write([document(1, con_ids=(10,))], [], SESSION)
    written = writer.write([document(2, con_ids=(10, 11)), document(3, con_ids=(11,))], [], SESSION)
    assert written.duplicate_contacts == 2
    assert lab.rows("SELECT con_id, app_id FROM {}app_contact_base ORDER BY 1") == [(10, 1), (11, 2)]
    assert lab.rows("SELECT con_id FROM {}app_contact_address ORDER BY 1") == [(10,), (11,)]
    assert lab.rows("SELECT app_id, status, failure_reason FROM {}processing_log ORDER BY 1") == [
        (1, "success", None),
        (2, "success", "duplicate_contact: 1"),
        (3, "success", "duplicate_contact: 1"),
    ]


REFUSED = [
    ("app_base", "app_type_enum", 9999, "constraint_violation", "app_base"),
    ("app_pricing_cc", "campaign_num", "NONE", "constraint_violation", "app_pricing_cc"),
    ("app_contact_base", "ssn", None, "missing_required", "app_contact_base"),
    ("app_pricing_cc", "marketing_segment", "CANARY\ud800", "not_representable", "app_pricing_cc"),
]


@pytest.mark.parametrize("table, column, value, category, says", REFUSED)
def test_a_refused_row_undoes_the_batch_and_is_classed(
    lab: Lab, *, table: str, column: str, value: object, category: str, says: str
) -> None:
    app_id, rows = document(2)
    batch = [document(1), (app_id, with_value(rows, table, column, value)), document(3)]
    writer = lab.writer()
    with pytest.raises(DatabaseRefusal, match=says) as caught:
        writer.write(batch, [(4, "too_large", "x")], SESSION)
    assert caught.value.category == category
    assert "9999" not in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert set(lab.counts().values()) == {0}
    writer.write([batch[0], batch[2]], [(4, "too_large", "x")], SESSION)  # the writer is as good as before
    assert lab.counts()["app_base"] == 2


def test_an_application_that_is_there_already_is_refused_and_untouched(lab: Lab) -> None:
    lab.run("INSERT INTO {}app_base (app_id, product_line_enum, receive_date) VALUES (1, 5, '2001-01-01')")
    with pytest.raises(DatabaseRefusal, match="already in app_base, loaded outside of this log") as caught:
        lab.writer().write([document(1)], [], SESSION)
    assert caught.value.category == "constraint_violation"
    assert lab.rows("SELECT product_line_enum FROM {}app_base") == [(5,)]


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_rows_that_vanish_on_the_way_are_noticed(lab: Lab) -> None:
    """A trigger swallows one row of many, as no row count of a driver would tell."""
    if lab.engine.dialect.name == "sqlite":
        lab.run(
            "CREATE TRIGGER swallow BEFORE INSERT ON scores WHEN NEW.app_id = 2 "
            "BEGIN SELECT RAISE(IGNORE); END",
        )
    else:
        lab.run(
            "CREATE FUNCTION {}swallow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN CASE WHEN NEW.app_id <> 2 THEN NEW END; END $$",
        )
        lab.run(
            "CREATE TRIGGER swallow BEFORE INSERT ON {}scores FOR EACH ROW EXECUTE FUNCTION {}swallow()",
        )
    with pytest.raises(DatabaseError, match="scores: 4 of 6 rows"):
        lab.writer().write([document(1), document(2), document(3)], [], SESSION)
    assert set(lab.counts().values()) == {0}


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_contact_taken_after_it_was_looked_up_does_not_fail_the_document(lab: Lab) -> None:
    """Another worker commits the contact between this one's look-up and its insert."""
    late = [document(1, con_ids=(10,))]

    @sa.event.listens_for(lab.engine, "before_cursor_execute")
    def overtake(_c: object, _cur: object, sql: str, *_: object) -> None:
        if "INSERT INTO lab.app_contact_base" in sql and late:
            documents, late[:] = list(late), []
            lab.writer().write(documents, [], SESSION)

    # not `copy`, which SQLAlchemy does not see
    far = 9_002  # of another range than the other worker's, which is locked
    written = lab.writer(write_method="executemany").write([document(far, con_ids=(10,))], [], SESSION)
    assert written.duplicate_contacts == 1
    assert lab.rows("SELECT con_id, app_id FROM {}app_contact_base") == [(10, 1)]


def test_a_row_does_not_depend_on_its_neighbours(lab: Lab) -> None:
    """Correction C22: every mapped column is named, so NULL stays NULL where the column has a default."""
    rng = random.Random(5)
    documents = [
        (i, with_value(rows, "app_transactional_cc", "analyst_review_flag", rng.choice([None, 1])))
        for i, rows in (document(i) for i in range(1, 9))
    ]
    lab.writer().write(documents, [], SESSION)
    place = COLUMNS["app_transactional_cc"].index("analyst_review_flag")
    flags = lab.rows("SELECT analyst_review_flag FROM {}app_transactional_cc ORDER BY app_id")
    assert flags == [(rows["app_transactional_cc"][0][place],) for _, rows in documents]


@pytest.mark.parametrize("check", ["per_batch", "per_record", "cache", "database"])
def test_every_duplicate_check_gives_the_same_rows(lab: Lab, check: str) -> None:
    rng = random.Random(11)
    documents = [
        document(i, con_ids=tuple(rng.sample(range(1, 30), rng.randint(0, 3)))) for i in range(1, 31)
    ]
    writer = lab.writer(duplicate_check=check)
    left_out = sum(
        writer.write(documents[i : i + 7], [], SESSION).duplicate_contacts for i in range(0, 30, 7)
    )
    owned: dict[int, int] = {}
    expected = {}
    for app_id, rows in documents:
        others = 0
        for row in rows["app_contact_base"]:
            con_id = row[COLUMNS["app_contact_base"].index("con_id")]
            others += owned.setdefault(con_id, app_id) != app_id
        expected[app_id] = f"duplicate_contact: {others}" if others else None
    assert left_out == sum(int(note.split()[1]) for note in expected.values() if note) > 10
    contacts = lab.rows("SELECT con_id, app_id FROM {}app_contact_base")
    assert dict(contacts) == owned
    assert sorted(lab.rows("SELECT con_id FROM {}app_contact_address")) == sorted((c,) for c in owned)
    assert dict(lab.rows("SELECT app_id, failure_reason FROM {}processing_log")) == expected
    kept = []
    for app_id, rows in documents:
        mine = dict(rows)
        for name in ("app_contact_base", "app_contact_address", "app_contact_employment"):
            place = COLUMNS[name].index("con_id")
            mine[name] = [row for row in rows[name] if owned[row[place]] == app_id]
        kept.append((app_id, mine))
    assert everything(lab, list(range(1, 31))) == wanted(lab, kept)


def test_a_batch_that_was_rolled_back_is_not_remembered(lab: Lab) -> None:
    writer = lab.writer(duplicate_check="cache")
    app_id, rows = document(1, con_ids=(10,))
    with pytest.raises(DatabaseRefusal):
        writer.write([(app_id, with_value(rows, "app_base", "app_type_enum", 9999))], [], SESSION)
    assert writer.write([document(2, con_ids=(10,))], [], SESSION).duplicate_contacts == 0


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_the_cache_forgets_the_oldest_and_asks_again(lab: Lab) -> None:
    table = build_tables({"app_contact_base": TABLES["app_contact_base"]}, None, "sqlite").tables[
        "app_contact_base"
    ]
    lab.writer().write([document(1, con_ids=(10, 11, 12))], [], SESSION)
    lookup = OwnerLookup(table.c.con_id, table.c.app_id, "sqlite", "cache", cached=2)
    asked: list[str] = []

    @sa.event.listens_for(lab.engine, "before_cursor_execute")
    def note(_c: object, _cur: object, sql: str, given: tuple[str, ...], *_: object) -> None:
        if sql.startswith("SELECT"):
            asked.append(given[0])

    with lab.engine.connect() as connection:
        for con_ids in ([10, 11], [10, 11, 99], [12], [11], [10]):
            found = lookup.find(connection, con_ids)
            assert found == {con_id: 1 for con_id in con_ids if con_id != 99}
    assert asked == ["[10, 11]", "[99]", "[12]", "[10]"]


def test_every_write_method_gives_the_same_rows(lab: Lab) -> None:
    documents = [document(i) for i in range(1, 21)]
    found = {}
    for method in possible_methods(lab.engine):
        writer = lab.writer(write_method=method)
        assert writer.method == method
        writer.write(documents, [(99, "too_large", "tab\tnewline\nbackslash\\N")], SESSION)
        found[method] = digest_tables(lab.engine, lab.target, COLUMNS)
        assert everything(lab, list(range(1, 21))) == wanted(lab, documents)
        clean(lab.engine, lab.target)
    # on a server that does not read JSON back, mssql-python has one method
    assert len(found) > 1 or lab.engine.dialect.driver == "mssqlpython"
    assert all(digests == next(iter(found.values())) for digests in found.values())


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_write_method_that_the_database_lacks_is_a_usage_error(lab: Lab) -> None:
    with pytest.raises(UsageError, match="copy does not work on sqlite: use auto or executemany, json"):
        lab.writer(write_method="copy")
