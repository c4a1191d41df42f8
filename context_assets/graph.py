"""The graph: assets, job and resources of one plane as Dagster definitions, without what starts them.

Built inside a function, from the home as it is then: a spec file added later needs a reload of the code location.
"""

import logging
import warnings

import dagster as dg

from context_assets import names
from context_assets.entity_context import build_broken, build_context
from context_assets.events import build_events
from context_assets.knowledge import build_knowledge
from context_assets.memory import build_memory
from context_assets.packages import build_packages
from context_assets.partitions import Span, read_span
from context_assets.process_catalog import build_process_catalog
from context_assets.process_run import build_process_run
from context_assets.quality import build_quality
from context_assets.search import build_search
from context_assets.snapshot import build_snapshot
from context_assets.timeline import build_timeline
from context_plane.bundles.folder import Specs, read_specs
from context_plane.evaluation import dataset
from resources.plane import PlaneResource
from resources.serving import ServingResource

_log = logging.getLogger(__name__)


class Graph:
    """What Dagster shows and runs for one plane."""

    def __init__(self, plane: PlaneResource) -> None:
        """Reads the home's specs and the log's oldest day; builds nothing."""
        with plane.open() as opened:
            self.specs: Specs = read_specs(opened.settings.contexts)
            self.span: Span = read_span(opened)
            self.embedder = opened.settings.embedder
            self.datasets: list[str] = dataset.names(opened.settings.home)
        self.plane = plane
        self.serving = ServingResource(home=plane.home, store=plane.store)
        for broken in self.specs.broken:
            _log.error("context spec left out: %s", broken.error)
        contexts = [names.asset_name(name) for name in self.specs.good]
        self.refresh = dg.define_asset_job(
            names.REFRESH,
            selection=dg.AssetSelection.assets(
                names.TIMELINE,
                *contexts,
                *names.search_assets(self.embedder),
                *names.MEMORIES.values(),
                names.KNOWLEDGE,
                names.SNAPSHOT,
            ),
            description="All that is built of a range of windows, then the snapshot. Unchanged days stay.",
        )
        self.packages = dg.define_asset_job(
            names.PACKAGES,
            selection=dg.AssetSelection.assets(names.CTX_PACKAGES),
            description="Packages of which a source changed. What is fresh stays.",
        )
        self.catalog = dg.define_asset_job(
            names.CATALOG_JOB,
            selection=dg.AssetSelection.assets(names.PROCESS_CATALOG),
            description="The processes as they are compiled now.",
        )
        self.process_run = build_process_run()

    def definitions(self) -> dg.Definitions:
        """Assets, checks, job and resources. Steps run in the run's own process: the folds are short."""
        contexts = {names.asset_name(name): spec for name, spec in self.specs.good.items()}
        search = names.search_assets(self.embedder)
        memory = names.MEMORIES.values()
        indexes = [name for name in search if name != names.EMBEDDINGS]
        taken = {names.EVENTS, names.TIMELINE, names.SNAPSHOT, names.KNOWLEDGE, *search, *memory, *contexts}
        taken |= {names.PACKAGE_SOURCES, names.CTX_PACKAGES, names.PROCESS_CATALOG}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # backfill policies and observable assets, at every load
            assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
                build_events(),
                build_timeline(self.span),
                *(build_context(spec, self.span) for spec in contexts.values()),
                *build_broken(self.specs.broken, taken),
                *build_search(self.span, self.embedder),
                *build_memory(self.span, self.embedder),
                build_knowledge(indexes),
                *([build_quality()] if self.datasets else []),
                build_process_catalog(),
                *build_packages([names.BM25_INDEX, *memory, names.KNOWLEDGE]),
                build_snapshot([*contexts, *indexes, *memory]),
            ]
        return dg.Definitions(
            assets=assets,
            jobs=[self.refresh, self.packages, self.catalog, self.process_run],
            resources={"plane": self.plane, "serving": self.serving},
            executor=dg.in_process_executor,
        )
