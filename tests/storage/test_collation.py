"""Texts that Python tells apart and SQL Server takes for the same key."""

import pytest
from storage_rows import COLUMNS, SESSION, Lab, Rows, document

from provenir_lab.storage.source import store_documents

# of the first three SQL Server sees one, of the others two
PAIRS = [("Fico", "FICO"), ("É", "é"), ("FICO", "FICO  "), ("A", "É"), ("A", "A\t"), ("A", " A")]


def scores(rows: Rows, *keys: str) -> Rows:
    place = COLUMNS["scores"].index("score_identifier")
    row = rows["scores"][0]
    return {**rows, "scores": [(*row[:place], key, *row[place + 1 :]) for key in keys]}


@pytest.mark.parametrize("place", ["sqlite", "mssql", "mssqlpython"], indirect=True)
def test_a_document_with_keys_that_only_python_tells_apart_is_written(lab: Lab) -> None:
    equal = lab.engine.dialect.name == "mssql"
    documents = [(i, scores(document(i)[1], *pair)) for i, pair in enumerate(PAIRS, 1)]
    written = lab.writer().write(documents, [], SESSION)
    found = lab.rows("SELECT app_id, score_identifier FROM {}scores")
    kept = {app_id: {str(key) for one, key in found if one == app_id} for app_id, _ in documents}
    for app_id, pair in enumerate(PAIRS, 1):
        assert kept[app_id] == (set(pair[1:]) if equal and app_id <= 3 else set(pair))
    assert written.duplicate_keys == (3 if equal else 0)


@pytest.mark.parametrize("place", ["sqlite", "mssql"], indirect=True)
def test_campaigns_that_only_python_tells_apart_are_added_once(lab: Lab) -> None:
    names = ("Spring", "SPRING", "SPRING ", "Autumn")
    for app_id, campaigns in enumerate((names[:2], names), 1):
        with lab.engine.begin() as connection:
            store_documents(connection, lab.target, [(app_id, "<x/>")], campaigns)
    equal = lab.engine.dialect.name == "mssql"
    found = lab.rows("SELECT campaign_num FROM {}app_campaign_cc")
    assert len(found) == (3 if equal else 5)  # BLANK is always there
