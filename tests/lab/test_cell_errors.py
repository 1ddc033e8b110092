"""Errors of cells: nothing of a text that is not the lab's own is told or kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from provenir_lab.errors import UsageError
from provenir_lab.lab import cell_errors
from provenir_lab.lab.cell_errors import keep_discreet, make_discreet, translated

FOREIGN = [
    "\x1b[31m---------\x1b[39m",
    f"\x1b[36mFile \x1b[32m{__file__}:12\x1b[39m, in f(name)\n---> 12 f('Zqxcanary')",
    "\x1b[31mDatabaseError\x1b[39m: Zqxcanary\nFile Zqxcanary.py:1, in g",  # a text like a place
]


def notebook(path: Path, name: str, text: str, trace: list[str]) -> Path:
    output = nbformat.v4.new_output("error", ename=name, evalue=text, traceback=trace)
    cell = nbformat.v4.new_code_cell("f()", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("a"), cell]), path)
    return path


@pytest.mark.parametrize("name", ["KeyError", "DatabaseError"])  # a driver's, named as one of ours is
def test_class_and_place_are_left_of_a_foreign_error(tmp_path: Path, name: str) -> None:
    path = notebook(tmp_path / "a.ipynb", name, "Zqxcanary", FOREIGN)
    keep_discreet(path)
    kept = path.read_text(encoding="utf-8")
    assert "Zqxcanary" not in kept
    assert f"error: {name} in {Path(__file__).name} line 12" in kept
    error = SimpleNamespace(ename=name, evalue="Zqxcanary", traceback=FOREIGN, exec_count=3, source="f()\n")
    assert str(translated("a.ipynb", error)).endswith(f": {name} in {Path(__file__).name} line 12")
    keep_discreet(path)
    assert path.read_text(encoding="utf-8") == kept


def test_the_labs_own_errors_stay_as_they_are(tmp_path: Path) -> None:
    trace = UsageError("there is no x: make it")._render_traceback_()
    path = notebook(tmp_path / "a.ipynb", "UsageError", "there is no x: make it", trace)
    before = path.read_bytes()
    keep_discreet(path)
    assert path.read_bytes() == before
    error = SimpleNamespace(
        ename="UsageError", evalue="there is no x: make it", traceback=trace, exec_count=3, source="f()"
    )
    told = translated("a.ipynb", error)
    assert isinstance(told, UsageError)
    assert str(told) == "a.ipynb, cell 3: there is no x: make it"


def test_a_cell_without_frames_and_one_without_outputs() -> None:
    assert not make_discreet(nbformat.v4.new_markdown_cell("a"))
    error = SimpleNamespace(ename="KeyError", evalue="Zqxcanary", traceback=[], exec_count=3, source="f()")
    assert str(translated("a.ipynb", error)) == "a.ipynb, cell 3 (f()): KeyError"


def test_what_cannot_be_made_discreet_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = notebook(tmp_path / "a.ipynb", "KeyError", "Zqxcanary", FOREIGN)
    path.write_bytes(path.read_bytes()[:-9])
    keep_discreet(path)
    assert not path.exists()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cell_errors, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        keep_discreet(notebook(path, "KeyError", "Zqxcanary", FOREIGN))
    assert not path.exists()
