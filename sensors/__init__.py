"""Floor 4, *when*: what starts a run. Sensors and schedules only discover; what runs is in `context_assets`.

Nothing here is relied upon for truth: what is stale follows from the log and the store alone, so that wiping Dagster's
home, or running a tick twice, starts nothing harmful.
"""
