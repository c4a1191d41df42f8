"""`retrieval_quality`: how well search finds what people judged to be right, and how that changed.

The evaluation is `context_plane.evaluation`; every one is kept in the store. The asset exists where the home has data
sets, and belongs to no job: it takes as long as indexing them, so a person (or a schedule of theirs) asks for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import nan
from typing import Final

import dagster as dg

from context_assets import metadata, names
from context_assets.distribution import courses
from context_assets.failures import explained, failure
from context_plane.canonical import digest
from context_plane.errors import ContextPlaneError, Unavailable
from context_plane.evaluation import dataset, history
from context_plane.evaluation.evaluate import evaluate
from context_plane.evaluation.measures import NAMES, NDCG
from context_plane.evaluation.report import Report
from context_plane.instants import to_datetime
from context_plane.plane import ContextPlane
from resources.plane import PlaneResource

HYBRID_HOLDS: Final = "hybrid_holds"
ALLOWED: Final = 0.005
"""nDCG@10 by which hybrid search may be behind the better of words and vectors: below it lies chance."""
_MODES: Final = ("bm25", "vector", "hybrid")


@dataclass(frozen=True)
class Measured:
    """The newest evaluation of a data set, and all that are kept, the oldest first."""

    report: Report
    kept: Sequence[Report]


def build_quality() -> dg.AssetsDefinition:
    """The asset over the data sets that the home has when it runs."""

    @dg.asset(
        name=names.RETRIEVAL_QUALITY,
        check_specs=[
            dg.AssetCheckSpec(
                HYBRID_HOLDS,
                asset=names.RETRIEVAL_QUALITY,
                description=f"Hybrid search is at most {ALLOWED} nDCG@10 behind the better of words and vectors.",
            )
        ],
        code_version="1",
        group_name=names.SEARCH_GROUP,
        owners=list(names.OWNERS),
        kinds={"json"},
    )
    def retrieval_quality(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Evaluates search on every data set of the home's `quality/` folder, with the home's embedder."""
        with explained(context.retry_number):
            measured, failed = measure_all(plane.plane, context.log.info)
        for error in failed:
            context.log.error(str(error))
        if failed:
            raise failure(failed[0])
        return dg.MaterializeResult(
            metadata=_metadata(plane.plane, measured),
            check_results=[_check(measured)],
            data_version=_data_version(measured),
        )

    return retrieval_quality


def measure_all(
    plane: ContextPlane, report_to: Callable[[str], None]
) -> tuple[list[Measured], list[ContextPlaneError]]:
    """Evaluates each data set; what is wrong with one (but not an unreachable store) does not lose the others."""
    measured: list[Measured] = []
    failed: list[ContextPlaneError] = []
    for name in dataset.names(plane.settings.home):
        try:
            measured.append(_measure(plane, name))
        except Unavailable:
            raise
        except ContextPlaneError as error:
            failed.append(error)
        else:
            report = measured[-1].report
            report_to(f"{name}: {report.documents:,} documents, {report.queries:,} queries in {report.seconds:.1f} s")
    return measured, failed


def _measure(plane: ContextPlane, name: str) -> Measured:
    found = dataset.load(dataset.folder_of(plane.settings.home) / name)
    report = evaluate(found, plane.settings)
    history.keep(plane.store, report)
    return Measured(report, history.kept(plane.store, name))


def _metadata(plane: ContextPlane, measured: Sequence[Measured]) -> metadata.Values:
    values: metadata.Values = {"data sets": dg.MetadataValue.int(len(measured))}
    if not measured:
        folder = dataset.folder_of(plane.settings.home)
        values["nothing measured"] = dg.MetadataValue.text(f"put a data set in BEIR's form into {folder}/NAME")
    for each in measured:
        values |= _of_dataset(each)
    return values


def _of_dataset(measured: Measured) -> metadata.Values:
    """The figures of one data set: those that Dagster plots, and those that a person reads."""
    report = measured.report
    values: metadata.Values = {
        report.dataset: dg.MetadataValue.md(_table(report)),
        f"{report.dataset}: nDCG@10 over time": _plot(measured.kept),
    }
    for mode, figures in report.modes.items():
        for name, each in figures.means.items():
            values[f"{report.dataset} {mode} {name}"] = dg.MetadataValue.float(each.mean)
        values[f"{report.dataset} {mode} p50 ms"] = dg.MetadataValue.float(figures.p50_ms)
    return values


def _table(report: Report) -> str:
    rows = [
        [mode, *(str(figures.means[name]) for name in NAMES), f"{figures.p50_ms:.2f} / {figures.p99_ms:.2f}"]
        for mode, figures in report.modes.items()
    ]
    rows += [
        [
            f"hybrid less {part}",
            *(f"{each.mean:+.3f} [{each.low:+.3f}, {each.high:+.3f}]" for each in means.values()),
            "",
        ]
        for part, means in report.differences.items()
    ]
    about = (
        f"{report.documents:,} documents, {report.queries:,} queries; embedder {report.embedder}, analyzer "
        f"{report.analyzer}; 95 % intervals over queries."
    )
    unknown = [
        f"{count:,} {what}"
        for count, what in (
            (report.unknown_queries, "judged queries are not among the queries and left out."),
            (report.unknown_documents, "judged documents are not in the corpus and count as not found."),
        )
        if count
    ]
    return "\n\n".join([metadata.table(["mode", *NAMES, "p50 / p99 ms"], rows), " ".join([about, *unknown])])


def _plot(kept: Sequence[Report]) -> dg.MarkdownMetadataValue:
    modes = [mode for mode in _MODES if any(mode in each.modes for each in kept)]
    values = {mode: [_ndcg(each, mode) for each in kept] for mode in modes}
    marks = {at: told for at, pair in enumerate(pairwise(kept), 1) if (told := _changed(*pair))}
    title = f"{kept[-1].dataset}: nDCG@10 of {len(kept)} evaluations"
    return courses(title, [to_datetime(each.at) for each in kept], values, marks)


def _ndcg(report: Report, mode: str) -> float:
    return report.modes[mode].means[NDCG].mean if mode in report.modes else nan


def _changed(before: Report, after: Report) -> str:
    """What makes two evaluations different measurements, and not two of the same."""
    told = [] if before.embedder == after.embedder else [after.embedder[:32]]
    told += [] if before.analyzer == after.analyzer else [f"analyzer {after.analyzer}"]
    told += [] if before.sha256 == after.sha256 else ["other data"]
    return ", ".join(told)


def _check(measured: Sequence[Measured]) -> dg.AssetCheckResult:
    reports = [each.report for each in measured if "hybrid" in each.report.modes]
    behind = [each for each in reports if each.shortfall > ALLOWED]
    text = ", ".join(f"{each.dataset} is {each.shortfall:.3f} behind" for each in behind)
    if not behind:
        text = f"{len(reports):,} data sets hold" if reports else "without vectors there is no hybrid search"
    return dg.AssetCheckResult(
        check_name=HYBRID_HOLDS,
        passed=not behind,
        severity=dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={f"{each.dataset} ahead": dg.MetadataValue.float(round(-each.shortfall, 6)) for each in reports},
    )


def _data_version(measured: Sequence[Measured]) -> dg.DataVersion:
    """Of what was measured and found, and not of times."""
    found = [
        [each.report.dataset, each.report.sha256, each.report.embedder, each.report.analyzer]
        + [[mode, name, mean.mean] for mode, all_ in each.report.modes.items() for name, mean in all_.means.items()]
        for each in measured
    ]
    return dg.DataVersion(digest(found))
