"""PostgreSQL databases whose texts, or whose clients' texts, are not UTF-8 unless that is asked for."""

from collections.abc import Iterator

import pytest
from postgres_server import PostgresServer
from storage_rows import COLUMNS, ENUM_ROWS, MARKER, SESSION, TABLES, Lab, document, with_value

from provenir_lab.errors import DatabaseRefusal
from provenir_lab.settings import Settings
from provenir_lab.storage.cleanup import clean
from provenir_lab.storage.database import open_engine, writing
from provenir_lab.storage.methods import possible_methods
from provenir_lab.storage.reader import comparable, stored_rows
from provenir_lab.storage.schema import Target, create_lab
from provenir_lab.storage.source import Pending, store_documents


@pytest.fixture(params=["LATIN1", "UTF8"])
def latin_lab(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[Lab]:
    """A lab in a database of an encoding, and with clients that speak Latin-1 by default."""
    name = f"encoded_{request.param.lower()}"
    options = f"ENCODING '{request.param}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    postgres_server.execute(f"CREATE DATABASE {name} {options}")
    if request.param == "UTF8":
        postgres_server.execute(f"ALTER DATABASE {name} SET client_encoding = 'LATIN1'")
    engine = open_engine(postgres_server.url(name), Settings())
    target = Target("lab", TABLES)
    create_lab(engine, target, ENUM_ROWS, MARKER)
    yield Lab(engine, target)
    engine.dispose()
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_every_write_method_stores_the_characters_that_were_meant(latin_lab: Lab) -> None:
    is_latin = latin_lab.rows("SHOW server_encoding") == [("LATIN1",)]
    app_id, rows = document(1)
    rows = with_value(rows, "app_pricing_cc", "marketing_segment", "René")
    beyond = with_value(rows, "app_pricing_cc", "marketing_segment", "5 €")
    for method in possible_methods(latin_lab.engine):
        writer = latin_lab.writer(write_method=method)
        if is_latin:
            with pytest.raises(DatabaseRefusal, match="cannot hold") as caught:
                writer.write([(app_id, beyond)], [], SESSION)
            assert caught.value.category == "not_representable"
        writer.write([(app_id, rows)], [], SESSION)
        found = stored_rows(latin_lab.engine, latin_lab.target, COLUMNS, [app_id])
        for name, columns in COLUMNS.items():
            wanted = comparable(latin_lab.target, name, columns, rows[name])
            assert sorted(found[name], key=repr) == sorted(wanted, key=repr)
        characters = latin_lab.rows("SELECT octet_length(marketing_segment) FROM {}app_pricing_cc")
        assert characters == [(4 if is_latin else 5,)]
        clean(latin_lab.engine, latin_lab.target)


def test_documents_are_stored_as_they_are_or_refused(latin_lab: Lab) -> None:
    with writing(latin_lab.engine) as connection:
        store_documents(connection, latin_lab.target, [(1, "<a>René</a>")])
    (page,) = Pending(latin_lab.engine, latin_lab.target).pages(9)
    assert [document[:2] for document in page] == [(1, "<a>René</a>")]
    if latin_lab.rows("SHOW server_encoding") == [("LATIN1",)]:
        with pytest.raises(DatabaseRefusal, match="cannot hold"), writing(latin_lab.engine) as connection:
            store_documents(connection, latin_lab.target, [(2, "<a>5 €</a>")])
