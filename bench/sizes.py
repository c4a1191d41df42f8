"""Search against size: the same corpus of 10,000 to 1,000,000 documents of 64 dimensions, and a plot of it.

A million takes twenty minutes and some 12 GB, most of it the corpus itself; ``BENCH_LARGEST`` (documents) stops before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench import corpus
from bench.clock import stopwatch, timed
from bench.corpus import TENANT
from bench.search import hybrid
from context_plane.plane import ContextPlane

SIZES: Final = (10_000, 30_000, 100_000, 300_000, 1_000_000)
PLOT: Final = Path(__file__).with_name("search-growth.svg")


def growth(folder: Path) -> Iterator[dict[str, Any]]:
    """p50 and p99 by size and kind of search."""
    largest = int(os.environ.get("BENCH_LARGEST", SIZES[-1]))
    found: dict[str, list[tuple[int, float, float]]] = {}
    for size in (size for size in SIZES if size <= largest):
        made = corpus.make(size, 64)
        home = folder / str(size)
        with stopwatch() as built:
            corpus.build(home, made).close()
        with ContextPlane.open(home, embedder="bench") as plane:
            plane._embedders["bench"] = corpus.Known(made)  # noqa: SLF001 - as in `corpus.build`
            with stopwatch() as loaded:
                plane.warm(TENANT)
            one = [{"entity": corpus.entity(each)} for each in made.query_entity]
            calls = {
                "text": lambda i, p=plane, m=made: p.search(TENANT, m.query_texts[i], mode="bm25"),
                "vector": lambda i, p=plane, m=made: p.search(TENANT, "", vector=m.query_vectors[i], mode="vector"),
                "hybrid": hybrid(plane, made),
                "hybrid, one entity": hybrid(plane, made, one),
            }
            yield {"what": f"{size:,}", "build_s": round(built.seconds, 1), "load_s": round(loaded.seconds, 2)}
            for name, call in calls.items():
                figures = timed(f"{size:,}, {name}", call)
                found.setdefault(name, []).append((size, figures["p50_us"], figures["p99_us"]))
                yield figures
    _plot(found)


def _plot(found: dict[str, list[tuple[int, float, float]]]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "search-growth"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for name, points in found.items():
        sizes, p50, p99 = zip(*points, strict=True)
        [line] = axes.plot(sizes, p50, marker="o", label=f"{name}, p50")
        axes.plot(sizes, p99, marker=".", linestyle=":", color=line.get_color(), label=f"{name}, p99")
    axes.set(xscale="log", yscale="log", xlabel="documents", ylabel="microseconds a search")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=7, ncols=2)
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})
