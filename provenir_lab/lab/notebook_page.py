"""An executed notebook as a page of its own: with its code, self-contained, with headings and no scripts.

nbconvert's own pages link to content delivery networks, so only its filters are used here.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from provenir_lab.lab.report import page


def render_notebook(path: Path) -> str:
    """The page of the notebook file `path`, executed wholly or in part."""
    import nbformat
    from nbconvert.filters.markdown import markdown2html
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import Python3Lexer

    notebook: Any = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    lexer, formatter = Python3Lexer(), HtmlFormatter()
    cells: list[dict[str, Any]] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cells.append({"kind": "text", "html": markdown2html(cell.source)})
        elif cell.cell_type == "code" and cell.source.strip():
            tags = cell.metadata.get("tags", [])
            cells.append(
                {
                    "kind": "code",
                    "label": "Parameters, as given" if "injected-parameters" in tags else "",
                    "html": highlight(cell.source, lexer, formatter).replace("<pre>", '<pre tabindex="0">'),
                    "outputs": _outputs(cell, len(cells) + 1),
                }
            )
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    values = {
        "title": f"{path.parent.parent.name}: the executed notebook",
        "cells": cells,
        "code_css": f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}",
        "has_report": (path.parent / "report.html").is_file(),
    }
    return page("notebook.html.j2", values)


def _outputs(cell: Any, number: int) -> list[dict[str, str]]:
    """What a cell shows; each output has a name of its own, as a region that scrolls must."""
    shown = [html for output in cell.outputs if (html := _output(output))]
    return [{"label": f"Output {number}.{i}", "html": html} for i, html in enumerate(shown, start=1)]


def _output(output: Any) -> str:
    """One output of a cell as HTML; empty if there is nothing to show."""
    if output.output_type == "stream":
        return _text(output.text)
    if output.output_type == "error":
        return _text("\n".join(output.traceback) or f"{output.ename}: {output.evalue}")
    data = output.get("data", {})
    if "text/html" in data:
        return str(data["text/html"])
    if "image/svg+xml" in data:
        return str(data["image/svg+xml"])
    if "image/png" in data:
        image = "".join(data["image/png"].split())
        alternative = escape(data.get("text/plain", "picture made by the cell above"), quote=True)
        return f'<img src="data:image/png;base64,{image}" alt="{alternative}">'
    return _text(data["text/plain"]) if "text/plain" in data else ""


def _text(text: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return f'<pre tabindex="0">{escape(plain)}</pre>' if plain.strip() else ""
