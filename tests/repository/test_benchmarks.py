"""The benchmarks run, and say what they should; how fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from provenir_lab.settings import Settings

ROOT = Path(__file__).parents[2]
ABLATIONS = ("enum_cache", "preparsed_types", "indexed_lookup", "regex_cache")


def benchmarks(*arguments: str) -> str:
    """Standard output of `python -m benchmarks`, which must end well."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What the quick form prints, and what it writes."""
    file = tmp_path_factory.mktemp("bench") / "deep" / "stages.json"
    printed = benchmarks("--quick", "--json", str(file))
    return printed, json.loads(file.read_text(encoding="utf-8"))


def test_every_arm_on_every_profile(stages: tuple[str, dict[str, Any]]) -> None:
    printed, found = stages
    arms = {
        "parse, full",
        "parse, selective",
        "lxml alone, whole document",
        "lxml alone, the same slice",
        "map",
        *(f"map without {name}" for name in ABLATIONS),
        "document -> rows",
        "document -> rows, full",
        "reference mapper",
        "stage timers",
    }
    assert set(found["stages"]) == {"compact", "realistic", "heavy"}
    for profile, seconds in found["stages"].items():
        assert f"{profile} documents" in printed
        assert set(seconds) == arms
        assert all(spent > 0 for rounds in seconds.values() for spent in rounds)
        assert len({len(rounds) for rounds in seconds.values()}) == 1, "every round has every arm"


def test_figures_have_their_marks_and_the_quick_form_does_not_judge(
    stages: tuple[str, dict[str, Any]],
) -> None:
    printed, found = stages
    marks = {f["name"]: (f["at_least"], f["at_most"]) for f in found["figures"] if f["value"] > 0}
    assert marks["selective against full parsing, realistic"] == (8, None)
    assert marks["mapping, in costs of parsing the same slice with lxml"] == (None, 1.5)
    assert marks["cost of a heavy document, in realistic ones"] == (None, 1.5)
    assert marks["document -> rows, realistic"] == (3000, None)
    assert marks["documents, end to end"] == (1000, None)
    assert marks["timing the stages, of document -> rows, compact"] == (None, 1)
    assert all(f"what {name} is worth to mapping" in marks for name in ABLATIONS)
    assert "reached" not in printed and "MISSED" not in printed


def test_the_whole_way_really_ran(stages: tuple[str, dict[str, Any]]) -> None:
    _, found = stages
    for mode, outcomes in found["end_to_end"].items():
        assert [o["settings"]["parse_mode"] for o in outcomes] == [mode] * len(outcomes)
        assert all(o["succeeded"] == o["documents"] > 20 for o in outcomes)
    assert found["memory"]["documents"] == 500
    assert found["memory"]["peak_mb"] >= found["memory"]["begin_mb"] > 10
    assert found["environment"]["libraries"]["lxml"]


def test_databases(tmp_path: Path) -> None:
    file = tmp_path / "databases.json"
    printed = benchmarks("--databases", "--quick", "--json", str(file))
    found = json.loads(file.read_text(encoding="utf-8"))
    named = {"SQLite", "PostgreSQL", "SQL Server"} & found.keys()
    left_out = " ".join(found["left_out"])
    assert "SQLite" in named and ("PostgreSQL" in named or "PostgreSQL: " in left_out)
    for name in named:
        runs = found[name]
        assert {"default", "fetch=whole", "batch_size=20"} <= set(runs)
        assert any(variant.startswith("write_method=") for variant in runs)
        for variant, measured in runs.items():
            setting, _, value = variant.partition("=")
            outcomes = [run["outcome"] for run in measured]
            assert all(o["succeeded"] == 50 for o in outcomes), (name, variant)
            if setting in Settings.model_fields:
                assert {str(o["settings"][setting]) for o in outcomes} == {value}
        two = found[f"{name}, workers"]["runs"]["workers=2"]
        assert [(r["outcome"]["succeeded"], r["outcome"]["settings"]["workers"]) for r in two] == [(400, 2)]
        assert f"{name}: two workers against lxml alone, by the clock" in printed
        assert f"{name}: speed-up of two workers" in printed
    if "PostgreSQL" in named:
        runs = found["PostgreSQL"]
        assert "write_method=copy" not in runs, "that is the default"
        assert all(run["server_seconds"] > 0 for run in runs["default"])


def test_an_unknown_option_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "--fast"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 2
