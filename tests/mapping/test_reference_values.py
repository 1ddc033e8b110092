"""The reference mapper: what texts become in columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from small_contract import AUTHU, CARD, NOW, document, entry, mapper, rejection, value_of

# ---- numbers (C1, C3, C5, 3.1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12), (" 12.5 ", 13), ("-2.5", -3), ("2.4", 2), ("1,234", 1234), ("$1,025.50", 1026),
        ("-5", -5), ("1e3", 1000), ("$+.5e1", 5), ("5.", 5), ("1,2345", None), ("12,34", None),
        ("1_0", None), ("NaN", None), ("٣", None), ("Up to $40", None), ("", None), ("-", None), (".", None),
        ("2020-01-01", None),
    ],
)  # fmt: skip
def test_integers(text: str, number: int | None) -> None:
    assert value_of(text, data_type="int") == number


@pytest.mark.parametrize(
    ("text", "length", "number"),
    [
        ("2.675", None, "2.68"),
        ("-2.675", None, "-2.68"),
        ("0.123456", 5, "0.12346"),
        ("1.5", 0, "2"),
        ("7", 1, "7.0"),
    ],
)
def test_decimals_are_exact_and_rounded_half_up(text: str, length: int | None, number: str) -> None:
    found = value_of(text, data_type="decimal", data_length=length)
    assert (found, str(found)) == (Decimal(number), number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Up to $40", 40),
        ("$1,025.50", 1026),
        ("from 5 to 9", 5),
        ("a-7", -7),
        ("1,2345", 1234),
        ("none", None),
    ],
)
@pytest.mark.parametrize("step", ["numbers_only", "extract_numeric"])
def test_the_first_number_of_a_text(text: str, number: int | None, step: str) -> None:
    assert value_of(text, data_type="int", mapping_type=[step]) == number


@pytest.mark.parametrize(
    ("text", "digits"), [("01234", "01234"), ("(12) 3-4", "1234"), ("1.5", "15"), ("none", None)]
)
def test_numbers_only_keeps_the_digits_of_texts(text: str, digits: str | None) -> None:
    assert value_of(text, mapping_type="numbers_only") == digits


# ---- dates (C8, 3.3)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02", "2024-01-02"), ("2021-9-3 9:05:07.123", "2021-09-03T09:05:07.123"),
        ("1/5/2024", "2024-01-05"), ("13/02/2024", "2024-02-13"),
        ("1/5/2024 1:02:03 PM", "2024-01-05T13:02:03"), ("1/5/2024 12:02:03 AM", "2024-01-05T00:02:03"),
        ("2024-01-02 03:04:05 PM", "2024-01-02T03:04:05"), ("2024-01-02 03:04:75", "2024-01-02T03:04:59"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05"),
        ("2024-01-02T03:04:05-05:00", "2024-01-02T03:04:05"), ("20240102", "2024-01-02"),
        ("2024-01-02 03:04", "2024-01-02T03:04"), (" 2024-1-2 ", "2024-01-02"),
        ("2024-01-02 03:04:05.1234567", "2024-01-02T03:04:05.123456"),
        ("31/12/2024 10:00:00", "2024-12-31T10:00:00"), ("01/02/24", None), ("2024-02-30", None),
        ("1/5/2024 13:02:03 PM", None), ("1752-12-31", None), ("soon", None), ("2024-01-02 99:9:9", None),
    ],
)  # fmt: skip
def test_datetimes(text: str, moment: str | None) -> None:
    assert value_of(text, data_type="datetime") == (moment and dt.datetime.fromisoformat(moment))


def test_dates_have_their_own_years_and_no_time() -> None:
    assert value_of("1752-12-31 10:11:12", data_type="date") == dt.date(1752, 12, 31)
    assert value_of("1899-12-31", data_type="smalldatetime") is None


@pytest.mark.parametrize(
    ("text", "data_type"), [("9999-12-31 23:59:59.999", "datetime"), ("2079-06-06 23:59:30", "smalldatetime")]
)
def test_a_time_that_would_be_rounded_past_the_end_of_its_type(text: str, data_type: str) -> None:
    found = mapper(entry(data_type=data_type))
    assert rejection(found, document(x=text)) == "value_out_of_range"


# ---- bits, texts, defaults (C4, C17, 4.3)


@pytest.mark.parametrize(("text", "bit"), [("Y", 1), ("j", 1), ("N", 0), ("?", 0), ("", 0)])
def test_char_to_bit(text: str, bit: int) -> None:
    assert value_of(text, data_type="bit", mapping_type=["char_to_bit"]) == bit


@pytest.mark.parametrize(
    ("text", "bit"), [("TRUE", 1), ("yes", 1), ("0", 0), ("N", 0), ("maybe", 0), ("", None)]
)
def test_bits_without_a_bit_type_are_read_as_booleans(text: str, bit: int | None) -> None:
    assert value_of(text, data_type="boolean") == bit


@pytest.mark.parametrize(("length", "text"), [(3, "a b"), ("4", "a b"), (-1, "a b cde"), (None, "a b cde")])
def test_texts_are_trimmed_cut_and_trimmed(length: Any, text: str) -> None:
    assert value_of("  a b cde ", data_length=length) == text


@pytest.mark.parametrize(
    ("default", "nullable", "blank", "unreadable"),
    [
        ("7", True, 7, None), ("7", False, 7, 7), ("0", True, 0, None), (0, True, None, None),
        (0, None, 0, 0), ("$1,000", False, 1000, 1000), (None, True, None, None),
    ],
)  # fmt: skip
def test_defaults(default: Any, nullable: bool | None, blank: int | None, unreadable: int | None) -> None:
    changes = {"data_type": "int", "default_value": default, "nullable": nullable}
    assert value_of(" ", **changes) == blank
    assert value_of("many", **changes) == unreadable


def test_the_current_time_for_a_null() -> None:
    assert value_of("", data_type="datetime", mapping_type=["default_getutcdate_if_null"]) == NOW


# ---- enums (1.5, C16)


@pytest.mark.parametrize(
    ("enum", "text", "code"),
    [
        ("five_enum", " Y ", 1), ("five_enum", "y", 2), ("five_enum", "curr", 3), ("five_enum", "?", None),
        ("kind_enum", "", 122), ("kind_enum", "?", 122), ("empty_enum", "Y", None),
    ],
)  # fmt: skip
def test_enums(enum: str, text: str, code: int | None) -> None:
    assert value_of(text, data_type="smallint", mapping_type=["enum"], enum_name=enum) == code


def test_enums_of_texts_and_defaults() -> None:
    assert value_of("1", mapping_type=["enum"], enum_name="texts_enum") == "0042"
    assert value_of("N", mapping_type=["enum"], enum_name="texts_enum") is None
    changes = {"data_type": "int", "mapping_type": ["enum"], "enum_name": "five_enum", "default_value": "9"}
    assert value_of("?", **changes, nullable=False) == 9


def test_unknown_codes_are_counted_but_blank_ones_are_not() -> None:
    found = mapper(entry("kind_enum", data_type="int", mapping_type=["enum"]))
    for text in ("?", "", "!", "CURR"):
        found.map(document(x=text))
    assert found.unknown_codes == {("app_base", "kind_enum"): 2}


# ---- chains (4.2)


@pytest.mark.parametrize(
    ("chain", "inside", "code"),
    [
        ("last_valid_pr_contact,enum", "", 122),
        ("last_valid_pr_contact,numbers_only,enum", "", None),
        ("authu_contact,char_to_bit", "", None),
        ("authu_contact,char_to_bit", f'<contact {AUTHU}><app_prod_bcard x=""/></contact>', 0),
        ("authu_contact,char_to_bit", f"<contact {AUTHU}><app_prod_bcard/></contact>", None),
        ("authu_contact,char_to_bit", f'<contact {AUTHU}><app_prod_bcard x="Y"/></contact>', 1),
    ],
)
def test_a_null_ends_a_chain_unless_an_enum_is_next(chain: str, inside: str, code: int | None) -> None:
    found = mapper(entry(xml_path=CARD, data_type="int", mapping_type=chain, enum_name="kind_enum"))
    assert found.map(document(inside))["app_base"] == [(7, code)]


@pytest.mark.parametrize(
    ("expression", "code"),
    [("NULL", 3), ("'word'", 3), ("CASE WHEN x = 'CURR' THEN 5 END", 5), ("''", 3), ("12 / 0", 3)],
)
def test_an_enum_after_a_calculation_sees_the_attribute_where_there_is_no_result(
    expression: str, code: int
) -> None:
    changes = {"data_type": "int", "mapping_type": ["calculated_field", "enum"], "enum_name": "five_enum"}
    assert value_of("CURR", **changes, expression=expression) == code
