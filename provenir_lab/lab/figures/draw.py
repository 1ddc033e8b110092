"""Drawing, one function a figure; what is drawn comes from `data`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from provenir_lab.lab.figures import data
from provenir_lab.lab.figures.picture import BAND, INK, MUTED, PALETTE, PAPER, STYLE, Picture, to_picture
from provenir_lab.lab.record import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = "osD^vPX"
_WIDTH = 5.8
_Finding = (
    data.RunOrder
    | data.Points
    | data.Forest
    | data.Waterfall
    | data.Sweep
    | data.Stages
    | data.Slices
    | data.Scaling
    | data.ForecastFigure
)


_F = TypeVar("_F")


def _once(drawn: Callable[[_F], Picture]) -> Callable[[_F], Picture]:
    """Remembers pictures: notebooks show what their reports hold, and drawing takes its time."""
    return lru_cache(maxsize=8)(drawn)


def _picture(name: str, found: _Finding, height: float, draw: Callable[[Axes], None]) -> Picture:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, height))
        axes = figure.add_subplot()
        draw(axes)
        figure.text(
            0.0,
            1.0,
            textwrap.fill(found.title, 62),
            weight="bold",
            size=11,
            va="bottom",
            ha="left",
            color=INK,
        )
        figure.tight_layout()
        return to_picture(name, found.title, found.description, figure)


@_once
def run_order(found: data.RunOrder) -> Picture:
    """Figure 1."""
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Axes) -> None:
        variants = list(dict.fromkeys(p.variant for p in found.points))
        for i, variant in enumerate(variants):
            for kind, face in (("measured", PALETTE[i % 7]), ("warm-up", PAPER)):
                chosen = [p for p in found.points if p.variant == variant and p.kind == kind]
                axes.plot(
                    [p.order for p in chosen],
                    [p.rec_per_min for p in chosen],
                    MARKS[i % 7],
                    color=PALETTE[i % 7],
                    markerfacecolor=face,
                    label=variant if kind == "measured" else "_",
                    markersize=6,
                ) if chosen else None
        odd = [p for p in found.points if p.odd]
        if odd:
            at, rates = [p.order for p in odd], [p.rec_per_min for p in odd]
            axes.plot(
                at,
                rates,
                "o",
                color=INK,
                markerfacecolor="none",
                markersize=12,
                label="odd, counts all the same",
            )
        void = [p.order for p in found.points if p.kind == "void"]
        axes.axhline(found.median, color=PALETTE[0], linewidth=1, linestyle="--", zorder=1)
        rates = [p.rec_per_min for p in found.points if p.kind != "void"]
        low, high = min([*rates, found.median]), max([*rates, found.median])
        margin = max(0.12 * (high - low), 0.04 * high)
        axes.set_ylim(max(0, low - margin), high + margin)
        if void:
            axes.plot(void, [axes.get_ylim()[0]] * len(void), "x", color=INK, label="void", clip_on=False)
        axes.set_xlabel("run, in time order (hollow: warm-up)")
        axes.set_ylabel("records a minute")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        _thousands(axes.yaxis)
        axes.grid(axis="y")
        _legend(axes)

    return _picture("run-order", found, 2.9, draw)


@_once
def points(found: data.Points) -> Picture:
    """Figure 2."""

    def draw(axes: Axes) -> None:
        for i, strip in enumerate(found.strips):
            spread = [(j % 5 - 2) * 0.06 for j in range(len(strip.values))]
            axes.plot(
                strip.values,
                [i + s for s in spread],
                MARKS[i % 7],
                color=PALETTE[i % 7],
                markersize=5,
                alpha=0.8,
            )
            axes.plot([strip.median] * 2, [i - 0.3, i + 0.3], color=INK, linewidth=2)
        _rows(axes, [strip.label for strip in found.strips])
        axes.set_xlabel("records a minute; bar: median")
        _thousands(axes.xaxis)
        axes.grid(axis="x")

    return _picture("points", found, 1.2 + 0.42 * len(found.strips), draw)


@_once
def forest(found: data.Forest) -> Picture:
    """Figure 3."""

    def draw(axes: Axes) -> None:
        bounds = [1 + threshold for threshold in found.thresholds]
        for i, bound in enumerate(bounds):
            axes.barh(i, bound - 1 / bound, left=1 / bound, height=1, color=BAND, linewidth=0, zorder=0)
        axes.axvline(1, color=MUTED, linewidth=1)
        for i, row in enumerate(found.rows):
            judged = row.note != "estimate only"
            colour = PALETTE[0] if judged else PALETTE[6]
            axes.plot([row.low, row.high], [i, i], color=colour, linewidth=2)
            axes.plot([row.centre], [i], "s" if judged else "o", color=colour, markersize=7)
            axes.annotate(
                f"{row.centre:.3f}  {row.note}",
                (row.high, i),
                (6, 0),
                textcoords="offset points",
                va="center",
                size=9,
            )
        axes.set_xscale("log")
        ends = [v for r in found.rows for v in (r.low, r.high)]
        widest = max(bounds, default=1.1)
        ends += [1 / widest, widest]
        width = math.log(max(ends) / min(ends))
        axes.set_xlim(min(ends) * math.exp(-0.06 * width), max(ends) * math.exp(0.5 * width))
        _ratios(axes.xaxis, *axes.get_xlim())
        _rows(axes, [row.label for row in found.rows])
        same = f"within {found.thresholds[0]:.1%}" if len({*bounds}) == 1 else "within each one's threshold"
        axes.set_xlabel(f"throughput / baseline's throughput (shaded: {same})")

    return _picture("forest", found, 1.2 + 0.42 * len(found.rows), draw)


@_once
def waterfall(found: data.Waterfall) -> Picture:
    """Figure 4."""

    def draw(axes: Axes) -> None:
        level, labels = 1.0, []
        for i, (label, ratio) in enumerate(found.steps):
            axes.bar(i, level * ratio - level, bottom=level, width=0.6, color=PALETTE[2 if ratio >= 1 else 1])
            axes.annotate(
                f"×{ratio:.2f}", (i, level * max(ratio, 1)), (0, 3), textcoords="offset points", ha="center"
            )
            labels.append(label)
            level *= ratio
        ends: list[tuple[str, float, data.Interval | None]] = [("product", found.product, None)]
        if found.measured is not None:
            ends.append(("measured", found.measured.centre, found.measured))
        for label, value, interval in ends:
            i = len(labels)
            axes.bar(i, value - 1, bottom=1, width=0.6, color=PALETTE[0 if interval else 6])
            if interval:
                axes.plot([i, i], [interval.low, interval.high], color=INK, linewidth=2)
            axes.annotate(
                f"×{value:.2f}",
                (i, max(value, interval.high if interval else 1)),
                (0, 3),
                textcoords="offset points",
                ha="center",
            )
            labels.append(label)
        axes.axhline(1, color=MUTED, linewidth=1)
        axes.set_yscale("log")
        low, high = found.span
        axes.set_ylim(low * 0.97, max(high, 1.05) * 1.12)
        _ratios(axes.yaxis, *axes.get_ylim())
        axes.set_xticks(range(len(labels)), [textwrap.fill(label, 12) for label in labels])
        axes.set_ylabel("times the throughput (log)")
        axes.grid(axis="y")

    return _picture("waterfall", found, 3.2, draw)


@_once
def sweep(found: data.Sweep) -> Picture:
    """Figure 5."""

    def draw(axes: Axes) -> None:
        xs = (
            [float(v.label) for v in found.values]
            if found.numeric
            else [float(i) for i in range(len(found.values))]
        )
        for x, value in zip(xs, found.values, strict=True):
            tied = value.label in found.tied
            axes.plot([x, x], [value.low, value.high], color=PALETTE[0 if tied else 6], linewidth=2)
            axes.plot(
                [x],
                [value.centre],
                "o",
                color=PALETTE[0],
                markerfacecolor=PALETTE[0] if tied else PAPER,
                markersize=7,
            )
        if found.numeric:
            axes.plot(xs, [v.centre for v in found.values], color=PALETTE[0], linewidth=1, zorder=1)
            if min(xs) > 0 and max(xs) / min(xs) >= 8:
                axes.set_xscale("log")
                axes.minorticks_off()
        axes.set_xticks(xs, [v.label for v in found.values])
        if not found.numeric:
            axes.set_xlim(-0.6, len(xs) - 0.4)
        axes.axhline(1, color=MUTED, linewidth=1, zorder=0)
        axes.set_xlabel(f"{found.setting} (filled: nominated and tied with it)")
        axes.set_ylabel("throughput / baseline's")
        axes.grid(axis="y")

    return _picture("sweep", found, 3.0, draw)


@_once
def stages(found: data.Stages) -> Picture:
    """Figure 6."""

    def draw(axes: Axes) -> None:
        left = [0.0] * len(found.bars)
        for i, stage in enumerate(STAGES):
            widths = [parts[i] for _, parts in found.bars]
            if any(width > 0 for width in widths):
                axes.barh(
                    range(len(found.bars)),
                    widths,
                    left=left,
                    height=0.6,
                    color=PALETTE[i],
                    edgecolor=PAPER,
                    label=data.stage_name(stage),
                )
            left = [at + width for at, width in zip(left, widths, strict=True)]
        _rows(axes, [name for name, _ in found.bars])
        axes.set_xlabel("milliseconds of work a document (median run)")
        axes.grid(axis="x")
        _legend(axes, below=True)

    return _picture("stages", found, 1.2 + 0.42 * len(found.bars), draw)


@_once
def slices(found: data.Slices) -> Picture:
    """Figure 7."""

    def draw(axes: Axes) -> None:
        for i, (name, line) in enumerate(found.lines):
            axes.plot(
                [done for done, _ in line],
                [rate for _, rate in line],
                marker=MARKS[i % 7],
                color=PALETTE[i % 7],
                label=name,
                markersize=5,
            )
        axes.set_ylim(bottom=0)
        axes.set_xlabel("documents done within the run")
        axes.set_ylabel("records a minute")
        _thousands(axes.xaxis)
        _thousands(axes.yaxis)
        axes.grid(axis="y")
        if len(found.lines) > 1:
            _legend(axes)

    return _picture("slices", found, 2.9, draw)


@_once
def scaling(found: data.Scaling) -> Picture:
    """Figure 8."""

    def draw(axes: Axes) -> None:
        workers = [w for w, _, _ in found.points]
        axes.plot(workers, workers, color=MUTED, linestyle="--", linewidth=1, label="ideal")
        axes.plot(workers, [g for _, g, _ in found.points], "o-", color=PALETTE[0], label="measured")
        for w, gain, efficiency in found.points:
            axes.annotate(f"{efficiency:.0%}", (w, gain), (6, -12), textcoords="offset points", size=9)
        axes.set_xticks(workers)
        axes.set_xlim(min(workers) - 0.3, max(workers) + 0.6)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("workers (percentages: efficiency)")
        axes.set_ylabel("speed-up against one worker")
        axes.grid(axis="y")
        _legend(axes)

    return _picture("scaling", found, 3.0, draw)


@_once
def forecast(found: data.ForecastFigure) -> Picture:
    """Figure 9."""

    def draw(axes: Axes) -> None:
        days = max(row.high for row in found.rows) >= 48
        unit = 24 if days else 1
        for i, row in enumerate(found.rows):
            axes.barh(i, row.centre / unit, height=0.5, color=PALETTE[0], alpha=0.85)
            axes.plot([row.low / unit, row.high / unit], [i, i], color=INK, linewidth=2)
            axes.annotate(
                data.duration(row.centre),
                (row.high / unit, i),
                (6, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_xlim(0, max(row.high for row in found.rows) / unit * 1.3)
        _rows(axes, [row.label for row in found.rows])
        axes.set_xlabel(f"{'days' if days else 'hours'} (line: interval)")
        axes.grid(axis="x")

    return _picture("forecast", found, 1.2 + 0.45 * len(found.rows), draw)


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [textwrap.fill(label, 26) for label in labels])
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _ratios(axis: Any, low: float, high: float) -> None:
    """Ticks of a log axis of ratios at round numbers, few of them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    step = next((s for s in steps if (high - low) / s <= 6), 10.0)
    ticks = [round(i * step, 2) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _legend(axes: Axes, *, below: bool = False) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure = axes.get_figure()
    if below and figure is not None:
        figure.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(0.0, 0.0), ncols=4, columnspacing=1.2
        )
    else:
        anchor = (-0.02, 1.0)
        axes.legend(
            handles, labels, loc="lower left", bbox_to_anchor=anchor, ncols=3, columnspacing=1.2, borderpad=0
        )
