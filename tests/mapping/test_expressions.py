"""The calculated-field language: every operator, NULL rule, precedence rule and parse error."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenir_lab.errors import UsageError
from provenir_lab.mapping.expressions import compile_expression
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.syntax import ExpressionError

ATTRIBUTES = {
    "two": "2",
    "three": "3",
    "minus": "-7",
    "money": "$1,025.50",
    "word": "Card",
    "padded": "  5 ",
    "spaces": "   ",
    "empty": "",
    "iso": "2023-11-05 10:00:00.5",
    "us": "11/5/2023",
    "late": "2024-02-28",
    "lines": "one\ntwo",
    "app_product.code": "V4_12",
    "date": "a field of that name",
    "day": "10",
}


def value(text: str):
    return compile_expression(text).evaluate(ATTRIBUTES.get)


def holds(condition: str) -> bool:
    return value(f"CASE WHEN {condition} THEN 1 ELSE 0 END") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two", "2"),
        ("padded", "  5 "),
        ("app_product.code", "V4_12"),
        ("missing", None),
        ("NULL", None),
        ("'It''s \"Card\"'", 'It\'s "Card"'),
        ('"say ""no"""', 'say "no"'),
        ("''", ""),
        ("12", Decimal(12)),
        (".5", Decimal("0.5")),
        ("1.50e2", Decimal(150)),
        ("date", "a field of that name"),
        ("  two  ", "2"),
        # arithmetic
        ("two + three", Decimal(5)),
        ("two - three", Decimal(-1)),
        ("two * three", Decimal(6)),
        ("three / two", Decimal("1.5")),
        ("1 / 3", Decimal("0.3333333333333333333333333333")),
        ("minus // two", Decimal(-4)),
        ("7 // two", Decimal(3)),
        ("-8 // two", Decimal(-4)),
        ("minus % three", Decimal(2)),
        ("7 % -three", Decimal(-2)),
        ("two ** three", Decimal(8)),
        ("two ** -1", Decimal("0.5")),
        ("two ** 100", Decimal(2**100)),
        ("0 ** 0", Decimal(1)),
        ("1e15 * 1e15 + 1", Decimal(10**30 + 1)),
        ("2 / 3", Decimal("0.6666666666666666666666666667")),
        ("-two", Decimal(-2)),
        ("- -two", Decimal(2)),
        ("-0", Decimal(0)),
        ("money + 0", Decimal("1025.50")),
        ("padded + 1", Decimal(6)),
        ("'4' + \"5\"", Decimal(9)),
        ("0.1 + 0.2", Decimal("0.3")),
        # dates
        ("DATE(us)", datetime(2023, 11, 5)),
        ("date('2023-10-11 00:00:01')", datetime(2023, 10, 11, 0, 0, 1)),
        ("DATE(DATE(iso))", datetime(2023, 11, 5, 10, 0, 0, 500_000)),
        ("DATEADD(day, 2, late)", datetime(2024, 3, 1)),
        ("DateAdd(DAY, -day, DATE('2024-01-11'))", datetime(2024, 1, 1)),
        ("DATEADD(day, '1.9', iso)", datetime(2023, 11, 6)),
        ("DATEADD(day, 0 - 1.9, iso)", datetime(2023, 11, 4)),
        ("DATEADD(day, missing, iso)", datetime(2023, 11, 5)),
        ("DATEADD(day, spaces, iso)", datetime(2023, 11, 5)),
        ("DATEADD(day, 1, DATEADD(day, 1, us))", datetime(2023, 11, 7)),
        # CASE
        ("CASE WHEN two = 2 THEN 'a' END", "a"),
        ("CASE WHEN two = 3 THEN 'a' END", None),
        ("CASE WHEN two = 3 THEN 'a' ELSE 'b' END", "b"),
        ("case when two = 3 then 'a' when two = 2 then 'b' else 'c' end", "b"),
        ("CASE WHEN two = 2 THEN 'a' WHEN two = 2 THEN 'b' END", "a"),
        ("CASE WHEN two = 2 THEN missing ELSE 'b' END", None),
        ("CASE WHEN two = 2 THEN CASE WHEN three = 2 THEN 'x' ELSE 'y' END ELSE 'z' END", "y"),
        ("CASE WHEN two = 2 THEN 5 END * three", Decimal(15)),
        ("CASE WHEN two = 2 THEN ' When It Ends ' END", " When It Ends "),
    ],
)
def test_values(text, expected):
    found = value(text)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        "missing + 1",
        "1 + missing",
        "missing - 1",
        "missing * 0",
        "missing / 1",
        "empty + 1",
        "spaces + 1",
        "word + 1",
        "1 + word",
        "-word",
        "-missing",
        "word ** 2",
        "two + NULL",
        "DATE(iso) + 1",
        "two / 0",
        "two // 0",
        "two % 0",
        "0 ** -1",
        "two ** 0.5",
        "two ** 101",
        "two ** -101",
        "two ** 100 ** 3",
        "1 + 1e-9999 ** 100",
        "DATE(word)",
        "DATE(missing)",
        "DATE(20231105)",
        "DATEADD(day, word, iso)",
        "DATEADD(day, 1, word)",
        "DATEADD(day, 1, missing)",
        "DATEADD(day, missing + 1, iso)",
        "DATEADD(day, DATE(word), iso)",
        "DATEADD(day, 1e9999, iso)",
        "DATEADD(day, 3000000, iso)",
        "CASE WHEN two = 3 THEN 1 END + 1",
    ],
)
def test_what_has_no_result_is_null(text):
    assert value(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 2 - 3", 5),
        ("24 / 4 / 2", 3),
        ("7 // 2 * 2", 6),
        ("2 * 7 % 4", 2),
        ("-2 ** 2", -4),
        ("(-2) ** 2", 4),
        ("2 ** -1 * 4", 2),
        ("2 ** 3 ** 2", 512),
        ("2 * 3 ** 2", 18),
        ("2 * -3", -6),
    ],
)
def test_precedence_of_arithmetic(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("1 = 1 OR 1 = 1 AND 1 = 2", True),
        ("(1 = 1 OR 1 = 1) AND 1 = 2", False),
        ("NOT 1 = 2 AND 1 = 1", True),
        ("NOT (1 = 2 OR 1 = 1)", False),
        ("NOT 1 = 1 OR 1 = 1", True),
        ("NOT NOT 1 = 1", True),
        ("1 + 1 = 2 * 1", True),
        ("1 < 2 AND 2 < 3 AND 3 < 3", False),
        ("1 = 2 OR 2 = 3 OR 3 = 3", True),
        ("two + three IS NOT EMPTY AND word LIKE 'card'", True),
        ("NOT word LIKE 'x%'", True),
        ("((two = 2))", True),
    ],
)
def test_precedence_of_conditions(condition, expected):
    assert holds(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # both numbers: as numbers
        ("two = '2.00'", True),
        ("two = 2", True),
        ("two != 2.0", False),
        ("two <> 3", True),
        ("money > 1000", True),
        ("padded = '05'", True),
        ("minus < two", True),
        ("'10' > '9'", True),
        ("two <= 2", True),
        ("two >= 2.01", False),
        ("2 < three", True),
        # texts: case counts, code points order
        ("word = 'Card'", True),
        ("word = 'card'", False),
        ("word <> 'card'", True),
        ("'Zebra' < 'apple'", True),
        ("word > '1'", True),
        ("'1' < word", True),
        # a number and a text that is none
        ("word = 1", False),
        ("word != 1", True),
        ("word <> 1", True),
        ("word > 1", False),
        ("1 <= word", False),
        # missing compares as ""
        ("missing = ''", True),
        ("missing = NULL", True),
        ("missing = empty", True),
        ("missing < 'a'", True),
        ("missing = 0", False),
        ("missing != 0", True),
        ("missing >= 0", False),
        ("spaces = ''", False),
        # dates
        ("DATE(us) = DATE('2023-11-05')", True),
        ("DATE(us) < iso", True),
        ("iso > DATE('2023-10-11 00:00:00')", True),
        ("'2023-10-11' <= DATE(us)", True),
        ("DATEADD(day, 1, us) = DATE('2023-11-06')", True),
        ("DATE(us) > word", False),
        ("DATE(us) != word", False),
        ("DATE(us) > missing", False),
        ("DATE(us) > 5", False),
        ("DATE(word) = ''", True),
        ("DATE(missing) < DATE(us)", False),
    ],
)
def test_comparisons(condition, expected):
    assert holds(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("missing IS EMPTY", True),
        ("empty IS EMPTY", True),
        ("spaces IS EMPTY", True),
        ("word IS EMPTY", False),
        ("0 IS EMPTY", False),
        ("word IS NOT EMPTY", True),
        ("spaces is not empty", False),
        ("missing IS NULL", True),
        ("empty IS NULL", True),
        ("spaces IS NULL", False),
        ("spaces IS NOT NULL", True),
        ("missing IS NOT NULL", False),
        ("two / 0 IS NULL", True),
        ("DATE(us) IS NOT NULL", True),
    ],
)
def test_empty_and_null(condition, expected):
    assert holds(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("word LIKE 'CARD'", True),
        ("word LIKE 'car'", False),
        ("word LIKE 'c%'", True),
        ("word LIKE '%D'", True),
        ("word LIKE '%a%'", True),
        ("word LIKE '_ard'", True),
        ("word LIKE '____'", True),
        ("word LIKE '___'", False),
        ("word LIKE '.*'", False),
        ("'a.c' LIKE 'a.c'", True),
        ("'abc' LIKE 'a.c'", False),
        ("'a+(b)' LIKE 'A+(B)'", True),
        ("lines LIKE 'one%'", True),
        ("lines LIKE 'one_two'", True),
        ("app_product.code LIKE 'V4_%'", True),
        ("'abcbd' LIKE 'a%b%d'", True),
        ("'abcb' LIKE 'a%b%b'", True),
        ("'ab' LIKE 'a%b%b'", False),
        ("'aXbXc' LIKE '%%b%%'", True),
        ("word NOT LIKE 'x%'", True),
        ("word not like 'c%'", False),
        ("missing LIKE '%'", True),
        ("missing LIKE '_%'", False),
        ("missing NOT LIKE 'a'", True),
        ("two + three LIKE '5'", True),
        ("DATE(us) LIKE '2023-11-05'", True),
    ],
)
def test_like(condition, expected):
    assert holds(condition) is expected


def test_a_hard_pattern_does_not_backtrack():
    expression = compile_expression(f"CASE WHEN text LIKE '{'%a' * 30}%b' THEN 1 END")

    assert expression.evaluate({"text": "a" * 5000}.get) is None


def test_names_are_given_as_written():
    expression = compile_expression(
        "CASE WHEN Product.Code IS NULL THEN DATEADD(day, days, 'x') ELSE Total * 2 END"
    )

    assert expression.names == {"Product.Code", "days", "Total"}


def test_only_the_branch_taken_is_evaluated():
    asked: list[str] = []

    def get(name: str) -> str | None:
        asked.append(name)
        return "1"

    compile_expression("CASE WHEN a = 1 OR b = 1 THEN c WHEN d = 1 THEN e ELSE f END").evaluate(get)

    assert asked == ["a", "c"]


def test_every_expression_of_the_shipped_contract_compiles():
    texts = [field.expression for field in load_contract().fields if field.expression]

    assert len(texts) == 13
    assert all(compile_expression(text).names for text in texts)


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("", "expected a value, but the expression ends", 0),
        ("   ", "expected a value, but the expression ends", 3),
        ("a +", "expected a value, but the expression ends", 3),
        ("a + * b", "expected a value, but here is *", 4),
        ("a b", "expected an operator or the end, but here is b", 2),
        ("a, b", "expected an operator or the end, but here is ,", 1),
        ("(a + b", 'expected ")", but the expression ends', 6),
        ("a)", "expected an operator or the end, but here is )", 1),
        ("()", "expected a value, but here is )", 1),
        ("a + 'open", "the quote is never closed", 4),
        ("a + \"open'", "the quote is never closed", 4),
        ("a ; b", "unexpected character", 2),
        ("a || b", "unexpected character", 2),
        ("a ! b", "unexpected character", 2),
        ("a == b", "expected a value, but here is =", 3),
        ("a.5", "expected an operator or the end, but here is .5", 1),
        ("12months", "a number must not run into a name", 0),
        ("a = 1", "a condition stands where a value is expected", 0),
        ("(a = 1) + 2", "a condition stands where a value is expected", 0),
        ("2 * (a IS NULL)", "a condition stands where a value is expected", 4),
        ("NOT a", "a value stands where a condition is expected", 4),
        ("CASE WHEN a THEN 1 END", "a value stands where a condition is expected", 10),
        ("CASE WHEN a = 1 AND b THEN 1 END", "a value stands where a condition is expected", 20),
        ("CASE WHEN a OR b = 1 THEN 1 END", "a value stands where a condition is expected", 10),
        ("CASE WHEN a = b = c THEN 1 END", "a condition stands where a value is expected", 10),
        ("CASE WHEN a = 1 THEN b = 2 END", "a condition stands where a value is expected", 21),
        ("CASE WHEN a = NOT b = 1 THEN 1 END", "a condition stands where a value is expected", 14),
        ("DATE(a = 1)", "a condition stands where a value is expected", 5),
        ("CASE a WHEN 1 THEN 2 END", "expected WHEN, but here is a", 5),
        ("CASE WHEN a = 1 ELSE 2 END", "expected THEN, but here is ELSE", 16),
        ("CASE WHEN a = 1 THEN 2", "expected END, but the expression ends", 22),
        ("CASE WHEN a = 1 THEN 2 ELSE 3 WHEN b = 1 THEN 4 END", "expected END, but here is WHEN", 30),
        ("CASE WHEN a = 1 THEN END", "expected a value, but here is END", 21),
        ("CASE WHEN a IS 1 THEN 1 END", "expected EMPTY or NULL, but here is 1", 15),
        ("CASE WHEN a IS NOT 'EMPTY' THEN 1 END", "expected EMPTY or NULL, but here is 'EMPTY'", 19),
        ("CASE WHEN a LIKE b THEN 1 END", "expected a quoted pattern, but here is b", 17),
        ("CASE WHEN a NOT b THEN 1 END", "expected LIKE, but here is b", 16),
        ("DATE()", "expected a value, but here is )", 5),
        ("DATE('2024-01-01'", 'expected ")", but the expression ends', 17),
        ("DATEADD(month, 1, a)", "expected the unit DAY, but here is month", 8),
        ("DATEADD(day 1, a)", 'expected ",", but here is 1', 12),
        ("DATEADD(day, 1)", 'expected ",", but here is )', 14),
        ("UPPER(a)", "only DATE and DATEADD are functions", 0),
        ("(" * 51 + "a" + ")" * 51, "nested more than 50 levels deep", 50),
        ("-" * 60 + "a", "nested more than 50 levels deep", 50),
        (" + ".join(["a"] * 200), "too many operators in a row", 0),
    ],
)
def test_parse_errors_point_at_the_place(text, problem, position):
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)

    message, shown, caret = str(caught.value).split("\n")
    assert caught.value.position == position
    assert message.startswith(problem)
    assert f"(character {position + 1})" in message
    assert caret.strip() == "^"
    pointed = shown.ljust(len(caret))[len(caret) - 1]
    assert pointed == (text[position : position + 1] or " ")
    assert isinstance(caught.value, UsageError)


def test_a_long_expression_is_shown_around_the_error():
    text = "first + " * 20 + "\n) + " + "last + " * 20

    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)

    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 120
    assert shown[caret.index("^")] == ")"
    assert shown.startswith("  ...")
    assert shown.endswith("...")


@given(st.text(alphabet="ab1. '\"%_()+-*/<>=!,CASEWHENTHENDORLIKNUTYMP\n", max_size=40))
def test_any_text_compiles_or_is_refused(text):
    try:
        expression = compile_expression(text)
    except ExpressionError as exc:
        assert 0 <= exc.position <= len(text)
    else:
        expression.evaluate(ATTRIBUTES.get)


@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(" ".join),
            inner.map("({})".format),
            inner.map("-{}".format),
        ),
        max_leaves=12,
    )
)
def test_arithmetic_is_that_of_python(text):
    try:
        expected = eval(text)  # the same operators, precedence and rounding on integers
    except ZeroDivisionError:
        return
    assert value(text) == expected


@given(st.text("aB.%_\n", max_size=8), st.text("aB.%_\n", max_size=6))
def test_like_is_wildcard_matching(text, pattern):
    def matches(t: str, p: str) -> bool:
        if not p:
            return not t
        if p[0] == "%":
            return any(matches(t[i:], p[1:]) for i in range(len(t) + 1))
        return bool(t) and p[0] in ("_", t[0]) and matches(t[1:], p[1:])

    expression = compile_expression(f"CASE WHEN x LIKE '{pattern}' THEN 1 ELSE 0 END")

    assert expression.evaluate({"x": text}.get) == matches(text.lower(), pattern.lower())
