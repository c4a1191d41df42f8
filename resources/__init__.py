"""Floor 2, *with what*: the resources of Dagster, thin wrappers that open the plane's parts from config.

Here belongs opening and nothing that computes: what is built is `context_plane`, which assets there are `context_assets`.
"""
