"""The hot index: a tenant's shards merged in memory, and what came since they were built."""
