"""`Lab` in Python: the verbs of the command line, and results that show themselves."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from IPython.display import HTML
from labs import SAMPLES, documents, new_lab

import provenir_lab as pl
from provenir_lab import cli
from provenir_lab.display import Facts, html_table, text_lines
from provenir_lab.errors import GuardError, UsageError
from provenir_lab.mock import spoil
from provenir_lab.progress import Step, _notebook_line, shown_progress, silent


def test_the_readme_example(tmp_path: Path) -> None:
    lab = pl.Lab(f"sqlite:///{tmp_path / 'lab.db'}")
    lab.init()
    lab.generate(30, profile="compact", seed=1)
    outcome = lab.process(batch_size=10)
    assert outcome.succeeded == 30
    assert lab.verify().equal
    assert lab.status().succeeded == 30
    assert lab.clean().to_dict()["app_base"] == 30


def test_importing_the_package_is_cheap() -> None:
    script = "import sys, provenir_lab; print(sorted({'lxml', 'sqlalchemy', 'pandas'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_every_public_name_exists() -> None:
    for name in pl.__all__:
        assert getattr(pl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Lap'"):
        _ = pl.Lap  # type: ignore[attr-defined]


def test_lab_has_a_method_for_every_command() -> None:
    group: Any = typer.main.get_command(cli.app)
    methods = {"contract": "check_contract"}
    for name in group.commands:
        assert callable(getattr(pl.Lab, methods.get(name, name.replace("-", "_")), None)), name


def test_mapped_files_are_iterated_and_show_themselves(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(documents(1)[0].text, encoding="utf-8")
    (tmp_path / "b.xml").write_text("<nothing/>", encoding="utf-8")
    found = pl.Lab(sqlite_url).map(tmp_path)
    assert len(found) == 2
    assert [next(iter(mapped)) for mapped in found] == ["file", "file"]
    assert "rejected" in list(found)[1]
    shown = found._repr_html_()
    assert "app_base 1" in shown
    assert "rejected: " in shown


def test_a_contract_is_checked_against_its_tables(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url)
    assert lab.check_contract().facts["database"].endswith("fits")


def test_a_lab_never_shows_its_password() -> None:
    lab = pl.Lab("postgresql+psycopg://me:secret@localhost/loans")
    assert "secret" not in repr(lab)
    assert "secret" not in repr(lab.database)


def test_settings_of_a_lab_hold_for_its_runs_unless_overridden(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(10), batch_size=4)
    assert lab.process(limit=5).settings.batch_size == 4
    assert lab.process(batch_size=3).settings.batch_size == 3


def test_generated_documents_do_not_overwrite_others(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url)
    lab.generate(5, start_app_id=10)
    with pytest.raises(UsageError, match="app_id 12 is in app_xml already: choose another --start-app-id"):
        lab.generate(5, start_app_id=12)
    assert lab.status().pending == 5


def test_documents_are_added_to_labs_only(sqlite_url: str) -> None:
    from labs import execute

    lab = new_lab(sqlite_url)
    execute(lab, "DROP TABLE provenir_lab_marker")
    with pytest.raises(UsageError, match="is no lab"):
        lab.generate(5)


def test_cleaning_spares_rows_that_the_lab_did_not_write(sqlite_url: str) -> None:
    from labs import execute, rows

    lab = new_lab(sqlite_url, documents(5))
    lab.process()
    execute(lab, "DELETE FROM processing_log WHERE app_id = (SELECT min(app_id) FROM app_base)")
    with pytest.raises(GuardError):
        lab.clean()
    assert rows(lab, "SELECT count(*) FROM app_base") == [(5,)]


def test_progress_of_long_work_is_reported(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url)
    seen: list[Step] = []
    lab._progress = seen.append
    lab.generate(250)
    lab.process(batch_size=100)
    lab.verify(None)
    assert {s.activity for s in seen} == {"generate", "process", "verify"}
    for activity in ("generate", "process", "verify"):
        done = [s.done for s in seen if s.activity == activity]
        assert done == sorted(done)
        assert done[-1] == 250


def test_without_terminal_and_notebook_there_is_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as progress:
        assert progress is silent
        progress(Step("work", 1, 2))
    assert capfd.readouterr() == ("", "")


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with shown_progress() as progress:
        for done in (1, 2):
            progress(Step("counting sheep", done, 2, "0 failed"))
    out, err = capfd.readouterr()
    assert out == ""
    assert "counting sheep" in err


def test_the_line_in_a_notebook_tells_speed_and_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def display(self, text: HTML) -> None:
            shown.append(str(text.data).rpartition("> ")[2])

        update = display

    monkeypatch.setattr("IPython.display.DisplayHandle", Handle)
    times = iter([0.0, 10.0, 70.0, 100.0, 102.0])
    show = _notebook_line(lambda: next(times))
    for step in (
        Step("load", 1000, 4000),
        Step("load", 2000, 4000),
        Step("load", 4000, 4000),
        Step("process", 10, 50_000, "3 failed"),
    ):
        show(step)
    assert shown == [
        "load: 1,000 of 4,000, 6,000 a minute, 0:00:30 left",
        "load: 2,000 of 4,000, 1,714 a minute, 0:01:10 left",
        "load: 4,000 of 4,000, 2,400 a minute",
        "process: 10 of 50,000, 300 a minute, 2:46:38 left, 3 failed",
    ]


# ---- what results look like


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_result_is_a_well_formed_table(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, [spoil(d, "doctype") if d.app_id % 3 == 0 else d for d in documents(12)])
    results = [lab.process(), lab.status(), lab.verify(), lab.clean(), lab.map(SAMPLES), lab.check_contract()]
    for result in results:
        page = result._repr_html_()
        parser = _Tags()
        parser.feed(page)
        assert parser.open == []
        assert "<caption" in page
        assert "scope='row'" in page
        assert result.to_dict()


def test_tables_escape_what_they_show() -> None:
    page = html_table("<b>", [("<i>", "<script>"), ("n", 1234567), ("part", 0.5)], ["<u>"])
    for tag in ("<b>", "<i>", "<script>", "<u>"):
        assert tag not in page
    assert "1,234,567" in page
    assert "0.50" in page


def test_lines_are_aligned() -> None:
    facts = Facts("Some", {"short": 1, "much longer": "text", "yes": True})
    assert text_lines(facts.summary()) == ["short        1", "much longer  text", "yes          True"]
