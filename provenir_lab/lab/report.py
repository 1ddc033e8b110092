"""HTML pages from stored results: one self-contained file, readable from disk with no network.

One renderer serves baseline and experiment (a baseline is an experiment without candidates); `index` renders
campaigns with the same frame and parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from provenir_lab.lab import tables
from provenir_lab.lab.figures import pictures_of
from provenir_lab.lab.figures.picture import standalone
from provenir_lab.lab.record import Folder, Result, load_result
from provenir_lab.spreadsheet import records_csv


def render(folder: str | Path) -> Path:
    """Writes `report.html`, `figures/*.svg` and `tables/*.csv` again from what the folder holds; returns the
    page's path.

    A campaign's folder gets its `index.html`. Raises UsageError if the folder holds no finished result.
    """
    if (Path(folder) / "campaign.json").is_file():
        from provenir_lab.lab.index import render_index

        return render_index(folder)
    result = load_result(folder)
    kept = Folder(result.folder)
    pictures = pictures_of(result)
    for picture in pictures:
        kept.write(f"figures/{picture.name}.svg", standalone(picture.svg))
    for name, records in _RECORDS.items():
        if result.summary[name]:
            kept.write(f"tables/{name}.csv", records_csv(records(result.summary)))
    values = _result_values(result) | {"pictures": pictures}
    return kept.write("report.html", page("result.html.j2", values))


def page(template: str, values: Mapping[str, Any]) -> str:
    """A page from one of the package's templates."""
    return _templates().get_template(template).render(css=_read("page.css"), **values)


def result_table(result: Result) -> str:
    """How a result shows itself in JupyterLab: headline, table, and where the report is."""
    values = _result_values(result)
    return _templates().get_template("notebook_result.html.j2").render(**values, report=str(result.report))


def _result_values(result: Result) -> dict[str, Any]:
    summary, experiment = result.summary, result.experiment
    judged = next((c for c in reversed(summary["comparisons"]) if c["verdict"]), None)
    links = [("notebook.html", "the executed notebook, with its code")] if has_notebook(result.folder) else []
    links += [(name, text) for name, text in _FILES if (result.folder / name).is_file()]
    return {
        "title": f"{summary['title']}: {experiment['change']}" if experiment["change"] else summary["title"],
        "kicker": " · ".join(
            filter(None, [summary["phase"], experiment["name"], result.runs[0].started[:10]])
        ),
        "campaign": "../index.html" if (result.folder.parent / "campaign.json").is_file() else None,
        "headline": judged["reason"] if judged else summary["headline"],
        "verdict": judged["verdict"] if judged else None,
        "indicative": summary["indicative"],
        "hypothesis": experiment["hypothesis"],
        "conclusion": tables.conclusion(summary),
        "cards": tables.cards(summary),
        "warnings": summary["warnings"],
        "comparisons": tables.comparisons(summary),
        "comparison_header": tables.COMPARISON_HEADER,
        "comparison_text": tables.comparison_text(summary),
        "variants": tables.variants(summary),
        "variant_caption": tables.variant_caption(summary),
        "variant_header": tables.VARIANT_HEADER,
        "scaling": tables.scaling(result),
        "scaling_header": tables.SCALING_HEADER,
        "stages": tables.stages(summary),
        "stage_header": tables.STAGE_HEADER,
        "slices": tables.slices(summary),
        "slice_header": tables.slice_header(summary),
        "forecast": tables.forecast_text(summary),
        "workload": tables.workload_text(summary),
        "noise": tables.noise_text(summary),
        "tables": tables.table_digests(result),
        "runs": tables.runs(result),
        "run_header": tables.RUN_HEADER,
        "machine": tables.machine(result.environment),
        "environment": result.environment,
        "links": links,
    }


_RECORDS: Mapping[str, Callable[[Mapping[str, Any]], list[Mapping[str, Any]]]] = {
    "variants": lambda summary: summary["variants"],
    "comparisons": lambda summary: summary["comparisons"],
    "forecast": lambda summary: [summary["forecast"]],
}
"""What is also written as a table for spreadsheets, with all digits."""
_FILES = (
    ("tables/variants.csv", "medians and spreads, for spreadsheets"),
    ("tables/comparisons.csv", "comparisons, for spreadsheets"),
    ("runs.csv", "every run, one line each"),
    ("summary.json", "medians, intervals, verdicts, gates"),
    ("environment.json", "machine and versions"),
    ("experiment.yaml", "what was asked, resolved"),
)


def has_notebook(folder: Path) -> bool:
    """Whether the result was made by a notebook: its page is then linked, though it is written last."""
    return (folder / "notebook.ipynb").is_file() or (folder / "notebook.html").is_file()


@cache
def _templates() -> Environment:
    return Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        lstrip_blocks=True,
    )


def _read(name: str) -> str:
    return (resources.files("provenir_lab.lab") / "templates" / name).read_text(encoding="utf-8")
