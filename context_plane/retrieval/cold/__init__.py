"""Without an index: searches that read a few entities by ranges, or take candidates from LanceDB."""
