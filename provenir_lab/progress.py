"""How long work tells how far it is: plain steps to a callback; and a progress bar for terminals."""

from __future__ import annotations

import datetime as dt
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """How far an activity is. `done` and `total` count its units (documents, runs); `total` None: unknown."""

    activity: str
    done: int
    total: int | None = None
    note: str = ""
    """A few words beside the bar, such as `3 failed`; no value of a document."""


Progress = Callable[[Step], None]
"""Called from the thread that does the work, after each unit that is safely done; it must be quick."""


Say = Callable[[str], None]
"""Is told a line for people, such as what a measurement can find before it begins."""


def unsaid(line: str) -> None:
    """Where nobody listens."""


def silent(step: Step) -> None:
    """Progress that nobody watches."""


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Progress where people see it: a line in a notebook, a bar in a terminal, nothing elsewhere."""
    if _in_notebook():
        yield _notebook_line()
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield silent


def _in_notebook() -> bool:
    # who runs in a notebook has imported IPython; nobody else should have to
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def _notebook_line(clock: Callable[[], float] = time.monotonic) -> Progress:
    """A bar with a line, rewritten at most five times a second; it also works under papermill."""
    ipython: Any = importlib.import_module("IPython.display")
    handle = ipython.DisplayHandle()
    displayed = False
    activity = ""
    started = seen = shown = clock()

    def show(step: Step) -> None:
        nonlocal activity, started, seen, shown, displayed
        if step.activity != activity:
            activity, started = step.activity, seen  # it began when the one before had ended
        seen = now = clock()
        ended = step.total is not None and step.done >= step.total
        if not ended and now - shown < 0.2 and step.done > 1:
            return
        shown = now
        total = f" of {step.total:,}" if step.total is not None else ""
        rate = f", {step.done / (now - started) * 60:,.0f} a minute" if now > started else ""
        left = f", {_left(step, now - started)} left" if step.total and step.done and not ended else ""
        note = f", {escape(step.note)}" if step.note else ""
        text = ipython.HTML(
            f"{_html_bar(step)}{escape(step.activity)}: {step.done:,}{total}{rate}{left}{note}"
        )
        if displayed:
            handle.update(text)
        else:
            handle.display(text)
            displayed = True

    return show


def _left(step: Step, seconds: float) -> str:
    """How long the rest takes at the speed so far, as the bar of a terminal shows it: `h:mm:ss`."""
    assert step.total is not None
    return str(dt.timedelta(seconds=round((step.total - step.done) * seconds / step.done)))


def _html_bar(step: Step) -> str:
    """While it is not over: how much of the work is done, or that it goes on if nobody knows how much."""
    if step.total is not None and step.done >= step.total:
        return ""
    extent = f" value='{step.done}' max='{step.total}'" if step.total else ""
    return f"<progress aria-label='{escape(step.activity)}'{extent} style='width:16em'></progress> "


@contextmanager
def _bar() -> Iterator[Progress]:
    """A bar on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed * 60:,.0f}/min" if speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        Rate(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            if step.activity not in tasks:
                tasks[step.activity] = bar.add_task(step.activity, total=step.total, note="")
            bar.update(tasks[step.activity], completed=step.done, total=step.total, note=step.note)

        yield show
