"""Wrong uses of every command: one line to act on, exit status 1 or 2, JSON where it is asked for."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labs import documents, new_lab

from provenir_lab.cli import main
from provenir_lab.errors import CATEGORIES

OPTIONS = {
    "process": (
        "--limit",
        "--workers",
        "--batch-size",
        "--app-id-start",
        "--set",
        "--retry-failed",
        "--schema",
    ),
    "generate": ("--count", "--seed", "--profile", "--start-app-id", "--faults", "--duplicate-contacts"),
    "load": ("--from", "--sample"),
    "status": ("--failed-csv", "--database", "--contract"),
    "verify": ("--sample", "--database"),
    "forecast": ("--documents", "--from", "--results"),
    "compare": (),
    "report": (),
    "map": ("--set", "--contract"),
    "contract": (),
}
NASTY = (
    "", " ", "=", ".", "..", "*", "\x00", "\\", "://", "-1", "0", "nan", "1e9", "9" * 20, "a" * 5000,
    "here.db", "batch_size=", "workers=\x00", "oracle://u@h/d", "sqlite://", "sqlite:///nosuch.db",
    "sqlite:///here.db?mode=x",
)  # fmt: skip
VALUES = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.sampled_from(NASTY))


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a lab with two processed documents, a file that is nothing, an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVENIR_LAB_DATABASE", "sqlite:///here.db")
    new_lab("sqlite:///here.db", documents(2)).process()
    (tmp_path / "nothing.txt").write_text("nothing of use", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yaml").write_text('name: "x', encoding="utf-8")
    (tmp_path / "plain.db").touch()
    return tmp_path


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_value_of_an_option_ends_in_a_fault_of_the_program(folder: Path, data: st.DataObject) -> None:
    command = data.draw(st.sampled_from(sorted(OPTIONS)))
    arguments = [command, *(["check"] if command == "contract" else [])]
    if OPTIONS[command]:
        arguments += [data.draw(st.sampled_from(OPTIONS[command])), data.draw(VALUES)]
    if command in ("compare", "report", "contract", "map"):
        arguments += [data.draw(VALUES) for _ in range(2 if command == "compare" else 1)]
    if command == "generate" and "--count" not in arguments:
        arguments += ["--count", "1", "--to", "made"]
    status, out, err = run(*arguments, "--json")
    assert status in (0, 1, 2)
    assert "a fault of provenir-lab" not in err
    assert "Traceback" not in err
    if status == 0:
        assert "error: " not in err
    if out:
        assert isinstance(json.loads(out), dict)
    if status == 2:
        assert json.loads(out) == {"error": err.removeprefix("error: ").removesuffix("\n"), "exit_status": 2}


WRONG = [
    (["process", "--worker", "2"], "did you mean --workers?"),
    (["process", "--prefetch", "2"], "it is a setting: --set prefetch=VALUE"),
    (["status", "--workers", "3"], "it is an option of process"),
    (["status", "--zzz"], "options are: --failed-csv"),
    (["--database", "sqlite:///x.db", "status"], "options follow the command"),
    (["hlep"], "commands are: init, generate"),
    (["statu"], "Did you mean 'status'?"),
    (["contract", "chek"], "Did you mean 'check'?"),
    (["generate"], "see provenir-lab generate --help"),
    (["init"], "is a lab already"),
    (["init", "--database", "oracle://u@h/d"], "supported are SQLite, PostgreSQL and SQL Server"),
    (["status", "--database", "mysql://u:pw@h/d"], "mysql is not supported"),
    (["load", "empty"], "holds no .xml files"),
    (["map", "empty"], "holds no .xml files"),
    (["run", "nosuch.yaml"], "nosuch.yaml"),
    (["campaign", "nosuch.yaml"], "nosuch.yaml"),
    (["report", "empty"], "not a result of the lab"),
    (["compare", "empty", "empty"], "not a result of the lab"),
    (["forecast"], "run provenir-lab baseline"),
    (["demo", "--to", "nothing.txt"], "cannot be made"),
    (["verify", "--sample", "0"], "--sample"),
    (["baseline", "--runs", "1"], "--runs"),
    (["clean"], "give --yes if that is meant"),
    (["compare-code"], "see provenir-lab compare-code --help"),
    (["status", "--failed-csv", "empty"], "cannot be written"),
    (["contract", "check", "nothing.txt"], "a contract is a .json, .yaml or .yml file"),
    (["init", "--database", "sqlite:///no/such/x.db"], "make the folder first"),
    (["run", "broken.yaml"], "broken.yaml, line "),
    (["clean", "--yes", "--database", "sqlite:///plain.db"], "plain.db is no lab (provenir-lab init makes"),
    (["report", "empty"], "name a folder that holds one, such as results/"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=lambda value: " ".join(value)[:40])
def test_a_wrong_use_is_one_line_and_one_object(folder: Path, arguments: list[str], message: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    status, out, again = run(*arguments, "--json")
    assert (status, again) == (2, err)
    assert json.loads(out) == {"error": err.removeprefix("error: ").removesuffix("\n"), "exit_status": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["process"],
        ["process", "--retry-failed", CATEGORIES[0]],
        ["verify"],
        ["generate", "--count", "1", "--start-app-id", "7"],
        ["map", "made"],
        ["load", "made"],
        ["contract", "check", "mine.json"],
        ["doctor"],
        ["clean", "--yes"],
        ["init", "--database", "sqlite:///second.db"],
    ],
    ids=" ".join,
)
def test_json_is_one_object_alone(folder: Path, arguments: list[str]) -> None:
    shipped = Path(main.__globals__["__file__"]).parents[1] / "contracts" / "credit_card.json"
    (folder / "mine.json").write_bytes(shipped.read_bytes())
    run("generate", "--count", 2, "--start-app-id", 900, "--to", "made")
    status, out, err = run(*arguments, "--json", "--quiet")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    assert isinstance(json.loads(out), dict)


def test_a_group_without_a_command_names_its_commands(folder: Path) -> None:
    status, _, err = run("contract")
    assert status == 2
    assert "needs one of its commands: check" in err


def test_an_unexpected_folder_is_no_fault_of_the_program(folder: Path) -> None:
    status, _, err = run("load", "nothing.txt/deeper")
    assert status == 2
    assert "nothing.txt" in err
