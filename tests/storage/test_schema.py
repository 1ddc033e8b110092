import pytest
import sqlalchemy as sa
from storage_rows import ENUM_ROWS, MARKER, SESSION, TABLES, Lab, document

from provenir_lab.errors import DatabaseRefusal, GuardError
from provenir_lab.storage.database import create_file, writing
from provenir_lab.storage.schema import Target, create_lab, is_lab, read_marker
from provenir_lab.tables import Column, Table


def test_a_new_lab_has_marker_enums_and_the_blank_campaign(lab: Lab) -> None:
    assert read_marker(lab.engine, lab.target) == MARKER
    assert lab.rows("SELECT enum_id, type, value, description FROM {}app_enums ORDER BY 1") == ENUM_ROWS
    assert lab.rows("SELECT campaign_num FROM {}app_campaign_cc") == [("BLANK",)]


def test_a_schema_that_is_not_empty_is_refused_and_left_alone(engine: sa.Engine, target: Target) -> None:
    create_file(engine)
    with engine.begin() as connection:
        if target.schema:
            connection.execute(sa.schema.CreateSchema(target.schema))
        place = f"{target.schema}." if target.schema else ""
        connection.execute(sa.text(f"CREATE TABLE {place}customers (id int)"))
    with pytest.raises(GuardError, match="customers"):
        create_lab(engine, target, ENUM_ROWS, MARKER)
    names = sa.inspect(engine).get_table_names(None if engine.dialect.name == "sqlite" else target.schema)
    assert names == ["customers"]
    assert not is_lab(engine, target)


def test_a_lab_is_not_made_twice(lab: Lab) -> None:
    with pytest.raises(GuardError, match=r"is a lab already.*provenir-lab clean"):
        create_lab(lab.engine, lab.target, ENUM_ROWS, MARKER)


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_tables_of_other_schemas_do_not_matter(engine: sa.Engine, target: Target) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE public.customers (id int)"))
    create_lab(engine, target, ENUM_ROWS, MARKER)
    assert is_lab(engine, target)


def test_a_failed_creation_leaves_nothing(engine: sa.Engine, target: Target) -> None:
    with pytest.raises(DatabaseRefusal):
        create_lab(engine, target, [*ENUM_ROWS, ENUM_ROWS[0]], MARKER)
    assert not is_lab(engine, target)
    create_lab(engine, target, ENUM_ROWS, MARKER)
    assert is_lab(engine, target)


def test_deleting_an_application_deletes_all_its_rows_and_no_others(lab: Lab) -> None:
    lab.writer().write([document(1), document(2)], [], SESSION)
    both = lab.counts()
    place = f"{lab.target.schema}." if lab.target.schema else ""
    with writing(lab.engine) as connection:
        connection.execute(sa.text(f"DELETE FROM {place}app_base WHERE app_id = 1"))
    assert {name: 2 * n for name, n in lab.counts().items() if name != "processing_log"} == {
        name: n for name, n in both.items() if name != "processing_log"
    }


def test_the_last_four_digits_are_computed(lab: Lab) -> None:
    lab.writer().write([document(1)], [], SESSION)
    ((ssn, last_four),) = lab.rows("SELECT ssn, ssn_last_4 FROM {}app_contact_base")
    assert last_four == str(ssn)[-4:]


def test_columns_that_nobody_maps_get_their_defaults(lab: Lab) -> None:
    lab.writer().write([document(1)], [], SESSION)
    stamps = lab.rows("SELECT rowstamp FROM {}app_historical_lookup")
    assert len(stamps) == 4
    assert all(str(stamp).startswith("20") for (stamp,) in stamps)


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_unique_columns_of_a_table_are_one_constraint(lab: Lab) -> None:
    schema = None if lab.engine.dialect.name == "sqlite" else lab.target.schema
    (unique,) = sa.inspect(lab.engine).get_unique_constraints("app_contact_base", schema=schema)
    assert unique["column_names"] == ["con_id", "contact_type_enum"]


def test_the_log_takes_one_outcome_for_each_document(lab: Lab) -> None:
    lab.writer().write([], [(7, "malformed_xml", "line 1")], SESSION)
    with pytest.raises(DatabaseRefusal, match="processing_log"):
        lab.writer().write([], [(7, "malformed_xml", "line 1")], SESSION)


def test_target_tables_come_parents_first() -> None:
    child = Table("child", (Column("app_id", "int", references="app_base.app_id"),))
    shuffled = {"child": child, **dict(reversed(TABLES.items()))}
    order = Target(None, shuffled).target_tables
    assert set(order) == {"child", *Target(None, TABLES).target_tables}
    for name in order:
        parents = {c.references.split(".")[0] for c in shuffled[name].columns if c.references}
        assert all(order.index(parent) < order.index(name) for parent in parents & set(order))


def test_a_source_table_of_another_name_and_schema(engine: sa.Engine, target: Target) -> None:
    other = Target(target.schema, TABLES, "app_xml_staging", "app_XML")
    create_lab(engine, other, ENUM_ROWS, MARKER)
    schema = None if engine.dialect.name == "sqlite" else target.schema
    names = [c["name"] for c in sa.inspect(engine).get_columns("app_xml_staging", schema=schema)]
    if engine.dialect.name == "mssql":  # names there know no case
        names = [name.replace("xml", "XML") for name in names]
    assert names == ["app_id", "app_XML"]
