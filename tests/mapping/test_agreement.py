"""The fast mapper and the reference agree: equal rows and rejections, on random contracts and documents."""

from __future__ import annotations

import datetime as dt
import os
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Protocol

from document_strategies import mutated
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from lxml import etree
from strategies import Case, cases

from provenir_lab.errors import Rejected
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.mapping.reference import ReferenceMapper
from provenir_lab.tables import packaged_tables

DOCUMENTS = 20_000 if os.environ.get("PROVENIR_LAB_NIGHTLY") == "1" else 1_500
PER_CONTRACT = 5
VALUE_PROBLEMS = ("missing_required", "not_representable", "value_out_of_range", "value_too_long")
"""Found value by value: which comes first in a document that has several is not said."""


SAMPLES = Path(__file__).parents[1] / "data" / "samples"
THOROUGH = {
    "deadline": None,
    "suppress_health_check": [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
}


class AnyMapper(Protocol):
    """What both mappers can."""

    def map(self, text: str | None, app_id: int | None = None) -> dict[str, list[tuple[Any, ...]]]: ...


def outcome(mapper: AnyMapper, text: str) -> object:
    """Rows with their tables in order, or the category of the rejection."""
    try:
        rows = mapper.map(text)
    except Rejected as rejected:
        return "value problem" if rejected.category in VALUE_PROBLEMS else rejected.category
    return [(table, [tuple(map(settled, row)) for row in found]) for table, found in rows.items()]


def settled(value: Any) -> Any:
    """The value; "now" for the time of the run, so that the two may differ by moments."""
    if isinstance(value, dt.datetime):
        return (
            "now"
            if abs(value - dt.datetime.now(dt.UTC).replace(tzinfo=None)) < dt.timedelta(hours=1)
            else value
        )
    if isinstance(value, dt.date):
        return "now" if abs(value - dt.datetime.now(dt.UTC).date()) < dt.timedelta(days=2) else value
    return value


@settings(max_examples=DOCUMENTS // PER_CONTRACT, **THOROUGH)
@given(cases(PER_CONTRACT))
def test_random_contracts(case: Case) -> None:
    for parse_mode in ("selective", "full"):
        fast = compile_mapper(case.contract, case.tables, parse_mode=parse_mode)
        slow = ReferenceMapper(case.contract, case.tables, parse_mode=parse_mode)
        assert fast.columns == slow.columns
        for text in case.documents:
            note(f"{parse_mode}: {text!r}")
            assert outcome(fast, text) == outcome(slow, text)


def without_reports(path: Path) -> str:
    """A sample with nothing but what can influence rows, so that a test can afford many of them."""
    top = etree.fromstring(path.read_bytes())
    request = top.find("Request")
    assert request is not None
    for child in list(request):
        if child.tag != "CustData":
            request.remove(child)
    return str(etree.tostring(top, encoding="unicode"))


@cache
def samples() -> list[str]:
    return [without_reports(path) for path in sorted(SAMPLES.glob("*.xml")) if path.stem != "wrong-product"]


@settings(max_examples=DOCUMENTS // PER_CONTRACT, phases=[Phase.reuse, Phase.generate], **THOROUGH)
@given(st.randoms(use_true_random=False))
def test_changed_samples(rng: Random) -> None:
    contract = load_contract()
    fast, slow = compile_mapper(contract, packaged_tables()), ReferenceMapper(contract, packaged_tables())
    for _ in range(PER_CONTRACT):
        text = mutated(rng, rng.choice(samples()), contract)
        note(text)
        assert outcome(fast, text) == outcome(slow, text)
        assert fast.unknown_codes == slow.unknown_codes
