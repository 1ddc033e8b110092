"""The reference mapper: calculated fields and the names they see."""

from __future__ import annotations

from typing import Any

import pytest
from small_contract import APPLICATION, PR, document, entry, mapper

from provenir_lab.errors import UsageError
from provenir_lab.mapping.reference.expressions import parse

# ---- expressions (C6, C7, C9, section 5)


def calculated(expression: str, inside: str = "", data_type: str = "string", **attributes: str) -> Any:
    changes = {"mapping_type": ["calculated_field"], "expression": expression, "data_type": data_type}
    return mapper(entry(**changes)).map(document(inside, **attributes))["app_base"][0][1]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1 + 2 * 3", "7"), ("(1 + 2) * 3", "9"), ("7 // 2", "3"), ("-7 // 2", "-4"), ("-7 % 3", "2"),
        ("7 % -3", "-2"), ("2 ** 3 ** 2", "512"), ("-2 ** 2", "-4"), ("2 ** -1", "0.5"),
        ("1 / 3", "0.3333333333333333333333333333"), ("0.1 + 0.2", "0.3"), ("1 / 0", None),
        ("1 + nothing", None), ("1 + 'x'", None), ("'1,000' + 1", "1001"), ("2 ** 0.5", None),
        ("2 ** 101", None), ("'it''s'", "it's"), ("DATE('1/5/2024')", "2024-01-05"),
        ("DATEADD(day, 30, '2024-01-31 10:00:00')", "2024-03-01"),
        ("DATEADD(day, nothing, '2024-01-31')", "2024-01-31"),
        ("DATEADD(day, 1 + nothing, '2024-01-31')", None), ("DATEADD(day, 'x', '2024-01-31')", None),
        ("DATEADD(day, -1.9, '2024-01-31')", "2024-01-30"), ("NULL", None), ("DATE('soon')", None),
    ],
)  # fmt: skip
def test_values(expression: str, text: str | None) -> None:
    assert calculated(expression) == text


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("x = '01'", True), ("x = 1", True), ("x = 'a'", False), ("word = 'Word'", True),
        ("word = 'word'", False), ("nothing = ''", True), ("nothing != 'x'", True), ("word > 5", False),
        ("word <> 5", True), ("x < 2", True), ("x IS EMPTY", False), ("nothing IS EMPTY", True),
        ("blank IS NOT EMPTY", False), ("nothing IS NULL", True), ("word LIKE 'w%D'", True),
        ("word LIKE 'w_d'", False), ("word LIKE 'W.rd'", False), ("word NOT LIKE '%x%'", True),
        ("day > DATE('2023-10-11')", True), ("day > DATE(word)", True), ("DATE(word) = ''", True),
        ("word != DATE('2023-10-11')", False), ("day = '2024-01-05'", False),
        ("DATE(day) = '2024-01-05'", True), ("x = 2 OR x = 1 AND word = 'no'", False),
        ("(x = 2 OR x = 1) AND word = 'Word'", True), ("NOT x = 2", True), ("NOT x = 1 OR x = 1", True),
        ("not (x = 1 or x = 2)", False), ("(x + 1) * 2 = 4", True), ("word = 'WORD'", False),
    ],
)  # fmt: skip
def test_conditions(condition: str, holds: bool) -> None:
    expression = f"CASE WHEN {condition} THEN 'yes' ELSE 'no' END"
    assert calculated(expression, x="1", word="Word", blank=" ", day="1/5/2024") == ("yes" if holds else "no")


def test_a_case_nests_and_ends_in_null() -> None:
    nested = "case when x = '1' then case when x = 2 then 'a' else x + 1 end end"
    assert (calculated(nested, x="1"), calculated(nested, x="3")) == ("2", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top", "t"), ("Process", "20000"), ("request.process", "20000"), ("APPLICATION.X", "a"),
        ("application.x", "a"), ("app_id", "7"), ("contact.last_name", "Example"), ("x", "c"),
        ("product.x", "p"), ("info.x", "i"), ("inner", None), ("custdata.x", None),
    ],
)  # fmt: skip
def test_names(name: str, value: str | None) -> None:
    inside = f'<product x=" p "/><group><info x="i"/></group><contact {PR} x="c"/>'
    assert calculated(name, inside, x="a") == value


def test_of_equal_tags_the_one_at_a_path_of_the_contract_wins() -> None:
    product = entry("two", xml_path=f"{APPLICATION}/product")
    name = entry(mapping_type="calculated_field", expression="product.x")
    inside = '<product x="right"/><group><product x="wrong"/></group>'
    assert mapper(name, product).map(document(inside))["app_base"] == [(7, "right", "right")]


@pytest.mark.parametrize(
    "text", ["1 +", "a = 1", "CASE WHEN a THEN 1 END", "'open", "f(x)", "DATEADD(month, 1, x)"]
)
def test_what_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)
