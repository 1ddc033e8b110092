"""Two commits of a real git repository, measured against each other through the command line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from labs import nightly
from rights import open_to_others

import provenir_lab
from provenir_lab.cli import main
from provenir_lab.lab.place import ensure_lab, open_place
from provenir_lab.settings import Database

PACKAGE = Path(provenir_lab.__file__).parent
TESTS = """
def test_one():
    pass

def test_two():
    pass
"""
DROPPING = """

from dataclasses import replace
_settle = Writer._settle
Writer._settle = lambda *a: (s := _settle(*a)) and replace(s, rows={**s.rows, "app_contact_employment": []})
"""
EXPERIMENT = "name: small\ntitle: Small\nruns: 6\nmax_runs: 6\ndocuments: {count: 20, min_seconds: 0.01}\n"


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the tags `empty`, `before`, `same` (other text, same code), `wrong` and `broken`."""
    folder = tmp_path_factory.mktemp("clone")
    git(folder, "init", "--quiet")

    def commit(tag: str, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        git(folder, "add", "--all", "--force")
        git(folder, "commit", "--quiet", "--message", tag)
        git(folder, "tag", tag)

    writer = (PACKAGE / "storage" / "writer.py").read_text(encoding="utf-8")
    commit("empty", {"README.md": "nothing yet"})
    shutil.copytree(PACKAGE, folder / "provenir_lab", ignore=shutil.ignore_patterns("__pycache__"))
    commit("before", {"tests/test_small.py": TESTS})
    commit("same", {"README.md": "a word more"})
    fewer = TESTS.replace("def test_two", "def two")
    commit("wrong", {"provenir_lab/storage/writer.py": writer + DROPPING, "tests/test_small.py": fewer})
    commit("broken", {"provenir_lab/errors.py": "raise ImportError('no such library')"})
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVENIR_LAB_DATABASE", "sqlite:///lab.db")
    (tmp_path / "small.yaml").write_text(EXPERIMENT, encoding="utf-8")
    ensure_lab(open_place(Database("sqlite", "sqlite:///lab.db")))
    return tmp_path


def compare_code(repository: Path, *arguments: str) -> int:
    return main(["compare-code", *arguments, "--repository", str(repository), "--quiet"])


def found(here: Path) -> tuple[Path, dict[str, Any]]:
    (folder,) = (here / "results" / "code-small").iterdir()
    return folder, json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def worktrees(repository: Path) -> list[str]:
    return [
        line for line in git(repository, "worktree", "list", "--porcelain").splitlines() if "worktree" in line
    ]


@nightly
def test_versions_that_differ_in_nothing_but_words(
    repository: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = here / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert compare_code(repository, "before", "same", "small.yaml", "--tests", "tests") == 0
    folder, summary = found(here)
    judged = summary["comparisons"][-1]
    commit = git(repository, "rev-parse", "--short=12", "same")
    assert judged["variant"] == f"code={commit}"
    assert judged["verdict"] in ("EQUIVALENT", "INCONCLUSIVE", "FASTER", "SLOWER")
    assert judged["gates"]["passed"]
    suites = judged["gates"]["tests"]
    assert suites["command"] == "python -m pytest -q tests"
    assert suites["baseline"] == suites["candidate"] == {
        "passed": 2, "failed": 0, "errors": 0, "skipped": 0, "status": 0,
    }  # fmt: skip
    lines = (folder / "runs.csv").read_text(encoding="utf-8").splitlines()
    variants = [line.split(",")[4] for line in lines[5:9]]
    assert variants == ["baseline", f"code={commit}", f"code={commit}", "baseline"]
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "before → same" in report and "baseline: 2 passed, 0 failed" in report
    assert "2 passed" in (folder / "tests-candidate.txt").read_text(encoding="utf-8")
    assert open_to_others(here / "results") == []
    assert list(temporary.iterdir()) == []
    assert len(worktrees(repository)) == 1


def test_a_version_that_loses_rows_and_tests_is_invalid(
    repository: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = here / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (repository / "README.md").write_text("not committed", encoding="utf-8")
    try:
        assert compare_code(repository, "before", "wrong", "small.yaml", "--tests", "tests") == 0
    finally:
        git(repository, "checkout", "--", "README.md")
    folder, summary = found(here)
    judged = summary["comparisons"][-1]
    assert (judged["verdict"], judged["decision"]) == ("INVALID", "reject")
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "before → wrong" in report and "baseline: 2 passed, 0 failed" in report
    assert "1 passed" in (folder / "tests-candidate.txt").read_text(encoding="utf-8")
    assert open_to_others(here / "results") == []
    assert list(temporary.iterdir()) == []
    assert "app_contact_employment: 0 rows instead of " in judged["reason"]
    assert "fewer tests pass: 1 instead of 2" in judged["reason"]
    assert "changes that are not committed were not measured" in summary["warnings"]
    assert len(worktrees(repository)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["before", "nowhere", "small.yaml"], "has no commit nowhere: name a branch, a tag or a hash"),
        (["before", "--output=x", "small.yaml"], "--output"),
        (["empty", "same", "small.yaml"], "has no provenir_lab/lab/run_once.py: only versions"),
        (["before", "broken", "small.yaml"], "by this Python: ImportError: no such library"),
        (["before", "same", "absent.yaml"], "there is no absent.yaml"),
        (["before", "same", "small.yaml", "--runs", "3"], "below six pairs"),
        (["before", "same", "small.yaml", "--resume"], "holds no interrupted result: start without --resume"),
        (["before", "same", "small.yaml", "--tests", "x", "--no-tests"], "contradict each other"),
        (["before", "same", "small.yaml", "--database", "sqlite:///other.db"], "init"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    repository: Path, here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert compare_code(repository, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert len(worktrees(repository)) == 1


def test_outside_of_a_repository(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_code(here, "before", "same", "small.yaml") == 2
    assert "is in no git repository: run inside a clone" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
def test_ctrl_c_leaves_neither_worktrees_nor_processes(repository: Path, here: Path) -> None:
    """Interrupted in a test suite that would take minutes; the suite is told, and ends with its own steps."""
    import signal

    slow = (
        "import pathlib, time\ndef test_it():\n    try:\n        pathlib.Path(%r).touch(); time.sleep(600)\n"
    )
    slow += "    finally:\n        pathlib.Path(%r).touch()\n"
    begun, ended = here / "begun", here / "ended"
    (here / "test_slow.py").write_text(slow % (str(begun), str(ended)), encoding="utf-8")
    command = [sys.executable, "-m", "provenir_lab", "compare-code", "before", "same", "small.yaml"]
    command += ["--repository", str(repository), "--tests", str(here / "test_slow.py")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not begun.exists():
        assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.strip().endswith("the same command with --resume goes on from there")
    assert ended.exists()
    assert len(worktrees(repository)) == 1
