"""What becomes SQL is a name: of a validated contract, or of a schema. Files hold data, never code."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from provenir_lab.api import Lab
from provenir_lab.errors import ContractError, UsageError

ROOT = Path(__file__).parents[2]
SHIPPED = (
    resources.files("provenir_lab.contracts").joinpath("credit_card.json").read_text(encoding="utf-8-sig")
)
BAD = [
    'a"b',
    "a'b",
    "a;DROP TABLE app_base",
    "a]b",
    "a`b",
    "a b",
    "a--",
    "a)",
    "a%s",
    "a:b",
    "a\x00",
    "a" * 129,
    "1a",
]

PLACES: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "source_table": lambda data, name: data.update(source_table=name),
    "source_column": lambda data, name: data.update(source_column=name),
    "target_schema": lambda data, name: data.update(target_schema=name),
    "table_insertion_order[0]": lambda data, name: data["table_insertion_order"].__setitem__(0, name),
    "mappings[0].target_table": lambda data, name: data["mappings"][0].update(target_table=name),
    "mappings[0].target_column": lambda data, name: data["mappings"][0].update(target_column=name),
    "relationships[0].parent_table": lambda data, name: data["relationships"][0].update(parent_table=name),
    "relationships[0].child_table": lambda data, name: data["relationships"][0].update(child_table=name),
    "relationships[0].foreign_key_column": lambda data, name: data["relationships"][0].update(
        foreign_key_column=name
    ),
}


@pytest.mark.parametrize(
    ("place", "name"), [(place, BAD[0]) for place in PLACES] + [("source_table", name) for name in BAD[1:]]
)
def test_a_contract_that_names_what_is_no_name_is_refused(place: str, name: str, tmp_path: Path) -> None:
    data = json.loads(SHIPPED)
    PLACES[place](data, name)
    file = tmp_path / "contract.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        Lab("sqlite:///lab.db", contract=file)
    assert f"{place}: must be a name of letters, digits" in str(caught.value)


def test_a_source_table_may_stand_in_a_schema(tmp_path: Path) -> None:
    data = {**json.loads(SHIPPED), "source_table": "staging.app_xml"}
    (tmp_path / "contract.json").write_text(json.dumps(data), encoding="utf-8")
    assert (
        Lab("sqlite:///lab.db", contract=tmp_path / "contract.json").contract.source_table
        == "staging.app_xml"
    )


@pytest.mark.parametrize("name", BAD)
def test_a_schema_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="must be a name of letters"):
        Lab("postgresql://lab@127.0.0.1:1/none", schema=name)


UNSAFE = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
CODE_IN_DATA = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}


def unsafe_reading(tree: ast.AST) -> list[int]:
    """Lines that read YAML into more than plain values, or import what runs code when it reads."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "yaml" and node.attr in UNSAFE:
                lines.append(node.lineno)
        elif isinstance(node, ast.Import):
            lines += [node.lineno for alias in node.names if alias.name.partition(".")[0] in CODE_IN_DATA]
        elif isinstance(node, ast.ImportFrom) and node.module:
            lines += [node.lineno] * (node.module.partition(".")[0] in CODE_IN_DATA or node.module == "yaml")
    return lines


def test_files_are_read_as_data_never_as_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("provenir_lab", "benchmarks", "docs")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in unsafe_reading(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "yaml.load(text)",
        "yaml.full_load(text)",
        "import pickle",
        "from marshal import loads",
        "from yaml import load",
    ],
)
def test_unsafe_reading_is_recognised(line: str) -> None:
    assert unsafe_reading(ast.parse(line)) == [1]


def test_a_contract_in_yaml_cannot_make_objects(tmp_path: Path) -> None:
    file = tmp_path / "contract.yaml"
    file.write_text("xml_root_element: !!python/object/apply:os.getcwd []\n", encoding="utf-8")
    with pytest.raises(ContractError, match="could not determine a constructor"):
        Lab("sqlite:///lab.db", contract=file)
