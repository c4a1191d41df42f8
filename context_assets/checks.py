"""Checks: the verdicts that the store keeps with every part, gathered into one result a run.

A check is made where a part is made, and its verdict lies with the part: what failed is never published, whoever tries.
Dagster's checks show these verdicts, and end a run in which one is bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from context_assets.folding import Folded, all_parts

if TYPE_CHECKING:
    from context_plane.parts.part import Part

TIMELINE: Final[Mapping[str, str]] = {
    "row_count": "A day has as many rows as the log records for it.",
    "unique_ids": "No event (source and id) is in a day twice.",
    "schema": "Columns and types are those of a timeline.",
    "day_boundaries": "All times lie within the day, in UTC.",
    "sorted": "Rows are in order of entity, time, source and id.",
}
CONTEXTS: Final[Mapping[str, str]] = {
    "bundle_count": "A pack holds exactly the entities whose bundle changed since the pack before.",
    "deterministic": "A sample of bundles, computed again from reordered files on one thread, has the same bytes.",
}
FULLTEXT: Final[Mapping[str, str]] = {
    "row_count": "A shard holds every event of its day's timeline.",
}
VECTOR: Final[Mapping[str, str]] = {
    "row_count": "A shard holds one vector for every event of its day's timeline.",
    "finite": "No vector holds NaN or infinity.",
    "unit_length": "Every vector has length 1, or is zero where the model found nothing in the text.",
}
MEMORY: Final[Mapping[str, str]] = {
    "row_count": "A part holds every node and every edge of its day's timeline.",
    "deterministic": "The day's events in another order give the same bytes.",
}
LINKS: Final[Mapping[str, str]] = {
    "row_count": "A part tells the first event of every entity of its day's timeline.",
    "stated": "Every link is stated by an event of its day.",
    "deterministic": "A sample of the day's events, asked again in another order, states the same links.",
}
RECALL: Final = "ann_recall"
LEAST_RECALL: Final = 0.95
FAILING: Final = "failing"
SEPARATOR: Final = ", "
_LISTED: Final = 50


def specs(asset: str, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """The checks of an asset; a failure ends the run before anything is built upon it."""
    return [dg.AssetCheckSpec(name, asset=asset, description=text, blocking=True) for name, text in checks.items()]


def results(checks: Iterable[str], folded: Sequence[Folded]) -> list[dg.AssetCheckResult]:
    """One result a check over all parts in the run's ranges, with the days that failed."""
    parts = all_parts(folded)
    return [_result(name, [each for each in parts if name in each[1].checks]) for name in checks]


def recall_spec(asset: str) -> dg.AssetCheckSpec:
    """The check of the graph: it stops nothing, because what the graph misses is only found later."""
    text = f"On a sample, the graph finds at least {LEAST_RECALL:.0%} of the ten nearest vectors."
    return dg.AssetCheckSpec(RECALL, asset=asset, description=text)


def recall_result(found: Mapping[str, float], curve: Mapping[int, float]) -> dg.AssetCheckResult:
    """The check's result from the recall by tenant, and the curve of recall by candidates asked for."""
    worst = min(found.values(), default=None)
    text = "no tenant has a graph: so few vectors are compared one by one" if worst is None else f"at least {worst:.3f}"
    metadata: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.float(value) for name, value in found.items()}
    if curve:
        rows = [f"| {count} | {value:.4f} |" for count, value in curve.items()]
        metadata["recall by candidates"] = dg.MetadataValue.md(
            "\n".join(["| candidates | recall@10 |", "| --- | --- |", *rows])
        )
    passed = worst is None or worst >= LEAST_RECALL
    severity = dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(check_name=RECALL, passed=passed, severity=severity, description=text, metadata=metadata)


def _result(name: str, parts: Sequence[tuple[str, Part]]) -> dg.AssetCheckResult:
    failing = [f"{tenant} {part.date.isoformat()}" for tenant, part in parts if not part.checks[name]]
    metadata: dict[str, dg.MetadataValue] = {"parts checked": dg.MetadataValue.int(len(parts))}
    text = f"{len(parts):,} parts pass" if parts else "nothing to check in these windows"
    if failing:
        text = f"{len(failing):,} of {len(parts):,} parts fail and will not be published: {', '.join(failing[:3])}"
        metadata[FAILING] = dg.MetadataValue.text(SEPARATOR.join(failing[:_LISTED]))
    return dg.AssetCheckResult(check_name=name, passed=not failing, description=text, metadata=metadata)
