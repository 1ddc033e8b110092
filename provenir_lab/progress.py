"""How long work tells how far it is: plain steps to a callback; and a progress bar for terminals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


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


def silent(step: Step) -> None:
    """Progress that nobody watches."""


@contextmanager
def progress_bar(enabled: bool | None = None) -> Iterator[Progress]:
    """A bar on standard error; `enabled` None: only if standard error is a terminal."""
    if not (sys.stderr.isatty() if enabled is None else enabled):
        yield silent
        return
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
