"""`python -m benchmarks [--quick] [--databases] [--json FILE]`: figures in one run, ratios first."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import databases, stages
from benchmarks.end_to_end import measure_end_to_end
from benchmarks.memory import measure_memory
from benchmarks.race import Seconds, rate, ratio
from benchmarks.report import Figure, Report, number
from provenir_lab.mapping.ablation import ABLATIONS

RESULTS = Path(__file__).parent / "results"
COUNTS = {"compact": 100, "realistic": 100, "heavy": 40}
"""Documents a round."""
ROUNDS, END_TO_END_ROUNDS, DATABASE_ROUNDS, WORKER_ROUNDS = 7, 5, 3, 5
END_TO_END, DATABASE_DOCUMENTS, WORKER_DOCUMENTS, MEMORY = 600, 1000, 8000, 10_000
"""Documents of the whole way; on each database with each setting, and for one worker against two; and those
whose memory is measured."""
QUICK = 20
"""The quick form takes a twentieth of the documents, and one round."""


def main(arguments: list[str]) -> int:
    """Runs the benchmarks; returns the exit status, 0 also where a figure misses its mark."""
    asked = _parser().parse_args(arguments)
    share, rounds = (QUICK, 1) if asked.quick else (1, None)
    report = Report(judge=not asked.quick)  # a few documents, caches cold, prove nothing
    with tempfile.TemporaryDirectory(prefix="provenir-bench-", ignore_cleanup_errors=True) as folder:
        if asked.databases:
            _databases(report, Path(folder), share, rounds)
        else:
            counts = {profile: max(2, count // share) for profile, count in COUNTS.items()}
            found = {p: stages.measure_stages(p, count, rounds or ROUNDS) for p, count in counts.items()}
            _stages(report, found)
            _end_to_end(report, Path(folder), END_TO_END // share, rounds or END_TO_END_ROUNDS)
            _memory(report, MEMORY // share)
    file = asked.json or RESULTS / ("databases.json" if asked.databases else "stages.json")
    report.write(file, {"quick": asked.quick, "databases": asked.databases})
    print(f"\nwritten to {file}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Speed and memory of the stages. Numbers hold for this machine at this moment; ratios, "
        "taken within rounds, compare.",
    )
    parser.add_argument("--quick", action="store_true", help="few documents: shows that it works")
    parser.add_argument("--databases", action="store_true", help="settings on every database that is there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to (default: benchmarks/results/)")
    return parser


def _stages(report: Report, found: dict[str, Seconds]) -> None:
    for profile, seconds in found.items():
        reference = seconds[stages.REFERENCE]
        rows = [
            [
                name,
                number(rate(spent)),
                number(1 / min(spent)),
                number(median(spent) * 1e6),
                number(ratio(reference, spent)),
            ]
            for name, spent in seconds.items()
        ]
        heads = ["", "documents/CPU s", "best round", "us/document", "reference = 1"]
        report.table(f"{profile} documents", heads, rows)
    print("\nratios and marks")
    report.figures(_stage_figures(found))
    report.keep("stages", found)


def _stage_figures(found: dict[str, Seconds]) -> list[Figure]:
    compact, realistic, heavy = found["compact"], found["realistic"], found["heavy"]
    rows = stages.ROWS
    figures = [
        Figure("document -> rows, realistic", rate(realistic[rows]), at_least=3000, unit="/CPU s"),
        Figure("document -> rows, compact", rate(compact[rows]), unit="/CPU s"),
        Figure(
            "selective against full parsing, realistic",
            ratio(realistic[stages.PARSE_FULL], realistic[stages.PARSE_SELECTIVE]),
            at_least=8,
        ),
        Figure(
            "mapping, in costs of parsing the same slice with lxml",
            ratio(realistic[stages.MAP], realistic[stages.BARE_SLICE]),
            at_most=1.5,
        ),
        Figure(
            "cost of a heavy document, in realistic ones", ratio(heavy[rows], realistic[rows]), at_most=1.5
        ),
        Figure(
            "document -> rows against the reference mapper",
            ratio(realistic[stages.REFERENCE], realistic[rows]),
        ),
        Figure(
            "timing the stages, of document -> rows, compact",
            100 * ratio(compact[stages.TIMERS], compact[rows]),
            at_most=1,
            unit="%",
        ),
    ]
    for name in ABLATIONS:
        slower = ratio(realistic[stages.without(name)], realistic[stages.MAP])
        figures.append(Figure(f"what {name} is worth to mapping", slower))
    return figures


def _end_to_end(report: Report, folder: Path, count: int, rounds: int) -> None:
    print(f"\nthe whole way, SQLite, one worker, {count} realistic documents a run")
    seconds, outcomes = measure_end_to_end(folder, "realistic", count, rounds)
    selective = seconds["selective"]
    peak = median(outcome["peak_memory_mb"] for outcome in outcomes["selective"])
    report.figures(
        [
            Figure("documents, end to end", rate(selective), at_least=1000, unit="/CPU s"),
            Figure("selective against full parsing, end to end", ratio(seconds["full"], selective)),
            Figure("peak memory", peak, unit="MB"),
        ]
    )
    print(f"  {_in_words(_shares(outcomes['selective']))}")
    report.keep("end_to_end", outcomes)


def _shares(outcomes: list[dict[str, Any]]) -> dict[str, float]:
    """Stage -> share of the runs' time, by medians."""
    names = outcomes[0]["stages"]
    spent = {name: median(outcome["stages"][name] for outcome in outcomes) for name in names}
    whole = sum(spent.values()) or 1.0
    return {name: seconds / whole for name, seconds in spent.items()}


def _in_words(shares: dict[str, float]) -> str:
    return "stages: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share >= 0.005)


def _memory(report: Report, documents: int) -> None:
    print("\nmemory of a process that maps compact documents, one after the other")
    found = measure_memory(documents)
    report.figures(
        [
            Figure(f"held after {documents // 10:,} documents", found["begin_mb"], unit="MB"),
            Figure(f"growth over {documents:,} more", found["growth_mb"], unit="MB"),
        ]
    )
    report.keep("memory", found)


def _databases(report: Report, folder: Path, share: int, rounds: int | None) -> None:
    quick = rounds is not None
    with databases.databases(folder) as (found, missing):
        for reason in missing:
            print(f"left out: {reason}")
        for database in found:
            print(f"\n{database.name}, realistic documents")
            database.place.fill(WORKER_DOCUMENTS // share, "realistic")
            _workers(report, database, WORKER_DOCUMENTS // share, rounds or WORKER_ROUNDS)
            arms = databases.variants(database, quick=quick)
            count = DATABASE_DOCUMENTS // share
            runs, _ = databases.measure_database(database, arms, count, rounds or DATABASE_ROUNDS)
            _settings(report, database.name, runs)
        report.keep("left_out", missing)


def _workers(report: Report, database: databases.Database, count: int, rounds: int) -> None:
    runs, parsing = databases.measure_database(database, databases.WORKERS, count, rounds)
    one, two = runs[databases.DEFAULT], runs[databases.TWO_WORKERS]
    name = database.name
    against_lxml, speed_up = {"SQLite": (5.5, 1.6), "PostgreSQL": (4.0, 1.3)}.get(name, (None, None))
    fastest = [r.seconds for r in two]
    report.figures(
        [
            Figure(f"{name}: lxml alone, whole documents, one core", rate(parsing), unit="/CPU s"),
            Figure(f"{name}: one worker, documents", rate([r.seconds for r in one]), unit="/s"),
            Figure(f"{name}: two workers, documents", rate(fastest), unit="/s"),
            Figure(
                f"{name}: two workers against lxml alone, by the clock",
                ratio(parsing, fastest),
                at_least=against_lxml,
            ),
            Figure(
                f"{name}: the same, had they and the server two cores alone",
                ratio(parsing, [_cpu(r) / 2 for r in two]),
                at_least=against_lxml,
            ),
            Figure(
                f"{name}: speed-up of two workers",
                ratio([r.seconds for r in one], fastest),
                at_least=speed_up,
            ),
            Figure(f"{name}: CPU here, two workers", median(r.cpu_seconds for r in two) * 1e6, unit="us/doc"),
            Figure(f"{name}: CPU of the server", median(r.server_seconds for r in two) * 1e6, unit="us/doc"),
        ]
    )
    shares = _shares([r.outcome for r in two])
    print(f"  {_in_words(shares)}")
    report.keep(f"{name}, workers", {"parsing": parsing, "stages": shares, "runs": _plain(runs)})


def _settings(report: Report, name: str, runs: dict[str, list[databases.Measured]]) -> None:
    default = runs[databases.DEFAULT]
    rows = []
    for variant, found in runs.items():
        wall = ratio([r.seconds for r in default], [r.seconds for r in found])
        cpu = ratio([_cpu(r) for r in default], [_cpu(r) for r in found])
        rows.append(
            [
                variant,
                number(rate([r.seconds for r in found])),
                number(wall),
                number(median(r.cpu_seconds for r in found) * 1e6),
                number(median(r.server_seconds for r in found) * 1e6),
                number(cpu),
            ]
        )
    heads = [
        "one worker",
        "documents/s",
        "default = 1",
        "us CPU here",
        "us CPU server",
        "CPU, default = 1",
    ]
    report.table(f"{name}: settings", heads, rows)
    report.keep(name, _plain(runs))


_KEPT = ("documents", "succeeded", "settings")


def _plain(runs: dict[str, list[databases.Measured]]) -> dict[str, list[dict[str, Any]]]:
    """What was measured of every run, and of its outcome what says that it did what was asked."""
    return {
        arm: [vars(run) | {"outcome": {name: run.outcome[name] for name in _KEPT}} for run in found]
        for arm, found in runs.items()
    }


def _cpu(run: databases.Measured) -> float:
    """CPU seconds a document, here and on the server."""
    return run.cpu_seconds + run.server_seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
