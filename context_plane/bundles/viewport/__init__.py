"""The viewport: what of many candidates is put into a context window, within a budget of tokens (seed 001, 6.5).

`sections` is what callers give, `assembly` the way in, `budget` what they are told about it.
"""
