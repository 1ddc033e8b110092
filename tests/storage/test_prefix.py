import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labs import documents, new_lab, put
from storage_rows import TABLES, Lab

from provenir_lab.storage.database import connection_counts, writing
from provenir_lab.storage.prefix import Need, PrefixLength, accept_any_bytes
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import Pending, store_documents

TEXTS = ["short", "é" * 60, "\U0001f600" * 60, "x" * 100, "x" * 101, "", "long" * 50_000]


def store(lab: Lab, texts: list[str]) -> None:
    with writing(lab.engine) as connection:
        store_documents(connection, lab.target, list(enumerate(texts, 1)))


def is_mssql(lab: Lab) -> bool:
    return lab.engine.dialect.name == "mssql"


def check(pending: Pending, texts: list[str], characters: int, *, halved: bool = False) -> None:
    """`halved`: sizes are those of UTF-16, halved; texts are ASCII then, and a server that is compatible may
    count them in UTF-8.
    """
    pages = list(pending.prefix_pages(3, None, PrefixLength(characters)))
    found = [prefix for page in pages for prefix in page]
    assert [p.app_id for p in found] == list(range(1, len(texts) + 1))
    for prefix, text in zip(found, texts, strict=True):
        assert prefix.text is not None
        assert text.startswith(prefix.text)
        assert prefix.text == text or len(prefix.text.encode()) > characters - 4
        assert len(prefix.text) <= characters
        assert not prefix.complete or prefix.text == text
        if halved:
            assert prefix.size in (len(text), len(text) // 2)
            continue
        assert prefix.complete == (prefix.size <= characters)
        assert prefix.size == len(text.encode())


def test_a_prefix_is_the_beginning_and_says_whether_it_is_all(lab: Lab) -> None:
    texts = [text if text.isascii() else "y" * 60 for text in TEXTS] if is_mssql(lab) else TEXTS
    store(lab, texts)
    pending = Pending(lab.engine, lab.target)
    for characters in (1, 3, 100, 101, 500, 1_000_000):
        check(pending, texts, characters, halved=is_mssql(lab))
    assert pending.whole([2, 7, 99]) == {2: texts[1], 7: texts[6]}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30), max_size=5),
    st.integers(1, 40),
)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_characters_are_never_cut_in_two(lab: Lab, texts: list[str], characters: int) -> None:
    with writing(lab.engine) as connection:
        connection.execute(sa.text("DELETE FROM app_xml"))
    store(lab, texts)
    check(Pending(lab.engine, lab.target), texts, characters)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE docs (app_id INTEGER PRIMARY KEY, xml TEXT)",
        "CREATE TABLE docs (app_id INT PRIMARY KEY, xml TEXT)",
        "CREATE TABLE docs (app_id INT, xml TEXT)",
        "CREATE TABLE docs (other INTEGER PRIMARY KEY, app_id INT UNIQUE, xml TEXT)",
        "CREATE TABLE docs (app_id INTEGER PRIMARY KEY, xml TEXT) WITHOUT ROWID",
    ],
)
def test_any_source_table_of_sqlite_and_null_texts(lab: Lab, ddl: str) -> None:
    with writing(lab.engine) as connection:
        connection.execute(sa.text(ddl))
        connection.execute(
            sa.text("INSERT INTO docs (app_id, xml) VALUES (9, 'abcdef'), (5, NULL), (7, 'ab')")
        )
    pending = Pending(lab.engine, Target(None, TABLES, "docs", "xml"))
    (page,) = pending.prefix_pages(9, None, PrefixLength(3))
    assert [prefix[:3] for prefix in page] == [(5, None, True), (7, "ab", True), (9, "abc", False)]
    assert [prefix.size for prefix in page] in ([0, 2, 6], [0, 1, 3])  # at least


def test_a_database_kept_as_utf_16(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{(tmp_path / 'utf16.db').as_posix()}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA encoding='UTF-16le'")
        connection.exec_driver_sql("CREATE TABLE processing_log (app_id INT)")
        connection.exec_driver_sql("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, app_xml TEXT)")
        connection.exec_driver_sql("INSERT INTO app_xml VALUES (1, 'abcdef')")
    ((prefix,),) = Pending(engine, Target(None, TABLES)).prefix_pages(9, None, PrefixLength(3))
    assert (prefix.text, prefix.complete) == ("abc", False)
    engine.dispose()


def test_a_page_closes_when_its_texts_are_large_enough(lab: Lab) -> None:
    store(lab, ["x" * 600_000] * 5)
    pending = Pending(lab.engine, lab.target, page_mb=1)
    assert [len(page) for page in pending.pages(100)] == [2, 2, 1]
    assert [len(page) for page in pending.pages(100, limit=3)] == [2, 1]
    assert [len(page) for page in pending.prefix_pages(100, None, PrefixLength(100))] == [5]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_what_follows_a_full_page_is_not_sent(lab: Lab) -> None:
    """A view counts the texts that the server takes out of the table, each time behind the sort."""
    store(lab, ["x" * 100_000] * 200)
    lab.run("CREATE SEQUENCE {}sent")
    lab.run(
        "CREATE FUNCTION {}noted(content text) RETURNS text STABLE LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM nextval('{}sent'); RETURN content; END $$"
    )
    lab.run("CREATE VIEW {}watched AS SELECT app_id, {}noted(app_xml) AS app_xml FROM {}app_xml")
    target = Target(lab.target.schema, TABLES, "watched", "app_xml")
    pending = Pending(lab.engine, target, page_mb=1)
    pages = pending.prefix_pages(200, None, PrefixLength(50_000))
    assert len(next(pages)) == 20
    sent = lab.rows("SELECT last_value FROM {}sent")[0][0]
    assert isinstance(sent, int) and sent < 200  # two for each document: its beginning and its size


@pytest.mark.parametrize("place", ["mssql"], indirect=True)
def test_wide_texts_come_back_as_they_are(lab: Lab) -> None:
    text = "x\U0001f600é" * 30
    lab.run("CREATE TABLE {}wide (app_id int PRIMARY KEY, xml nvarchar(max))")
    with writing(lab.engine) as connection:
        insert = f"INSERT INTO {lab.target.schema}.wide VALUES (1, ?), (2, NULL)"
        connection.exec_driver_sql(insert, (text,))
    pending = Pending(lab.engine, Target(lab.target.schema, TABLES, "wide", "xml"))
    assert [[(p.app_id, p.text) for p in page] for page in pending.pages(9)] == [[(1, text), (2, None)]]
    for characters in (1, 2, 3, 500):
        ((one, none),) = pending.prefix_pages(9, None, PrefixLength(characters))
        assert none.text is None
        assert one.text is not None
        assert text.startswith(one.text.rstrip("\ud83d"))  # half a character, where cutting makes them


def test_half_a_character_of_sql_server_is_kept() -> None:
    """What ODBC gives of a text that was cut inside a character, which pyodbc alone refuses to decode."""
    converters: dict[int, Callable[[bytes], str]] = {}
    driver = SimpleNamespace(getinfo=lambda _: "libmsodbcsql", add_output_converter=converters.__setitem__)
    place = SimpleNamespace(
        dialect=SimpleNamespace(name="mssql", driver="pyodbc"),
        connection=SimpleNamespace(driver_connection=driver),
    )
    accept_any_bytes(place)  # type: ignore[arg-type]
    assert converters[-9]("aé".encode("utf-16-le") + b"\x3d\xd8") == "aé\ud83d"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_connection_is_replaced_before_its_blobs_take_much_memory(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provenir_lab.storage.prefix.BLOBS_A_CONNECTION", 10)
    monkeypatch.setattr("sqlalchemy.pool.base.time", SimpleNamespace(time=itertools.count(10**10).__next__))
    store(lab, ["text"] * 40)
    before = connection_counts(lab.engine).connects
    pages = list(Pending(lab.engine, lab.target).prefix_pages(5, None, PrefixLength()))
    assert [prefix.text for page in pages for prefix in page] == ["text"] * 40
    assert connection_counts(lab.engine).connects == before + 4


def test_the_length_stays_until_enough_is_known() -> None:
    length = PrefixLength(16_000)
    length.learn([Need(5_000, 20_000)] * 99)
    assert length.characters == 16_000
    length.learn([Need(5_000, 20_000)])
    assert length.characters == 5_000


def test_the_length_is_what_nearly_all_documents_need() -> None:
    length = PrefixLength()
    length.learn([Need(6_000 + i, 100_000) for i in range(1_000)])
    assert 6_900 < length.characters < 7_000
    for _ in range(20):
        length.learn([Need(30_000 + i, 100_000) for i in range(100)])
    assert 30_090 < length.characters < 30_100  # the earlier documents are forgotten


def test_a_few_very_long_documents_do_not_lengthen_the_prefix_of_all() -> None:
    length = PrefixLength()
    length.learn([Need(8_000, 100_000)] * 970 + [Need(3_000_000, 3_100_000)] * 30)
    assert length.characters == 8_000


def test_the_length_has_limits() -> None:
    length = PrefixLength()
    length.learn([Need(10, 20)] * 100)
    assert length.characters == 4_000
    length.learn([Need(9_000_000, 9_000_001)] * 2_000)  # all are read again, whatever is read first
    assert length.characters == 4_000


@given(st.lists(st.tuples(st.integers(4_000, 60_000), st.integers(0, 200_000)), min_size=100, max_size=130))
def test_no_other_length_would_have_cost_less(sizes: list[tuple[int, int]]) -> None:
    needs = [Need(length, length + rest) for length, rest in sizes]
    length = PrefixLength()
    length.learn(needs)

    def cost(characters: int) -> float:
        missed = [need for need in needs if need.length > characters]
        read = sum(min(characters, need.size) for need in needs) + sum(need.size for need in missed)
        return read + 20 * characters * len(missed)

    assert cost(length.characters) == min(cost(need.length) for need in [*needs, Need(4_000, 0)])


def test_once_the_length_is_known_no_page_is_read_twice(sqlite_url: str) -> None:
    """Though white space before the first tag is not parsed."""
    made = [(document.app_id, " " * 60 + document.text) for document in documents(300)]
    lab = new_lab(sqlite_url, batch_size=100)
    put(lab, made, {document.campaign_num for document in documents(300)})
    needed = max(text.index("</CustData>") for _, text in made) + 100
    assert lab.process().characters_read <= 100 * 16_000 + 200 * needed * 1.2
