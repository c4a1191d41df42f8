"""Retrieval: search over a tenant's events by words and vectors.

`searcher` is the way in: it takes a view and a query and gives hits. Below it, from what is read first to what is built
last: `text` (terms of an event), `shards` (files of a period), `building` (shards out of timelines), `hot` (a tenant's
shards in memory, and what came since), `scoring` (the best documents of an index), `cold` (answers without one), and
beside them `embedders`, the models that make vectors of texts.
"""
