"""The old parallel benchmark done again beside a measurement of scaling, so that its faults show in figures.

It ran 50 records, had no run with one worker, called a quotient efficiency that went over 100 %, and did not
see what workers lose by waiting for each other.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from provenir_lab.files import make_folder
from provenir_lab.lab.conduct import Clock, Workshop, utc_now
from provenir_lab.lab.experiment import Documents
from provenir_lab.lab.explore import View
from provenir_lab.lab.measure import timed_run
from provenir_lab.lab.record import MEASURE, Folder, Result, Run, Slot
from provenir_lab.lab.statistics import median
from provenir_lab.lab.summary import worker_gains, workers_of
from provenir_lab.progress import Progress, Step, silent
from provenir_lab.settings import build_settings

DOCUMENTS = 50
"""As many as the old benchmark had."""
PART = "old way"
FOLDER = "old-benchmark"
"""Where its runs are kept, within the result's folder."""


@dataclass(frozen=True)
class OldBenchmark:
    """A measurement of scaling, and runs of 50 documents beside it."""

    result: Result
    short: tuple[Run, ...]

    @property
    def start_up(self) -> View:
        """How much of a process's time is start-up, with 50 documents and with enough of them."""
        rows = [self._times(n, runs) for n, runs in self._by_workers(self.short)]
        few = len(rows)
        rows += [self._times(n, runs) for n, runs in self._by_workers(_counted(self.result.runs))]
        title = (
            f"{rows[0][0]} documents: {rows[0][4]} of the time is start-up;"
            f" {rows[few][0]} documents: {rows[few][4]}"
        )
        header = (
            "documents",
            "workers",
            "seconds of the process",
            "of them work",
            "start-up",
            "rec/min of the process",
            "rec/min of the work",
            "fastest / slowest run",
        )
        return View(title, header, tuple(rows))

    @property
    def formulas(self) -> View:
        """Efficiency as it is, beside two quotients that are often taken for it, from the same runs."""
        measured = self._by_workers(_counted(self.result.runs))
        first = measured[0][0]
        gains = {count: self._gains(count) for count in (1, first)}
        rows = []
        for workers, runs in measured:
            busy = statistics.median(sum(run.stages.values()) / run.seconds for run in runs)
            waiting = statistics.median(run.stages["wait"] / run.seconds / workers for run in runs)
            gain = gains[1].get(workers)
            shown = ("–", "–") if gain is None else (f"{gain:.2f}", f"{gain / workers:.0%}")
            of_first = f"{gains[first][workers]:.0%}" if workers in gains[first] else "–"
            rows.append((workers, f"{busy:.0%}", of_first, *shown, f"{waiting:.0%}"))
        last = rows[-1]
        title = (
            f"{last[0]} workers: {last[1]} by busy seconds, {last[2]} by the first row,"
            f" and an efficiency of {last[4]}"
        )
        header = (
            "workers",
            "busy seconds / seconds (wrong)",
            "throughput / first row's (wrong)",
            "speed-up",
            "efficiency = speed-up / workers",
            "waiting, of the workers' time",
        )
        return View(title, header, tuple(rows))

    def _gains(self, against: int) -> dict[int, float]:
        """Number of workers -> its throughput / that of `against` workers."""
        found = worker_gains(workers_of(self.result.summary), self.result.runs, against)
        return {count: gain.centre for count, gain in found.items()}

    def _by_workers(self, runs: Iterable[Run]) -> list[tuple[int, list[Run]]]:
        """Valid runs by number of workers, fewest first."""
        found: dict[int, list[Run]] = {}
        workers = workers_of(self.result.summary)
        for run in runs:
            if run.valid:
                found.setdefault(workers[run.variant], []).append(run)
        return sorted(found.items())

    @staticmethod
    def _times(workers: int, runs: list[Run]) -> tuple[object, ...]:
        wall = median([run.wall_seconds for run in runs])
        work = median([run.seconds for run in runs])
        rates = [run.rec_per_min for run in runs]
        return (
            f"{runs[0].documents:,}",
            workers,
            f"{wall:.2f}",
            f"{work:.2f}",
            f"{1 - work / wall:.0%}",
            f"{runs[0].documents / wall * 60:,.0f}",
            f"{median(rates):,.0f}",
            f"{max(rates) / min(rates):.2f}",
        )


def measure_old_benchmark(
    workshop: Workshop, result: Result, runs: int, *, progress: Progress = silent, now: Clock = utc_now
) -> OldBenchmark:
    """`runs` runs of 50 documents with every number of workers of `result`, kept in its folder.

    Runs that are there already are not repeated.
    """
    kept = Folder(result.folder / FOLDER)
    make_folder(kept.path)
    settings = {v["variant"]: build_settings(v["settings"]) for v in result.summary["variants"]}
    slots = [Slot(PART, i + 1, at + 1, name) for i in range(runs) for at, name in enumerate(settings)]
    done = {run.slot: run for run in kept.runs()}
    documents = Documents.model_validate(result.experiment["documents"])
    with workshop.bench(documents.model_copy(update={"count": DOCUMENTS}), DOCUMENTS) as (bench, passport):
        for slot in slots:
            if slot not in done:
                measured = timed_run(
                    bench,
                    slot,
                    settings[slot.variant].model_dump(),
                    documents=passport["count"],
                    order=len(done) + 1,
                    now=now,
                )
                kept.add_run(measured.run)
                done[slot] = measured.run
            progress(Step("The old benchmark", len(done), len(slots), "runs"))
    return OldBenchmark(result, tuple(done.values()))


def stored_old_benchmark(result: Result) -> OldBenchmark | None:
    """The runs of 50 documents that are kept with a measurement of scaling; None if there are none."""
    short = Folder(result.folder / FOLDER).runs()
    return OldBenchmark(result, short) if any(run.valid for run in short) else None


def _counted(runs: Iterable[Run]) -> list[Run]:
    """Those of the sweep: a confirmation has other conditions, and only some numbers of workers."""
    return [run for run in runs if run.part == MEASURE]
