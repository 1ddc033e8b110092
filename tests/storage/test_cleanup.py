import pytest
import sqlalchemy as sa
from storage_rows import COLUMNS, SESSION, Lab, document

from provenir_lab.errors import GuardError
from provenir_lab.storage.cleanup import clean
from provenir_lab.storage.database import create_file, writing
from provenir_lab.storage.digest import digest_tables
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import store_documents


def test_clean_empties_the_tables_and_keeps_what_runs_need(lab: Lab) -> None:
    with writing(lab.engine) as connection:
        store_documents(connection, lab.target, [(1, "<x/>"), (2, "<x/>")], ["C1"])
    lab.writer().write([document(1)], [(2, "malformed_xml", "made up")], SESSION)
    before = lab.counts()
    assert clean(lab.engine, lab.target) == before
    assert set(lab.counts().values()) == {0}
    assert lab.rows("SELECT count(*) FROM {}app_xml") == [(2,)]
    assert lab.rows("SELECT count(*) FROM {}app_enums") == [(39,)]
    assert lab.rows("SELECT count(*) FROM {}app_campaign_cc") == [(2,)]
    assert set(clean(lab.engine, lab.target).values()) == {0}


def test_a_second_load_equals_the_first(lab: Lab) -> None:
    digests = []
    for _ in range(2):
        lab.writer().write([document(i) for i in range(1, 6)], [(9, "too_large", "made up")], SESSION)
        digests.append(digest_tables(lab.engine, lab.target, COLUMNS))
        clean(lab.engine, lab.target)
    assert digests[0] == digests[1]


def test_without_the_marker_nothing_is_deleted(lab: Lab) -> None:
    lab.writer().write([document(1)], [], SESSION)
    lab.run("DELETE FROM {}provenir_lab_marker")
    before = lab.counts()
    with pytest.raises(GuardError, match="is no lab") as caught:
        clean(lab.engine, lab.target)
    assert caught.value.exit_status == 2
    assert lab.counts() == before


@pytest.mark.parametrize(
    "strange",
    [
        "INSERT INTO {}app_base (app_id, product_line_enum) VALUES (77, 1)",
        "UPDATE {}processing_log SET status = 'failed' WHERE app_id = 1",
        "DELETE FROM {}processing_log WHERE app_id = 1",
    ],
)
def test_with_rows_that_the_lab_did_not_write_nothing_is_deleted(lab: Lab, strange: str) -> None:
    lab.writer().write([document(1), document(2)], [], SESSION)
    lab.run(strange)
    before = lab.counts()
    with pytest.raises(GuardError, match="1 rows of app_base"):
        clean(lab.engine, lab.target)
    assert lab.counts() == before


def test_a_database_that_is_no_lab(engine: sa.Engine, target: Target) -> None:
    create_file(engine)
    with pytest.raises(GuardError, match="is no lab"):
        clean(engine, target)
