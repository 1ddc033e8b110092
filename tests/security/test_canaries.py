"""Nothing personal and no password leaves the tables, whatever happens to the documents that hold it.

Documents full of telling values go through success, every rejection, refusals of the database, kills, verify,
load, reports and notebooks; then all that was printed, logged, written and raised is searched for them.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dying import COORDINATOR, KILL, Moment
from labs import documents, failed, new_lab, put
from places import Place

from provenir_lab.api import Lab
from provenir_lab.cli import main
from provenir_lab.errors import LabError
from provenir_lab.mock import FAULTS, spoil
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine, reading, writing

NAME, NUMBER, PASSWORD = "Zqxcanary", "666987123", "Zqxpassword"
"""In every name, address and social security number; in the URL of the database where it may have one."""
DYING = Path(__file__).parents[1] / "dying.py"
PERSONAL = r"(first_name|last_name|mother_maiden_name|card_name|street_name|city|email|b_name|\w*_phone)"

Captured = pytest.CaptureFixture[str]
Fault = Callable[[str], str]
OWN_FAULTS: dict[str, Fault] = {
    # what is wrong is the telling value itself
    "value_too_long": lambda text: within(text, "first_name", NAME * 30),
    "value_out_of_range": lambda text: within(text, "over_limit_fee", NUMBER),
    "constraint_violation": lambda text: within(text, "campaign_num", "ZQXCAN"),
    "invalid_con_id": lambda text: within(text, "con_id", NAME),
    "invalid_app_id": lambda text: re.sub(r'(<Request [^>]*\bID=")\d+', rf"\g<1>{NAME}", text, count=1),
    "app_id_mismatch": lambda text: re.sub(r'(<Request [^>]*\bID=")\d+', rf"\g<1>{NUMBER}", text, count=1),
    "forbidden_doctype": lambda text: f'<!DOCTYPE {NAME} [<!ENTITY a "{NAME}">]>{text}',
    "malformed_xml": lambda text: text.replace("<CustData>", f"<CustData><{NAME}>&{NAME};</{NAME}x>"),
    "not_provenir": lambda text: f"<{NAME}>{NUMBER}</{NAME}>",
    "too_large": lambda text: text.replace(
        "<CustData>", "<CustData>" + f"<{NAME}>" * 400 + f"</{NAME}>" * 400
    ),
}


def within(text: str, attribute: str, value: str) -> str:
    """The first such attribute inside CustData with another value."""
    head, tag, tail = text.partition("<CustData>")
    changed, count = re.subn(f' {attribute}="[^"]*"', f' {attribute}="{value}"', tail, count=1)
    assert count == 1, attribute
    return head + tag + changed


def telling(text: str) -> str:
    text = re.sub(rf' {PERSONAL}="[^"]*"', rf' \1="{NAME}"', text)
    return re.sub(r' (\w*ssn)="\d{9}"', rf' \1="{NUMBER}"', text)


def telling_documents() -> dict[int, str]:
    """Forty that map, and one for every fault."""
    made = documents(40 + len(FAULTS) + len(OWN_FAULTS))
    texts = {d.app_id: telling(d.text) for d in made[:40]}
    for d, name in zip(made[40:], FAULTS, strict=False):
        texts[d.app_id] = telling(spoil(d, name).text)
    for d, fault in zip(made[40 + len(FAULTS) :], OWN_FAULTS.values(), strict=True):
        texts[d.app_id] = fault(telling(d.text))
    return texts


class Witness:
    """Calls commands and keeps what they say, each under its name."""

    def __init__(self, url: str, schema: str | None, folder: Path, captured: Captured) -> None:
        self._place = ["--database", url, *(["--schema", schema] if schema else [])]
        self._folder = folder
        self._captured = captured
        self.heard: dict[str, str] = {}

    def call(self, name: str, *arguments: str) -> int:
        self._captured.readouterr()
        status = main([*arguments, *self._place])
        self.heard[name] = "".join(self._captured.readouterr())
        assert self.heard[name]
        return status

    def kill(self, moment: Moment, *arguments: str) -> None:
        """Runs a command that is killed then."""
        command = [sys.executable, str(DYING), *arguments, *self._place]
        done = subprocess.run(
            command, cwd=self._folder, env=moment.environment(), capture_output=True, text=True, check=False
        )
        assert Path(moment.flag).exists()
        self.heard["killed"] = done.stdout + done.stderr

    def catch(self, name: str, work: Callable[[], Any]) -> None:
        """What an exception of `work` holds, or the plain result."""
        try:
            found = work()
        except LabError as error:
            told = "".join(traceback.format_exception(error))
            self.heard[name] = f"{error!s} {error!r} {error.args} {told}"
        else:
            shown = getattr(found, "_repr_html_", lambda: "")()
            self.heard[name] = f"{found} {found!r} {found.to_dict()} {shown}"

    def indiscretions(self, words: tuple[str, ...]) -> list[str]:
        """Where one of the words was said or written, the database's own files left out."""
        texts = dict(self.heard)
        for path in self._folder.rglob("*"):
            if path.is_file() and not path.name.startswith(("lab.db", "other.db")):
                texts[str(path)] = path.read_text(encoding="utf-8", errors="replace")
        found = {name for name, text in texts.items() if any(word.lower() in text.lower() for word in words)}
        return sorted(found)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    logger = logging.getLogger("provenir_lab")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate, level = before
    logger.setLevel(level)


@pytest.fixture
def with_password(place: Place) -> Place:
    """The tests' PostgreSQL asks for no password, so any will do."""
    return Place(place.url.replace("//lab@", f"//lab:{PASSWORD}@"), place.schema, place.kind)


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_what_is_said_and_written_holds_no_value_and_no_password(
    with_password: Place, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, schema = with_password.url, with_password.schema
    lab = new_lab(url, schema=schema)
    texts = telling_documents()
    put(lab, texts.items(), {d.campaign_num for d in documents(80)})
    witness = Witness(url, schema, tmp_path, capfd)
    patient = ("--set", "stop_after_failures=0", "--batch-size", "10")

    moment = Moment(COORDINATOR, KILL, commits=1, operations=5, delay=0, flag=str(tmp_path / "flag"))
    witness.kill(moment, "process", "--workers=1", *patient)
    assert (
        witness.call("everything fails", "process", "--set", "stop_after_failures=2", "--batch-size", "2")
        == 1
    )
    debug = ("--set", "log_level=debug", "--limit", "30")
    assert witness.call("text log", "process", *patient, *debug) == 0
    assert witness.call("JSON log", "process", "--json", *patient, "--set", "log_format=json", *debug) == 0
    assert witness.call("many workers", "process", "--workers=2", "--retry-failed", *patient) == 0
    told = {category for category, _ in failed(lab).values()}
    assert told >= {fault.category for fault in FAULTS.values()} | OWN_FAULTS.keys()

    change(lab, f"UPDATE app_contact_base SET first_name = '{NAME}2' WHERE con_id % 2 = 0")
    assert witness.call("verify", "verify", "--all") == 1
    assert witness.call("verify in JSON", "verify", "--json") == 1
    assert witness.call("status", "status", "--failed-csv", "failed.csv") == 0
    assert witness.call("status in JSON", "status", "--json") == 0
    source = tmp_path.parent / f"{tmp_path.name}-files"
    source.mkdir()
    for app_id, text in texts.items():
        (source / f"{app_id}.xml").write_text(text, encoding="utf-8", newline="")
    assert witness.call("load", "load", str(source)) == 0
    change(lab, "DELETE FROM processing_log WHERE status = 'success'")
    assert witness.call("an application that is there already", "process", *patient) == 0
    assert "constraint_violation" in witness.heard["an application that is there already"]
    witness.catch("the lab itself", lambda: (repr(lab), lab.target, lab.database) and lab.status())
    change(lab, "DROP TABLE app_contact_employment")
    assert witness.call("a table is missing", "process", *patient) == 2
    witness.catch("its exception", lab.process)
    assert witness.indiscretions((NAME, NUMBER, PASSWORD, "ZQXCAN")) == []


def test_results_and_notebooks_hold_no_value_and_no_password(
    postgres_url: str, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = postgres_url.replace("//lab@", f"//lab:{PASSWORD}@")
    lab = new_lab(url)
    good = dict(list(telling_documents().items())[:40])
    put(lab, good.items(), {d.campaign_num for d in documents(80)})
    result = lab.baseline(runs=2, documents=40, profile="stored", results=tmp_path / "results", notebook=True)
    assert result.runs[-1].succeeded == 40
    witness = Witness(url, None, tmp_path, capfd)
    witness.catch("result", lambda: result)
    names = {path.name for path in (tmp_path / "results").rglob("*")}
    assert {"report.html", "notebook.ipynb", "notebook.html", "environment.json", "runs.csv"} <= names
    assert witness.indiscretions((NAME, NUMBER, PASSWORD)) == []
    assert open_to_others(tmp_path / "results" / "baseline") == []


@pytest.mark.skipif(os.name == "nt", reason="Windows knows other rights")
def test_files_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    lab = new_lab(f"sqlite:///{home / 'lab.db'}", [spoil(d, "blank") for d in documents(3)])
    held = open_engine(lab.database.url, Settings())
    with reading(held) as connection:  # while it is open there are files beside the database
        connection.execute(sa.text("SELECT * FROM app_base"))
        lab.process(metrics=home / "runs")
        lab.failed_csv(home / "failed.csv")
        names = {path.name for path in home.iterdir()}
        assert names == {"lab.db", "lab.db-wal", "lab.db-shm", "runs", "failed.csv"}
        assert [path for path in open_to_others(home) if not path.is_dir()] == []
    held.dispose()


def open_to_others(folder: Path) -> list[Path]:
    """What is in a folder with rights for anybody but its owner."""
    if os.name == "nt":
        return []
    return [path for path in folder.rglob("*") if path.stat().st_mode & 0o077]


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://lab:{PASSWORD}@127.0.0.1:1/none",
        f"postgresql://127.0.0.1:1/none?user=lab&password={PASSWORD}",
        f"mssql+pyodbc:///?odbc_connect=Driver%3Dnone%3BServer%3D127.0.0.1%2C1%3BUID%3Dlab%3BPWD%3D{PASSWORD}",
        f"oracle://lab:{PASSWORD}@127.0.0.1/none",
        f"postgresql://lab:{PASSWORD}@127.0.0.1:port/none",
        f"postgresql://lab:{PASSWORD}@127.0.0.1:1/none?nonsense=1&sslpassword={PASSWORD}",
    ],
)
def test_no_error_tells_the_password(
    url: str, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    witness = Witness(url, None, tmp_path, capfd)
    assert witness.call("process", "process", "--set", "retry_seconds=0") in (1, 2)
    for verb in ("init", "process", "status", "verify", "clean"):
        witness.catch(verb, lambda verb=verb: getattr(Lab(url), verb)())  # type: ignore[misc]
    witness.heard["repr"] = repr(Lab(url)) + repr(Lab(url).database)
    assert all(witness.heard.values())
    assert witness.indiscretions((PASSWORD,)) == []


def change(lab: Lab, statement: str) -> None:
    """Changes a database behind the lab's back."""
    engine = open_engine(lab.database.url, Settings())
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SET search_path TO {lab.target.schema}"))
        connection.execute(sa.text(statement))
    engine.dispose()
