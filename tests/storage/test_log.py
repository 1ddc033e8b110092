import datetime as dt

from storage_rows import COLUMNS, Lab, document

from provenir_lab.settings import Settings
from provenir_lab.storage.database import writing
from provenir_lab.storage.log import (
    LoggedSession,
    failures,
    logged,
    newest_session,
    outcomes,
    reopen_failed,
    summary,
)
from provenir_lab.storage.source import Pending, store_documents
from provenir_lab.storage.writer import Session, Writer

NOON = dt.datetime(2024, 1, 1, 12)


def fill(lab: Lab) -> None:
    times = iter(NOON + dt.timedelta(minutes=n) for n in range(9))
    writer = Writer(lab.engine, lab.target, COLUMNS, Settings(), clock=lambda: next(times))
    writer.write([document(1), document(2, con_ids=(1001,))], [(5, "too_large", "a")], Session("first"))
    writer.write([document(3)], [(4, "malformed_xml", "b: c"), (6, "too_large", "a")], Session("second"))
    writer.write([], [(7, "too_large", "d")], Session("second"))


def test_the_summary_counts_outcomes_and_sessions(lab: Lab) -> None:
    fill(lab)
    found = summary(lab.engine, lab.target)
    assert found.succeeded == 3
    assert found.failed == {"too_large": 3, "malformed_xml": 1}
    minute = dt.timedelta(minutes=1)
    assert found.sessions == (
        LoggedSession("second", 4, 3, NOON + minute, NOON + 2 * minute),
        LoggedSession("first", 3, 1, NOON, NOON),
    )
    assert [s.session_id for s in summary(lab.engine, lab.target, last_sessions=1).sessions] == ["second"]


def test_an_empty_log(lab: Lab) -> None:
    found = summary(lab.engine, lab.target)
    assert (found.succeeded, found.failed, found.sessions) == (0, {}, ())
    assert logged(lab.engine, lab.target, []) == {}


def test_the_newest_run_is_one_of_this_program(lab: Lab) -> None:
    writer = Writer(lab.engine, lab.target, COLUMNS, Settings())
    assert newest_session(lab.engine, lab.target) is None
    others = ("20240101_101112", "another_program-of_8char-tool", "another_program-of_8char-kind")
    ours = ("20240101_101112-0123abcd-0001", "20240101_101113-89abcdef-0002")
    for app_id, session in enumerate([others[0], *ours, *others, others[1]], start=1):
        writer.write([], [(app_id, "too_large", "a")], Session(session))
    lab.run("UPDATE {}processing_log SET session_id = NULL WHERE app_id = 4")
    found = newest_session(lab.engine, lab.target)
    assert found is not None and (found[0], found[1]) == (ours[1], "89abcdef")


def test_who_logged_what(lab: Lab) -> None:
    fill(lab)
    assert logged(lab.engine, lab.target, [1, 4, 99]) == {1: "first", 4: "second"}
    assert outcomes(lab.engine, lab.target, "second") == (1, {"too_large": 2, "malformed_xml": 1})
    assert list(failures(lab.engine, lab.target)) == [
        (4, "malformed_xml", "b: c"),
        (5, "too_large", "a"),
        (6, "too_large", "a"),
        (7, "too_large", "d"),
    ]


def test_failed_documents_become_pending_again(lab: Lab) -> None:
    with writing(lab.engine) as connection:
        store_documents(connection, lab.target, [(i, "<x/>") for i in range(1, 8)])
    fill(lab)
    pending = Pending(lab.engine, lab.target)

    def waiting() -> list[int]:
        return [app_id for page in pending.pages(99) for app_id, *_ in page]

    assert waiting() == []
    assert reopen_failed(lab.engine, lab.target, "malformed_xml") == 1
    assert waiting() == [4]
    assert reopen_failed(lab.engine, lab.target, None, 5, 6) == 2
    assert waiting() == [4, 5, 6]
    assert reopen_failed(lab.engine, lab.target) == 1
    assert waiting() == [4, 5, 6, 7]
