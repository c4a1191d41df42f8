"""The small plots in the metadata of assets: one number a day, the days of this run in another colour.

Metadata lie in the row of their event in Dagster's database, so a plot is a palette PNG of 2 to 5 kB, drawn without a
display. Dagster's UI shows Markdown of 1,000 characters and more only at a click: hence the sparkline beside it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Mapping
from typing import Final

import dagster as dg

from context_plane.instants import DAY, day_of

_INCHES: Final = (6.4, 1.7)
_DPI: Final = 96
_LEAST_DAYS: Final = 13
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_BLOCKS_SHOWN: Final = 60
_OLD, _NEW = "#9aa5b1", "#2563eb"


def plot(title: str, values: Mapping[int, int], fresh: Collection[int], alt: str) -> dg.MarkdownMetadataValue:
    """Bars by day (days since 1970) as an inline image; the days in `fresh` stand out. `alt` is its text."""
    image = base64.b64encode(draw(title, values, fresh)).decode()
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{image})")


def sparkline(values: Mapping[int, int]) -> str:
    """The last values as blocks, with what the highest of them stands for."""
    shown = list(values.values())[-_BLOCKS_SHOWN:]
    most = max(shown, default=0)
    blocks = "".join(_BLOCKS[value * (len(_BLOCKS) - 1) // most] if most else _BLOCKS[0] for value in shown)
    return f"{blocks} (most {most:,})"


def draw(title: str, values: Mapping[int, int], fresh: Collection[int]) -> bytes:
    """The bars as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, MaxNLocator

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    first, last = min(values), max(values)
    colours = [_NEW if day in fresh else _OLD for day in values]
    width = max(0.9, (last - first) / 120)  # a pack a month among empty days would be thinner than a pixel
    axes.bar(list(values), list(values.values()), width=width, color=colours)
    axes.set_xlim(min(first, last - _LEAST_DAYS) - width, last + width)
    axes.set_title(title, fontsize=9, loc="left")
    ticks = _ticks(first, last)
    axes.set_xticks(ticks, [day_of(day * DAY).isoformat() for day in ticks])
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    raw = io.BytesIO()
    FigureCanvasAgg(figure).print_png(raw)  # type: ignore[no-untyped-call]
    return palette(raw.getvalue())


def _ticks(first: int, last: int) -> list[int]:
    """At most seven days, evenly spread from the first on."""
    step = max(1, -(-(last - first + 1) // 7))
    return list(range(first, last + 1, step))


def palette(png: bytes) -> bytes:
    """The image in 32 colours: a third of the bytes, and nothing lost that an eye would see."""
    from PIL import Image

    small = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(32).save(small, "PNG", optimize=True)
    return small.getvalue()
