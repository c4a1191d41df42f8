"""Names: what assets, groups and the job are called.

A context spec's asset has the spec's name, but for the few names that Dagster, Python or the plane's graph has taken.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import Final

from context_plane.parts.part import FULLTEXT, LINKS, MEMORY, VECTOR

EVENTS: Final = "events"
TIMELINE: Final = "timeline"
SNAPSHOT: Final = "snapshot"
EMBEDDINGS: Final = "embeddings"
BM25_INDEX: Final = "bm25_index"
VECTOR_INDEX: Final = "vector_index"
MEMORY_NODES: Final = "memory_nodes"
MEMORY_CHAINS: Final = "memory_chains"
KNOWLEDGE: Final = "knowledge"
PACKAGE_SOURCES: Final = "package_sources"
CTX_PACKAGES: Final = "ctx_packages"
RETRIEVAL_QUALITY: Final = "retrieval_quality"
PROCESS_CATALOG: Final = "process_catalog"

LOG_GROUP: Final = "log"
CONTEXT_GROUP: Final = "entity_context"
SEARCH_GROUP: Final = "search"
MEMORY_GROUP: Final = "memory"
KNOWLEDGE_GROUP: Final = "knowledge"
PACKAGE_GROUP: Final = "packages"
PROCESS_GROUP: Final = "processes"
SERVING_GROUP: Final = "serving"
OWNERS: Final = ("team:context-plane",)

REFRESH: Final = "refresh"
PACKAGES: Final = "packages"
PROCESS_RUN: Final = "process_run"
CATALOG_JOB: Final = "compile_processes"

_TAKEN: Final = frozenset(
    {
        EVENTS,
        TIMELINE,
        SNAPSHOT,
        EMBEDDINGS,
        BM25_INDEX,
        VECTOR_INDEX,
        MEMORY_NODES,
        MEMORY_CHAINS,
        KNOWLEDGE,
        PACKAGE_SOURCES,
        CTX_PACKAGES,
        RETRIEVAL_QUALITY,
        PROCESS_CATALOG,
        PROCESS_RUN,
        CATALOG_JOB,
        REFRESH,
        PACKAGES,
    }
)
# What Dagster refuses as a name, besides Python's keywords.
_REFUSED: Final = frozenset(
    "context conf config meta arg_dict dict input_arg_dict output_arg_dict int str float bool input output type".split()
)


INDEXES: Final = {FULLTEXT: BM25_INDEX, VECTOR: VECTOR_INDEX}
"""The asset of each kind of index."""
MEMORIES: Final = {MEMORY: MEMORY_NODES, LINKS: MEMORY_CHAINS}
"""The asset of each kind of memory."""


def search_assets(embedder: str) -> list[str]:
    """The assets of search, in the order in which they are built; without an embedder only that of words."""
    return [BM25_INDEX] if embedder == "none" else [EMBEDDINGS, BM25_INDEX, VECTOR_INDEX]


def asset_name(spec: str) -> str:
    """The name of a spec's asset: the spec's own, behind ``context_`` where that is not to be had."""
    free = spec not in _TAKEN and spec not in _REFUSED and not iskeyword(spec)
    return spec if free else f"context_{spec}"
