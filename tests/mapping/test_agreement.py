"""The fast mapper and the reference agree: equal rows and rejections, on random contracts and documents.

Failing cases are not shrunk (that takes minutes); the message names the differences, the mapping entries
behind them and the document.
"""

from __future__ import annotations

import datetime as dt
import os
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Protocol

from document_strategies import mutated
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree
from strategies import Case, cases

from provenir_lab.errors import Rejected
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mapping.reference import ReferenceMapper
from provenir_lab.tables import packaged_tables

DOCUMENTS = 20_000 if os.environ.get("PROVENIR_LAB_NIGHTLY") == "1" else 1_000
AT_ONCE = 5
VALUE_PROBLEMS = ("missing_required", "not_representable", "value_out_of_range", "value_too_long")
"""Found value by value: which comes first in a document that has several is not said."""
SAMPLES = Path(__file__).parents[1] / "data" / "samples"

thorough = settings(
    max_examples=DOCUMENTS // AT_ONCE,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

Rows = dict[str, list[tuple[Any, ...]]]


class AnyMapper(Protocol):
    """What both mappers can."""

    def map(self, text: str | None, app_id: int | None = None) -> Rows: ...


def outcome(mapper: AnyMapper, text: str) -> Rows | str:
    """The rows, or the category of the rejection."""
    try:
        rows = mapper.map(text)
    except Rejected as rejected:
        return "value problem" if rejected.category in VALUE_PROBLEMS else rejected.category
    return {table: [tuple(map(settled, row)) for row in found] for table, found in rows.items()}


def settled(value: Any) -> Any:
    """The value; "now" for the time of the run, so that the two may differ by moments."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if isinstance(value, dt.datetime):
        return "now" if abs(value - now) < dt.timedelta(hours=1) else value
    if isinstance(value, dt.date):
        return "now" if abs(value - now.date()) < dt.timedelta(days=2) else value
    return value


def difference(ours: Rows | str, theirs: Rows | str, slow: ReferenceMapper) -> str | None:
    """What differs between the outcomes of the fast mapper and of the reference; None if nothing does."""
    if ours == theirs and list(ours) == list(theirs):
        return None
    found = f"fast: {short(ours)}\nreference: {short(theirs)}"
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for table, rows in theirs.items():
            for row, other in zip(rows, ours.get(table, []), strict=False):
                for column, right, wrong in zip(slow.columns[table], row, other, strict=True):
                    if right != wrong:
                        entries = [str(f) for f in slow.contract.fields_of(table) if f.column == column]
                        found += f"\n{table}.{column} is {wrong!r}, must be {right!r}: {entries}"
    return found


def short(result: Rows | str) -> str:
    return result if isinstance(result, str) else ", ".join(f"{t} x{len(rows)}" for t, rows in result.items())


@thorough
@given(cases(AT_ONCE))
def test_random_contracts(case: Case) -> None:
    for parse_mode in ("selective", "full"):
        fast = compile_mapper(case.contract, case.tables, parse_mode=parse_mode)
        slow = ReferenceMapper(case.contract, case.tables, parse_mode=parse_mode)
        assert fast.columns == slow.columns
        for text in case.documents:
            assert difference(outcome(fast, text), outcome(slow, text), slow) is None, text


@cache
def shipped() -> tuple[Mapper, ReferenceMapper]:
    """Both mappers of the shipped contract."""
    contract, tables = load_contract(), packaged_tables()
    return compile_mapper(contract, tables), ReferenceMapper(contract, tables)


@cache
def samples() -> list[str]:
    """The samples with nothing but what can influence rows, so that a test can afford many of them."""
    found = []
    for path in sorted(SAMPLES.glob("*.xml")):
        top = etree.fromstring(path.read_bytes())
        request = top.find("Request")
        assert request is not None
        for child in list(request):
            if child.tag != "CustData":
                request.remove(child)
        found.append(str(etree.tostring(top, encoding="unicode")))
    return found


@thorough
@given(st.randoms(use_true_random=False))
def test_changed_samples(rng: Random) -> None:
    fast, slow = shipped()
    for _ in range(AT_ONCE):
        text = mutated(rng, rng.choice(samples()), slow.contract)
        fast.unknown_codes.clear()
        slow.unknown_codes.clear()
        ours, theirs = outcome(fast, text), outcome(slow, text)
        assert difference(ours, theirs, slow) is None, text
        assert fast.unknown_codes == slow.unknown_codes or isinstance(theirs, str)
