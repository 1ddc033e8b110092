"""CSV for spreadsheets: read back equal, numbers as numbers, and never a formula."""

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from provenir_lab.spreadsheet import records_csv, write_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


def read(text: str) -> list[list[str]]:
    """The rows of a CSV text that begins with the byte order mark."""
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@given(st.lists(TEXTS, min_size=1, max_size=5))
@example(["=1+1", "+x", "-2 %", "@SUM(A1)", "\t=1", "\r=1", "a\n=b", '"', "ö;,"])
def test_texts_come_back_and_none_is_a_formula(texts: list[str]) -> None:
    stream = io.StringIO(newline="")
    assert write_rows(stream, ["first", "text"], [(0, text) for text in texts]) == len(texts)
    header, *rows = read(stream.getvalue())
    assert header == ["first", "text"]
    for text, (_, cell) in zip(texts, rows, strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert cell == text or (cell == f"'{text}" and not text[0].isalnum())


def test_numbers_stay_numbers() -> None:
    assert read(records_csv([{"change": -0.25, "runs": 3, "none": None}])) == [
        ["change", "runs", "none"],
        ["-0.25", "3", ""],
    ]


def test_nested_records_are_columns_of_one_table() -> None:
    records = [
        {"variant": "a", "rate": {"low": 1.5}},
        {"variant": "b", "rate": {"low": 2, "high": 3}, "tied": ["x", "y"]},
    ]
    assert read(records_csv(records)) == [
        ["variant", "rate.low", "rate.high", "tied"],
        ["a", "1.5", "", ""],
        ["b", "2", "3", "x; y"],
    ]
