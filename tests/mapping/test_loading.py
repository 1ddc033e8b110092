"""Contract files: what loads, what is refused with which place, what is only warned of."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from loan_contract import CONTACT, contract_data, mapping, rule

from provenir_lab.errors import ContractError, UsageError
from provenir_lab.mapping.checking import check_contract
from provenir_lab.mapping.contract import MappingType
from provenir_lab.mapping.loading import load_contract, parse_contract

Change = Callable[[dict[str, Any]], object]


def changed(*changes: Change) -> dict[str, Any]:
    data = contract_data()
    for change in changes:
        change(data)
    return data


def problems(*changes: Change) -> list[str]:
    with pytest.raises(ContractError) as caught:
        parse_contract(changed(*changes), "loans.json")
    return caught.value.problems


def entry(**values: Any) -> Change:
    """Changes the third mapping, `loan_name`."""

    def change(data: dict[str, Any]) -> None:
        data["mappings"][2] = mapping("loan_name", **values)

    return change


def added(column: str, **values: Any) -> Change:
    return lambda data: data["mappings"].append(mapping(column, **values))


def put(*path: Any) -> Change:
    """put("relationships", 0, "child_table", 5) sets that key of that relationship to 5."""

    def change(data: Any) -> None:
        *keys, last, value = path
        for key in keys:
            data = data[key]
        data[last] = value

    return change


def without(*path: Any) -> Change:
    def change(data: Any) -> None:
        *keys, last = path
        for key in keys:
            data = data[key]
        del data[last]

    return change


# ---- what loads


def test_the_shipped_contract_loads_whole():
    contract = load_contract()

    assert len(contract.fields) == 227
    assert len(contract.enums) == 20
    assert contract.schema == "migration"
    assert (contract.source_table, contract.source_column) == ("app_xml", "app_xml")
    assert contract.reading_root == ("Provenir", "Request", "CustData")
    assert contract.rule("contact").type_values == ("PR", "AUTHU")
    assert contract.bits["char_to_bit"] == {
        "Y": 1, "N": 0, "U": 1, "D": 0, "R": 1, "P": 0, "": 0, "null": 0, " ": 0
    }  # fmt: skip


def test_the_shipped_contract_has_one_warning():
    (warning,) = check_contract(load_contract())

    assert "code 130" in warning
    assert 'process_enum["99500"]' in warning
    assert 'sc_debit_funding_source_enum["ACH"]' in warning


def test_another_product_line_loads_without_warnings():
    contract = parse_contract(contract_data(), "loans.json")

    assert contract.name == "loans"
    assert contract.checks_product_line
    assert contract.application_path == ("Provenir", "Request", "CustData", "IL_application")
    assert contract.tables == ("loan", "loan_person", "loan_home", "scores")
    assert contract.kinds == {
        "loan": "application", "loan_person": "contact", "loan_home": "address", "scores": "add_score"
    }  # fmt: skip
    assert contract.fields[0].types == (MappingType("identity_insert"),)
    assert contract.fields[6].types == (MappingType("add_score", "FICO"),)
    assert check_contract(contract) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("absent", ()),
        (None, ()),
        ("", ()),
        ([], ()),
        (["numbers_only", "enum"], ("numbers_only", "enum")),
        (" numbers_only , identity_insert ", ("numbers_only", "identity_insert")),
        ("extract_date", ("extract_date",)),
    ],
)
def test_mapping_types_are_a_list_or_a_text(given, expected):
    contract = parse_contract(changed(entry(mapping_type=given, enum_name="source_enum")), "x.json")

    assert tuple(step.name for step in contract.fields[2].types) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("add_score( A B )", MappingType("add_score", "A B")),
        ("add_score(A,B)", MappingType("add_score", "A,B")),
        ("add_report_lookup", MappingType("add_report_lookup", None)),
        ("policy_exceptions()", MappingType("policy_exceptions", "")),
    ],
)
def test_parameters_of_mapping_types(step, expected):
    contract = parse_contract(changed(added("", target_table="rows", mapping_type=step)), "x.json")

    assert contract.fields[-1].types == (expected,)


@pytest.mark.parametrize(
    ("data_type", "given", "expected"),
    [
        ("string", 5, 5),
        ("string", " 12 ", 12),
        ("string", -1, -1),
        ("string", None, None),
        ("string", "", None),
        ("STRING", 5, 5),
        ("text", 5, 5),
        ("decimal", 0, 0),
        ("decimal", "5", 5),
        ("decimal", -1, None),
        ("int", 2, None),
        ("datetime", 7, None),
    ],
)
def test_lengths(data_type, given, expected):
    contract = parse_contract(changed(entry(data_type=data_type, data_length=given)), "x.json")

    assert contract.fields[2].length == expected


def test_absent_optional_keys_have_their_defaults():
    contract = parse_contract(
        changed(
            without("target_schema"),
            without("source_application_table"),
            without("mappings", 2, "nullable"),
            without("validation_rules"),
            put("something_new", 1),
            put("mappings", 2, "description", ["ignored"]),
        ),
        "x.json",
    )

    assert contract.schema == "dbo"
    assert not contract.checks_product_line
    assert contract.application_element == "application"
    assert contract.fields[2].nullable is None


def test_defaults_keep_their_type_and_blank_ones_are_none():
    contract = parse_contract(
        changed(
            added("a", default_value="MISSING"),
            added("b", default_value=7, data_type="int"),
            added("c", default_value="  "),
            added("d", default_value="0", data_type="bit"),
            added("e", default_value=True, data_type="bit"),
            added("f", default_value="1900-01-01", data_type="date"),
        ),
        "x.json",
    )

    assert [f.default for f in contract.fields[-6:]] == ["MISSING", 7, None, "0", True, "1900-01-01"]


def test_a_child_may_stand_before_its_parent():
    contract = parse_contract(
        changed(put("table_insertion_order", ["scores", "loan_home", "loan_person", "loan"])), "x.json"
    )

    assert contract.tables == ("loan", "scores", "loan_person", "loan_home")
    assert [w.partition(":")[2] for w in check_contract(contract)] == [
        " loan_home is before its parent loan_person; the parent goes first",
        " loan_home is before its parent loan; the parent goes first",
        " loan_person is before its parent loan; the parent goes first",
    ]


# ---- files


def test_json_and_yaml_say_the_same(tmp_path: Path):
    data = changed(entry(data_type="decimal", data_length=2, default_value=0.1))
    (tmp_path / "loans.json").write_text("\ufeff" + json.dumps(data, indent=2), encoding="utf-8")
    (tmp_path / "loans.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    (tmp_path / "other.YML").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")

    contracts = [load_contract(tmp_path / name) for name in ("loans.json", "loans.yaml", "other.YML")]

    assert contracts[0] == contracts[1]
    assert contracts[0].fields[2].default == Decimal("0.1")
    assert contracts[2].name == "other"
    assert len({contract.fingerprint for contract in contracts}) == 1


def test_what_yaml_reads_as_something_else_must_be_quoted(tmp_path: Path):
    text = yaml.safe_dump(changed(entry(data_type="date", default_value="DAY")), sort_keys=False)
    text = text.replace("DAY", "1900-01-01").replace("char_to_bit:\n    Y: 1", "char_to_bit:\n    yes: 1")
    (tmp_path / "loans.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ContractError) as caught:
        load_contract(tmp_path / "loans.yaml")

    assert caught.value.problems == [
        "mappings[2].default_value: must be a text (put it in quotes) or a number",
        "bit_conversions.char_to_bit: the key True must be a text: put it in quotes",
    ]


def test_the_fingerprint_follows_the_content():
    first = parse_contract(contract_data(), "a.json").fingerprint
    again = parse_contract(copy.deepcopy(contract_data()), "b.json").fingerprint
    other = parse_contract(changed(put("enum_mappings", "source_enum", "A", 2)), "a.json").fingerprint

    assert first == again != other
    assert len(first) == 8
    assert int(first, 16) >= 0


def test_a_missing_file_is_one_line(tmp_path: Path):
    with pytest.raises(UsageError, match=r"nowhere\.json: no such contract file"):
        load_contract(tmp_path / "nowhere.json")


def test_other_kinds_of_files_are_refused(tmp_path: Path):
    (tmp_path / "contract.toml").write_text("a = 1")

    with pytest.raises(UsageError, match=r"contract\.toml: a contract is a \.json, \.yaml or \.yml file"):
        load_contract(tmp_path / "contract.toml")
    with pytest.raises(UsageError):
        load_contract(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", b'{"mappings": [\n  1,\n]}', "line 3, column 1: "),
        ("a.json", b"", "line 1, column 1: "),
        ("a.json", b'{"a": NaN}', "NaN is not a JSON value"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b'{"a": "\xff"}', "not UTF-8 text"),
        ("a.json", b"[1]", "file: must be an object with the keys of a contract"),
        ("a.yaml", b"a: [1\nb: 2", "line 2, column "),
        ("a.yaml", b"a: \x01", "not readable as YAML"),
        ("a.yaml", b"", "file: must be an object with the keys of a contract"),
    ],
)
def test_unreadable_files_name_the_place(tmp_path: Path, name, content, problem):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ContractError) as caught:
        load_contract(tmp_path / name)

    assert caught.value.where == str(tmp_path / name)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(problem)


# ---- what is refused


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without("xml_root_element"), "xml_root_element: missing"),
        (put("xml_root_element", " "), "xml_root_element: empty"),
        (without("source_table"), "source_table: missing"),
        (without("source_column"), "source_column: missing"),
        (put("source_column", 5), "source_column: must be a text"),
        (put("source_application_table", ""), "source_application_table: empty"),
        (put("target_schema", []), "target_schema: must be a text"),
        (put("mappings", {}), "mappings: must be a list"),
        (put("mappings", []), "mappings: missing or empty"),
        (without("mappings"), "mappings: missing or empty"),
        (put("mappings", 2, "loan_name"), "mappings[2]: must be an object"),
        (entry(xml_path="absent"), "mappings[2].xml_path: missing"),
        (
            entry(xml_path="Request"),
            "mappings[2].xml_path: must be an absolute path such as /Provenir/Request",
        ),
        (
            entry(xml_path="/Provenir//Request"),
            "mappings[2].xml_path: must be an absolute path such as /Provenir/Request",
        ),
        (entry(xml_attribute=""), "mappings[2].xml_attribute: empty"),
        (entry(target_table=None), "mappings[2].target_table: missing"),
        (entry(target_table=["loan"]), "mappings[2].target_table: must be a text"),
        (entry(target_column=""), "mappings[2].target_column: empty"),
        (entry(data_type=""), "mappings[2].data_type: empty"),
        (entry(data_length="ten"), "mappings[2].data_length: must be a whole number"),
        (entry(data_length=1.5), "mappings[2].data_length: must be a whole number"),
        (entry(data_length=True), "mappings[2].data_length: must be a whole number"),
        (entry(data_length=0), "mappings[2].data_length: must be at least 1, or -1 for no limit"),
        (entry(data_length=-2), "mappings[2].data_length: must be at least 1, or -1 for no limit"),
        (
            entry(data_type="decimal", data_length=29),
            "mappings[2].data_length: the fraction digits of a decimal are 0 to 28",
        ),
        (entry(mapping_type={"enum": 1}), "mappings[2].mapping_type: must be a text or a list of texts"),
        (entry(mapping_type=[1]), "mappings[2].mapping_type: each step is a name, or a name(parameter)"),
        (
            entry(mapping_type="add_score(X"),
            "mappings[2].mapping_type: each step is a name, or a name(parameter)",
        ),
        (entry(nullable="yes"), "mappings[2].nullable: must be true or false"),
        (entry(expression=3), "mappings[2].expression: must be a text"),
        (entry(mapping_type="calculated_field"), "mappings[2].expression: missing"),
        (
            entry(default_value=[1]),
            "mappings[2].default_value: must be a text (put it in quotes) or a number",
        ),
        (
            added("", target_table="loan", mapping_type="add_history"),
            "mappings[7].target_column: missing (loan gets one row of all its columns)",
        ),
        (
            added("loan_name"),
            "mappings[7].target_column: loan.loan_name is already mapped by mappings[2]",
        ),
        (entry(mapping_type="enum"), "mappings[2].enum_name: missing, and the column's name tells no enum"),
        (
            entry(mapping_type="enum", enum_name="colour_enum"),
            "mappings[2]: enum colour_enum is not in enum_mappings",
        ),
        (
            added("decision_code", mapping_type="enum"),
            "mappings[7]: enum decision_enum is not in enum_mappings",
        ),
        (
            added("flag", data_type="string", mapping_type="char_to_bit", default_value=None),
            None,
        ),
        # defaults
        (
            entry(data_type="int", default_value="none"),
            "mappings[2].default_value: is no number, but the column is int",
        ),
        (
            entry(data_type="decimal", default_value="1,0"),
            "mappings[2].default_value: is no number, but the column is decimal",
        ),
        (
            entry(data_type="tinyint", default_value=256),
            "mappings[2].default_value: is out of the range of tinyint",
        ),
        (
            added("source_2", data_type="smallint", mapping_type="enum", enum_name="source_enum",
                  default_value="99999"),
            "mappings[7].default_value: is out of the range of smallint",
        ),
        (
            entry(data_type="int", default_value="1e999"),
            "mappings[2].default_value: is out of the range of int",
        ),
        (entry(data_type="date", default_value="soon"), "mappings[2].default_value: is no date"),
        (
            entry(data_type="datetime", default_value="1066-10-14"),
            "mappings[2].default_value: is no datetime",
        ),
        (
            entry(data_type="bit", default_value="maybe"),
            "mappings[2].default_value: is not in bit_conversions.boolean_to_bit",
        ),
        # rules
        (without("element_filtering"), "element_filtering: missing"),
        (put("element_filtering", []), "element_filtering: must be an object"),
        (
            put("element_filtering", "filter_rules", []),
            "element_filtering.filter_rules: missing or empty",
        ),
        (
            without("element_filtering", "filter_rules", 0),
            "element_filtering.filter_rules: no rule with element_type contact",
        ),
        (
            without("element_filtering", "filter_rules", 1),
            "element_filtering.filter_rules: no rule with element_type address",
        ),
        (
            put("element_filtering", "filter_rules", 0, "xml_child_path", None),
            "element_filtering.filter_rules[0].xml_child_path: missing",
        ),
        (
            put("element_filtering", "filter_rules", 0, "required_attributes", {"con_id": True}),
            "element_filtering.filter_rules: the contact rule names no attribute with its allowed values",
        ),
        (
            put("element_filtering", "filter_rules", 0, "required_attributes", "con_id", "yes"),
            "element_filtering.filter_rules[0].required_attributes.con_id: must be true or a list of allowed "
            "texts",
        ),
        # tables
        (without("table_insertion_order"), "table_insertion_order: missing"),
        (put("table_insertion_order", "loan"), "table_insertion_order: must be a list of names"),
        (without("relationships"), "relationships: missing or empty"),
        (put("relationships", []), "relationships: missing or empty"),
        (without("relationships", 0, "child_table"), "relationships[0].child_table: missing"),
        (without("relationships", 0, "foreign_key_column"), "relationships[0].foreign_key_column: missing"),
        (without("relationships", 1, "xml_child_path"), "relationships[1].xml_child_path: missing"),
        (
            put("table_insertion_order", ["loan", "loan_person"]),
            "relationships[1].child_table: loan_home is not in table_insertion_order",
        ),
        (
            without("relationships", 1),
            "table_insertion_order: loan_home is the child of no relationship",
        ),
        # codes
        (put("enum_mappings", []), "enum_mappings: must be an object"),
        (put("enum_mappings", "source_enum", [1]), "enum_mappings.source_enum: must be an object"),
        (
            put("enum_mappings", "source_enum", "A", 1.5),
            'enum_mappings.source_enum["A"]: must be a whole number or a text',
        ),
        (
            put("enum_mappings", "source_enum", "A", True),
            'enum_mappings.source_enum["A"]: must be a whole number or a text',
        ),
        (
            put("enum_mappings", "source_enum", "A", 2**31),
            'enum_mappings.source_enum["A"]: is too large for a code',
        ),
        (
            put("enum_mappings", "source_enum", 25, 1),
            "enum_mappings.source_enum: the key 25 must be a text: put it in quotes",
        ),
        (put("bit_conversions", "char_to_bit", "Y", 2), 'bit_conversions.char_to_bit["Y"]: must be 0 or 1'),
    ],
)  # fmt: skip
def test_a_problem_is_told_with_its_place(change, problem):
    if problem is None:
        parse_contract(changed(change), "loans.json")
        return
    assert problem in problems(change)


@pytest.mark.parametrize(
    ("values", "table"),
    [
        ({"mapping_type": "char_to_bit", "data_type": "bit"}, "char_to_bit"),
        ({"mapping_type": "boolean_to_bit", "data_type": "bit"}, "boolean_to_bit"),
        ({"data_type": "bit"}, "boolean_to_bit"),
    ],
)
def test_bits_need_their_table(values, table):
    assert problems(entry(**values), without("bit_conversions")) == [
        f"bit_conversions.{table}: missing, but mappings[2] needs it"
    ]


def test_parents_of_each_other_are_refused():
    found = problems(
        put("table_insertion_order", ["loan", "loan_person", "loan_home", "scores"]),
        put("relationships", 0, "parent_table", "loan_home"),
    )

    assert "relationships[0]: loan_person and loan_home are parents of each other" in found


def test_an_expression_error_shows_expression_and_caret():
    (problem,) = problems(entry(mapping_type="calculated_field", expression="loan_name + * 2"))

    assert problem.splitlines() == [
        "mappings[2].expression: expected a value, but here is * (character 13)",
        "      loan_name + * 2",
        "                  ^",
    ]


def test_all_problems_are_listed_at_once():
    found = problems(
        without("source_table"),
        entry(data_type=None, data_length="x"),
        added("other", target_table=None),
        added("when", data_type="date", default_value="soon"),
        put("enum_mappings", "source_enum", "A", None),
    )

    assert found == [
        "source_table: missing",
        "mappings[2].data_type: missing",
        "mappings[2].data_length: must be a whole number",
        "mappings[7].target_table: missing",
        'enum_mappings.source_enum["A"]: must be a whole number or a text',
        "mappings[8].default_value: is no date",
    ]


def test_the_message_lists_the_problems_under_the_file():
    error = ContractError("loans.json", problems(without("source_table"), without("source_column")))

    assert str(error) == ("loans.json: 2 problems\n  source_table: missing\n  source_column: missing")
    assert error.exit_status == 2


# ---- what is warned of


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (
            entry(mapping_type=["shout"]),
            "mappings[2].mapping_type: shout is not known and has no effect",
        ),
        (entry(data_type="money"), "mappings[2].data_type: money is not known and counts as string"),
        (
            entry(expression="a + b"),
            "mappings[2].expression: not used, because mapping_type has no calculated_field",
        ),
        (
            entry(default_value="x" * 21),
            "mappings[2].default_value: longer than data_length, it will be cut",
        ),
        (
            entry(xml_path="/Provenir/Reports"),
            "mappings[2]: /Provenir/Reports lies outside /Provenir/Request/CustData and is never read",
        ),
        (entry(mapping_type="add_history"), "mappings[2].mapping_type: add_history has no effect in loan"),
        (
            added("x", target_table="app_warranties_rl"),
            "mappings[7]: makes no rows, app_warranties_rl is filled by warranty_field alone",
        ),
        (
            added("", target_table="scores", mapping_type="add_score()"),
            "mappings[7].mapping_type: add_score needs a parameter, no rows without it",
        ),
        (
            added("", target_table="app_warranties_rl", mapping_type="warranty_field(first)",
                  target_column="amount"),
            "mappings[7].mapping_type: warranty_field needs a whole number as parameter, no rows without it",
        ),
        (
            put("enum_mappings", "source_enum", "B", "text"),
            'mappings[1]: source_enum["B"] is a text, but the column is smallint',
        ),
        (
            put("enum_mappings", "source_enum", "B", 40000),
            'mappings[1]: source_enum["B"] is out of the range of smallint',
        ),
        (
            put("enum_mappings", "source_enum", "B", 20),
            'enum_mappings: code 20 is shared by source_enum["B"], address_type_enum["CURR"]; app_enums has '
            "one row for it",
        ),
        (
            lambda data: data["table_insertion_order"].append("app_notes"),
            "table_insertion_order: nothing is mapped to app_notes",
        ),
        (
            put("relationships", 1, "parent_table", "people"),
            "relationships[1].parent_table: nothing is mapped to people",
        ),
        (
            lambda data: data["element_filtering"]["filter_rules"].append(rule("pet", CONTACT, name=True)),
            "element_filtering.filter_rules: element_type pet is not known and has no effect",
        ),
        (
            lambda data: data["element_filtering"]["filter_rules"].append(rule("address", CONTACT, a=["B"])),
            "element_filtering.filter_rules: 2 rules for address, only the first counts",
        ),
    ],
)  # fmt: skip
def test_warnings_name_their_place(change, warning):
    assert warning in check_contract(parse_contract(changed(change), "loans.json"))


def test_shared_notes_of_policy_exceptions_need_no_number():
    contract = parse_contract(
        changed(
            added("", target_table="app_policy_exceptions_rl", mapping_type="policy_exceptions()"),
            added("", target_table="app_policy_exceptions_rl", mapping_type="policy_exceptions(3)"),
        ),
        "x.json",
    )

    assert check_contract(contract) == []
