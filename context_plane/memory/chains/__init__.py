"""Chains: what came of what, walked along typed links (seed 001, 6.2 and 6.3).

`graph` holds the links of a tenant's view, `walk` follows them from one thing, `drawing` shows what was found.
"""
