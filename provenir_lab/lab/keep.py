"""Keeps finished results beside the code: small, whole enough to be rendered again, and without a trace of
the machine's folders, users and name.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from provenir_lab.errors import LabError
from provenir_lab.lab.record import Folder
from provenir_lab.lab.report import render

RESULT_FILES = (
    "experiment.yaml",
    "plan.json",
    "environment.json",
    "runs.csv",
    "digests.json",
    "summary.json",
    "baseline_metrics.json",
    "notebook.html",
    "old-benchmark/runs.csv",
)
"""What is kept of a result, where it has them; its report is rendered from these. The figures' own files are
left out: they stand in the report.
"""
CAMPAIGN_FILES = ("campaign.json", "decisions.jsonl", "accepted.yaml")
_PAGE = "notebook.html"
_ABOVE_PROJECT = re.compile(
    r"""(?<![\w.:])(?:[A-Za-z]:)?(?:[\\/]+[^\\/\s"'<>&;]+)*?[\\/]+(?=(?:results|experiments|notebooks)[\\/])"""
)
"""The beginning of an absolute path, up to a folder that a project has."""


@dataclass(frozen=True)
class _Finished:
    """A finished result or campaign in its folder."""

    folder: Path
    name: str
    is_campaign: bool
    rank: tuple[bool, str]
    """Full forms after quick ones, then by time."""


def keep_results(source: Path, reference: Path, names: Collection[str]) -> list[Path]:
    """Copies from `source` (a folder of results) the newest finished campaigns and results of these names;
    returns the new folders in `reference`. Steps of a campaign are kept with it.

    A full form is preferred to a quick one, and what `reference` holds stays where nothing better is found.
    Raises LabError if a file that must be kept names a folder or the name of this machine.
    """
    there = {kept.name: kept.rank for kept in finished_results(reference)}
    found = [f for f in finished_results(source) if reference.resolve() not in f.folder.resolve().parents]
    best = {f.name: f for f in found if f.name in names}
    better = [f for name, f in best.items() if name not in there or f.rank[0] >= there[name][0]]
    return [_keep(finished, reference, source.resolve().parent) for finished in better]


def finished_results(folder: Path) -> list[_Finished]:
    """Finished campaigns below `folder`, and results that are no step of one; the best of each name last."""
    campaigns = [path.parent for path in folder.rglob("campaign.json")]
    results = [path.parent for path in folder.rglob("summary.json")]
    found = []
    for home in campaigns:
        state = Folder(home).read_json("campaign.json")
        if state["finished"] is not None:
            rank = (not state["quick"], state["started"])
            found.append(_Finished(home, state["plan"]["name"], True, rank))
    for path in results:
        if not any(home in path.parents for home in campaigns):
            summary = Folder(path).read_json("summary.json")
            found.append(_Finished(path, summary["name"], False, (not summary["indicative"], path.name)))
    return sorted(found, key=lambda finished: finished.rank)


def _keep(found: _Finished, reference: Path, base: Path) -> Path:
    """Puts the copy together beside its place, and then in it. Paths below `base` become relative to it."""
    places = _places(base)
    reference.mkdir(parents=True, exist_ok=True)
    home = reference / found.name
    with tempfile.TemporaryDirectory(dir=reference, prefix=".keep-") as temporary:
        new = Path(temporary) / found.name
        if found.is_campaign:
            _copy(found.folder, new, CAMPAIGN_FILES, places)
            for step in Folder(new).read_json("campaign.json")["folders"].values():
                _keep_result(found.folder / step, new / step, places)
            render(new)
            shutil.rmtree(new / "figures")
        else:
            _keep_result(found.folder, new / found.folder.name, places)
        if home.exists():
            shutil.rmtree(home)
        new.replace(home)
    return home if found.is_campaign else home / found.folder.name


def _keep_result(folder: Path, to: Path, places: list[str]) -> None:
    _copy(folder, to, RESULT_FILES, places)
    render(to)
    shutil.rmtree(to / "figures")


def _copy(folder: Path, to: Path, names: Iterable[str], places: list[str]) -> None:
    kept = Folder(to)
    for name in names:
        if not (folder / name).is_file():
            continue
        text = _ABOVE_PROJECT.sub("", (folder / name).read_text(encoding="utf-8"))
        for place in places:
            text = text.replace(place, "")
        trace = next((mark for mark in _marks() if mark in text), None)
        if trace is None:
            kept.write(name, text)
        elif name != _PAGE:  # a page with a trace is left out: the report does without
            raise LabError(f"{folder / name} names a place or the name of this machine; not kept")


def _places(base: Path) -> list[str]:
    """Beginnings of paths that are taken out, longest first, also as JSON writes them on Windows."""
    project = Path(__file__).resolve().parents[2]
    found = {f"{path}{os.sep}" for path in (base, project, Path.cwd())}
    found |= {text.replace("\\", "\\\\") for text in found}
    return sorted(found, key=len, reverse=True)


def _marks() -> list[str]:
    """What no kept file may hold: this user's folder, the folder for temporary files, the machine's name."""
    found = [f"{path}{os.sep}" for path in (Path.home(), Path(tempfile.gettempdir())) if path.name]
    return [*found, platform.node()] if len(platform.node()) > 5 else found
