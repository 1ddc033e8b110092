"""A witness who keeps all that is said and written."""

from __future__ import annotations

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

from provenir_lab.api import Lab
from provenir_lab.cli import main
from provenir_lab.errors import LabError
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine, writing

DYING = Path(__file__).parents[1] / "dying.py"

Captured = pytest.CaptureFixture[str]


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
