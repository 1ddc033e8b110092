"""What is kept of a run and of a result, and the folder that keeps it.

Every file is written whole: into a temporary file beside it, then put in its place; a run's line is
appended as soon as the run ends. So an interruption, a full disk or a killed process leaves only finished
runs and whole files.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from provenir_lab.errors import LabError, UsageError
from provenir_lab.files import make_folder, private, write_whole

if TYPE_CHECKING:
    from provenir_lab.lab.figures import Picture

STAGES = ("fetch", "parse", "map", "duplicate_check", "write", "commit", "wait")
"""The processor's stages, in the order of a document's way."""

CALIBRATION, WARM_UP, MEASURE, CONFIRM = "calibration", "warm-up", "measure", "confirm"
"""Parts of an experiment. Calibration and warm-up stay on record but outside every estimate."""

Digests = Mapping[str, Mapping[str, tuple[int, str]]]
"""Digest of a whole run -> table -> (rows, digest of the table)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a run in the plan: `position` within `block` of one `part`, and the variant that runs
    there.
    """

    part: str
    block: int
    position: int
    variant: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as `runs.csv` holds it. Seconds of `stages` are summed over workers."""

    order: int
    """Counted from 1 in time order."""
    part: str
    block: int
    position: int
    variant: str
    started: str
    """UTC, ISO 8601."""
    documents: int
    succeeded: int
    failed: int
    failures: Mapping[str, int]
    """Category -> documents."""
    rows: int
    """In the target tables after the run, counted there."""
    seconds: float
    """From the first fetch to the last commit."""
    rec_per_min: float
    wall_seconds: float
    """Of the whole process, start-up too."""
    cpu_seconds: float
    peak_memory_mb: float
    stages: Mapping[str, float]
    slices: Sequence[tuple[int, float]]
    """Documents and seconds of consecutive parts of the run."""
    digest: str
    """Of all target tables' contents; empty if it was not taken."""
    void: str = ""
    """Why the run does not count; empty: it does."""
    characters_read: int = 0
    """Of all texts, those that were read again twice; 0 where it was not counted, as in earlier versions."""
    bytes_parsed: int = 0
    """What was parsed of the documents that could be; 0 as above."""

    @property
    def slot(self) -> Slot:
        return Slot(self.part, self.block, self.position, self.variant)

    @property
    def valid(self) -> bool:
        return not self.void


def run_columns() -> list[str]:
    """The columns of `runs.csv`."""
    names = [f.name for f in fields(Run)]
    at = names.index("stages")
    return names[:at] + [f"{stage}_seconds" for stage in STAGES] + names[at + 1 :]


def _to_line(run: Run) -> str:
    row: dict[str, Any] = {f.name: getattr(run, f.name) for f in fields(Run)}
    row |= {f"{stage}_seconds": seconds for stage, seconds in row.pop("stages").items()}
    row["failures"] = " ".join(f"{category}:{count}" for category, count in run.failures.items())
    row["slices"] = " ".join(f"{count}:{seconds}" for count, seconds in run.slices)
    out = io.StringIO()
    csv.DictWriter(out, run_columns(), restval=0, lineterminator="\n").writerow(row)
    return out.getvalue()


def _from_row(row: Mapping[str, str]) -> Run:
    def parts(text: str) -> list[tuple[str, str]]:
        return [(left, right) for left, _, right in (p.rpartition(":") for p in text.split())]

    values: dict[str, Any] = {
        "failures": {category: int(count) for category, count in parts(row["failures"])},
        "slices": tuple((int(count), float(seconds)) for count, seconds in parts(row["slices"])),
        "stages": {stage: float(row[f"{stage}_seconds"]) for stage in STAGES},
    }
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
    for field in fields(Run):
        if field.name not in values and row.get(field.name) is not None:  # earlier versions had fewer columns
            values[field.name] = kinds[str(field.type)](row[field.name])
    return Run(**values)


@dataclass(frozen=True)
class Folder:
    """The folder of one result. Raises LabError when it cannot be written to; what is on disk then stays."""

    path: Path

    def write(self, name: str, content: str) -> Path:
        """Puts `content` into the file `name`: whole or not at all."""
        target = self.path / name
        try:
            make_folder(target.parent)
            write_whole(target, content)
        except OSError as error:
            raise _unwritable(target, error) from None
        return target

    def write_json(self, name: str, value: Any) -> Path:
        return self.write(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_yaml(self, name: str, value: Any) -> Path:
        return self.write(name, yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))

    def add_run(self, run: Run) -> None:
        """Appends the run's line to `runs.csv` and waits until it is on disk."""
        path = self.path / "runs.csv"
        try:
            with open(path, "a", encoding="utf-8", newline="", opener=private) as file:
                if file.tell() == 0:
                    file.write(",".join(run_columns()) + "\n")
                file.write(_to_line(run))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(path, error) from None

    def runs(self) -> tuple[Run, ...]:
        """All finished runs. A last line that an interruption cut short is taken out of the file."""
        path = self.path / "runs.csv"
        if not path.is_file():
            return ()
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self.write("runs.csv", whole)
        return tuple(_from_row(row) for row in csv.DictReader(io.StringIO(whole)))

    def add_digests(self, digest: str, tables: Mapping[str, tuple[int, str]]) -> None:
        """Keeps the tables' digests behind a run's digest, once for each different one."""
        known = self.digests()
        if digest not in known:
            self.write_json("digests.json", {**known, digest: {t: list(v) for t, v in tables.items()}})

    def digests(self) -> dict[str, dict[str, tuple[int, str]]]:
        stored = self.read_json("digests.json") if (self.path / "digests.json").is_file() else {}
        return {digest: {t: (v[0], v[1]) for t, v in tables.items()} for digest, tables in stored.items()}

    def read_json(self, name: str) -> Any:
        """The content of a JSON file. Raises UsageError if it is missing or damaged."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError:
            raise UsageError(f"{self.path} holds no {name}: not a finished result of the lab") from None
        except ValueError:
            raise UsageError(f"{self.path / name} is damaged: not JSON") from None

    def read_yaml(self, name: str) -> Any:
        """The content of a YAML file. Raises UsageError if it is missing or damaged."""
        try:
            return yaml.safe_load((self.path / name).read_text(encoding="utf-8"))
        except OSError:
            raise UsageError(
                f"{self.path} holds no {name}: not a result of the lab; name a folder that holds one, "
                "such as results/baseline/20260102T030405Z-1a2b"
            ) from None
        except (ValueError, yaml.YAMLError):
            raise UsageError(f"{self.path / name} is damaged: not YAML") from None


@dataclass(frozen=True)
class Text:
    """Sentences that show themselves as paragraphs in JupyterLab."""

    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in self.lines)


@dataclass(frozen=True)
class Result:
    """A finished baseline or experiment, as its folder holds it."""

    folder: Path
    experiment: Mapping[str, Any]
    environment: Mapping[str, Any]
    runs: tuple[Run, ...]
    summary: Mapping[str, Any]

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def headline(self) -> str:
        """The finding in one line."""
        return str(self.summary["headline"])

    def to_dict(self) -> dict[str, Any]:
        """For `--json`: the summary, and where the files are."""
        return {"folder": str(self.folder), "report": str(self.report), **self.summary}

    @property
    def conclusion(self) -> Text:
        """The verdict in words, and what to do next."""
        from provenir_lab.lab.tables import conclusion

        return Text(tuple(conclusion(self.summary)))

    def plot(self) -> Picture:
        """The main figure: every run in time order, or the comparison with its interval."""
        from provenir_lab.lab.figures import main_picture

        return main_picture(self)

    def picture(self, name: str) -> Picture | None:
        """The figure `name` (run-order, points, forest, sweep, stages, slices, scaling, forecast); None if
        this result has no such figure.
        """
        from provenir_lab.lab.figures import picture_of

        return picture_of(self, name)

    def _repr_html_(self) -> str:
        from provenir_lab.lab.report import result_table

        return result_table(self)


def load_result(folder: str | Path) -> Result:
    """A stored result. Raises UsageError if the folder holds none."""
    kept = Folder(Path(folder))
    if not kept.path.is_dir():
        raise UsageError(f"{folder} is no folder: name a folder of results, results/NAME/TIME-ID")
    return Result(
        kept.path,
        kept.read_yaml("experiment.yaml"),
        kept.read_json("environment.json"),
        kept.runs(),
        kept.read_json("summary.json"),
    )


def new_folder(results: str | Path, name: str, now: dt.datetime, token: str) -> Folder:
    """Makes `results/name/<UTC time>-<token>`. Raises LabError if that cannot be done."""
    path = Path(results) / name / f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{token}"
    try:
        make_folder(path, exist_ok=False)
    except OSError as error:
        raise _unwritable(path, error) from None
    return Folder(path)


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a result with its report, and the page of its notebook if it has one."""
    page = (folder / "notebook.html").is_file() or not (folder / "notebook.ipynb").exists()
    return page and (folder / "report.html").is_file()


def newest_result(results: str | Path, name: str) -> Path | None:
    """The newest finished result of an experiment; None if there is none."""
    finished = sorted(Path(results, name).glob("*/summary.json"))
    return finished[-1].parent if finished else None


def interrupted_result(results: str | Path, name: str) -> Path:
    """The newest result of an experiment that was begun and not finished. Raises UsageError if there is
    none.
    """
    begun = sorted(path.parent for path in Path(results, name).glob("*/plan.json"))
    if not begun or is_finished(begun[-1]):
        raise UsageError(f"{Path(results, name)} holds no interrupted result: start without --resume")
    return begun[-1]


def _unwritable(path: Path, error: OSError) -> LabError:
    return LabError(
        f"cannot write {path}: {error.strerror or error}; free space or name another results folder."
        " Finished runs are kept"
    )
