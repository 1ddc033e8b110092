"""Verifying sees documents as processing did: with the keys and the limits of the real tables."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest
import sqlalchemy as sa
from labs import documents, put
from places import Place

from provenir_lab import contracts
from provenir_lab.api import Lab
from provenir_lab.mapping.loading import SHIPPED
from provenir_lab.progress import silent
from provenir_lab.settings import Settings
from provenir_lab.storage import writer
from provenir_lab.storage.database import open_engine, writing

SCORES = {"risk_model_score": "Fico", "decision_score": "FICO"}


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """The shipped contract with two scores more, whose names differ in case alone, and one default less."""
    content = json.loads((resources.files(contracts) / SHIPPED).read_bytes())
    (score,) = (m for m in content["mappings"] if m["mapping_type"] == ["add_score(AJ)"])
    for attribute, name in SCORES.items():
        content["mappings"].append(
            {**score, "xml_attribute": attribute, "mapping_type": [f"add_score({name})"]}
        )
    (ssn,) = (
        m
        for m in content["mappings"]
        if m["xml_attribute"] == "ssn" and m["target_table"] == "app_contact_base"
    )
    ssn.update(default_value=None, required=False, nullable=True)
    file = tmp_path / "contract.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


@pytest.mark.parametrize("place", ["sqlite", "mssql"], indirect=True)
def test_keys_that_the_database_takes_for_the_same_are_no_difference(
    place: Place, contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place.kind == "sqlite":  # as SQL Server would
        monkeypatch.setattr(writer, "text_key_forms", lambda _, tables: {t.name: str.lower for t in tables})
    lab = Lab(place.url, schema=place.schema, contract=contract, progress=silent)
    lab.init()
    made = documents(2)
    put(lab, [(d.app_id, d.text) for d in made], {d.campaign_num for d in made})
    outcome = lab.process()
    assert (outcome.succeeded, outcome.duplicate_keys > 0) == (2, True)
    assert lab.verify(None).equal


def test_a_column_that_need_not_be_filled_is_no_difference(postgres_url: str, contract: Path) -> None:
    lab = Lab(postgres_url, schema="lab", contract=contract, progress=silent)
    lab.init()
    engine = open_engine(postgres_url, Settings())
    with writing(engine) as connection:
        connection.execute(sa.text("ALTER TABLE lab.app_contact_base ALTER COLUMN ssn DROP NOT NULL"))
    engine.dispose()
    (made,) = documents(1)
    put(lab, [(made.app_id, re.sub(' ssn="[0-9]+"', ' ssn=""', made.text))], {made.campaign_num})
    assert lab.process().succeeded == 1
    assert lab.verify(None).equal
