"""Errors in the cells of a notebook: what is told of them, and what the executed notebook keeps.

The lab's own errors are told as they are. Text and frames of any other may hold values of a document, so that
its class and its place are all that is left of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from provenir_lab import errors
from provenir_lab.errors import LabError, UsageError
from provenir_lab.files import write_whole

_TOLD = "error: "
"""What a trace of one text begins with that may be told: see `LabError._render_traceback_`. The class alone
does not tell: a `DatabaseError` may be the driver's."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"^File (.+\.py):(\d+)(?:, in |$)", re.MULTILINE)


def translated(name: str, error: Any) -> LabError:
    """papermill's error of a cell of the notebook `name`, as the class that was raised there if it is one of
    ours.
    """
    if _may_be_told(error.traceback):
        message = " ".join(_COLOURS.sub("", str(error.evalue)).split())
    else:
        message = _class_and_place(error.ename, error.traceback)
    kind = getattr(errors, error.ename, None)
    if kind in (UsageError, errors.GuardError):
        return UsageError(f"{name}, cell {error.exec_count}: {message}")
    if isinstance(kind, type) and issubclass(kind, LabError):
        return LabError(f"{name}, cell {error.exec_count}: {message}")
    first = str(error.source).strip().splitlines()[0]
    return LabError(f"{name}, cell {error.exec_count} ({first}): {message}")


def keep_discreet(path: Path) -> None:
    """Leaves no other error's text in the executed notebook `path`, however its run ended.

    A file that was cut off is removed, and one that cannot be written anew; then it raises OSError.
    """
    import nbformat

    try:
        notebook: Any = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
        changed = [make_discreet(cell) for cell in notebook.cells]
        if any(changed):
            write_whole(path, nbformat.writes(notebook))  # type: ignore[no-untyped-call]
    except ValueError:
        path.unlink()
    except OSError:
        path.unlink(missing_ok=True)
        raise


def make_discreet(cell: Any, **_: Any) -> bool:
    """The same for one cell, as a hook of nbclient; returns whether anything was changed."""
    changed = False
    for output in cell.get("outputs", []):
        if output.output_type == "error" and not _may_be_told(output.traceback):
            output.evalue = _class_and_place(output.ename, output.traceback)
            output.traceback = [_TOLD + output.evalue]
            changed = True
    return changed


def _may_be_told(trace: Sequence[str]) -> bool:
    return len(trace) == 1 and trace[0].startswith(_TOLD)


def _class_and_place(name: str, trace: Sequence[str]) -> str:
    """As `errors.origin` says it; a place is a file that is there, whatever looks like one in a text."""
    frames = _FRAME.findall(_COLOURS.sub("", "\n".join(trace)))
    places = [(path, line) for path, line in frames if Path(path).expanduser().is_file()]
    return f"{name} in {Path(places[-1][0]).name} line {places[-1][1]}" if places else name
