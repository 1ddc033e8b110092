"""Bytes in a SQLite text that are no UTF-8: the document fails, its neighbours are written."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from labs import FIRST_ID, documents, execute, failed, new_lab, put

from provenir_lab.settings import Settings
from provenir_lab.storage.database import create_file, open_engine, writing
from provenir_lab.storage.prefix import PrefixLength
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import Pending
from provenir_lab.tables import packaged_tables


@pytest.mark.parametrize(
    "settings", [{}, {"fetch": "whole"}, {"parse_mode": "full"}, {"prefetch": 2}], ids=str
)
def test_a_document_that_is_no_utf_8_fails_alone(sqlite_url: str, settings: dict[str, object]) -> None:
    lab = new_lab(sqlite_url, documents(20, "realistic"), batch_size=6)
    bad = {
        FIRST_ID + 3: b"\xff\xfe" + documents(20, "realistic")[3].text.encode(),
        FIRST_ID + 7: documents(20, "realistic")[7].text.encode().replace(b'="', b'="\xe9', 1),
        FIRST_ID + 11: b"\x80",
    }
    for app_id, content in bad.items():
        execute(
            lab,
            "UPDATE app_xml SET app_xml = CAST(:content AS TEXT) WHERE app_id = :id",
            content=content,
            id=app_id,
        )
    outcome = lab.process(**settings)
    assert (outcome.succeeded, outcome.failed) == (17, {"malformed_xml": 3})
    assert failed(lab).keys() == bad.keys()


def test_such_bytes_behind_the_mapped_part_hinder_neither_verifying_nor_copying(
    sqlite_url: str, tmp_path: Path
) -> None:
    lab = new_lab(sqlite_url, documents(20))
    bad = FIRST_ID + 3
    content = documents(20)[3].text.encode().replace(b"</Provenir>", b"<!-- \xe9 --></Provenir>")
    change = "UPDATE app_xml SET app_xml = CAST(:content AS TEXT) WHERE app_id = :id"
    execute(lab, change, content=content, id=bad)
    assert lab.process().succeeded == 20
    assert lab.verify(None).equal
    other = new_lab(f"sqlite:///{(tmp_path / 'other.db').as_posix()}")
    loaded = other.load_from(sqlite_url, 20)
    assert (loaded.documents, [r.file for r in loaded.refused]) == (19, [f"app_id {bad}"])


def test_of_a_repeated_app_id_all_read_the_first(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    lab = new_lab(sqlite_url)
    execute(lab, "ALTER TABLE app_xml RENAME TO keyed")
    execute(lab, "CREATE TABLE app_xml (app_id INT, app_xml TEXT)")
    first, second = documents(2)
    twice = second.text.replace(str(second.app_id), str(first.app_id))
    put(lab, [(first.app_id, first.text), (first.app_id, twice)], {first.campaign_num, second.campaign_num})
    outcome = lab.process()
    assert (outcome.documents, outcome.succeeded, outcome.source_duplicates) == (1, 1, 1)
    (line,) = caplog.records
    assert (line.levelname, line.message.partition(":")[0]) == (
        "WARNING",
        "source rows repeat an app_id and are not read",
    )
    assert line.__dict__["facts"] == {"session": outcome.session_id, "rows": 1}
    assert lab.verify(None).equal


@pytest.mark.parametrize("key", ["INTEGER PRIMARY KEY", "INT"])
def test_texts_that_are_kept_as_bytes_are_read_all_the_same(sqlite_url: str, key: str) -> None:
    engine = open_engine(sqlite_url, Settings())
    create_file(engine)
    with writing(engine) as connection:
        connection.execute(sa.text("CREATE TABLE processing_log (app_id INT)"))
        connection.execute(sa.text(f"CREATE TABLE docs (app_id {key}, xml TEXT)"))
        connection.execute(
            sa.text("INSERT INTO docs VALUES (1, X'c3a962'), (2, X'ff62'), (3, CAST(X'62ff' AS TEXT))")
        )
    expected = {1: "\u00e9b", 2: "\udcffb", 3: "b\udcff"}
    pending = Pending(engine, Target(None, packaged_tables(), "docs", "xml"))
    assert [{i: text for i, text, *_ in page} for page in pending.pages(9)] == [expected]
    assert pending.whole([1, 2, 3]) == expected
    (page,) = pending.prefix_pages(9, None, PrefixLength(100))
    assert {prefix.app_id: prefix.text for prefix in page} == expected
    engine.dispose()
