"""What every file of the repository keeps to."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("provenir_lab", "tests", "docs", "notebooks", "experiments", "benchmarks", ".ci")
SUFFIXES = {
    "",
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".yml",
    ".yaml",
    ".json",
    ".csv",
    ".ipynb",
    ".j2",
    ".css",
    ".js",
}
TEXTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    if path.is_file() and path.suffix in SUFFIXES and path.name != "provenir_lab.toml"  # a user's own
)
PYTHON = [name for name in TEXTS if name.startswith("provenir_lab/") and name.endswith(".py")]

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|farm|tmp|home|Users)/[A-Za-z]|(?<![\w])[A-Z]:\\Users\\")
FORKING = re.compile(r"""get_context\(\s*["']fork|set_start_method\(\s*["']fork|preexec_fn|os\.fork\b""")
POSIX_ONLY = re.compile(
    r"""\bos\.(?:getuid|geteuid|killpg|kill|setsid|mkfifo|wait)\b|\bSIGKILL\b|\bSIGALRM\b"""
    r"""|\bimport (?:fcntl|resource|pwd)\b|shell=True|["']/tmp\b|["']/dev/null|os\.system\("""
)


def lines_with(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    """`file:line` of each line in which `pattern` is found."""
    return [
        f"{name}:{number}"
        for name in names
        for number, line in enumerate(read(name).splitlines(), 1)
        if pattern.search(line)
    ]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_place_on_one_machine() -> None:
    this_file = Path(__file__).relative_to(ROOT).as_posix()
    assert lines_with(MACHINE_PATH, [name for name in TEXTS if name != this_file]) == []


@pytest.mark.parametrize("text", ["in /home/anna/lab", "see (/tmp/x)", r"C:\Users\anna"])
def test_places_on_one_machine_are_recognised(text: str) -> None:
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", ["Request/work/item", "https://example.org/home/x", "results/tmp/a"])
def test_other_paths_are_none(text: str) -> None:
    assert not MACHINE_PATH.search(text)


def test_nothing_forks() -> None:
    """Windows and notebooks know spawn alone; `mypy --platform win32` finds the other POSIX-only calls."""
    assert lines_with(FORKING, PYTHON) == []


def test_no_code_calls_what_windows_lacks() -> None:
    """By name, for calls in branches that mypy takes to be another platform's."""
    assert lines_with(POSIX_ONLY, PYTHON) == []


@pytest.mark.parametrize(
    "text", ["os.kill(pid, 9)", "import fcntl", "run(line, shell=True)", "open('/tmp/x')"]
)
def test_calls_that_windows_lacks_are_recognised(text: str) -> None:
    assert POSIX_ONLY.search(text)


def test_library_code_prints_nothing() -> None:
    prints = [
        f"{name}:{node.lineno}"
        for name in PYTHON
        if not name.startswith("provenir_lab/cli")
        for node in ast.walk(ast.parse(read(name)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []
