"""Floor 3, *what*: the asset graph, its partitions, checks and jobs, and the commands that need Dagster.

Asset bodies are a few lines around the folds of `context_plane`; when they run is the business of `sensors`. Importing
this package imports no Dagster.
"""
