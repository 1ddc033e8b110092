"""Writes the living parts of the guides: what was measured, from the results kept in results/reference.

.venv/bin/python docs/living.py                  writes them again (a test fails when they are out of date)
.venv/bin/python docs/living.py --from results   first keeps what was measured: the newest finished campaign
                                                 and the newest experiments below the folder `results`

A living part stands between `<!-- living: NAME -->` and `<!-- living: end -->`, in README.md or in a page of
docs; NAME is a function of living_parts.py. Figures that the parts show are copied to docs/images/measured.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))

from living_parts import EXPERIMENTS, IMAGES, PARTS, Reference  # noqa: E402

from provenir_lab.errors import LabError  # noqa: E402
from provenir_lab.lab.keep import keep_results  # noqa: E402

REFERENCE = ROOT / "results" / "reference"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
PART = re.compile(r"<!-- living: (?P<name>[\w-]+) -->\n(?P<text>.*?)<!-- living: end -->", re.S)


def living_page(text: str, parts: Mapping[str, Callable[[Reference], str]], reference: Reference) -> str:
    """The page with its living parts written anew. Raises KeyError for a part that has no function."""

    def written(match: re.Match[str]) -> str:
        name = match["name"]
        body = parts[name](reference).strip()
        return f"<!-- living: {name} -->\n" + (f"\n{body}\n\n" if body else "") + "<!-- living: end -->"

    return PART.sub(written, text)


def write_pages() -> None:
    """Writes every page and the figures it shows."""
    reference = Reference(REFERENCE)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = living_page(text, PARTS, reference)
        if new != text:
            page.write_text(new, encoding="utf-8", newline="\n")
            print(page.relative_to(ROOT))
    shutil.rmtree(IMAGES, ignore_errors=True)
    for name, svg in reference.shown.items():
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / name).write_text(svg, encoding="utf-8", newline="\n")


def main() -> None:
    """Keeps results if asked, and writes the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="sources", action="append", type=Path, default=[], metavar="FOLDER")
    for source in parser.parse_args().sources:
        try:
            kept = keep_results(source, REFERENCE, EXPERIMENTS)
        except LabError as error:
            sys.exit(f"error: {error}")
        print(f"{source}:", *(path.relative_to(ROOT) for path in kept) if kept else ["nothing to keep"])
    write_pages()


if __name__ == "__main__":
    main()
