"""Mappers with an optimisation taken out: the same rows, and the work really done for every value."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Case, cases
from test_agreement import outcome

from provenir_lab.mapping.ablation import ABLATIONS, ablated_mapper
from provenir_lab.mapping.document import decode
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mock import generate
from provenir_lab.settings import Settings
from provenir_lab.tables import packaged_tables

SAMPLES = sorted((Path(__file__).parents[1] / "data" / "samples").glob("*.xml"))
WORK = {
    "enum_cache": "_searched",
    "preparsed_types": "_split",
    "indexed_lookup": "_attribute",
    "regex_cache": "_compile",  # of the module re: behind its cache
}
"""What each mapper does for every value, and the plain one never: function names."""


def texts() -> list[str]:
    """The samples, and a hundred mock documents of which some are faulty."""
    mock = generate(100, seed=5, profile="compact", faults=0.1)
    return [decode(path.read_bytes()) for path in SAMPLES] + [document.text for document in mock]


@pytest.mark.parametrize("without", ABLATIONS)
@pytest.mark.parametrize("parse_mode", ["selective", "full"])
def test_rows_rejections_and_unknown_codes_are_the_same(without: str, parse_mode: str) -> None:
    contract, tables = load_contract(None), packaged_tables()
    plain = compile_mapper(contract, tables, parse_mode=parse_mode)
    ablated = ablated_mapper(contract, tables, without, parse_mode=parse_mode)
    found = [outcome(plain, text) for text in texts()]
    assert {type(one) for one in found} == {dict, str}
    assert [outcome(ablated, text) for text in texts()] == found
    assert ablated.columns == plain.columns
    assert ablated.unknown_codes == plain.unknown_codes != Counter()


@settings(max_examples=40, deadline=None)
@given(cases(3), st.sampled_from(list(ABLATIONS)))
def test_rows_are_the_same_under_any_contract(case: Case, without: str) -> None:
    plain = compile_mapper(case.contract, case.tables)
    ablated = ablated_mapper(case.contract, case.tables, without)
    for text in case.documents:
        assert outcome(ablated, text) == outcome(plain, text)


def calls(mapper: Mapper, text: str) -> Counter[str]:
    """How often each Python function is called while a document is mapped, caches warm."""
    mapper.map(text)
    counted: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            counted[frame.f_code.co_name] += 1

    document = mapper.parse(text)
    sys.setprofile(count)
    try:
        mapper.rows(document)
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("without", ABLATIONS)
def test_the_work_is_done_for_every_value(without: str) -> None:
    contract, tables, text = load_contract(None), packaged_tables(), texts()[-1]
    assert calls(compile_mapper(contract, tables), text)[WORK[without]] == 0
    assert calls(ablated_mapper(contract, tables, without), text)[WORK[without]] >= 5


def test_the_limits_hold() -> None:
    contract, tables = load_contract(None), packaged_tables()
    mapper = ablated_mapper(contract, tables, "enum_cache", max_document_mb=1)
    assert outcome(mapper, "<Provenir>" + "x" * 1_000_000 + "</Provenir>") == "too_large"


def test_the_setting_names_every_ablation() -> None:
    for name in ("none", *ABLATIONS):
        assert Settings.model_validate({"mapper_without": name}).mapper_without == name
    with pytest.raises(ValueError, match="mapper_without"):
        Settings.model_validate({"mapper_without": "enums"})


RUN = """
import sys
from pathlib import Path
from provenir_lab.api import Lab
from provenir_lab.progress import silent
lab = Lab("sqlite:///" + sys.argv[1], progress=silent)
lab.init()
lab.generate(4)
def loaded(**settings):
    assert lab.process(limit=2, **settings).succeeded == 2
    return "provenir_lab.mapping.ablation" in sys.modules
print(loaded(), loaded(mapper_without="regex_cache"))
"""


def test_only_the_setting_imports_the_module(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, (tmp_path / "lab.db").as_posix()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr
