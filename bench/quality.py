"""Quality of search on scifact and LoCoMo, of which nothing is part of this repository.

``python -m bench.quality [--embedder NAME]`` prints a table; as a case, ``python -m bench quality``, also one line of
JSON a data set and mode.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from context_plane.config import Settings, load_settings
from context_plane.evaluation import dataset
from context_plane.evaluation.evaluate import evaluate
from context_plane.evaluation.measures import NAMES
from context_plane.evaluation.report import Report

REPOSITORY = Path(__file__).parents[1]
LOCOMO = Path(__file__).with_suffix("") / "locomo.yaml"
HEADER = ["data set", "mode", *NAMES, "hybrid less it, nDCG@10", "p50 / p99 ms"]


def retrieval(folder: Path) -> Iterator[dict[str, Any]]:
    """Both data sets with the embedder of the environment, by default the plane's; the table goes to stderr."""
    reports = []
    for report in measured(load_settings(folder)):
        reports.append(report)
        yield from figures(report)
    if not reports:
        yield {"what": "quality", "skipped": "neither scifact nor locomo under CONTEXT_PLANE_TEST_DATA"}
        return
    print(table(reports), file=sys.stderr)


def measured(settings: Settings) -> Iterator[Report]:
    """The reports of the data sets that are there, laid out in the settings' home."""
    data = Path(os.environ.get("CONTEXT_PLANE_TEST_DATA") or REPOSITORY.parent / "shared" / "data").resolve()
    target = dataset.folder_of(settings.home)
    if (data / "scifact").is_dir():
        for judgements in ("test", "train"):
            _scifact(data / "scifact", target / f"scifact-{judgements}", judgements)
    if (data / "locomo").is_dir():
        _locomo(data / "locomo", target / "locomo")
    for name in dataset.names(settings.home):
        yield evaluate(dataset.load(target / name), settings)


def _scifact(source: Path, target: Path, judgements: str) -> None:
    target.mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl"):
        (target / name).symlink_to(source / name)
    (target / "qrels.tsv").symlink_to(source / "qrels" / f"{judgements}.tsv")


def _locomo(source: Path, target: Path) -> None:
    """LoCoMo gives all turns of a session one time, in words: here it is ISO 8601, and each turn a second later."""
    target.mkdir(parents=True)
    for name in ("queries.jsonl", "qrels.tsv"):
        (target / name).symlink_to(source / name)
    (target / dataset.MAPPING).symlink_to(LOCOMO)
    turns: Counter[tuple[str, int]] = Counter()
    with (source / "corpus.jsonl").open() as lines, (target / "corpus.jsonl").open("w") as out:
        for row in map(json.loads, lines):
            session = row["conversation"], row["session"]
            began = datetime.strptime(row["session_datetime"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
            row["session_datetime"] = (began + timedelta(seconds=turns[session])).isoformat()
            turns[session] += 1
            print(json.dumps(row), file=out)


def figures(report: Report) -> Iterator[dict[str, Any]]:
    """One line a mode."""
    for mode, each in report.modes.items():
        yield {
            "what": f"{report.dataset} {mode}",
            "queries": report.queries,
            "embedder": report.embedder,
            **{name: [mean.mean, mean.low, mean.high] for name, mean in each.means.items()},
            "p50_ms": each.p50_ms,
            "p99_ms": each.p99_ms,
        }


def table(reports: list[Report]) -> str:
    """Markdown, with 95 % intervals."""
    rows = [HEADER, ["---"] * len(HEADER)]
    for report in reports:
        for mode, each in report.modes.items():
            ahead = report.differences.get(mode, {}).get(NAMES[0])
            shown = f"{ahead.mean:+.3f} [{ahead.low:+.3f}, {ahead.high:+.3f}]" if ahead else ""
            means = [str(each.means[name]) for name in NAMES]
            rows.append([report.dataset, mode, *means, shown, f"{each.p50_ms:.2f} / {each.p99_ms:.2f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Prints the table for an embedder."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description="Quality of search.")
    parser.add_argument("--embedder", help="a name as in plane.toml [default: CONTEXT_PLANE_EMBEDDER, else wordllama]")
    chosen = parser.parse_args().embedder
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = load_settings(folder)
        reports = list(measured(replace(settings, embedder=chosen) if chosen else settings))
    if not reports:
        raise SystemExit("error: neither scifact nor locomo; set CONTEXT_PLANE_TEST_DATA to the folder that holds them")
    print(f"Embedder {reports[0].embedder}, analyzer {reports[0].analyzer}.\n\n{table(reports)}")


if __name__ == "__main__":
    main()
