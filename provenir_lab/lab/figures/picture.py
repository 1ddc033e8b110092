"""A drawn figure as SVG that fits into a page: alternative text, colours that follow the page, no
metadata.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID, BAND, PAPER = "#1b1f25", "#5a6270", "#d9dde4", "#eceff4", "#fefefe"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7e")
"""Okabe & Ito (2008), the colours that stand out on white and on black, with a grey."""

_VARIABLES = {
    INK: "var(--ink, var(--jp-ui-font-color1, #1b1f25))",
    MUTED: "var(--muted, var(--jp-ui-font-color2, #5a6270))",
    GRID: "var(--grid, var(--jp-border-color2, #d9dde4))",
    BAND: "var(--band, var(--jp-layout-color2, #eceff4))",
    PAPER: "var(--paper, var(--jp-layout-color1, #ffffff))",
    **{colour: f"var(--c{i}, {colour})" for i, colour in enumerate(PALETTE)},
}

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "provenir_lab",  # the same figure, the same bytes
    "font.size": 10,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class Picture:
    """A figure for pages: `name` is its file's name in `figures/`; `svg` stands on its own."""

    name: str
    title: str
    description: str
    svg: str
    _figure: Figure = field(repr=False, compare=False)

    @property
    def alternative(self) -> str:
        """The finding and what is to be seen, for those who do not see it."""
        return f"{self.title}. {self.description}"

    def png(self) -> bytes:
        """The figure as pixels, on a white ground, for what shows no SVG."""
        buffer = io.BytesIO()
        self._figure.savefig(
            buffer,
            format="png",
            dpi=110,
            bbox_inches="tight",
            pad_inches=0.06,
            facecolor="white",
            metadata={"Description": self.alternative, "Software": None},
        )
        return buffer.getvalue()

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """For notebooks: inline, which follows a dark theme; as an image where a notebook is not trusted."""
        shown = {
            "text/html": f"<figure style='margin:0;max-width:46rem'>{self.svg}</figure>",
            "image/svg+xml": standalone(self.svg),
            "image/png": b64encode(self.png()).decode(),
            "text/plain": self.alternative,
        }
        return shown, {kind: {"alt": self.alternative} for kind in ("image/svg+xml", "image/png")}


def standalone(svg: str) -> str:
    """An SVG of a page as a file of its own, on a white ground."""
    return svg.replace("width:100%;height:auto", "background:#fff", 1) + "\n"


def to_picture(name: str, title: str, description: str, figure: Figure) -> Picture:
    """The figure as SVG. Ids are made unique by `name`, so that many figures fit on one page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.06, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, -apple-system, 'Segoe UI', sans-serif", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    head = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc" style="width:100%;height:auto"'
        f"{svg[4 : svg.index('>')]}>"
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return Picture(name, title, description, head + svg[svg.index(">") + 1 :].rstrip(), figure)
