"""docs/adding-a-phase.md, done as it says: on a copy of the package, to the verdict."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "adding-a-phase.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The texts of the guide's code blocks in a language."""
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", GUIDE, re.M | re.S)


def change(diff: str, folder: Path) -> int:
    """Applies a diff of one file, each hunk where its old lines stand once; returns the lines it adds."""
    name = re.findall(r"^\+\+\+ b/(.+)$", diff, re.M)[0]
    path = folder / name
    text = path.read_text(encoding="utf-8")
    for hunk in re.split(r"^@@.*\n", diff, flags=re.M)[1:]:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, f"{name} no longer holds what the guide shows:\n{old}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return len(re.findall(r"^\+(?!\+\+)", diff, re.M))


def test_the_worked_example_works(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "provenir_lab", tmp_path / "provenir_lab", ignore=ignored)
    lines = sum(change(diff, tmp_path) for diff in blocks("diff"))
    (experiment,) = blocks("yaml")
    (script,) = blocks("python")
    (tmp_path / "sqlite-cache.yaml").write_text(
        experiment.replace("count: auto", "count: 60"), encoding="utf-8"
    )
    (tmp_path / "answer.py").write_text(script, encoding="utf-8")
    assert lines + len(experiment.splitlines()) + len(script.splitlines()) <= 30

    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"}
    ended = subprocess.run(
        [sys.executable, "answer.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    *_, headline, report = ended.stdout.splitlines()
    assert any(verdict in headline for verdict in ("FASTER", "SLOWER", "EQUIVALENT", "INCONCLUSIVE"))
    result = tmp_path / report
    assert "sqlite_cache_mb=64" in result.read_text(encoding="utf-8")
