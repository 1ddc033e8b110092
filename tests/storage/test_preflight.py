from dataclasses import replace

import pytest
import sqlalchemy as sa
from places import Place, run_tsql
from storage_rows import COLUMNS, ENUM_ROWS, MARKER, TABLES, Lab

from provenir_lab.errors import PreflightError
from provenir_lab.storage.database import create_file
from provenir_lab.storage.preflight import preflight
from provenir_lab.storage.schema import Target, create_lab
from provenir_lab.tables import Column, Table, parse_type

CODES = [row[0] for row in ENUM_ROWS]


def problems(lab: Lab, enum_ids: list[int] | None = None) -> list[str]:
    with pytest.raises(PreflightError) as caught:
        preflight(lab.engine, lab.target, COLUMNS, CODES if enum_ids is None else enum_ids)
    return caught.value.problems


def test_a_new_lab_fits_its_contract(lab: Lab) -> None:
    found = preflight(lab.engine, lab.target, COLUMNS, CODES)
    for name in COLUMNS:
        assert [c.name for c in found[name].columns] == [c.name for c in TABLES[name].columns]
        for column, plain in zip(found[name].columns, TABLES[name].columns, strict=True):
            assert (column.length, column.nullable, column.type) == (plain.length, plain.nullable, plain.type)


def test_every_missing_piece_is_named_at_once(lab: Lab) -> None:
    lab.run("DROP TABLE {}scores")
    lab.run("ALTER TABLE {}app_base DROP COLUMN ip_address")
    lab.run("ALTER TABLE {}processing_log DROP COLUMN session_id")
    lab.run("DROP TABLE {}app_xml")
    assert sorted(problems(lab, [*CODES, 700, 701])) == [
        "app_base.ip_address is missing",
        "app_enums lacks 2 codes of the contract: 700, 701",
        "processing_log.session_id is missing",
        "table app_xml is missing",
        "table scores is missing",
    ]


def test_an_empty_place_lacks_everything(engine: sa.Engine, target: Target) -> None:
    create_file(engine)
    with pytest.raises(PreflightError, match="table app_base is missing") as caught:
        preflight(engine, target, COLUMNS, CODES, "sandbox")
    assert len(caught.value.problems) == len(COLUMNS) + 3
    assert str(caught.value).startswith("sandbox does not fit the contract")


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "change, says",
    [
        ("app_base ALTER ip_address TYPE varchar(20)", "app_base.ip_address is varchar(20), narrower than"),
        (
            "app_transactional_cc ALTER alloy_tag_list TYPE varchar(500)",
            "narrower than the contract's varchar(max)",
        ),
        ("scores ALTER score TYPE smallint", "scores.score is smallint, narrower than the contract's int"),
        ("app_pricing_cc ALTER monthly_debt TYPE numeric(9,2)", "numeric(9, 2), narrower than"),
        ("app_pricing_cc ALTER monthly_debt TYPE numeric(15,1)", "numeric(15, 1), narrower than"),
        ("app_base ALTER booked_date TYPE varchar(30)", "is varchar(30), the contract needs datetime"),
        ("app_solicited_cc ALTER birth_date TYPE text", "is text, the contract needs date"),
        ("app_base ADD branch int NOT NULL", "app_base.branch needs a value, the contract has none"),
    ],
)
def test_what_would_make_documents_fail_is_found(lab: Lab, change: str, says: str) -> None:
    lab.run(f"ALTER TABLE {{}}{change}")
    (problem,) = problems(lab)
    assert says in problem


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_wider_and_stricter_columns_refine_the_limits(lab: Lab) -> None:
    lab.run("ALTER TABLE {}app_base ALTER ip_address TYPE varchar(60)")
    lab.run("ALTER TABLE {}app_base ALTER booked_date SET NOT NULL")
    lab.run("ALTER TABLE {}scores ALTER score TYPE bigint")
    lab.run("ALTER TABLE {}app_base ADD branch int NOT NULL DEFAULT 0")
    base = preflight(lab.engine, lab.target, COLUMNS, CODES)["app_base"]
    ip_address, booked = base.column("ip_address"), base.column("booked_date")
    assert ip_address is not None and booked is not None
    assert (ip_address.length, booked.nullable) == (60, False)


@pytest.mark.parametrize("place", ["mssql"], indirect=True)
def test_texts_with_a_code_page_say_which(lab: Lab) -> None:
    name = preflight(lab.engine, lab.target, COLUMNS, CODES)["app_contact_base"].column("first_name")
    assert name is not None
    assert name.encoding == "cp1252"


TYPES: dict[str, list[tuple[str, str, str | None]]] = {
    "postgresql": [
        ("datetime", "timestamptz", "timestamp with time zone, the contract needs datetime"),
        ("datetime", "timestamp(0)", "timestamp(0) without time zone, narrower than the contract's datetime"),
        ("datetime", "timestamp(3)", None),
        ("smalldatetime", "timestamp(0)", None),
        ("date", "timestamp", None),
        ("bit", "boolean", "boolean, the contract needs bit, which is a smallint here"),
        ("bit", "smallint", None),
        ("float", "real", "real, narrower than the contract's float"),
        ("float", "double precision", None),
        ("decimal(12,2)", "double precision", "double precision, the contract needs decimal(12,2)"),
        ("varchar(50)", "uuid", "uuid, the contract needs varchar(50)"),
        ("varchar(50)", "xml", "of an unknown type, the contract needs varchar(50)"),
        ("varchar(50)", "text", None),
        ("int", "bigint", None),
    ],
    "mssql": [
        ("datetime", "smalldatetime", "smalldatetime, narrower than the contract's datetime"),
        ("datetime", "datetime2(0)", "datetime2(0), narrower than the contract's datetime"),
        ("datetime", "datetimeoffset(7)", "datetimeoffset, the contract needs datetime"),
        ("datetime", "datetime2(3)", None),
        ("datetime2", "datetime", "datetime, narrower than the contract's datetime2"),
        ("smalldatetime", "datetime2(0)", None),
        ("date", "smalldatetime", "smalldatetime, narrower than the contract's date"),
        ("bit", "bit", None),
        ("float", "real", "real, narrower than the contract's float"),
        ("float", "float", None),
        ("decimal(12,2)", "decimal(11,2)", "decimal(11, 2), narrower than the contract's decimal(12,2)"),
        ("decimal(12,2)", "money", "money, the contract needs decimal(12,2)"),
        ("varchar(50)", "xml", "xml, the contract needs varchar(50)"),
        ("varchar(50)", "varbinary(50)", "varbinary(50), the contract needs varchar(50)"),
        ("varchar(50)", "nvarchar(20)", "nvarchar(20), narrower than the contract's varchar(50)"),
        ("varchar(50)", "nvarchar(50)", None),
        ("varchar(50)", "varchar(max)", None),
        ("int", "smallint", "smallint, narrower than the contract's int"),
        ("tinyint", "tinyint", None),
    ],
    "sqlite": [
        ("varchar(50)", "INTEGER", "integer, the contract needs varchar(50)"),
        ("varchar(50)", "VARCHAR(80)", None),
        ("datetime", "DATETIME", None),
        ("datetime", "DATETIME2(7)", None),
        ("date", "TEXT", None),
        ("bit", "BOOLEAN", None),
        ("int", "TEXT", "text, the contract needs int"),
        ("int", "BIGINT", None),
        ("float", "TEXT", "text, the contract needs float"),
        ("decimal(12,2)", "REAL", None),
        ("decimal(30,2)", "NUMERIC(30,2)", "numeric(30, 2), the contract needs decimal(30,2)"),
        ("decimal(30,2)", "TEXT", None),
    ],
}
"""Kind of database -> (the contract's type, that of the real column, what is wrong with it)."""


@pytest.fixture
def bare(engine: sa.Engine, target: Target) -> Lab:
    """A lab of one table that has nothing but a key."""
    facts = Table("facts", (Column("app_id", "int", nullable=False, primary_key=True),))
    lab = Lab(engine, replace(target, tables={"facts": facts}))
    create_lab(engine, lab.target, [], MARKER)
    return lab


def test_types_that_lose_or_shift_values_are_refused(bare: Lab, place: Place) -> None:
    cases = TYPES[place.kind]
    columns = [f"c{i} {real}" for i, (_, real, _) in enumerate(cases)]
    if place.kind == "mssql":
        columns.append("stamp rowversion NOT NULL")  # the server fills it
    bare.run("DROP TABLE {}facts")
    create = f"CREATE TABLE {{}}facts (app_id INTEGER NOT NULL PRIMARY KEY, {', '.join(columns)})"
    if place.kind == "mssql":
        run_tsql(place.url, create.format(f"{place.schema}."))
    else:
        bare.run(create)
    wanted = [Column(f"c{i}", *parse_type(kind)) for i, (kind, _, _) in enumerate(cases)]
    facts = Table("facts", (*bare.target.tables["facts"].columns, *wanted))
    target = replace(bare.target, tables={"facts": facts})
    with pytest.raises(PreflightError) as caught:
        preflight(bare.engine, target, {"facts": [c.name for c in facts.columns]})
    assert caught.value.problems == [f"facts.c{i} is {says}" for i, (*_, says) in enumerate(cases) if says]


def test_the_log_and_the_source_are_looked_at_too(bare: Lab, place: Place) -> None:
    identity = {"sqlite": "", "postgresql": "GENERATED ALWAYS AS IDENTITY", "mssql": "IDENTITY"}[place.kind]
    bare.run("DROP TABLE {}processing_log")
    bare.run(
        f"CREATE TABLE {{}}processing_log (log_id INTEGER {identity} PRIMARY KEY, app_id int, "
        "status varchar(20), failure_reason varchar(20), processing_time date, "
        "session_id varchar(50), app_id_start int, app_id_end int, "
        "branch int NOT NULL, note varchar(9) DEFAULT '-' NOT NULL)"
    )
    bare.run("DROP TABLE {}app_xml")
    bare.run("CREATE TABLE {}app_xml (app_id varchar(10), app_xml int)")
    with pytest.raises(PreflightError) as caught:
        preflight(bare.engine, bare.target, {"facts": ["app_id"]})
    narrow = "processing_log.failure_reason is varchar(20), narrower than the log's varchar(500)"
    day = "processing_log.processing_time is date, the log needs smalldatetime"
    assert caught.value.problems == [
        *([] if place.kind == "sqlite" else [narrow, day]),
        "processing_log.branch needs a value, the log has none",
        "app_xml.app_id is varchar(10), the source needs int",
        "app_xml.app_xml is integer, the source needs varchar(max)",
    ]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_names_in_other_letters_are_other_columns_there(lab: Lab) -> None:
    lab.run('ALTER TABLE {}app_base RENAME ip_address TO "IP_Address"')
    assert problems(lab) == ["app_base.ip_address is missing"]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_float_in_a_decimal_is_rounded_and_limited_as_one(bare: Lab) -> None:
    bare.run("ALTER TABLE {}facts ADD amount numeric(10,2)")
    facts = Table("facts", (*bare.target.tables["facts"].columns, Column("amount", "float")))
    target = replace(bare.target, tables={"facts": facts})
    amount = preflight(bare.engine, target, {"facts": ["app_id", "amount"]})["facts"].columns[1]
    assert (amount.type, amount.precision, amount.scale) == ("decimal", 10, 2)


def test_a_database_of_an_older_level_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mssql_python")
    monkeypatch.setattr("provenir_lab.storage.preflight.knows_json", lambda engine: False)
    engine = sa.create_engine("mssql+mssqlpython://nobody@nowhere.invalid/Migration")
    with pytest.raises(PreflightError, match="compatibility level is below 130") as caught:
        preflight(engine, Target("migration", TABLES), COLUMNS)
    assert len(caught.value.problems) == 1
