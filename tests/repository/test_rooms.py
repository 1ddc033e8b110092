"""The shape of the package: who may import whom, what stays unloaded, how long a module may be."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "provenir_lab"
MODULES = sorted(PACKAGE.rglob("*.py"))

LEVELS = (
    {"errors", "files", "tables", "settings", "progress", "display", "contracts", "spreadsheet"},
    {"mapping", "storage"},
    {"mock", "processing"},
    {"lab", "doctor"},
    {"api"},
    {"cli"},
    {"aliases"},
    {"__init__", "__main__"},
)
"""A module imports from the levels below its own and from its own room; the lowest level is one room."""
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
HEAVY = {"pandas", "matplotlib", "scipy", "IPython", "jupyterlab", "papermill", "nbconvert", "dask"}


def module_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of each import from the package itself, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "provenir_lab" and rest != "__version__":
                yield node.lineno, rest.partition(".")[0] or "__init__"


def allowed(importer: str, imported: str) -> bool:
    lower = LEVEL[imported] < LEVEL[importer]
    return lower or importer == imported or LEVEL[importer] == LEVEL[imported] == 0


def test_imports_go_downwards() -> None:
    unknown = {room(path) for path in MODULES} - LEVEL.keys()
    assert unknown == set(), "say in this test's LEVELS where they stand"
    upwards = [
        f"{module_id(path)}:{line} imports {name}"
        for path in MODULES
        for line, name in rooms_imported(path)
        if not allowed(room(path), name)
    ]
    assert upwards == []


def test_the_rule_of_imports_is_the_architectures() -> None:
    assert not allowed("mapping", "storage") and not allowed("storage", "mapping")
    assert not allowed("processing", "lab") and not allowed("errors", "processing")
    assert allowed("cli", "api") and allowed("lab", "processing") and allowed("storage", "tables")


def test_no_module_is_too_long() -> None:
    lengths = {module_id(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


RUN_CLI = """
from provenir_lab.cli import main
assert not main()
"""
REPORT = """
import json, sys
print()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def python(folder: Path, *arguments: str) -> str:
    """Standard output of a fresh Python process in `folder`, which must end well."""
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def loaded_after(folder: Path, script: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh process holds after `script`."""
    return set(json.loads(python(folder, "-c", script + REPORT, *arguments).splitlines()[-1]))


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_after(tmp_path, RUN_CLI, "--help") & {*HEAVY, "numpy"} == set()


def test_process_loads_nothing_heavy(tmp_path: Path) -> None:
    database = ("--database", "sqlite:///lab.db")
    python(tmp_path, "-m", "provenir_lab", "init", *database)
    python(tmp_path, "-m", "provenir_lab", "generate", "--count", "3", *database)
    loaded = loaded_after(tmp_path, RUN_CLI, "process", *database)
    assert {"lxml", "sqlalchemy"} <= loaded
    assert loaded & {*HEAVY, "numpy"} == set()


def test_importing_every_module_loads_nothing_heavy(tmp_path: Path) -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES]
    script = "".join(f"import {name.removesuffix('.__init__')}\n" for name in names if "__main__" not in name)
    assert loaded_after(tmp_path, script) & HEAVY == set()
