"""Texts to typed values: numbers, dates, bits, codes, lengths, defaults, and the chains they form."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from building import document, entry, refused, rows, small, value
from hypothesis import given
from hypothesis import strategies as st

from provenir_lab.errors import ContractError, Rejected
from provenir_lab.mapping.convert import find_number, parse_datetime, parse_number
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.tables import Column

# ---- numbers

NUMBERS = [
    ("0", "0"),
    ("12", "12"),
    ("  12\t", "12"),
    ("007", "7"),
    ("12.5", "12.5"),
    ("12.", "12"),
    (".5", "0.5"),
    ("+4", "4"),
    ("-5", "-5"),
    ("-.5", "-0.5"),
    ("$7", "7"),
    ("$-7", "-7"),
    ("$1,025.50", "1025.50"),
    ("1,234", "1234"),
    ("1,234,567.891", "1234567.891"),
    ("1e3", "1000"),
    ("1E-3", "0.001"),
    ("1.5e+2", "150"),
    ("1,000e2", "100000"),
    ("12345678901234567890.123456789", "12345678901234567890.123456789"),
]
NO_NUMBERS = [
    "", " ", ".", "$", "-", "+", "e3", "1e", "--5", "+-5", "-$7", "$ 7", "7$", "7%", "1 2", "5.5.5", "1,23",
    "1,2345", "12,34", "1234,567", ",5", "1,,000", "1_0", "NaN", "nan", "Infinity", "-inf", "٣", "１", "²",
    "½", "0x1F", "1e3.5", "twelve", "not a valid year", "12 months", "$1,02", "1e12345", "(5)",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), NUMBERS)
def test_numbers(text: str, expected: str) -> None:
    found = value(text, "decimal", data_length=9)
    assert isinstance(found, Decimal)
    assert found == Decimal(expected)


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("data_type", ["int", "decimal", "float"])
def test_texts_that_are_no_numbers(text: str, data_type: str) -> None:
    assert value(text, data_type) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.5", 13),
        ("-2.5", -3),
        ("2.4999999999999999999999999999999", 2),
        ("0.5", 1),
        ("-0.4", 0),
        ("1e3", 1000),
        ("$1,234.49", 1234),
        ("2147483647.4", 2147483647),
        ("-2147483648.4", -2147483648),
    ],
)
def test_integers_are_rounded_half_up(text: str, expected: int) -> None:
    found = value(text, "int")
    assert found == expected
    assert type(found) is int


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("2.675", None, "2.68"),
        ("2.675", 2, "2.68"),
        ("-2.675", 2, "-2.68"),
        ("0.005", 2, "0.01"),
        ("1.005", "1", "1.0"),
        ("12.345678", 5, "12.34568"),
        ("12.5", 0, "13"),
        ("1e-9", 2, "0.00"),
        ("7", -1, "7.00"),
    ],
)
def test_decimals_are_rounded_half_up_to_their_scale(text: str, length: Any, expected: str) -> None:
    assert str(value(text, "decimal", data_length=length)) == expected


def test_floats_are_exact_decimals() -> None:
    assert value("0.1", "float") == Decimal("0.1")
    assert value("1.7e308", "float") == Decimal("1.7e308")
    for text in ("1.8e308", "-1e309", "1e9999"):
        with refused("value_out_of_range: facts.v"):
            value(text, "float")
    money = Column("v", "decimal", precision=5, scale=2)
    assert str(value("12.345", "float", column=money)) == "12.35"
    with refused("value_out_of_range: facts.v"):
        value("1000", "float", column=money)


INTEGER_ENDS = [
    ("tinyint", 0, 255),
    ("smallint", -32768, 32767),
    ("int", -(2**31), 2**31 - 1),
    ("bigint", -(2**63), 2**63 - 1),
]


@pytest.mark.parametrize(("data_type", "low", "high"), INTEGER_ENDS)
def test_integers_out_of_range(data_type: str, low: int, high: int) -> None:
    assert value(str(low), data_type) == low
    assert value(f"{high}.49", data_type) == high
    for text in (
        str(low - 1),
        str(high + 1),
        f"{high}.5",
        f"{low}.5".replace("0.5", "-0.5"),
        "1e4000",
        "-1e4000",
    ):
        with pytest.raises(Rejected, match="value_out_of_range"):
            value(text, data_type)


def test_the_real_column_may_be_narrower() -> None:
    tiny = Column("v", "tinyint")
    assert value("255", "int", column=tiny) == 255
    with refused("value_out_of_range: facts.v"):
        value("256", "int", column=tiny)
    money = Column("v", "decimal", precision=5, scale=2)
    assert value("999.99", "decimal", column=money) == Decimal("999.99")
    assert value("999.994", "decimal", column=money) == Decimal("999.99")
    assert value("-999.99", "decimal", column=money) == Decimal("-999.99")
    for text in ("1000", "999.995", "-1e3", "1e50", "1e5000"):
        with refused("value_out_of_range: facts.v"):
            value(text, "decimal", column=money)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_any_plain_number_is_read(number: Decimal) -> None:
    assert parse_number(format(number, "f")) == number
    assert parse_number(f"${number:,.6f}") == number
    assert find_number(f"about {number:f}!") == number


@given(st.text())
def test_any_text_gives_a_number_or_nothing(text: str) -> None:
    found = parse_number(text)
    assert found is None or (found.is_finite() and find_number(text) == found)


FIND = [
    ("Up to $40", "40"),
    ("$1,025.50", "1025.50"),
    ("$25.00", "25"),
    ("9 to 5", "9"),
    ("rate: -2.5%", "-2.5"),
    ("12,34", "12"),
    ("5.5.5", "5.5"),
    ("v.5", "0.5"),
    ("1e", "1"),
    ("٣ 4", "4"),
    ("none", None),
    ("$.,-", None),
    ("", None),
]


@pytest.mark.parametrize("step", ["numbers_only", "extract_numeric"])
@pytest.mark.parametrize(("text", "expected"), FIND)
def test_the_first_number_anywhere(text: str, expected: str | None, step: str) -> None:
    found = value(text, "decimal", mapping_type=[step])
    assert found == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("01234", 9, "01234"),
        ("01234-5678", 9, "012345678"),
        ("(012) 345-6789 ext. 12", 10, "0123456789"),
        ("$25.00", 9, "2500"),
        ("abc", 9, None),
        (" ", 9, None),
        ("٣４5", 9, "5"),
        ("123456", -1, "123456"),
    ],
)
def test_digits_of_a_string(text: str, length: int, expected: str | None) -> None:
    assert value(text, "string", mapping_type="numbers_only", data_length=length) == expected


# ---- texts


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("  Ann  ", 10, "Ann"),
        ("", 10, None),
        (" \t\n", 10, None),
        ("abcdef", 3, "abc"),
        ("ab cdef", 3, "ab"),
        ("abcdef", "3", "abc"),
        ("abcdef", -1, "abcdef"),
        ("x" * 5000, None, "x" * 5000),
        ("\N{GRINNING FACE}" * 3, 2, "\N{GRINNING FACE}" * 2),
        ("null", 10, "null"),
        ("None", 10, "None"),
        ("0", 10, "0"),
        ("\N{NO-BREAK SPACE}a\N{NO-BREAK SPACE}", 10, "a"),
        ("a  b", 10, "a  b"),
    ],
)
def test_texts_are_trimmed_and_cut(text: str, length: Any, expected: str | None) -> None:
    assert value(text, data_length=length) == expected
    assert value(text, "an unknown type", data_length=length) == expected


def test_a_text_too_long_for_its_column() -> None:
    four = Column("v", "varchar", length=4)
    assert value(" abcd ", column=four) == "abcd"
    assert value("abcdef", column=four, data_length=4) == "abcd"
    for length in (None, -1, 5):
        with refused("value_too_long: facts.v"):
            value("abcde", column=four, data_length=length)


# ---- dates

DATES = [
    # in the order in which the formats are tried
    ("2024-01-02 03:04:05.123", datetime(2024, 1, 2, 3, 4, 5, 123000)),
    ("2024-01-02 03:04:05.123456", datetime(2024, 1, 2, 3, 4, 5, 123456)),
    ("2024-01-02 03:04:05.1", datetime(2024, 1, 2, 3, 4, 5, 100000)),
    ("2024-01-02 03:04:05", datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-01-02", datetime(2024, 1, 2)),
    ("1/5/2024", datetime(2024, 1, 5)),
    ("01/05/2024", datetime(2024, 1, 5)),
    ("1/5/2024 1:02:03", datetime(2024, 1, 5, 1, 2, 3)),
    ("1/5/2024 1:02:03 PM", datetime(2024, 1, 5, 13, 2, 3)),
    ("1/5/2024 12:02:03 AM", datetime(2024, 1, 5, 0, 2, 3)),
    ("1/5/2024 12:02:03 pm", datetime(2024, 1, 5, 12, 2, 3)),
    ("13/02/2024", datetime(2024, 2, 13)),
    ("13/02/2024 10:11:12", datetime(2024, 2, 13, 10, 11, 12)),
    # parts of one digit
    ("2021-9-3 9:05:07.123", datetime(2021, 9, 3, 9, 5, 7, 123000)),
    ("2021-9-3 9:5:7", datetime(2021, 9, 3, 9, 5, 7)),
    ("2021-9-3", datetime(2021, 9, 3)),
    # what follows full seconds is dropped, seconds over 59 count as 59
    ("2024-01-02 03:04:05 PM", datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-01-02 03:04:05Z", datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-01-02 03:04:05+02:00", datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-01-02 03:04:05.1234567", datetime(2024, 1, 2, 3, 4, 5, 123456)),
    ("2024-01-02 03:04:05.5 Uhr", datetime(2024, 1, 2, 3, 4, 5, 500000)),
    ("2024-01-02 03:04:75", datetime(2024, 1, 2, 3, 4, 59)),
    ("2024-01-02 03:04:99.9", datetime(2024, 1, 2, 3, 4, 59, 900000)),
    # ISO 8601
    ("2024-01-02T03:04:05", datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-01-02T03:04:05.1234567+02:00", datetime(2024, 1, 2, 3, 4, 5, 123456)),
    ("2024-01-02T23:30:00-11:00", datetime(2024, 1, 2, 23, 30)),
    ("2024-01-02 03:04", datetime(2024, 1, 2, 3, 4)),
    ("20240102", datetime(2024, 1, 2)),
    ("20240102T030405", datetime(2024, 1, 2, 3, 4, 5)),
    ("2024-W01-2", datetime(2024, 1, 2)),
    # spaces around
    (" 2024-01-02 ", datetime(2024, 1, 2)),
    ("\t1/5/2024\n", datetime(2024, 1, 5)),
    # ends of the calendar
    ("1753-01-01", datetime(1753, 1, 1)),
    ("9999-12-31", datetime(9999, 12, 31)),
    ("2/29/2024", datetime(2024, 2, 29)),
]  # fmt: skip
NO_DATES = [
    "", " ", "2024-02-30", "2023-2-29", "2024-13-01", "2024-00-01", "0000-01-01", "1752-12-31",
    "0001-01-01", "01/02/24", "99/99/9999", "32/12/2024", "1/5/2024 13:02:03 PM", "1/5/2024 0:02:03 AM",
    "1/5/2024 1:02", "2024-01-02 99:9:9", "2024-01-02 24:00:00", "2024-01-02 03:60:05", "2024/01/02",
    "1-5-2024", "12/2024", "2024", "Jan 5 2024", "n/a", "1/5/2024x", "x2024-01-02", "٢٠٢٤-٠١-٠٢",
    "2024-1-2x", "31/02/2024", "13/13/2024", "20241301", "5.1.2024", "1/5/2024 1:02:03 XM", "10000-01-01",
    "-2024-01-02", "1/5/02024",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_dates(text: str, expected: datetime) -> None:
    assert value(text, "datetime") == expected
    assert value(text, "date") == expected.date()
    assert type(value(text, "date")) is date
    assert value(text, "smalldatetime") == (expected if 1900 <= expected.year <= 2079 else None)


@pytest.mark.parametrize("text", NO_DATES)
def test_texts_that_are_no_dates(text: str) -> None:
    assert value(text, "datetime") is None
    assert value(text, "smalldatetime") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1752-12-31", date(1752, 12, 31)), ("0001-01-01", date(1, 1, 1)), ("0000-01-01", None)],
)
def test_dates_go_further_back_than_times(text: str, expected: date | None) -> None:
    assert value(text, "date") == expected
    assert value(text, "datetime") is None


@pytest.mark.parametrize(
    ("data_type", "last", "too_late"),
    [
        ("datetime", "9999-12-31 23:59:59.998333", "9999-12-31 23:59:59.998334"),
        ("datetime", "9999-12-31 23:59:59.997", "9999-12-31 23:59:59.999"),
        ("smalldatetime", "2079-06-06 23:59:29.998", "2079-06-06 23:59:29.999"),
        ("smalldatetime", "2079-06-06", "2079-12-31"),
        ("date", "9999-12-31 23:59:59.999", None),
    ],
)
def test_a_time_that_its_type_would_round_past_its_end_is_out_of_range(
    data_type: str, last: str, too_late: str | None
) -> None:
    assert value(last, data_type) is not None
    if too_late:
        with pytest.raises(Rejected, match="value_out_of_range"):
            value(too_late, data_type)
        with pytest.raises(ContractError, match=f"is no {data_type}"):
            value("", data_type, default_value=too_late)


@given(st.text())
def test_any_text_gives_a_time_or_nothing(text: str) -> None:
    found = parse_datetime(text)
    assert found is None or found.tzinfo is None


@given(st.datetimes(min_value=datetime(1753, 1, 1)))
def test_any_time_is_read(moment: datetime) -> None:
    for text in (moment.isoformat(" "), moment.isoformat(), f"{moment.isoformat()}+05:30"):
        assert parse_datetime(text) == moment
    whole = moment.replace(microsecond=0)
    assert parse_datetime(f"{moment:%m/%d}/{moment.year:04} {moment:%I:%M:%S %p}") == whole


# ---- bits


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Y", 1), ("y", 1), (" u ", 1), ("R", 1), ("N", 0), ("n", 0), ("", 0), (None, 0), ("1", 0), ("?", 0)],
)  # fmt: skip
def test_char_to_bit(text: str | None, expected: int) -> None:
    assert value(text, "bit", mapping_type=["char_to_bit"]) == expected


def test_the_exact_key_of_a_bit_comes_first() -> None:
    bits = {"char_to_bit": {"Y": 1, "y": 0, "": 0}, "boolean_to_bit": {}}
    contract = small(entry("facts", "v", "bit", mapping_type="char_to_bit"), bit_conversions=bits)
    mapper = compile_mapper(contract, {})
    assert [rows(mapper, document(v=text))["facts"][0]["v"] for text in "Yy"] == [1, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", 1), ("TRUE", 1), (" Yes ", 1), ("y", 1), ("1", 1), ("false", 0), ("0", 0), ("", 0),
        (None, 0), ("?", 0), ("2", 0), ("null", 0),
    ],
)  # fmt: skip
def test_boolean_to_bit(text: str | None, expected: int) -> None:
    assert value(text, "bit", mapping_type=["boolean_to_bit"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("N", 0), ("false", 0), ("1", 1), ("True", 1), ("", None)]
)
@pytest.mark.parametrize("data_type", ["bit", "boolean"])
def test_a_bit_without_a_bit_type_is_read_as_a_boolean(
    text: str, expected: int | None, data_type: str
) -> None:
    assert value(text, data_type) == expected


# ---- codes

CODES = {"v_enum": {"A": 1, "b": 2, "B": 3, "Two Words": 4, "00025": 5, "12": 6}}
CATCH_ALL = {"v_enum": CODES["v_enum"] | {"": 9}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", 1),
        ("a", 1),
        ("b", 2),
        ("B", 3),
        (" two words ", 4),
        ("00025", 5),
        ("25", None),
        ("12.0", None),
        ("?", None),
        ("", None),
        (None, None),
    ],
)
def test_enums(text: str | None, expected: int | None) -> None:
    def code(enums: dict[str, dict[str, int]], **changes: Any) -> Any:
        return value(text, "smallint", mapping_type="enum", enum_name="v_enum", enums=enums, **changes)

    assert code(CODES) == expected
    assert code(CATCH_ALL) == (9 if expected is None else expected)
    assert code(CODES, default_value="7", nullable=False) == (7 if expected is None else expected)
    assert code(CODES, default_value="7") == expected


def test_the_first_of_equal_names_wins() -> None:
    """Where no name is spelled exactly like the text."""
    enums = {"v_enum": {"ab": 1, "AB": 2}}
    assert value("aB", "int", mapping_type="enum", enum_name="v_enum", enums=enums) == 1


@pytest.mark.parametrize(
    ("column", "enum"),
    [
        ("sort", "sort"),
        ("colour_enum", "colour_enum"),
        ("old_status_code", "status_enum"),
        ("the_decision", "decision_enum"),
        ("contact_type_now", "contact_type_enum"),
        ("other_income_type_1", "income_type_enum"),
        ("process_status", "status_enum"),
    ],
)
def test_the_enum_is_found_by_the_name_of_the_column(column: str, enum: str) -> None:
    names = (
        "sort",
        "colour_enum",
        "status_enum",
        "process_enum",
        "decision_enum",
        "contact_type_enum",
        "income_type_enum",
    )
    enums = {name: {"A": number} for number, name in enumerate(names, 1)}
    contract = small(entry("facts", column, "int", mapping_type="enum"), enums=enums)
    found = rows(compile_mapper(contract, {}), document(**{column: "A"}))["facts"][0][column]
    assert found == names.index(enum) + 1


def test_codes_may_be_texts() -> None:
    enums = {"v_enum": {"A": "ann@example.test", "B": "0042", "C": " "}}
    for data_type, expected in (
        ("string", ["ann@example.test", "0042", None]),
        ("int", [None, 42, None]),
        ("decimal", [None, Decimal(42), None]),
    ):
        found = [
            value(t, data_type, mapping_type="enum", enum_name="v_enum", enums=enums, data_length=20)
            for t in "ABC"
        ]
        assert found == expected, data_type


def test_a_code_out_of_the_column_range() -> None:
    enums = {"v_enum": {"A": 300}}
    with refused("value_out_of_range: facts.v"):
        value("A", "int", mapping_type="enum", enum_name="v_enum", enums=enums, column=Column("v", "tinyint"))


# ---- defaults


@pytest.mark.parametrize(
    ("data_type", "default", "expected"),
    [
        ("string", "UNKNOWN", "UNKNOWN"),
        ("string", 0, None),
        ("string", 12, "12"),
        ("int", "12", 12),
        ("int", 12, 12),
        ("int", "$1,234.5", 1235),
        ("int", 0, None),
        ("int", "0", 0),
        ("decimal", "1.005", Decimal("1.01")),
        ("decimal", 1.5, Decimal("1.50")),
        ("date", "1900-01-01", date(1900, 1, 1)),
        ("datetime", "1/5/2024", datetime(2024, 1, 5)),
        ("bit", "0", 0),
        ("bit", "1", 1),
        ("bit", "true", 1),
        ("bit", "false", 0),
    ],
)
@pytest.mark.parametrize("text", [None, "", "  "])
def test_defaults_have_the_column_type(text: str | None, data_type: str, default: Any, expected: Any) -> None:
    found = value(text, data_type, default_value=default, data_length=None)
    assert found == expected
    assert type(found) is type(expected)


def test_a_nullable_default_is_for_blank_sources_alone() -> None:
    """What is there and cannot be read is null; the default steps in where the column may not be null."""
    assert value("?", "int", default_value="7") is None
    assert value("?", "int", default_value="7", nullable=False) == 7
    assert value("?", "int", default_value=0, nullable=False) == 0
    assert value("?", "date", default_value="1900-01-01", nullable=None) == date(1900, 1, 1)
    assert value("?", "int", default_value="7", column=Column("v", "int", nullable=False)) == 7


def test_a_column_that_may_not_be_null() -> None:
    for text in (None, " ", "?"):
        with refused("missing_required: facts.v"):
            value(text, "int", nullable=False)
        with refused("missing_required: facts.v"):
            value(text, "int", column=Column("v", "int", nullable=False))
        assert value(text, "int", nullable=None) is None
        assert value(text, "int", column=Column("v", "int", nullable=False, default="3")) == 3


# ---- chains


@pytest.mark.parametrize(
    ("types", "data_type", "text", "expected"),
    [
        (["extract_date"], "date", "2024-01-02", date(2024, 1, 2)),
        (["extract_date"], "date", "?", None),
        (["something_unknown"], "int", "12.5", 13),
        ("numbers_only,enum", "int", "no. 12", 6),
        ("numbers_only,enum", "int", "none", 9),
        (["enum", "char_to_bit"], "bit", "A", 0),
        (["numbers_only", "something_unknown"], "int", "$7.00", 7),
        (["numbers_only", "something_unknown"], "int", "none", None),
        ([], "int", "7", 7),
        (" , ", "int", "7", 7),
    ],
)
def test_chains(types: Any, data_type: str, text: str, expected: Any) -> None:
    found = value(text, data_type, mapping_type=types, enum_name="v_enum", enums=CATCH_ALL)
    assert found == expected
    assert type(found) is type(expected)


def test_nothing_has_to_fit_between_steps() -> None:
    """What is stored counts: the code, not the number or text that it was found by."""
    enums = {"v_enum": {"1752": 5, "": 9}}

    def code(text: str, data_type: str, column: Column, **changes: Any) -> Any:
        types = ["numbers_only", "enum"]
        return value(
            text, data_type, mapping_type=types, enum_name="v_enum", enums=enums, column=column, **changes
        )

    assert code("no. 1752", "tinyint", Column("v", "tinyint")) == 5
    assert code("no. 1753", "tinyint", Column("v", "tinyint")) == 9
    assert code("1e40", "decimal", Column("v", "decimal", precision=5, scale=2)) == 9
    assert code("1-7-5-2", "string", Column("v", "varchar", length=1)) == "5"
    assert code("1-7-5-2", "string", Column("v", "varchar", length=9), data_length=2) == "5"


@pytest.mark.parametrize(
    "types", [["default_getutcdate_if_null"], ["numbers_only", "default_getutcdate_if_null"]]
)
def test_the_current_time_where_there_is_none(types: list[str]) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    for text in (None, " "):
        found = value(text, "datetime", mapping_type=types[-1:])
        assert before <= found <= datetime.now(UTC).replace(tzinfo=None)
        assert found.tzinfo is None
    assert value("2024-01-02 03:04:05", "datetime", mapping_type=types[-1:]) == datetime(2024, 1, 2, 3, 4, 5)
    assert value("x", "datetime", mapping_type=types[-1:]) is None
    assert value("x", "datetime", mapping_type=types) is None  # a null ends the chain
