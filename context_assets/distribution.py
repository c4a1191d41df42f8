"""Distributions and curves for the metadata of assets, drawn as small as the bars of `plot`."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from context_assets.plot import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCHES: Final = (6.4, 2.2)
_DPI: Final = 96
_BINS: Final = 40
_COLOURS: Final = ("#9aa5b1", "#2563eb")
_SHADES: Final = ("#9aa5b1", "#d97706", "#2563eb")
_LEAST_PAD: Final = timedelta(hours=1)


def histogram(title: str, values: Mapping[str, Sequence[float]], across: str) -> dg.MarkdownMetadataValue:
    """How often values of one or two kinds occur, as shares of their kind; `across` says what is counted.

    The highest hundredth is shown at the end of the axis: a few far out would press all others into one bar.
    """
    figure, axes = _axes(title, across, "share")
    everything = sorted(value for each in values.values() for value in each)
    span = (everything[0], everything[min(len(everything) - 1, len(everything) * 99 // 100)])
    values = {name: [min(value, span[1]) for value in each] for name, each in values.items()}
    for (name, each), colour in zip(values.items(), _COLOURS[-len(values) :], strict=True):
        weights = [1 / len(each)] * len(each)
        axes.hist(each, bins=_BINS, range=span, weights=weights, color=colour, alpha=0.8, label=name)
    if len(values) > 1:
        axes.legend(fontsize=8, frameon=False)
    middle = ", ".join(f"{name} {sorted(each)[len(each) // 2]:.3g}" for name, each in values.items())
    return _shown(figure, f"{title}; median {middle}")


def curve(title: str, values: Mapping[int, float], across: str, along: str) -> dg.MarkdownMetadataValue:
    """A value (`along`) by a number (`across`)."""
    figure, axes = _axes(title, across, along)
    axes.plot(list(values), list(values.values()), color=_COLOURS[1], marker="o", markersize=3)
    axes.set_ylim(min(*values.values(), 0.9), 1.005)
    return _shown(figure, f"{title}: " + ", ".join(f"{at}: {value:.3f}" for at, value in values.items()))


def courses(
    title: str, times: Sequence[datetime], values: Mapping[str, Sequence[float]], marks: Mapping[int, str]
) -> dg.MarkdownMetadataValue:
    """Values of up to three kinds over time, NaN where there is none; at the places in `marks` something else began."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure, axes = _axes(title)
    for (name, each), colour in zip(values.items(), _SHADES, strict=False):
        axes.plot(times, each, color=colour, marker="o", markersize=3, label=name)
    for at, text in marks.items():
        axes.axvline(times[at], color=_COLOURS[0], linewidth=0.8, linestyle=":")
        axes.annotate(text, (times[at], 1.0), (2, -7), ("data", "axes fraction"), "offset points", fontsize=6)
    pad = max((times[-1] - times[0]) * 0.04, _LEAST_PAD)
    axes.set_xlim(times[0] - pad, times[-1] + pad)
    locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.legend(fontsize=8, frameon=False)
    last = ", ".join(f"{name} {each[-1]:.3f}" for name, each in values.items())
    return _shown(figure, f"{title}; last {last}")


def _axes(title: str, across: str = "", along: str = "") -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.set_xlabel(across, fontsize=8)
    axes.set_ylabel(along, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _shown(figure: Figure, alt: str) -> dg.MarkdownMetadataValue:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    raw = io.BytesIO()
    FigureCanvasAgg(figure).print_png(raw)  # type: ignore[no-untyped-call]
    image = base64.b64encode(palette(raw.getvalue())).decode()
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{image})\n\n{alt}")
