"""Floor 5: the one Dagster code location. Everything is built inside `defs`, when Dagster loads it, never at import."""

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """The graph of the plane that the environment names, and what starts its runs."""
    from context_assets.graph import Graph
    from resources.plane import PlaneResource
    from sensors.commits import build_new_commits
    from sensors.daily import build_daily
    from sensors.packages import build_rebuild
    from sensors.processes import build_orphans, build_triggers

    graph = Graph(PlaneResource())
    starts = dg.Definitions(
        sensors=[build_new_commits(graph), build_rebuild(graph), build_triggers(graph), build_orphans(graph)],
        schedules=[build_daily(graph)],
    )
    return dg.Definitions.merge(graph.definitions(), starts)
