"""The command line: results on standard output, one-line errors on standard error, exit statuses."""

from __future__ import annotations

import csv
import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from command_lines import parse, words_of
from labs import SAMPLES, counts, digests, documents, execute, new_lab, rows

from provenir_lab import cli
from provenir_lab.api import Lab
from provenir_lab.cli import main
from provenir_lab.mock import FAULTS, spoil
from provenir_lab.processing.worker import Worker

Captured = pytest.CaptureFixture[str]
SHIPPED = Path(cli.__file__).parents[1] / "contracts" / "credit_card.json"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database in an empty current folder; the environment names it too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVENIR_LAB_DATABASE", "sqlite:///here.db")
    return "sqlite:///here.db"


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def printed_json(capsys: Captured) -> dict[str, object]:
    """Standard output, which must be one JSON object."""
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return dict(json.loads(out))


def test_from_nothing_to_verified_tables(database: str, capsys: Captured) -> None:
    assert run("init") == 0
    assert run("generate", "--count", 40, "--seed", 3) == 0
    capsys.readouterr()
    assert run("process", "--batch-size", 15, "--json") == 0
    outcome = printed_json(capsys)
    assert (outcome["documents"], outcome["succeeded"], outcome["failed"]) == (40, 40, {})
    assert run("verify", "--all", "--json") == 0
    assert printed_json(capsys)["equal"] is True
    assert run("status", "--json") == 0
    assert printed_json(capsys)["succeeded"] == 40
    assert run("clean", "--yes", "--json") == 0
    assert printed_json(capsys)["app_base"] == 40
    assert set(counts(Lab(database)).values()) == {0}


def test_plain_output_is_for_people(database: str, capsys: Captured) -> None:
    run("init")
    run("generate", "--count", "3")
    assert run("process") == 0
    out = capsys.readouterr().out
    assert "records per minute" in out
    assert "succeeded" in out


def test_nothing_pending_is_one_line(database: str, capsys: Captured) -> None:
    new_lab(database)
    assert run("process") == 0
    assert capsys.readouterr().out == "documents  none, nothing is pending\n"


def test_failures_say_where_their_reasons_are(database: str, capsys: Captured) -> None:
    good, bad = documents(2)
    new_lab(database, [good, spoil(bad, next(iter(FAULTS)))])
    assert run("process") == 0
    error = capsys.readouterr().err
    assert error == "1 failed; each with its reason: provenir-lab status --failed-csv failed.csv\n"
    parse(words_of(error.partition("reason: ")[2])[1:])


def test_quiet_and_json_leave_standard_error_alone(database: str, capfd: pytest.CaptureFixture[str]) -> None:
    run("init", "--json")
    run("generate", "--count", "3", "--json")
    run("process", "--json", "--quiet")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("options", [[], ["--json"]], ids=" ".join)
def test_what_is_redirected_is_utf_8_on_every_system(
    database: str, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    name = "\u0141ukasz.xml"  # a Polish letter that Windows' own encoding of pipes lacks
    Path(name).write_text(documents(1)[0].text, encoding="utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    command = [sys.executable, "-m", "provenir_lab", "map"]
    ended = subprocess.run([*command, name, *options], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert name in ended.stdout.decode()
    ended = subprocess.run([*command, f"no{name}", *options], capture_output=True, check=False)
    assert ended.returncode == 2
    assert name in ended.stderr.decode()


# ---- generate and load


def test_generated_files_load_and_map(database: str, tmp_path: Path, capsys: Captured) -> None:
    assert run("generate", "--count", 4, "--start-app-id", 500, "--to", tmp_path / "made", "--json") == 0
    files = sorted((tmp_path / "made").iterdir())
    assert [f.name for f in files] == ["500.xml", "501.xml", "502.xml", "503.xml"]
    first = files[0].read_bytes()
    run("generate", "--count", 1, "--start-app-id", 500, "--to", tmp_path / "again")
    assert (tmp_path / "again" / "500.xml").read_bytes() == first
    run("init")
    capsys.readouterr()
    assert run("load", tmp_path / "made", "--json") == 0
    assert printed_json(capsys) == {"documents": 4, "refused": []}
    assert run("process", "--json") == 0
    assert printed_json(capsys)["succeeded"] == 4


def test_load_reports_each_file_that_it_refuses(database: str, tmp_path: Path, capsys: Captured) -> None:
    run("init")
    folder = tmp_path / "mine"
    folder.mkdir()
    good = documents(2)
    (folder / "a.xml").write_text(good[0].text, encoding="utf-8")
    (folder / "b.XML").write_text(good[0].text, encoding="utf-8")
    (folder / "c.xml").write_text(spoil(good[1], "without_id").text, encoding="utf-8")
    (folder / "d.xml").write_text("no xml at all", encoding="utf-8")
    (folder / "note.txt").write_text("not looked at", encoding="utf-8")
    capsys.readouterr()
    assert run("load", folder, "--json") == 0
    found = printed_json(capsys)
    assert found["documents"] == 1
    refused = {Path(r["file"]).name: r["category"] for r in found["refused"]}  # type: ignore[attr-defined]
    assert refused == {"b.XML": "duplicate_app_id", "c.xml": "missing_app_id", "d.xml": "malformed_xml"}
    assert run("load", folder / "a.xml", "--json") == 0
    assert printed_json(capsys)["documents"] == 0


def test_the_campaigns_of_loaded_documents_become_known(database: str, capsys: Captured) -> None:
    run("init")
    capsys.readouterr()
    assert run("load", SAMPLES / "typical-1.xml", SAMPLES / "two-contacts.xml") == 0
    capsys.readouterr()
    assert run("process", "--strict", "--json") == 0
    assert printed_json(capsys)["succeeded"] == 2


def test_documents_of_another_database_are_copied_as_they_are(database: str, capsys: Captured) -> None:
    other = new_lab("sqlite:///other.db", documents(50))
    before = digests(other)
    run("init")
    capsys.readouterr()
    assert run("load", "--from", "sqlite:///other.db", "--sample", 20, "--seed", 5, "--json") == 0
    assert printed_json(capsys) == {"documents": 20, "refused": []}
    assert run("process", "--strict", "--json") == 0
    assert printed_json(capsys)["succeeded"] == 20
    copied = rows(Lab(database), "SELECT app_id, app_xml FROM app_xml ORDER BY app_id")
    originals = {d.app_id: d.text for d in documents(50)}
    assert all(originals[app_id] == text for app_id, text in copied)
    assert digests(other) == before
    assert run("load", "--from", "sqlite:///other.db", "--sample", 20, "--seed", 5, "--json") == 0
    again = printed_json(capsys)
    assert (again["documents"], len(again["refused"])) == (0, 20)  # type: ignore[arg-type]


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_other_database_is_only_read(database: str, capsys: Captured, journal: str) -> None:
    other = new_lab("sqlite:///other 100%.db", documents(5))
    execute(other, f"PRAGMA journal_mode={journal}")
    before = Path("other 100%.db").read_bytes()
    run("init")
    capsys.readouterr()
    assert run("load", "--from", "sqlite:///other 100%.db", "--sample", 5, "--json") == 0
    assert printed_json(capsys) == {"documents": 5, "refused": []}
    assert Path("other 100%.db").read_bytes() == before
    left = {path.name for path in Path.cwd().glob("other*")}
    assert journal == "wal" or left == {"other 100%.db"}


def test_a_category_may_follow_retry_failed(database: str, capsys: Captured) -> None:
    faults = ("doctype", "without_id", "doctype")
    new_lab(database, [spoil(d, fault) for d, fault in zip(documents(3), faults, strict=True)]).process()
    assert run("process", "--retry-failed", "forbidden_doctype", "--json") == 0
    assert printed_json(capsys)["failed"] == {"forbidden_doctype": 2}
    assert run("process", "--retry-failed", "--json") == 0
    assert printed_json(capsys)["failed"] == {"forbidden_doctype": 2, "missing_app_id": 1}


# ---- map


def test_map_prints_one_object_a_line_and_needs_no_database(tmp_path: Path, capsys: Captured) -> None:
    assert run("map", SAMPLES / "typical-1.xml", SAMPLES / "wrong-product.xml") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(first) == {"file", "app_id", "rows"}
    (base,) = first["rows"]["app_base"]
    assert base["app_id"] == first["app_id"]
    assert base["receive_date"].startswith("20")
    assert isinstance(first["rows"]["app_contact_employment"][0]["monthly_salary"], str)
    assert second["rejected"]["category"] == "wrong_product_line"
    assert set(second) == {"file", "rejected"}


# ---- failures


def test_strict_and_the_list_of_failed_documents(database: str, tmp_path: Path, capsys: Captured) -> None:
    made = [spoil(d, "doctype") if d.app_id % 2 else d for d in documents(6)]
    new_lab(database, made)
    assert run("process") == 0
    assert run("clean", "--yes") == 0
    assert run("process", "--strict") == 1
    capsys.readouterr()
    assert run("status", "--failed-csv", tmp_path / "failed.csv") == 0
    assert "3 failed documents written" in capsys.readouterr().err
    with (tmp_path / "failed.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["app_id", "category", "reason"]
    assert [line[1] for line in lines[1:]] == ["forbidden_doctype"] * 3


def test_verify_finds_what_was_changed_and_says_so(database: str, capsys: Captured) -> None:
    new_lab(database, documents(20)).process()
    with sqlite3.connect("here.db") as connection:
        connection.execute("UPDATE app_contact_base SET last_name = 'CHANGED' WHERE con_id % 3 = 0")
        changed = connection.execute("SELECT changes()").fetchone()[0]
        connection.execute("DELETE FROM app_operational_cc WHERE app_id = (SELECT min(app_id) FROM app_base)")
        connection.execute("INSERT INTO scores SELECT min(app_id), 'MADE_UP', 1 FROM app_base")
    connection.close()
    before = digests(Lab(database))
    capsys.readouterr()
    assert run("verify", "--all", "--json") == 1
    found = printed_json(capsys)
    assert found["differing"] == {"app_contact_base.last_name": changed}
    assert found["missing"] == {"app_operational_cc": 1}
    assert found["extra"] == {"scores": 1}
    assert "CHANGED" not in json.dumps(found)
    assert digests(Lab(database)) == before


def test_verify_looks_at_an_evenly_spread_sample(database: str, capsys: Captured) -> None:
    new_lab(database, documents(20)).process()
    assert run("verify", "--sample", 7, "--json") == 0
    assert printed_json(capsys)["documents"] == 7


# ---- clean


def test_clean_refuses_a_database_that_is_no_lab(database: str, capsys: Captured) -> None:
    lab = new_lab(database, documents(5))
    lab.process()
    with sqlite3.connect("here.db") as connection:
        connection.execute("DROP TABLE provenir_lab_marker")
    connection.close()
    before = digests(lab)
    assert run("clean", "--yes") == 2
    assert "nothing was deleted" in capsys.readouterr().err
    assert digests(lab) == before


def test_clean_asks_or_refuses(database: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab(database, documents(5))
    lab.process()
    before = digests(lab)
    assert run("clean") == 2
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda question, **_: bool(asked.append(question)))
    assert run("clean") == 1
    assert asked == ["Delete all rows that provenir-lab has written to sqlite:///here.db?"]
    assert digests(lab) == before


# ---- wrong use


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["process", "--set", "batchsize=5"], "no setting is named batchsize: did you mean batch_size?"),
        (["process", "--set", "batch_size=zero"], "setting batch_size='zero'"),
        (["process", "--set", "batch_size"], "write FIELD=VALUE"),
        (["process", "--batch-size", "5", "--set", "batch_size=6"], "batch_size is given twice"),
        (["process", "--limit", "0"], "limit 0"),
        (["process", "--app-id-start", "5"], "both ends"),
        (["process", "--retry-failed", "too_larg"], "did you mean too_large?"),
        (["process", "--nonsense"], "No such option"),
        (["load"], "give files or directories, or --from"),
        (["load", "x.xml", "--from", "sqlite:///y.db"], "give files or directories, or --from"),
        (["load", "--from", "sqlite:///y.db"], "--sample N go together"),
        (["load", "--from", "sqlite:///y.db", "--sample", "0"], "sample 0"),
        (["process", "--workers", "many"], "--workers"),
        (["proces"], "No such command"),
        (["load", "nowhere.xml"], "nowhere.xml: no such file or directory"),
        (["map", "nowhere.xml"], "nowhere.xml: no such file or directory"),
        (["generate", "--count", "5", "--profile", "compct"], "did you mean compact"),
        (["status", "--contract", "nowhere.json"], "nowhere.json: no such contract file"),
        (["contract", "check", "nowhere.json"], "nowhere.json: no such contract file"),
        (["status", "--database", "production"], "no database profile is named production"),
        (["status", "--database", "sqlite:///nowhere.db"], "init"),
        (["status", "--database", "oracle://x/y"], "oracle"),
        (["report", "nowhere"], "nowhere"),
        (["baseline", "--documents", "lots"], "--documents lots"),
        (
            ["baseline", "--profile", "compct"],
            "error: no document profile is named compct: did you mean compact",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_mistake_is_one_line_that_says_what_to_do(
    database: str, capsys: Captured, arguments: list[str], message: str
) -> None:
    new_lab(database)
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_database_without_tables_says_init(database: str, capsys: Captured) -> None:
    Path("here.db").touch()
    for command in (["status"], ["process"], ["verify"], ["generate", "--count", "1"]):
        assert run(*command) == 2
        assert "run provenir-lab init" in capsys.readouterr().err


def test_init_refuses_a_schema_that_is_not_empty(database: str, capsys: Captured) -> None:
    with closing(sqlite3.connect("here.db")) as connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")
    assert run("init") == 2
    assert "not empty, a lab needs a schema of its own; it holds: customers" in capsys.readouterr().err


def test_a_second_init_says_that_there_is_a_lab(database: str, capsys: Captured) -> None:
    assert run("init") == 0
    capsys.readouterr()
    assert run("init") == 2
    error = capsys.readouterr().err
    assert "is a lab already" in error
    assert "provenir-lab clean" in error


def test_a_failed_run_exits_with_one(database: str, capsys: Captured) -> None:
    new_lab(database, [spoil(d, next(iter(FAULTS))) for d in documents(120)])
    assert run("process") == 1
    assert capsys.readouterr().err.startswith("error: stopped: ")


UNREACHABLE = "postgresql+psycopg://somebody:secret@127.0.0.1:1/nothing?connect_timeout=2"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--database", UNREACHABLE],
        ["init", "--database", UNREACHABLE],
        ["clean", "--yes", "--database", UNREACHABLE],
        ["load", "--from", UNREACHABLE, "--sample", "1"],
    ],
    ids=lambda value: value[0],
)
def test_an_unreachable_server_is_one_line_with_place_and_advice(
    database: str, capsys: Captured, arguments: list[str]
) -> None:
    new_lab(database)
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "127.0.0.1:1" in error
    assert "is the server running, and are name, port and login right?" in error
    assert "secret" not in error


def test_doctor_names_the_server_that_does_not_answer(database: str, capsys: Captured) -> None:
    assert run("doctor", "--database", UNREACHABLE) == 1
    out = capsys.readouterr().out
    assert "127.0.0.1:1" in out
    assert "is the server running" in out
    assert "secret" not in out


@pytest.mark.parametrize("command", [["init"], ["status"], ["clean", "--yes"], ["doctor"]], ids=" ".join)
def test_a_file_that_is_no_database_is_named(database: str, capsys: Captured, command: list[str]) -> None:
    Path("notes.txt").write_text("no database, only notes", encoding="utf-8")
    assert run(*command, "--database", "sqlite:///notes.txt") in (1, 2)
    shown = capsys.readouterr()
    assert "notes.txt is not a SQLite database" in shown.out + shown.err
    assert "name another file" in shown.out + shown.err


def test_a_contract_with_problems_lists_them_with_their_places(
    database: str, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "mine.json").write_text(
        '{"xml_root_element": "Provenir", "mappings": [{}]}', encoding="utf-8"
    )
    assert run("contract", "check", tmp_path / "mine.json") == 2
    assert "mappings[0]" in capsys.readouterr().err
    assert run("contract", "check", SHIPPED, "--json") == 0
    assert printed_json(capsys)["mappings"] == 227


def test_a_contract_with_one_problem_is_one_line(database: str, capsys: Captured) -> None:
    Path("mine.json").write_text("[]", encoding="utf-8")
    assert run("contract", "check", "mine.json") == 2
    assert (
        capsys.readouterr().err == "error: mine.json: file: must be an object with the keys of a contract\n"
    )


def test_warnings_of_a_contract_are_a_line_each(database: str, capsys: Captured) -> None:
    assert run("contract", "check", SHIPPED) == 0
    lines = capsys.readouterr().out.splitlines()
    (first,) = (i for i, line in enumerate(lines) if line.startswith("warnings"))
    assert run("contract", "check", SHIPPED, "--json") == 0
    warnings = printed_json(capsys)["warnings"]
    assert isinstance(warnings, list)
    assert [line.removeprefix("warnings").strip() for line in lines[first:]] == (warnings or ["none"])


def test_a_contract_is_checked_against_the_tables(database: str, capsys: Captured) -> None:
    assert run("contract", "check", SHIPPED, "--database", database) == 2
    assert "there is no database file" in capsys.readouterr().err
    new_lab(database)
    assert run("contract", "check", SHIPPED, "--database", database) == 0
    assert "sqlite:///here.db fits" in capsys.readouterr().out
    with closing(sqlite3.connect("here.db")) as connection:
        connection.execute("ALTER TABLE scores DROP COLUMN score")
    assert run("contract", "check", SHIPPED, "--database", database) == 2
    error = capsys.readouterr().err
    assert error == "error: sqlite:///here.db does not fit the contract: scores.score is missing\n"
    assert run("contract", "check", SHIPPED, "--schema", "lab") == 2
    assert "--schema goes with --database" in capsys.readouterr().err


# ---- ends that nobody asked for


def test_sigterm_ends_the_work_like_ctrl_c(
    database: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_lab(database)
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(Lab, "status", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert run("status") == 1
    assert "goes on from there" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_unexpected_error_shows_its_place_and_no_text(
    database: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("JANE CANARY")

    monkeypatch.setattr(Lab, "status", fail)
    monkeypatch.delenv("PROVENIR_LAB_TRACE", raising=False)
    assert run("status") == 1
    error = capsys.readouterr().err
    assert "KeyError in test_commands.py line" in error
    assert "CANARY" not in error


def test_a_fault_of_a_worker_is_traced_where_it_was(
    database: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("JANE CANARY")

    new_lab(database, documents(1))
    monkeypatch.setattr(Worker, "run", fail)
    monkeypatch.setenv("PROVENIR_LAB_TRACE", "1")
    assert run("process", "--workers", "1") == 1
    error = capsys.readouterr().err
    assert "CANARY" in error  # asked for
    assert "KeyError in test_commands.py line" in error
    assert "of a worker, a fault of provenir-lab: please report it; PROVENIR_LAB_TRACE=1" in error


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("generate --profile ", ["compact", "realistic", "heavy"]),
        ("baseline --profile s", ["stored"]),
        ("process --executor ", ["processes", "dask"]),
        ("process --set batch", ["batch_size="]),
        ("process --category too", ["too_large"]),
        ("status --database ", ["production", "lab"]),
    ],
)
def test_a_shell_completes_values(
    database: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch, typed: str, completed: list[str]
) -> None:
    profiles = "[databases.production]\nurl = 'x://'\n[databases.lab]\nurl = 'x://'"
    Path("provenir_lab.toml").write_text(profiles, encoding="utf-8")
    monkeypatch.setenv("_PROVENIR_LAB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"provenir-lab {typed}")
    monkeypatch.setenv("COMP_CWORD", "3")
    with pytest.raises(SystemExit):
        run()
    assert capsys.readouterr().out.split() == completed


def test_compare_prints_interval_and_both_reports(capsys: Captured) -> None:
    reference = Path(__file__).parents[2] / "results" / "reference"
    result = min(file.parent for file in reference.rglob("summary.json"))
    assert run("compare", result, result) == 0
    _, interval, *reports = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"interval of the change: [-+][\d.]+ % to [-+][\d.]+ % \([\d.]+% confidence\)", interval
    )
    assert reports == [str(result / "report.html")] * 2


# ---- start


HEAVY = (
    "pandas",
    "matplotlib",
    "scipy",
    "jupyterlab",
    "papermill",
    "nbformat",
    "IPython",
    "nbconvert",
    "zmq",
)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["process", "--quiet"], ["process", "--workers", "2", "--quiet"], ["status"]],
    ids=str,
)
def test_commands_start_without_heavy_imports(database: str, arguments: list[str]) -> None:
    new_lab(database, documents(3))
    script = (
        "import sys\n"
        "from provenir_lab.cli import main\n"
        f"status = main({arguments!r})\n"
        f"print(status, sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr.splitlines()[-1] == "0 []"


def test_the_module_runs_as_the_command(database: str) -> None:
    asked = [sys.executable, "-m", "provenir_lab", "process", "--set", "batchsize=1"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "did you mean batch_size?" in ended.stderr


def test_every_command_has_a_help_text_with_an_example(capsys: Captured) -> None:
    assert run("--help") == 0
    listed = capsys.readouterr().out.partition("Commands:")[2].partition("\n\n")[0].split("\n")
    names = [line.split()[0] for line in listed if line.startswith("  ") and not line.startswith("   ")]
    assert len(names) >= 17
    for name in names:
        words = [name, "check"] if name == "contract" else [name]
        assert run(*words, "--help") == 0
        text = capsys.readouterr().out
        examples = [" ".join(example.split()) for example in text.split("Example: ")[1:]]
        assert examples
        for example in examples:
            assert example.startswith(f"provenir-lab {' '.join(words)}")
            parse(words_of(example)[1:])
        assert re.findall("--[a-z-]+ <.*>", text) == []


def test_the_list_of_commands_is_whole_and_says_where_to_begin(capsys: Captured) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    lines = text.partition("Commands:")[2].splitlines()
    assert [line for line in lines if line.endswith("...")] == []
    described = [line for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert all(line.endswith(".") for line in described[:-1])
    assert "Begin with: provenir-lab demo" in described[-1]
