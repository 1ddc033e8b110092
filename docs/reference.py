"""Writes the generated pages: commands.md from the command line's own help, settings.md from `Settings`.

.venv/bin/python docs/reference.py          (a test fails when the pages in git are not the present ones)
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from provenir_lab.settings import Settings

DOCS = Path(__file__).parent
NOTE = (
    "<!-- Written by docs/reference.py, which a test compares with this page: change the source instead. -->"
)
SETTINGS_INTRO = """
Everything about the processor that can be tuned. The command line takes any of them as `--set NAME=VALUE`,
`Lab.process` as keyword arguments, and an experiment varies exactly one.

| name | type | default | meaning |
| --- | --- | --- | --- |
"""


def commands_page() -> str:
    """Every command with its help, arguments and options, as typer documents them."""
    docs = subprocess.run(
        [sys.executable, "-m", "typer", "provenir_lab.cli", "utils", "docs", "--name", "provenir-lab"],
        check=True,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "NO_COLOR": "1"},
    )
    _, _, body = docs.stdout.partition("\n")  # typer's own title
    body = body.replace("```console\n$ ", "```text\n")
    body = re.sub(r"\*\*Commands\*\*:\n\n(\* .*\n)+\n", "", body)  # shortened: the whole follows
    return f"# Commands\n\n{NOTE}\n{body.rstrip()}\n"


def settings_page() -> str:
    """Every field of `Settings`, with what its docstring says."""
    texts = attribute_docstrings(Settings)
    rows = [
        f"| `{name}` | {type_name(field.annotation)} | `{field.default}` | {texts[name]} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return f"# Settings\n\n{NOTE}\n{SETTINGS_INTRO}{''.join(rows)}"


def type_name(annotation: Any) -> str:
    """`int`, or the values of a Literal."""
    values = getattr(annotation, "__args__", None)
    return ", ".join(f"`{value}`" for value in values) if values else f"`{annotation.__name__}`"


def attribute_docstrings(model: type) -> dict[str, str]:
    """Field name -> the text under it in the source."""
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


PAGES = {"commands.md": commands_page, "settings.md": settings_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8", newline="\n")
