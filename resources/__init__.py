"""Floor 2, *with what*: the resources of Dagster, thin wrappers that open the plane's parts from config.

Here belongs opening and nothing that computes: how is `context_plane`'s business, what is `context_assets`'.
"""
