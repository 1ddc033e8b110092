"""The names of the earlier tools: old options do what they did, and the new command is told."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import sqlalchemy as sa
from labs import documents, new_lab

from provenir_lab.aliases import connection
from provenir_lab.aliases.connection import PASSWORD_VARIABLE, Server, password_for, server_of
from provenir_lab.cli import main
from provenir_lab.errors import UsageError
from provenir_lab.settings import find_database

ROOT = Path(__file__).parents[2]
NAMES = ("establish_baseline", "generate_mock_xml", "parallel_coordinator", "production_processor")
URL = "sqlite:///old.db"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PROVENIR_LAB_DATABASE", PASSWORD_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def alias(name: str, *arguments: object) -> int:
    """Runs an old name in this process; returns its exit status."""
    status = importlib.import_module(f"provenir_lab.aliases.{name}").main([str(a) for a in arguments])
    return int(status)


def alias_process(
    name: str, *arguments: object, password: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs an old name as a process of its own."""
    environment = {**os.environ, **({PASSWORD_VARIABLE: password} if password else {})}
    command = [sys.executable, "-m", f"provenir_lab.aliases.{name}", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )


def told(error: str, name: str) -> list[str]:
    """The new command that the last line of standard error tells, as words after `provenir-lab`."""
    last = error.splitlines()[-1]
    assert last.startswith(f"{name} is now: provenir-lab ")
    return shlex.split(last.partition("provenir-lab ")[2])


def test_each_name_is_a_console_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in NAMES:
        assert project["scripts"][name] == f"provenir_lab.aliases.{name}:main"


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_an_example_whose_options_are_known(name: str) -> None:
    ended = alias_process(name, "--help")
    assert ended.returncode == 0
    example = ended.stdout.partition("Example: ")[2].split()
    assert example[0] == name
    new = importlib.import_module(f"provenir_lab.aliases.{name}").ALIAS.command
    known = (
        ended.stdout
        + subprocess.run(
            [sys.executable, "-m", "provenir_lab", new, "--help"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert [word for word in example if word.startswith("--") and f" {word} " not in known] == []


def test_from_mock_documents_to_tables_with_real_processes() -> None:
    main(["init", "--database", URL, "--quiet"])
    made = alias_process("generate_mock_xml", "--database", URL, "--app-id-start", 5001, "--app-id-end", 5030)
    assert made.returncode == 0
    new = told(made.stderr, "generate_mock_xml")
    assert new[:5] == [
        "generate",
        "--count",
        "30",
        "--start-app-id",
        "5001",
    ]

    asked = ("--app-id-start", 5001, "--app-id-end", 5010, "--batch-size", 4, "--log-level", "ERROR")
    some = alias_process("production_processor", "--database", URL, *asked, "--json")
    assert some.returncode == 0
    assert json.loads(some.stdout)["succeeded"] == 10

    rest = alias_process("parallel_coordinator", "--database", URL, "--workers", 2, "--json")
    assert json.loads(rest.stdout)["succeeded"] == 20
    assert told(rest.stderr, "parallel_coordinator") == [
        "process", "--workers", "2", "--json", "--database", URL
    ]  # fmt: skip


def test_what_is_told_does_the_same(capsys: Captured) -> None:
    new_lab(URL, documents(12)).process(limit=2)
    assert alias("production_processor", "--database", URL, "--limit", 4, "--workers", 1) == 0
    command = told(capsys.readouterr().err, "production_processor")
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["succeeded"] == 4


def test_a_baseline_with_the_old_options(capsys: Captured) -> None:
    new_lab(URL)
    old = ("--batch-size", 50, "--limit", 60, "--runs", 2, "--app-id-start", 1)
    assert alias("establish_baseline", "--database", URL, *old, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)
    assert "--app-id-start no longer makes sense" in shown.err
    new = told(shown.err, "establish_baseline")
    assert new[:5] == [
        "baseline",
        "--documents",
        "60",
        "--set",
        "batch_size=50",
    ]


def test_the_coordinator_takes_all_cores_by_itself(capsys: Captured) -> None:
    new_lab(URL)
    assert alias("parallel_coordinator", "--database", URL) == 0
    new = told(capsys.readouterr().err, "parallel_coordinator")
    assert new[:3] == [
        "process",
        "--workers",
        str(os.cpu_count()),
    ]


@pytest.mark.parametrize("option", ["--enable-mars", "--min-pool-size=4"])
def test_an_option_that_is_gone_is_one_line_and_left_out(capsys: Captured, option: str) -> None:
    new_lab(URL)
    assert alias("production_processor", "--database", URL, option) == 0
    error = capsys.readouterr().err
    assert error.count("no longer makes sense") == 1
    assert option.partition("=")[0] not in " ".join(told(error, "production_processor"))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("production_processor", ["--database", URL, "--password", "geheim"], PASSWORD_VARIABLE),
        ("production_processor", ["--username", "me"], "--username goes with --server"),
        ("production_processor", ["--server", "s"], "--server needs --database"),
        ("production_processor", ["--server", "s", "--database", URL], "--server needs --database"),
        ("production_processor", ["--server", "s,x", "--database", "d"], "name,port"),
        ("production_processor", ["--server", "s", "--database", "d", "--username", "me"], PASSWORD_VARIABLE),
        ("production_processor", ["--limit"], "--limit"),
        ("production_processor", ["--nonsense", "--database", URL], "No such option: --nonsense"),
        ("generate_mock_xml", ["--app-id-end", "5", "--database", URL], "--app-id-end goes with"),
        ("generate_mock_xml", ["--database", URL], "Missing option --limit N, or --app-id-start A"),
        ("generate_mock_xml", ["--app-id-start", "9", "--app-id-end", "5"], "--app-id-end 5 is below"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(capsys: Captured, name: str, arguments: list[str], message: str) -> None:
    assert alias(name, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert message in shown.err
    assert "geheim" not in shown.err
    assert alias(name, *arguments, "--json") == 2
    assert set(json.loads(capsys.readouterr().out)) == {"error", "exit_status"}


def test_a_new_option_serves_in_place_of_the_old_one(tmp_path: Path) -> None:
    assert alias("generate_mock_xml", "--count", 2, "--to", tmp_path / "made") == 0
    assert len(list((tmp_path / "made").iterdir())) == 2


@pytest.mark.parametrize(("status", "shown"), [(0, True), (1, False), (2, False)])
def test_a_profile_is_told_only_after_it_served(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, status: int, shown: bool
) -> None:
    monkeypatch.setattr("provenir_lab.cli.main", lambda _: status)
    assert alias("production_processor", "--server", "s", "--database", "d") == status
    assert ("[databases.sqlserver]" in capsys.readouterr().err) is shown


# ---- SQL Server


def test_windows_authentication_unless_there_is_a_name() -> None:
    server = server_of(r"localhost\SQLEXPRESS", "XmlLab", None, None, trusted=True)
    url = sa.make_url(server.url())
    assert (url.drivername, url.host, url.database) == ("mssql+pyodbc", r"localhost\SQLEXPRESS", "XmlLab")
    assert dict(url.query) == {"TrustServerCertificate": "yes"}
    assert (url.username, url.password) == (None, None)


def test_a_login_a_port_and_a_password_with_everything_in_it() -> None:
    server = server_of("tcp:sql.example.org,1444", "XmlLab", "loader", "My Driver", trusted=False)
    url = sa.make_url(server.url("p@ss/w:ö{;}"))
    found = url.host, url.port, url.username, url.password
    assert found == (
        "sql.example.org",
        1444,
        "loader",
        "p@ss/w:ö{;}",
    )
    assert dict(url.query) == {"driver": "My Driver"}


@pytest.mark.parametrize(
    "server",
    [
        Server(r"localhost\SQLEXPRESS", None, 'odd "name"', None, trusted=True),
        Server("sql.example.org", 1444, "XmlLab", "loader", "ODBC Driver 17 for SQL Server"),
    ],
)
def test_the_profile_means_the_same_database(tmp_path: Path, server: Server) -> None:
    (tmp_path / "provenir_lab.toml").write_text(server.profile(), encoding="utf-8")
    found = find_database(connection.PROFILE, environ={PASSWORD_VARIABLE: "s3cret"}, folder=tmp_path)
    assert sa.make_url(found.url) == sa.make_url(server.url("s3cret" if server.username else None))
    assert "s3cret" not in server.profile()


def test_the_password_is_read_or_asked_for_without_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    assert password_for("me", {PASSWORD_VARIABLE: "a"}) == "a"
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed after {prompt}")
    assert password_for("me", {}) == "typed after Password of me: "
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UsageError, match=PASSWORD_VARIABLE):
        password_for("me", {})


def test_a_server_that_does_not_answer_shows_no_password() -> None:
    asked = ("--server", "127.0.0.1,1", "--database", "XmlLab", "--username", "me")
    ended = alias_process("production_processor", *asked, password="s3cret")
    assert ended.returncode in (1, 2)
    assert "s3cret" not in ended.stdout + ended.stderr
    assert "error: " in ended.stderr


def test_a_real_server_by_the_old_options(
    sqlserver_schema: tuple[str, str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, schema = sqlserver_schema
    url = sa.make_url(text)
    if url.drivername != "mssql+pyodbc" or "driver" not in url.query:
        pytest.skip("only for a server through ODBC")
    new_lab(text, documents(8), schema=schema)
    monkeypatch.setenv(PASSWORD_VARIABLE, url.password or "")
    login = ("--server", f"{url.host},{url.port}", "--database", url.database, "--username", url.username)
    driver = ("--driver", url.query["driver"], "--trust-server-certificate")
    assert alias("production_processor", *login, *driver, "--schema", schema, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["succeeded"] == 8
    assert "[databases.sqlserver]" in shown.err
    assert (url.password or "?") not in shown.err.replace(str(url.username), "")
