"""Nodes: what agents were told to remember, linked by typed edges (seed 001, 6.2).

Each node and each later edge is an event of the plane's own. `node` says what they are and how events hold them,
`part` is the fold, `memory` all that a tenant remembers, `seen` what of it a view shows, `checks` what must hold before
`adding` adds something to the log, `keeping` how it is loaded and kept up with the log.
"""
