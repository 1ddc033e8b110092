"""Documents full of telling values, and a witness who keeps all that is said and written about them."""

from __future__ import annotations

import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from dying import Moment
from labs import documents

from provenir_lab.api import Lab
from provenir_lab.cli import main
from provenir_lab.errors import LabError
from provenir_lab.mock import FAULTS, spoil
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine, writing

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

    def call(self, name: str, *arguments: str, by: Callable[[list[str]], int] = main) -> int:
        """A command on the witness's database; `by` another program than `provenir-lab`."""
        return self.say(name, *arguments, *self._place, by=by)

    def say(self, name: str, *arguments: str, by: Callable[[list[str]], int] = main) -> int:
        """A command that is told no database."""
        self._captured.readouterr()
        status = by([*arguments])
        self.heard[name] = "".join(self._captured.readouterr())
        assert self.heard[name]
        return status

    def kill(self, moment: Moment, *arguments: str) -> None:
        """Runs a command that is killed then."""
        self.run(f"killed, {moment.flag}", DYING, *arguments, env=moment.environment())
        assert Path(moment.flag).exists()

    def run(self, name: str, script: Path, *arguments: str, env: Mapping[str, str] | None = None) -> int:
        """Calls a command through a script, in a process of its own."""
        command = [sys.executable, str(script), *arguments, *self._place]
        done = subprocess.run(command, cwd=self._folder, env=env, capture_output=True, text=True, check=False)
        self.heard[name] = done.stdout + done.stderr
        return done.returncode

    @contextmanager
    def start(self, name: str, script: Path, *arguments: str) -> Iterator[psutil.Process]:
        """A script at work; at the end it is waited for."""
        command = [sys.executable, str(script), *arguments]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield psutil.Process(child.pid)
            self.heard[name], _ = child.communicate(timeout=120)
        finally:
            child.kill()
            child.wait()

    def catch(self, name: str, work: Callable[[], Any]) -> None:
        """What an exception of `work` holds, or the plain result; and what was said meanwhile."""
        self._captured.readouterr()
        try:
            found = work()
        except LabError as error:
            told = "".join(traceback.format_exception(error))
            self.heard[name] = f"{error!s} {error!r} {error.args} {told}"
        else:
            shown = getattr(found, "_repr_html_", lambda: "")()
            self.heard[name] = f"{found} {found!r} {found.to_dict()} {shown}"
        self.heard[name] += "".join(self._captured.readouterr())

    def indiscretions(self, words: tuple[str, ...]) -> list[str]:
        """Where one of the words was said or written, the database's own files left out."""
        texts = dict(self.heard)
        for path in self._folder.rglob("*"):
            if path.is_file() and not path.name.startswith(("lab.db", "other.db")):
                texts[str(path)] = path.read_text(encoding="utf-8", errors="replace")
        found = {name for name, text in texts.items() if any(word.lower() in text.lower() for word in words)}
        return sorted(found)


def change(lab: Lab, statement: str) -> None:
    """Changes a database behind the lab's back."""
    engine = open_engine(lab.database.url, Settings())
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SET search_path TO {lab.target.schema}"))
        connection.execute(sa.text(statement))
    engine.dispose()
